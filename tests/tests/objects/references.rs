//! References: what code can do with one, and that it can make none.

use serde_json::json;

use crate::vat;

#[test]
fn two_references_to_one_object_are_the_same_within_a_turn() {
    let vat = vat();
    let friend = vat.object("args => args");
    let reference = friend.reference();
    let code = r"(args, power) => {
        const made = power.make_object('args => args');
        const kept = power.memory.kept;
        power.memory.kept = args.a;
        return [args.a === args.b[0], args.a === power.friend, args.a === kept, args.a === args.c, args.a.call(args.a) === args.a,
            made.call(made) === made, new Set([args.a, args.b[0], power.friend]).size, args.c.call() === args.a];
    }";
    let power = format!(r#"{{"friend":{reference}}}"#);
    let memory = format!(r#"{{"kept":{reference}}}"#);
    let grant = qrt_tests::Grant { power: &power, memory: Some(&memory), ..qrt_tests::Grant::default() };
    let other = vat.object_with(
        "(args, power) => power.friend",
        &qrt_tests::Grant { power: &power, ..qrt_tests::Grant::default() },
    );
    let args = format!(r#"{{"a":{reference},"b":[{reference}],"c":{}}}"#, other.reference());
    assert_eq!(vat.object_with(code, &grant).text(&args), "[true,true,true,false,true,true,1,true]");
}

#[test]
fn a_reference_is_opaque_and_frozen() {
    let vat = vat();
    let code = r"o => {
        const throws = run => { try { run(); return 'no' } catch (e) { return e.name } };
        const proto = Object.getPrototypeOf(o);
        const seen = [];
        for (const key in o) seen.push(key);
        return {
            type: typeof o, text: String(o), plus: o + '', template: `${o}`, json: JSON.stringify([o]), keys: Reflect.ownKeys(o), seen,
            entries: Object.entries(o), spread: { ...o }, assign: Object.assign({}, o), descriptors: Object.getOwnPropertyDescriptors(o),
            frozen: [Object.isFrozen(o), Object.isSealed(o), Object.isExtensible(o), Object.isFrozen(proto)],
            refused: [() => { o.x = 1 }, () => { 'use strict'; delete o.sendOnly; o.sendOnly = 1 }, () => Object.defineProperty(o, 'x', { value: 1 }),
                () => Object.setPrototypeOf(o, null), () => { o.__proto__ = {} }, () => { proto.sendOnly = 1 }, () => { o[0] = 1 },
                () => { o[Symbol.iterator] = 1 }, () => [...o], () => o(), () => new o(), () => new o.constructor.prototype.x(), () => { o.toString = 1 },
                () => Object.defineProperty(proto, 'x', { value: 1 }), () => class extends o {}, () => ({}) instanceof o, () => structuredClone(o)].map(throws),
            reflect: [Reflect.set(o, 'x', 1), Reflect.defineProperty(o, 'x', { value: 1 }), Reflect.deleteProperty(o, 'x'), Reflect.setPrototypeOf(o, null),
                Reflect.preventExtensions(o), Reflect.has(o, 'sendOnly'), Reflect.has(o, '@qref'), Reflect.get(o, '@qref') === undefined],
            has: ['sendOnly' in o, 'call' in o, '@qref' in o, 'qrid' in o, 'then' in o], isObject: o instanceof Object, number: Number.isNaN(+o),
            same: Object.freeze(o) === o && Object.seal(o) === o && Object.preventExtensions(o) === o, equal: [o == o, Object.is(o, o), o == '[object Reference]'],
            tag: Object.prototype.toString.call(o), array: Array.isArray(o), length: o.length === undefined,
        };
    }";
    let object = vat.object(code);
    let told = object.result(&object.reference());
    assert!(!object.text(&object.reference()).contains("qrt:"), "nothing code can read tells the id: {told}");
    let refused = told["refused"].as_array().expect("a list");
    for (index, name) in refused.iter().enumerate() {
        assert!(name == "TypeError" || (name == "ReferenceError" && index == 16), "{index}: {name}");
    }
    assert_eq!(
        told,
        json!({
            "type": "object", "text": "[object Reference]", "plus": "[object Reference]", "template": "[object Reference]",
            "json": "[{}]", "keys": [], "seen": [], "entries": [], "spread": {}, "assign": {}, "descriptors": {},
            "frozen": [true, true, false, true], "refused": told["refused"],
            "reflect": [false, false, true, false, true, true, false, true],
            "has": [true, true, false, false, false], "isObject": true, "number": true, "same": true, "equal": [true, true, true],
            "tag": "[object Reference]", "array": false, "length": true,
        })
    );
}

#[test]
fn code_cannot_write_a_reference() {
    let vat = vat();
    let target = vat.object("(args, { memory }) => { memory.got = args; return Q.isReference(args) }");
    let code = r"args => {
        const { o, qrid } = args;
        const fakes = [{ '@qref': qrid }, { '@qref': 1 }, { '@@qref': qrid }, JSON.parse(JSON.stringify({ '@qref': qrid })), JSON.parse(JSON.stringify(o)),
            qrid, { sendOnly() { throw 1 }, call() { throw 1 } }, Object.create(null), Object.fromEntries([['@qref', qrid]])];
        return [fakes.map(Q.isReference), fakes[0], fakes[5]];
    }";
    let qrid = &target.qrid;
    let result = vat.object(code).result(&format!(r#"{{"o":{},"qrid":"{qrid}"}}"#, target.reference()));
    assert_eq!(
        result,
        json!([[false, false, false, false, false, false, false, false, false], { "@@qref": qrid }, qrid])
    );
}

#[test]
fn is_reference_is_true_for_real_references_alone() {
    let vat = vat();
    let code = r"(o, power) => {
        const fakes = { copy: Object.create(o), proxy: new Proxy(o, {}), assigned: Object.assign(Object.create(Object.getPrototypeOf(o)), {}),
            proto: Object.getPrototypeOf(o), spread: { ...o }, nothing: undefined, none: null, text: String(o), list: [o], bound: o.sendOnly.bind(o),
            tagged: { [Symbol.toStringTag]: 'Reference' }, proxied: new Proxy({}, { getPrototypeOf: () => Object.getPrototypeOf(o) }),
            swapped: Object.setPrototypeOf({}, o), number: 1, memory: power.memory, q: Q };
        const wrong = Object.keys(fakes).filter(name => Q.isReference(fakes[name]));
        return [Q.isReference(o), Q.isReference(power.make_object('() => 1')), Q.isReference(), wrong];
    }";
    let object = vat.object(code);
    assert_eq!(object.text(&object.reference()), "[true,true,false,[]]");
}

#[test]
fn q_send_only_never_runs_code_of_a_fake() {
    let vat = vat();
    let code = r"(o, power) => {
        let ran = 0;
        const trap = new Proxy({}, { get() { ran++ }, has() { ran++ }, getPrototypeOf() { ran++ } });
        const fakes = [{ sendOnly() { ran++ } }, { get sendOnly() { ran++ } }, new Proxy(o, trap), new Proxy({}, trap), Object.create(o), () => { ran++ }, null,
            undefined, 1, 'x', { '@qref': 1 }, { then() { ran++ } }, { toString() { ran++ }, valueOf() { ran++ }, [Symbol.toPrimitive]() { ran++ } }, Q,
            Object.assign(() => {}, { sendOnly() { ran++ } }), Object.setPrototypeOf({ sendOnly() { ran++ } }, Object.getPrototypeOf(o))];
        const bad = { get x() { ran++ } };
        const names = new Set();
        for (const fake of fakes) for (const use of [() => Q.sendOnly(fake, bad), () => Q.call(fake, bad), () => o.sendOnly.call(fake, bad), () => o.call.call(fake, bad)]) {
            try { use(); names.add('none') } catch (e) { names.add(e.name) }
        }
        return [ran, [...names]];
    }";
    let object = vat.object(code);
    assert_eq!(object.text(&object.reference()), r#"[0,["TypeError"]]"#);
    assert!(object.last_turn().sent.is_empty());
}

#[test]
fn send_only_queues_a_message_and_never_raises_for_what_the_target_does() {
    let vat = vat();
    let target = vat.object("() => { throw new Error('not my day') }");
    let code = "(o, { memory }) => { const told = [o.sendOnly(1) === undefined, Q.sendOnly(o, 2) === undefined]; memory.sent = 2; return told }";
    let sender = vat.object(code);
    assert_eq!(sender.text(&target.reference()), "[true,true]");
    target.wait_for_turns(2);
    assert_eq!(sender.memory(), r#"{"sent":2}"#);
    let args: Vec<_> = target.turns(9).iter().map(|turn| turn.args.get().to_owned()).collect();
    assert_eq!(args, ["1", "2"], "in the order they were sent");
    assert_eq!(target.faults().len(), 2);
}

#[test]
fn a_message_goes_when_the_turn_commits_and_not_before() {
    let vat = vat();
    let target = vat.object("(args, { memory }) => { memory.n = (memory.n ?? 0) + 1 }");
    let sender = vat.object("(args) => { args.o.sendOnly(1); args.o.sendOnly(2); if (args.fail) throw new Error('no'); return args.o.call() }");
    sender.error(&format!(r#"{{"o":{},"fail":true}}"#, target.reference()));
    sender.text(&format!(r#"{{"o":{}}}"#, target.reference()));
    target.wait_for_turns(2);
    assert_eq!(target.memory(), r#"{"n":3}"#, "one call and two messages, and nothing of the turn that failed");
}

#[test]
fn references_last_over_turns_in_memory() {
    let vat = vat();
    let friend = vat.object("args => args + 1");
    let keeper = vat.object("(args, { memory }) => { if (args) { memory.deep = [{ friend: args }]; return } return memory.deep[0].friend.call(41) }");
    keeper.text(&friend.reference());
    assert_eq!(keeper.memory(), format!(r#"{{"deep":[{{"friend":{}}}]}}"#, friend.reference()));
    assert_eq!(keeper.text("null"), "42");
}

#[test]
fn a_reference_in_a_result_is_shown_with_its_qrid() {
    let vat = vat();
    let echo = vat.object("args => ({ it: [args] })");
    assert_eq!(echo.text(&echo.reference()), format!(r#"{{"it":[{}]}}"#, echo.reference()));
}

#[test]
fn the_methods_of_references_are_shared_frozen_and_nothing_else_can_be_sent_to() {
    let vat = vat();
    let code = r"(o, power) => {
        const other = power.make_object('() => 1');
        return [o.sendOnly === other.sendOnly, o.call === other.call, Object.isFrozen(o.sendOnly), o.sendOnly.name, typeof o.sendOnly.prototype,
            Reflect.ownKeys(Object.getPrototypeOf(o)).map(String), Reflect.ownKeys(Q).map(String), Object.isFrozen(Q), Object.isFrozen(Q.call)];
    }";
    let object = vat.object(code);
    assert_eq!(
        object.text(&object.reference()),
        r#"[true,true,true,"sendOnly","undefined",["sendOnly","call","Symbol(Symbol.toStringTag)"],["sendOnly","call","isReference"],true,true]"#
    );
}

#[test]
fn a_location_hint_is_no_part_of_identity() {
    let vat = vat();
    let object = vat.object("([a, b]) => [a === b, a]");
    let qrid = &object.qrid;
    let args = format!(r#"[{{"@qref":"{qrid}"}},{{"@qref":"{qrid}?at=http://127.0.0.1:9"}}]"#);
    assert_eq!(object.text(&args), format!("[true,{}]", object.reference()));
}
