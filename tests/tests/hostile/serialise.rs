//! Values made to confuse what turns them into text: in results, in messages, in memories.

use super::{Neighbour, told, vat};

/// What it is, the value, and the text that may come of it; `None` where there is none.
const VALUES: [(&str, &str, Option<&str>); 39] = [
    ("a toJSON method", "{ toJSON: () => 'lie' }", None),
    ("a toJSON getter", "{ get toJSON() { throw 1 } }", None),
    ("a getter", "{ get a() { return 1 } }", None),
    ("a getter of an array", "Object.defineProperty([1], 0, { get: () => 1, enumerable: true })", None),
    ("a Proxy", "new Proxy({}, {})", None),
    ("a Proxy of an array", "new Proxy([], {})", None),
    (
        "a revoked Proxy",
        "(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })()",
        None,
    ),
    (
        "one whose prototype is a Proxy",
        "Object.create(new Proxy({}, { getPrototypeOf: () => Object.prototype }))",
        None,
    ),
    ("a class's instance", "new (class A { x = 1 })()", None),
    ("one that says its class is Object", "{ __proto__: { constructor: Object } }", None),
    ("one that inherits", "Object.create({ a: 1 })", None),
    ("an array whose class is another", "Object.setPrototypeOf([1], null)", None),
    ("a subclass of Array", "new (class extends Array {})(1, 2)", None),
    ("an array in all but name", "Object.create(Array.prototype)", None),
    ("arguments", "(function () { return arguments })(1)", None),
    ("a Date", "new Date(0)", None),
    ("a Map", "new Map([[1, 2]])", None),
    ("a typed array", "new Uint8Array(2)", None),
    ("a boxed number", "Object(1)", None),
    ("a boxed string", "Object('x')", None),
    ("a cycle", "(() => { const a = {}; a.a = a; return a })()", None),
    ("a cycle through an array", "(() => { const a = []; a.push([a]); return a })()", None),
    ("NaN", "[NaN]", None),
    ("an infinity", "[-Infinity]", None),
    ("a BigInt", "[1n]", None),
    ("a symbol", "[Symbol('x')]", None),
    ("a symbol as a key", "{ [Symbol('x')]: 1 }", None),
    ("a function", "{ f() {} }", None),
    ("a lone surrogate", "['\\ud800']", None),
    ("a lone surrogate in a key", "{ '\\udc00': 1 }", None),
    ("a raw JSON text", "JSON.rawJSON ? [JSON.rawJSON('1')] : [() => 1]", None),
    ("a promise", "[Promise.resolve(1)]", None),
    ("what is deeper than deep", "(() => { let a = []; for (let n = 0; n < 200; n++) a = [a]; return a })()", None),
    ("holes", "[, 1, ,]", Some("[null,1,null]")),
    ("-0", "[-0]", Some("[0]")),
    ("undefined", "{ a: undefined, b: [undefined] }", Some(r#"{"b":[null]}"#)),
    ("__proto__ as a key", "JSON.parse('{\"__proto__\":{\"x\":1}}')", Some(r#"{"__proto__":{"x":1}}"#)),
    ("the key of a Reference", "{ '@qref': 1, '@@x': 2 }", Some(r#"{"@@qref":1,"@@@x":2}"#)),
    (
        "a control character and a quote",
        "{ '\\u0000\"\\\\': '\\u2028</script>' }",
        Some("{\"\\u0000\\\"\\\\\":\"\u{2028}</script>\"}"),
    ),
];

#[test]
fn a_value_has_one_text_or_none_and_making_it_runs_no_code() {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    let sink = vat.object("(args, power) => { power.memory.got = args }");
    for (name, value, text) in VALUES {
        let result = told(&vat.object(&format!("() => ({value})")).send("null"));
        let kept = vat.object(&format!("(args, {{ memory }}) => {{ memory.x = ({value}) }}"));
        let written = told(&kept.send("null"));
        let sends = vat.object(&format!(
            "sink => {{ const v = ({value}); try {{ sink.sendOnly(v); return 'sent' }} catch (e) {{ return e.name }} }}"
        ));
        let before = sink.turns(999).len();
        let sent = sends.text(&sink.reference());
        if let Some(text) = text {
            assert_eq!((result.as_str(), written.as_str(), sent.as_str()), (text, "null", r#""sent""#), "{name}");
            assert_eq!(kept.memory(), format!(r#"{{"x":{text}}}"#), "{name}");
            sink.wait_for_turns(before + 1);
            assert_eq!(sink.memory(), format!(r#"{{"got":{text}}}"#), "{name}");
        } else {
            assert!(result.starts_with("not QJSON: result"), "{name}: {result}");
            assert!(written.starts_with("Error: TypeError: memory.x"), "{name}: {written}");
            assert_eq!(kept.memory(), "{}", "{name}");
            assert!(
                sent == r#""TypeError""# || (name == "what is deeper than deep" && sent == r#""RangeError""#),
                "{name}: {sent}"
            );
            assert_eq!(sink.turns(999).len(), before, "{name}");
        }
        neighbour.is_well(name);
    }
}

/// Memories that say no to what they are.
const MEMORIES: [(&str, &str, &str); 12] = [
    ("frozen", "Object.freeze(m)", "m.x = 1"),
    ("sealed", "Object.seal(m)", "m.x = 1"),
    ("not extensible", "Object.preventExtensions(m)", "m.x = 1"),
    ("with a prototype of its own", "Object.setPrototypeOf(m, { x: 1 })", "m.x = 1"),
    ("with __proto__ set", "m.__proto__ = null", "m.x = 1"),
    (
        "with a getter",
        "Object.defineProperty(m, 'x', { get: () => 1, enumerable: true, configurable: true })",
        "m.x = 1",
    ),
    (
        "with a hidden property",
        "Object.defineProperty(m, 'x', { value: 1, writable: true, configurable: true })",
        "m.x = 1",
    ),
    (
        "with a property that cannot be written",
        "Object.defineProperty(m, 'x', { value: 1, enumerable: true, configurable: true })",
        "m.x = 1",
    ),
    ("with a symbol", "m[Symbol.iterator] = 1", "m.x = 1"),
    ("with an array that has a name", "m.x = Object.assign([1], { y: 2 })", "m.x = [1]"),
    ("with an array that is frozen", "m.x = Object.freeze([() => 1])", "m.x = [1]"),
    ("inside itself", "m.x = { m }", "m.x = { m: 1 }"),
];

#[test]
fn a_memory_that_is_no_plain_object_fails_the_turn() {
    let vat = vat();
    for (name, act, honest) in MEMORIES {
        let object = vat.object(&format!("(args, {{ memory: m }}) => {{ m.before = 1; {act}; }}"));
        let told = told(&object.send("null"));
        assert!(told.starts_with("Error: TypeError"), "{name}: {told}");
        assert_eq!(object.memory(), "{}", "{name}: nothing of it is kept");
        let control = vat.object(&format!("(args, {{ memory: m }}) => {{ m.before = 1; {honest}; }}"));
        assert_eq!(control.text("null"), "null");
        assert!(control.memory().contains("\"x\""), "{name}: the control");
    }
}

#[test]
fn what_is_packed_was_copied_when_it_was_given() {
    let vat = vat();
    let sink = vat.object("(args, power) => { power.memory.got = args }");
    let code = r"(sink, power) => {
        const list = [1];
        sink.sendOnly(list); list.push(2);
        const made = power.make_object('(a, p) => [p.list, p.memory.list]', { list, memory: { list } }); list.push(3);
        return made.call();
    }";
    assert_eq!(vat.object(code).text(&sink.reference()), "[[1,2],[1,2]]");
    sink.wait_for_turns(1);
    assert_eq!(sink.memory(), r#"{"got":[1]}"#);
}
