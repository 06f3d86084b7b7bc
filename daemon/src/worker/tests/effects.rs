//! Messages, new objects, calls, promise jobs, clock, chance and log.

use super::{error, in_world, limit, result, result_of};
use crate::protocol::{Limit, MadeMemory, Native};

#[test]
fn messages_copy_their_args_when_sent() {
    in_world(|world| {
        world.install(
            1,
            "(args) => { const x = { n: 1 }; args.sendOnly(x); x.n = 2; Q.sendOnly(args, x); args.sendOnly() }",
        );
        let sent = world.send(1, r#"{"@qref":3}"#).sent;
        let texts: Vec<_> = sent.iter().map(|sent| (sent.target, sent.args.as_str())).collect();
        assert_eq!(texts, [(3, r#"{"n":1}"#), (3, r#"{"n":2}"#), (3, "null")]);
    });
}

#[test]
fn a_failed_turn_has_no_effect_but_its_log() {
    in_world(|world| {
        world.install(1, "(args, power) => { args.sendOnly(1); power.memory.a = 1; power.make_object('() => 1'); power.log('here'); throw new Error('no') }");
        let report = world.send(1, r#"{"@qref":3}"#);
        assert_eq!(error(&report).message, "Error: no");
        assert!(report.sent.is_empty() && report.made.is_empty() && report.memories.is_empty());
        assert_eq!(report.log, ["here"]);
    });
}

#[test]
fn a_new_object_has_no_memory_its_makers_or_its_own() {
    in_world(|world| {
        world.install_with(
            1,
            r#"(args, power) => {
                const make = power.make_object;
                make("() => 1", { memory: power.memory, clock: power.clock, tick: power.clock });
                make("() => 1", { memory: { a: [1], "@b": 2 }, cfg: power.cfg, friend: args });
                make("() => 1", { memory: null, x: null, y: undefined });
                make("() => 1");
                make("() => 1", null);
                make("() => 1", power);
                make("() => 1", add(power, { memory: undefined, cfg: undefined, extra: null }));
                const account = power.make_account("() => 1", { nested: { memory: power.memory } });
                return [Q.isReference(account), account];
            }"#,
            r#"{"cfg":{"deep":[1]}}"#,
            Some((5, r#"{"m":1}"#)),
        );
        let report = world.send(1, r#"{"@qref":3}"#);
        assert_eq!(result(&report), r#"[true,{"@qref":1007}]"#);
        let made = &report.made;
        assert!(made.iter().all(|made| made.maker == 1));
        assert_eq!(made[0].memory, MadeMemory::Makers);
        assert_eq!(made[0].power.natives, [("clock".to_owned(), Native::Clock), ("tick".to_owned(), Native::Clock)]);
        let entries = [("a", "[1]"), ("@b", "2")].map(|(key, text)| (key.to_owned(), text.to_owned()));
        assert_eq!(made[1].memory, MadeMemory::New(entries.to_vec()));
        assert_eq!(made[1].power.statics, r#"{"cfg":{"deep":[1]},"friend":{"@qref":3}}"#);
        assert_eq!((&made[2].memory, made[2].power.statics.as_str()), (&MadeMemory::None, r#"{"x":null}"#));
        assert_eq!((&made[3].memory, made[3].power.statics.as_str()), (&MadeMemory::None, "{}"));
        assert_eq!(made[4].memory, MadeMemory::None);
        assert_eq!(made[5].memory, MadeMemory::Makers);
        assert_eq!(made[5].power.natives.len(), 5);
        assert_eq!(made[5].power.statics, r#"{"cfg":{"deep":[1]}}"#);
        assert_eq!((&made[6].memory, made[6].power.statics.as_str()), (&MadeMemory::None, r#"{"extra":null}"#));
        assert!(made[7].account);
        assert_eq!(made[7].power.statics, r#"{"nested":{"memory":{"m":1}}}"#);
    });
}

#[test]
fn bad_descriptions_of_power_are_type_errors() {
    let told = result_of(
        r#"(args, power) => {
            const bad = [
                [{ memory: [] }], [{ memory: 1 }], [{ memory: power.make_object("() => 1") }], [{ memory: power.clock }],
                [{ a: { b: power.clock } }], [[power.clock]], [[]], [1], ["x"], [power.make_object("() => 1")], [{ get a() { return 1 } }],
                [new Map()], [() => 1], [{ a: () => 1 }], [new Proxy({}, {})], [{ [Symbol()]: 1 }],
            ];
            return bad.map(([p]) => { try { power.make_object("() => 1", p); return 'made' } catch (e) { return e.name } })
                .filter(x => x !== 'TypeError').concat((() => { try { power.make_object(() => 1) } catch (e) { return e.name } })());
        }"#,
    );
    assert_eq!(told, r#"["TypeError"]"#);
}

#[test]
fn make_object_belongs_to_the_object_whose_power_it_came_from() {
    in_world(|world| {
        world.install(1, "(args, power) => { power.memory.mine = 1; return args.call({ make: power.make_object, memory: power.memory }) }");
        world.install(
            2,
            r#"(args, power) => {
                args.make("() => 1", { memory: args.memory });
                power.memory.x = 1;
                args.make("() => 1", { memory: power.memory });
                return 1;
            }"#,
        );
        let report = world.send(1, r#"{"@qref":2}"#);
        assert_eq!(result(&report), "1");
        assert!(report.made.iter().all(|made| made.maker == 1));
        assert_eq!(report.made[0].memory, MadeMemory::Makers);
        assert_eq!(report.made[1].memory, MadeMemory::New(vec![("x".to_owned(), "1".to_owned())]));
    });
}

#[test]
fn bad_code_for_a_new_object_is_a_syntax_error_to_catch() {
    let told = result_of(
        r#"(args, power) => ["() => {", "class {}", "(() => 1)", "async () => 1", ""].map(code => {
            try { power.make_object(code); return 'made' } catch (e) { return e instanceof SyntaxError }
        })"#,
    );
    assert_eq!(told, "[true,true,true,true,true]");
}

#[test]
fn the_clock_stands_still_and_random_is_the_recorded_stream() {
    in_world(|world| {
        world.install(
            1,
            "(args, power) => [power.clock() - power.clock(), power.random(20) + power.random(20), power.random(0)]",
        );
        let report = world.send(1, "null");
        assert!(report.clock_used && report.random_used);
        // SHA-256 of 32 bytes of 7 and the block's number, from Python's hashlib.
        let stream = concat!("7c87c3b8f2da19fe841e74b9bbcbd5109643f0ff2214601b5129210de8082bda", "f222a20b21927d88");
        assert_eq!(result(&report), format!("[0,\"{stream}\",\"\"]"));
        let again = world.send(1, "null");
        assert_eq!(result(&report), result(&again), "the same seed gives the same bytes");
    });
    let told = result_of(
        "(args, power) => [-1, 1.5, 1025, 'x', NaN, undefined].map(n => { try { return power.random(n) } catch (e) { return e.name } }).join()",
    );
    assert_eq!(told, r#""RangeError,RangeError,RangeError,TypeError,RangeError,TypeError""#);
}

#[test]
fn log_lines_show_values_as_they_are_when_logged() {
    in_world(|world| {
        world.install(
            1,
            r"(args, power) => {
                const x = { a: [1, args] };
                power.log('text', x, 5, undefined, null, () => 1, new TypeError('t'));
                x.a = 2;
                console.log('via console', x);
                power.log();
            }",
        );
        let report = world.send(1, r#"{"@qref":3}"#);
        assert_eq!(
            report.log,
            [
                r#"text {"a":[1,[Reference]]} 5 undefined null [value: a function] TypeError: t"#,
                r#"via console {"a":2}"#,
                ""
            ]
        );
        let mut image = world.images.lock().expect("one thread")[&1].clone().expect("installed");
        image.power.natives.clear();
        world.engine.codes().add(9, "() => { console.log(1); console.error(2) }".to_owned());
        image.code = 9;
        world.images.lock().expect("one thread").insert(9, Ok(image));
        assert!(world.send(9, "null").log.is_empty(), "without power.log the console is mute");
    });
}

#[test]
fn calls_are_immediate_nested_and_pass_anything() {
    in_world(|world| {
        world.install(
            1,
            r"(args, power) => {
                const [a, b] = args;
                const out = [];
                power.memory.n = 1;
                out.push(Q.call(b, x => x + 1), b.call(x => x * 3));
                try { b.call(null) } catch (e) { out.push(e.name, e instanceof TypeError) }
                for (const bad of [{}, null, { call() {} }]) try { Q.call(bad, 1) } catch (e) { out.push(e.name) }
                try { a.call(1) } catch (e) { out.push(e.message) }
                return out;
            }",
        );
        world.install(2, "(f, power) => { power.memory.calls = (power.memory.calls ?? 0) + 1; return f(20) }");
        let report = world.send(1, r#"[{"@qref":404},{"@qref":2}]"#);
        assert_eq!(
            result(&report),
            r#"[21,60,"TypeError",true,"TypeError","TypeError","TypeError","call: no such object"]"#
        );
        assert_eq!(world.memory(2), r#"{"calls":3}"#, "an exception undoes nothing");
    });
}

#[test]
fn each_call_gets_a_fresh_function() {
    in_world(|world| {
        world.install(1, "(args) => [args.call(1), args.call(1), args.call(1)]");
        world.install(2, "function f(args, power) { f.n = (f.n ?? 0) + 1; globalThis.g = (globalThis.g ?? 0) + 1; return f.n + globalThis.g }");
        assert_eq!(result(&world.send(1, r#"{"@qref":2}"#)), "[2,2,2]");
    });
}

#[test]
fn depth_cannot_be_used_up_to_stop_a_callee_half_way() {
    in_world(|world| {
        world.install(1, "(n, power) => { if (n === 0) return 'bottom'; return power.self.call(n - 1) }");
        let mut image = world.images.lock().expect("one thread")[&1].clone().expect("installed");
        image.power.statics = r#"{"self":{"@qref":1}}"#.to_owned();
        world.images.lock().expect("one thread").insert(1, Ok(image));
        assert_eq!(result(&world.send(1, "64")), r#""bottom""#);
        let report = world.send(1, "65");
        assert_eq!(limit(&report), Limit::Calls);
        world.install(3, "(args) => { try { args.call(65) } catch {} return 'caught' }");
        assert_eq!(limit(&world.send(3, r#"{"@qref":1}"#)), Limit::Calls);
    });
    in_world(|world| {
        world.install(1, "(args) => { let n = 0; const dig = () => { n++; try { dig() } catch {} try { args.call(1) } catch {} }; dig(); return n }");
        world.install(2, "(args, { memory }) => { memory.n = 1 }");
        assert_eq!(limit(&world.send(1, r#"{"@qref":2}"#)), Limit::Calls);
    });
    in_world(|world| {
        world.install(1, "(args) => { try { args.call(1) } catch {} return 1 }");
        world.install(2, "function f() { f() }");
        assert_eq!(limit(&world.send(1, r#"{"@qref":2}"#)), Limit::Calls);
        world.install(3, "() => { const f = () => f(); try { f() } catch (e) { return e.name } }");
    });
    assert_eq!(result_of("() => { const f = () => f(); try { f() } catch (e) { return e.name } }"), r#""RangeError""#);
}

#[test]
fn promise_jobs_run_inside_the_turn() {
    in_world(|world| {
        world.install(
            1,
            r"(args, power) => {
                (async () => { for (let i = 0; i < 3; i++) { await null; power.memory.n = i } args.sendOnly('late') })();
                return 'returned';
            }",
        );
        let report = world.send(1, r#"{"@qref":2}"#);
        assert_eq!(result(&report), r#""returned""#);
        assert_eq!(report.sent.len(), 1);
        assert_eq!(world.memory(1), r#"{"n":2}"#);
    });
}

#[test]
fn a_rejection_nobody_handled_is_an_error() {
    in_world(|world| {
        world.install(1, "() => { (async () => {\n  await null; throw new RangeError('lost') })() }");
        let error = error(&world.send(1, "null"));
        assert!(error.message.starts_with("RangeError: lost"), "{}", error.message);
        assert_eq!(error.line, 2);
        world.install(
            2,
            "() => { const p = Promise.reject(1); Promise.resolve().then(() => p.catch(() => {})); return 'fine' }",
        );
        assert_eq!(result(&world.send(2, "null")), r#""fine""#);
    });
}
