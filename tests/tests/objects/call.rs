//! `call`: another object's code, now, inside the same turn.

use qrt_tests::Grant;
use serde_json::json;

use crate::vat;

#[test]
fn call_runs_the_object_now_and_returns_what_it_returns() {
    let vat = vat();
    let adder = vat.object("([a, b], power) => { power.memory.calls = (power.memory.calls ?? 0) + 1; return a + b }");
    let caller = vat.object("o => [o.call([1, 2]), Q.call(o, [o.call([3, 4]), 5])]");
    assert_eq!(caller.text(&adder.reference()), "[3,12]");
    assert_eq!(adder.memory(), r#"{"calls":3}"#);
    assert_eq!(adder.turns(9).len(), 0, "the callee takes no turn of its own");
}

#[test]
fn any_values_may_pass_by_call_both_ways_and_they_are_the_same_values() {
    let vat = vat();
    let code = r"(o, power) => {
        const values = [() => 1, Symbol('s'), 1n, NaN, -0, undefined, new Map([[1, 2]]), new Proxy({}, {}), Promise.resolve(1), power, power.memory, power.clock,
            globalThis, new (class A { #p = 1 })(), '\ud800', new Date(5), { get x() { return 7 } }, [1, , 3], (function* () {})(), null];
        return [values.every(v => Object.is(o.call(v), v) && Object.is(Q.call(o, v), v)), o.call() === undefined];
    }";
    let echo = vat.object("args => args");
    assert_eq!(vat.object(code).text(&echo.reference()), "[true,true]");
}

#[test]
fn functions_that_pass_by_call_work_on_both_sides() {
    let vat = vat();
    let code = "(f, power) => { power.memory.seen = f(20); return x => { power.memory.later = x; return x * 2 } }";
    let callee = vat.object(code);
    let caller =
        vat.object("(o, power) => { let own = 1; const back = o.call(x => own += x); return [own, back(4), back(5)] }");
    assert_eq!(caller.text(&callee.reference()), "[21,8,10]");
    assert_eq!(
        callee.memory(),
        r#"{"seen":21,"later":5}"#,
        "what a function of the callee writes is kept with the turn"
    );
    assert_eq!(caller.memory(), "{}");
}

#[test]
fn each_call_gets_a_fresh_function_and_a_fresh_global_this() {
    let vat = vat();
    let code = "function f(args, power) { f.n = (f.n ?? 0) + 1; globalThis.n = (globalThis.n ?? 0) + 1; power.memory.n = (power.memory.n ?? 0) + 1; \
                return args ? [f, globalThis] : [f.n, globalThis.n, power.memory.n] }";
    let object = vat.object(code);
    let caller = vat.object("o => { const [f, g] = o.call(1), [f2, g2] = o.call(1); return [f === f2, g === g2, f.name, o.call(), o.call()] }");
    assert_eq!(caller.text(&object.reference()), r#"[false,false,"f",[1,1,3],[1,1,4]]"#);
}

#[test]
fn calls_nest_and_may_come_back_to_an_object_that_runs() {
    let vat = vat();
    let code = r"({ n, self, other }, { memory }) => {
        (memory.order ??= []).push('in ' + n);
        if (n > 0) other.call({ n: n - 1, self: other, other: self });
        memory.order.push('out ' + n);
        return memory.order.length;
    }";
    let (a, b) = (vat.object(code), vat.object(code));
    let args = format!(r#"{{"n":3,"self":{},"other":{}}}"#, a.reference(), b.reference());
    assert_eq!(a.text(&args), "4");
    assert_eq!(a.memory(), r#"{"order":["in 3","in 1","out 1","out 3"]}"#);
    assert_eq!(b.memory(), r#"{"order":["in 2","in 0","out 0","out 2"]}"#);
    let itself = vat.object(
        "(args, { memory }) => { memory.n = (memory.n ?? 0) + 1; if (memory.n < 5) args.call(args); return memory.n }",
    );
    assert_eq!(itself.text(&itself.reference()), "5");
}

#[test]
fn an_object_has_one_memory_object_in_a_turn_also_when_another_shares_it() {
    let vat = vat();
    let maker = vat.object(
        r"(args, power) => power.make_object(`(args, { memory }) => {
            if (args && memory !== args) throw new Error('another Memory');
            memory.n++;
            return memory;
        }`, { memory: power.memory })",
    );
    // The maker's memory, and two objects that share it.
    let first = maker.result("null");
    let second = maker.result("null");
    let (first, second) = (first["@qref"].as_str().expect("made"), second["@qref"].as_str().expect("made"));
    let caller = vat.object(
        r"([a, b]) => { const m = a.call(); m.n++; const same = b.call(m) === m && a.call(m) === m; m.list = [1]; const list = m.list; a.call(m); return [same, m.n, m.list === list] }",
    );
    let setup = vat.object("([a]) => { a.call().n = 0 }");
    let args = format!(r#"[{{"@qref":"{first}"}},{{"@qref":"{second}"}}]"#);
    setup.text(&args);
    assert_eq!(caller.text(&args), "[true,5,true]");
    assert_eq!(maker.memory(), r#"{"n":5,"list":[1]}"#);
}

#[test]
fn a_caught_exception_does_not_undo_what_the_callee_did() {
    let vat = vat();
    let target = vat.object("(args, { memory }) => { memory.got = args }");
    let callee = vat.object(
        "(o, power) => { power.memory.half = 1; o.sendOnly('sent'); power.log('logged'); power.make_object('() => 1'); power.memory.mark = 2; throw new RangeError('half way') }",
    );
    let caller = vat.object(
        "([callee, o]) => { try { callee.call(o) } catch (e) { return [e instanceof RangeError, e.message] } }",
    );
    let args = format!("[{},{}]", callee.reference(), target.reference());
    assert_eq!(caller.text(&args), r#"[true,"half way"]"#);
    assert_eq!(callee.memory(), r#"{"half":1,"mark":2}"#);
    target.wait_for_turns(1);
    assert_eq!(target.memory(), r#"{"got":"sent"}"#);
    let turn = caller.last_turn();
    assert_eq!((turn.made.len(), turn.sent.len(), turn.log), (1, 1, vec!["logged".to_owned()]));
    // Only the turn is atomic: if it fails, so does what the callee did.
    let caller = vat.object("([callee, o]) => { callee.call(o) }");
    assert!(caller.error(&args).starts_with("RangeError: half way"));
    assert_eq!(callee.memory(), r#"{"half":1,"mark":2}"#);
    assert_eq!(target.turns(9).len(), 1);
}

#[test]
fn what_a_callee_throws_is_the_very_value() {
    let vat = vat();
    let callee = vat.object("value => { throw value }");
    let code = "o => [{}, () => 1, Symbol('s'), 1, undefined, null, new Proxy({}, {}), o].map(v => { try { o.call(v); return 'no' } catch (e) { return e === v } })";
    assert_eq!(vat.object(code).text(&callee.reference()), "[true,true,true,true,true,true,true,true]");
}

#[test]
fn call_takes_references_alone() {
    let vat = vat();
    let code = r"o => { let ran = 0; const told = [{ call() { ran++ } }, null, undefined, 1, 'x', new Proxy(o, {}), Object.create(o), () => { ran++ }, { '@qref': 1 }]
        .map(fake => { try { Q.call(fake, 1); return 'called' } catch (e) { return e.name } }); return [ran, [...new Set(told)]] }";
    let object = vat.object(code);
    assert_eq!(object.text(&object.reference()), r#"[0,["TypeError"]]"#);
}

#[test]
fn an_object_can_be_called_in_the_turn_that_made_it() {
    let vat = vat();
    let code = r#"(args, power) => {
        const made = power.make_object("(args, { memory }) => { memory.n = (memory.n ?? 0) + args; return memory.n }", { memory: { n: 10 } });
        return [made.call(1), made.call(2), made];
    }"#;
    let result = vat.object(code).result("null");
    assert_eq!((&result[0], &result[1]), (&json!(11), &json!(13)));
    let made = vat.referred(&result[2]);
    assert_eq!(made.memory(), r#"{"n":13}"#);
    assert_eq!(made.text("1"), "14");
}

#[test]
fn an_object_that_is_called_in_the_turn_that_made_it_is_whole() {
    let vat = vat();
    let target = vat.object("() => 1");
    let code = r#"(o, power) => {
        const child = `(o, power) => {
            power.memory.deep = (power.memory.deep ?? 0) + 1;
            o.sendOnly('child');
            const own = power.make_object("(args, { memory }) => (memory.g = (memory.g ?? 0) + 1)", { memory: { g: 1 } });
            const shares = power.make_object("(args, { memory }) => (memory.s = (memory.s ?? 0) + 1)", { memory: power.memory });
            return { own, shares, called: [own.call(), own.call(), shares.call()] };
        }`;
        const account = power.make_account(child, { make_object: power.make_object, memory: {} });
        const sharer = power.make_object(child, { make_object: power.make_object, memory: power.memory });
        return { account, sharer, grand: [account.call(o), sharer.call(o)], unused: power.make_object(child, { memory: { kept: [o] } }) };
    }"#;
    let maker = vat.object_with(code, &Grant { memory: Some(r#"{"first":1}"#), ..Grant::default() });
    let made = maker.result(&target.reference());
    for grand in 0..2 {
        assert_eq!(made["grand"][grand]["called"], json!([2, 3, 1]));
        assert_eq!(vat.referred(&made["grand"][grand]["own"]).memory(), r#"{"g":3}"#);
    }
    let account = vat.referred(&made["account"]);
    let of = |object: &qrt_tests::Object| {
        (object.view().row.account.to_string(), object.view().maker.map(|m| m.to_string()))
    };
    assert_eq!(of(&vat.referred(&made["grand"][0]["own"])), (account.qrid.clone(), Some(account.qrid.clone())));
    assert_eq!(of(&vat.referred(&made["grand"][1]["own"])).0, maker.qrid);
    assert_eq!(account.memory(), r#"{"deep":1,"s":1}"#);
    assert_eq!(maker.memory(), r#"{"first":1,"deep":1,"s":1}"#);
    target.wait_for_turns(2);
    let sources: Vec<_> = target.turns(9).into_iter().map(|turn| turn.source).collect();
    assert_eq!(sources, [account.qrid.clone(), maker.qrid.clone()]);
    assert_eq!(vat.referred(&made["unused"]).memory(), format!(r#"{{"kept":[{}]}}"#, target.reference()));
    // What never came to be is not blamed.
    let fails = vat.object("(o, power) => power.make_object('() => { throw new Error(`new`) }').call()");
    assert!(fails.error("null").starts_with("Error: new (line 1, column "));
    assert_eq!(fails.faults().pop().expect("a fault").error.object, None);
    let fails =
        vat.object("(o, power) => power.make_object('(a, p) => { p.memory.x = () => 1 }', { memory: {} }).call()");
    assert!(fails.error("null").starts_with("TypeError: memory.x: a function"));
}

#[test]
fn calls_nest_64_levels_and_the_65th_kills_the_turn_whatever_the_code_catches() {
    let vat = vat();
    let deep = vat.object(
        "([self, n, catches], power) => { power.memory.level = n; if (n === 0) return 'bottom'; \
                try { return self.call([self, n - 1, catches]) } catch (e) { if (catches) return 'caught'; throw e } }",
    );
    let args = |n: u32, catches: bool| format!("[{},{n},{catches}]", deep.reference());
    assert_eq!(deep.text(&args(64, false)), r#""bottom""#);
    assert_eq!(deep.memory(), r#"{"level":0}"#);
    for catches in [false, true] {
        assert!(deep.killed(&args(65, catches)).contains("64 levels"));
    }
    assert_eq!(deep.memory(), r#"{"level":0}"#, "nothing of it is kept");
    // Nor are there more levels in a promise job.
    let later = vat.object("(args) => { Promise.resolve().then(() => args[0].call(args)) }");
    later.text(&args(63, false));
    assert!(later.killed(&args(64, true)).contains("64 levels"));
}

#[test]
fn nobody_can_use_up_the_stack_to_stop_a_callee_half_way() {
    let vat = vat();
    let victim = vat.object("(args, { memory }) => { memory.half = (memory.half ?? 0) + 1; (function deep(n) { if (n) deep(n - 1) })(100); memory.whole = memory.half }");
    let digs = vat.object("o => { let n = 0; const dig = () => { n++; try { dig() } catch {} try { o.call(1) } catch {} }; dig(); return n }");
    assert!(digs.killed(&victim.reference()).contains("stack"));
    assert_eq!(victim.memory(), "{}");
    // A stack overflow that leaves a called object, too.
    let overflows = vat.object("(args, { memory }) => { memory.half = 1; (function deep() { deep() })() }");
    let catches = vat.object("o => { try { o.call() } catch (e) { return e.name } }");
    assert!(catches.killed(&overflows.reference()).contains("stack"));
    assert_eq!(overflows.memory(), "{}");
    let wraps = vat.object("o => { for (const f of [() => o.call()]) { try { f() } catch {} } return 1 }");
    assert!(wraps.killed(&overflows.reference()).contains("stack"));
    // One's own overflow can be caught.
    assert_eq!(vat.run("() => { const f = () => f(); try { f() } catch (e) { return e.name } }"), r#""RangeError""#);
}

#[test]
fn make_object_belongs_to_the_object_whose_power_it_came_from() {
    let vat = vat();
    let owner = vat.object_with(
        "(o, power) => o.call({ make: power.make_object, memory: power.memory })",
        &Grant { memory: Some(r#"{"mine":1}"#), ..Grant::default() },
    );
    let borrower = vat.object_with(
        r#"({ make, memory }, power) => [
            make("(args, p) => p.memory", { memory }),
            make("(args, p) => p.memory", { memory: power.memory }),
            make("(args, p) => [p.other, p.memory === undefined]", { other: memory }),
            make("(args, p) => p", { make_object: make, clock: power.clock })]"#,
        &Grant { memory: Some(r#"{"theirs":1}"#), ..Grant::default() },
    );
    let made = owner.result(&borrower.reference());
    let [shared, copied, deeper, empowered] = [0, 1, 2, 3].map(|index| vat.referred(&made[index]));
    for object in [&shared, &copied, &deeper, &empowered] {
        let view = object.view();
        assert_eq!(view.row.account.to_string(), owner.qrid, "the owner's account pays");
        assert_eq!(view.maker.map(|maker| maker.to_string()), Some(owner.qrid.clone()));
    }
    assert_eq!(deeper.text("null"), r#"[{"mine":1},true]"#, "a Memory elsewhere is plain data");
    // Only the owner's own Memory shares its slot.
    let grow = "(args, { memory }) => { memory.later = true }";
    let grower = vat.object_with(
        &format!("(args, power) => power.make_object({grow:?}, {{ memory: power.memory }})"),
        &Grant { memory: Some("{}"), ..Grant::default() },
    );
    vat.referred(&grower.result("null")).text("null");
    assert_eq!(grower.memory(), r#"{"later":true}"#);
    assert_eq!(copied.text("null"), r#"{"theirs":1}"#);
    let edit = vat.object("o => { o.call().edited = 1 }");
    edit.text(&shared.reference());
    edit.text(&copied.reference());
    assert_eq!(owner.memory(), r#"{"mine":1,"edited":1}"#);
    assert_eq!(borrower.memory(), r#"{"theirs":1}"#);
    assert_eq!(copied.memory(), r#"{"theirs":1,"edited":1}"#);
}

#[test]
fn native_powers_that_pass_by_call_work_and_can_be_granted_on() {
    let vat = vat();
    let giver = vat.object("(o, power) => o.call(power)");
    let taker = vat.object_with(
        r#"given => { given.log('borrowed'); return [given.clock() > 0, given.random(2).length, given.make_object("(a, p) => p.tick() > 0 && p.random(1).length", { tick: given.clock, random: given.random })] }"#,
        &Grant { natives: &[], memory: None, ..Grant::default() },
    );
    let result = giver.result(&taker.reference());
    assert_eq!((&result[0], &result[1]), (&json!(true), &json!(4)));
    assert_eq!(vat.referred(&result[2]).text("null"), "2");
    assert_eq!(giver.last_turn().log, ["borrowed"]);
}

#[test]
fn a_memory_that_passes_by_call_is_the_owners_still() {
    let vat = vat();
    let owner = vat.object("(o, { memory }) => { o.call(memory); return memory.n }");
    let guest = vat.object("(theirs, { memory }) => { theirs.n = (theirs.n ?? 0) + 1; memory.copy = theirs }");
    assert_eq!(owner.text(&guest.reference()), "1");
    assert_eq!(owner.text(&guest.reference()), "2");
    assert_eq!(owner.memory(), r#"{"n":2}"#);
    assert_eq!(guest.memory(), r#"{"copy":{"n":2}}"#, "a Memory inside another is a copy at the end of the turn");
}

#[test]
fn messages_are_from_the_object_that_sends_them() {
    let vat = vat();
    let target = vat.object("() => 1");
    let callee = vat.object("o => { o.sendOnly('callee') }");
    let caller = vat.object("([callee, o]) => { o.sendOnly('caller'); callee.call(o); o.sendOnly('caller') }");
    caller.text(&format!("[{},{}]", callee.reference(), target.reference()));
    target.wait_for_turns(3);
    let sources: Vec<_> =
        target.turns(9).iter().map(|turn| (turn.args.get().to_owned(), turn.source.clone())).collect();
    let (caller, callee) = (caller.qrid.clone(), callee.qrid.clone());
    assert_eq!(
        sources,
        [(r#""caller""#, &caller), (r#""callee""#, &callee), (r#""caller""#, &caller)]
            .map(|(args, source)| (args.to_owned(), source.clone()))
    );
}

#[test]
fn an_error_thrown_by_a_function_that_passed_by_call_shows_no_line_of_another_source() {
    let vat = vat();
    let callee = vat.object("// the first line\nf => {\n  f();\n}");
    let caller = vat.object("o => {\n\n\n\n  o.call(() => { throw new Error('from the caller') });\n}");
    assert_eq!(caller.error(&callee.reference()), "Error: from the caller");
    let error = caller.faults().pop().expect("a fault").error;
    assert_eq!((error.line, error.column, error.excerpt.unwrap_or_default()), (None, None, String::new()));
}

#[test]
fn a_call_to_a_held_or_removed_object_throws_before_anything_of_it_runs() {
    let vat = vat();
    let callee = vat.object("(args, { memory }) => { memory.ran = true }");
    let caller = vat.object(
        "(o, { memory }) => { memory.o ??= o; try { memory.o.call(); return 'called' } catch (e) { return e.name } }",
    );
    let target = callee.qrid.parse().expect("a QRID");
    vat.ask(async |client| client.hold(&target, true).await);
    assert_eq!(caller.text(&callee.reference()), r#""TypeError""#);
    assert_eq!(callee.memory(), "{}");
    vat.ask(async |client| client.hold(&target, false).await);
    assert_eq!(caller.text("null"), r#""called""#);
    vat.ask(async |client| client.remove(&target, false).await);
    assert_eq!(caller.text("null"), r#""TypeError""#);
}
