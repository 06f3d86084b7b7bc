//! Values in and out, and References.

use super::{in_world, result, result_of};

#[test]
fn values_are_spelled_as_json_stringify_spells_them() {
    in_world(|world| {
        let code = r#"() => ({ b: [1.5, -0, 1e21, 1e-7, 0.1, 123456789012, -5, 2 ** 53], a: "\u0000\u001f\"\\\n/é\u2028😀",
            u: undefined, list: [undefined, , null, true], 2: 'x', 1: 'y', ["__proto__"]: { z: 1 }, "@a": 1, "@@b": { "@qref": 1 }, n: Object.create(null) })"#;
        world.install(1, code);
        let json = result_of(
            r#"() => JSON.stringify({ b: [1.5, -0, 1e21, 1e-7, 0.1, 123456789012, -5, 2 ** 53], a: "\u0000\u001f\"\\\n/é\u2028😀",
            list: [undefined, , null, true], 2: 'x', 1: 'y', ["__proto__"]: { z: 1 }, "@@a": 1, "@@@b": { "@@qref": 1 }, n: {} })"#,
        );
        let told = result(&world.send(1, "null"));
        let expected: String = serde_json::from_str(&json).expect("a string");
        assert_eq!(told, expected);
        qrt_shared::qjson::check(&told, "result", |_| false).expect("canonical");
    });
}

#[test]
fn what_is_no_qjson_is_refused_with_its_path() {
    let told = result_of(
        r#"(args, power) => {
            const me = power.make_object("() => 1");
            let ran = 0;
            const cycle = {}; cycle.a = [cycle];
            const bad = [
                { get x() { ran++ } }, { set x(v) { ran++ } }, new Proxy({}, { ownKeys() { ran++; return [] } }), new Proxy([], {}),
                new Date(0), new Map(), new (class A {})(), Object.create({}), () => 1, Symbol('s'), { [Symbol('s')]: 1 }, 1n, NaN, -Infinity,
                cycle, "\ud800", { "\udc00": 1 }, Promise.resolve(), /x/, new Error('e'), Object(1), [1, new Uint8Array(1)],
                Object.assign([1], { extra: 1 }), new (class extends Array {})(), { toJSON: () => { ran++ } },
                Object.defineProperty([], '0', { get() { ran++ } }), power.clock, (function () { return arguments })(1),
            ];
            const told = bad.map((value, i) => {
                try { me.sendOnly({ items: [1, { when: value }] }); return 'sent' }
                catch (e) { return (e instanceof TypeError) ? e.message : String(e) }
            });
            return [ran, told];
        }"#,
    );
    let (ran, told): (u32, Vec<String>) = serde_json::from_str(&told).expect("a list");
    assert_eq!(ran, 0, "no object code ran");
    for (index, message) in told.iter().enumerate() {
        assert!(message.starts_with("args.items[1].when"), "{index}: {message}");
        assert!(message.contains(": "), "{index}: {message}");
    }
    assert_eq!(told[0], "args.items[1].when.x: a getter or setter");
    assert_eq!(told[4], "args.items[1].when: an instance of Date");
    assert_eq!(told[14], "args.items[1].when.a[0]: a cycle");
}

#[test]
fn args_have_a_size_and_a_depth() {
    let told = result_of(
        r#"(args, power) => {
            const me = power.make_object("() => 1");
            const nest = depth => { let x = []; for (let i = 1; i < depth; i++) x = [x]; return x };
            const tell = value => { try { me.sendOnly(value); return 'ok' } catch (e) { return e.name + ': ' + e.message } };
            return [tell(nest(128)), tell(nest(129)).slice(0, 20), tell('x'.repeat((1 << 20) - 2)), tell('x'.repeat((1 << 20) - 1)),
                tell(Array(8000).fill(me)), tell(Array(8130).fill(me))];
        }"#,
    );
    assert_eq!(
        told,
        r#"["ok","RangeError: args[0][","ok","RangeError: args: larger than 1048576 bytes","ok","RangeError: args: larger than 1048576 bytes"]"#
    );
}

#[test]
fn references_are_themselves_and_cannot_be_made() {
    in_world(|world| {
        world.install(
            1,
            r#"(args, power) => {
                const [a, b, c] = args.refs;
                const fake = { sendOnly() { return 'ran' } };
                const copy = Object.create(a);
                const tell = run => { try { return run() } catch (e) { return e.name } };
                return [a === b, a === c, a === power.friend, Object.isFrozen(a), Object.isFrozen(Object.getPrototypeOf(a)), typeof a, String(a), Object.keys(a),
                    Q.isReference(a), Q.isReference(fake), Q.isReference(copy), Q.isReference({ "@qref": 9 }), Q.isReference(new Proxy(a, {})),
                    tell(() => Q.sendOnly(fake, 1)), tell(() => copy.sendOnly(1)), tell(() => a.sendOnly.call({}, 1)), tell(() => new a.constructor()),
                    tell(() => a.sendOnly(1)), JSON.stringify(a), args.plain, power.friend, [a, { "@qref": 9 }]];
            }"#,
        );
        let text = r#"{"refs":[{"@qref":9},{"@qref":9},{"@qref":8}],"plain":{"@@qref":9,"@@@x":1}}"#;
        world.install_with(2, "() => 1", "{}", None);
        let image = world.images.lock().expect("one thread")[&1].clone().expect("installed");
        let mut image = image;
        image.power.statics = r#"{"friend":{"@qref":9}}"#.to_owned();
        world.images.lock().expect("one thread").insert(1, Ok(image));
        let report = world.send(1, text);
        assert_eq!(
            result(&report),
            concat!(
                r#"[true,false,true,true,true,"object","[object Reference]",[],true,false,false,false,false,"#,
                r#""TypeError","TypeError","TypeError",{},null,"{}",{"@@qref":9,"@@@x":1},{"@qref":9},[{"@qref":9},{"@@qref":9}]]"#
            )
        );
        assert_eq!(report.sent.len(), 1);
        assert_eq!(report.sent[0].target, 9);
    });
}

#[test]
fn a_result_that_is_no_qjson_is_null_and_says_why() {
    assert_eq!(result_of("() => Promise.resolve(1)"), "not QJSON: result: an instance of Promise");
    assert_eq!(result_of("() => ({ a: [NaN] })"), "not QJSON: result.a[0]: NaN");
    assert_eq!(result_of("() => undefined"), "null");
}

#[test]
fn static_power_is_deeply_frozen_and_args_are_not() {
    in_world(|world| {
        world.install_with(
            1,
            "(args, power) => [Object.isFrozen(power), Object.isFrozen(power.a), Object.isFrozen(power.a.b), Object.isFrozen(args), power['__proto__']]",
            r#"{"a":{"b":[1]},"__proto__":5}"#,
            None,
        );
        assert_eq!(result(&world.send(1, "{}")), "[true,true,true,false,5]");
    });
}
