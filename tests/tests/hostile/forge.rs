//! Making up what can only be given: References, native powers, a shared Memory.

use super::{Neighbour, told, vat};

/// Ways to make something like the Reference `r`. Used where only a Reference will do, none may.
const REFERENCES: [(&str, &str); 22] = [
    ("its outside form", "{ '@qref': 'qrt:x/y' }"),
    ("its inside form", "{ '@qref': 1 }"),
    ("its escaped form", "{ '@@qref': 1 }"),
    ("its text", "String(r)"),
    ("its JSON", "JSON.parse(JSON.stringify(r) ?? 'null')"),
    ("a copy", "{ ...r }"),
    ("an assigned copy", "Object.assign({}, r)"),
    ("one that inherits from it", "Object.create(r)"),
    ("one with its prototype", "Object.create(Object.getPrototypeOf(r))"),
    ("one whose prototype was set", "Object.setPrototypeOf({}, Object.getPrototypeOf(r))"),
    ("a Proxy of it", "new Proxy(r, {})"),
    ("a Proxy of a Proxy of it", "new Proxy(new Proxy(r, {}), {})"),
    ("one with its tag", "{ [Symbol.toStringTag]: 'Reference', call() {}, sendOnly() {} }"),
    ("what its constructor makes", "new r.constructor()"),
    (
        "what its constructor makes for its sake",
        "Reflect.construct(Object, [], Object.assign(function () {}, { prototype: Object.getPrototypeOf(r) }))",
    ),
    ("an array with it", "[r]"),
    ("a bound method of it", "r.call.bind(r)"),
    ("a wrapper with its methods", "{ call: r.call, sendOnly: r.sendOnly }"),
    (
        "a class that extends what returns one like it",
        "new (class extends (function () { return Object.create(r) }) {})()",
    ),
    ("what Array.from makes of it", "Array.from(r)"),
    ("what structured data it has", "Object.fromEntries(Object.entries(r))"),
    ("its descriptors", "Object.create(Object.getPrototypeOf(r), Object.getOwnPropertyDescriptors(r))"),
];

/// Uses of a Reference; each tells whether it was taken for one.
const USES: [(&str, &str); 6] = [
    ("Q.isReference", "Q.isReference(it)"),
    ("Q.call", "(Q.call(it, 1), true)"),
    ("Q.sendOnly", "(Q.sendOnly(it, 1), true)"),
    ("its method on another", "(Object.getPrototypeOf(r).call.call(it, 1), true)"),
    ("its sending method on another", "(Object.getPrototypeOf(r).sendOnly.call(it, 1), true)"),
    ("arguments of a call that are packed", "o.call(it)"),
];

#[test]
fn nothing_passes_for_a_reference_but_one() {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    let target = vat.object("() => null");
    let judge = vat.object("x => Q.isReference(x)");
    let args = format!("[{},{}]", target.reference(), judge.reference());
    let tries = |it: &str| {
        let uses = USES.map(|(_, taken)| format!("() => {taken}")).join(",");
        format!(
            "([r, o]) => {{ let it; try {{ it = {it} }} catch {{ return 'not even made' }} return [{uses}].map(use => {{ try {{ return use() }} catch {{ return false }} }}) }}"
        )
    };
    for (name, fake) in REFERENCES {
        let seen = told(&vat.object(&tries(fake)).send(&args));
        assert!(!seen.contains("true"), "{name}: {seen}");
        assert_eq!(target.turns(9).len(), 0, "{name}: nothing was sent");
        neighbour.is_well(name);
    }
    assert_eq!(told(&vat.object(&tries("r")).send(&args)), "[true,true,true,true,true,true]", "the control");
    target.wait_for_turns(2);
}

#[test]
fn data_that_looks_like_a_reference_is_data_wherever_it_arrives() {
    let vat = vat();
    let real = vat.object("() => null");
    let sink = vat.object("(args, power) => { power.memory.got = Q.isReference(args) || Q.isReference(args?.x) }");
    for fake in ["{ '@qref': Q1 }", "{ '@qref': 1 }", "{ x: { '@qref': Q1 } }", "JSON.parse('{\"@qref\":1}')"] {
        let fake = fake.replace("Q1", &format!("{:?}", real.qrid));
        let code = format!(
            "([sink], power) => {{ sink.sendOnly({fake}); power.memory.x = {fake}; return Q.isReference({fake}) }}"
        );
        let object = vat.object(&code);
        let before = sink.turns(99).len();
        assert_eq!(object.text(&format!("[{}]", sink.reference())), "false");
        sink.wait_for_turns(before + 1);
        assert_eq!(sink.memory(), r#"{"got":false}"#, "{fake}");
        assert!(object.view().holds.is_empty(), "{fake}: its memory holds no Reference");
        let reads = vat.object_with(
            "(args, { memory }) => Q.isReference(memory.x) || Q.isReference(memory.x?.x)",
            &qrt_tests::Grant { memory: Some(&object.memory()), ..qrt_tests::Grant::default() },
        );
        assert_eq!(reads.text("null"), "false");
    }
    let before = sink.turns(99).len();
    let object = vat.object("([sink, real], power) => { sink.sendOnly({ x: real }); power.memory.x = real }");
    object.text(&format!("[{},{}]", sink.reference(), real.reference()));
    sink.wait_for_turns(before + 1);
    assert_eq!(sink.memory(), r#"{"got":true}"#, "the control");
    assert_eq!(object.view().holds.len(), 1);
}

/// Ways to make something like the native power `f`, and what they are granted for.
const POWERS: [(&str, &str); 12] = [
    ("a function that answers as it does", "() => 1"),
    ("a bound one", "f.bind()"),
    ("a Proxy of it", "new Proxy(f, {})"),
    ("one that inherits from it", "Object.create(f)"),
    ("a wrapper", "() => f()"),
    ("a class that extends it", "class extends (function () {}) { static x = f }"),
    ("an object with it", "{ f }"),
    ("an array with it", "[f]"),
    ("a getter that gives it", "{ get f() { return f } }"),
    ("Q.call", "Q.call"),
    ("a method of a Reference", "r.call"),
    ("console.log", "console.log"),
];

#[test]
fn nothing_passes_for_a_native_power_but_one() {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    let target = vat.object("() => null");
    let grants = |it: &str| {
        format!(
            "(r, power) => {{ const f = power.clock; power.make_object('(a, p) => p.it()', {{ it: {it} }}); return true }}"
        )
    };
    for (name, fake) in POWERS {
        let seen = told(&vat.object(&grants(fake)).send(&target.reference()));
        assert!(seen.starts_with("Error: TypeError"), "{name}: {seen}");
        neighbour.is_well(name);
    }
    assert_eq!(vat.object(&grants("f")).text(&target.reference()), "true", "the control");
}

/// Ways to make something like the Memory `m`.
const MEMORIES: [(&str, &str); 8] = [
    ("a copy", "{ ...m }"),
    ("its JSON", "JSON.parse(JSON.stringify(m))"),
    ("one that inherits from it", "Object.create(m)"),
    ("a Proxy of it", "new Proxy(m, {})"),
    ("one with its descriptors", "Object.defineProperties({}, Object.getOwnPropertyDescriptors(m))"),
    ("an object with it", "{ memory: m }"),
    ("what it holds", "m.inner"),
    ("one of another function's making", "add(m, {})"),
];

#[test]
fn nothing_shares_a_memory_but_the_memory() {
    let vat = vat();
    let made = |it: &str| {
        let code = format!(
            "(args, power) => {{ const m = power.memory; m.inner ??= {{}}; const o = power.make_object('(a, p) => {{ if (p.memory) {{ p.memory.mark = 1; (p.memory.inner ??= {{}}).mark = 1; if (p.memory.memory) p.memory.memory.mark = 1 }} }}', {{ memory: {it} }}); o.call(); return m.mark === 1 || m.inner.mark === 1 }}"
        );
        let object = vat.object(&code);
        (told(&object.send("null")), object.memory())
    };
    for (name, fake) in MEMORIES {
        let (seen, memory) = made(fake);
        assert_ne!(seen, "true", "{name}");
        assert!(!memory.contains("mark"), "{name}: {memory}");
    }
    let (seen, memory) = made("m");
    assert_eq!((seen.as_str(), memory.contains("mark")), ("true", true), "the control");
}

/// Ways to learn what stands behind a Reference; each answers text, in which there is no number.
const NUMBERS: [(&str, &str); 9] = [
    ("its text", "String(x)"),
    ("its JSON", "JSON.stringify(x) ?? ''"),
    ("its keys", "Reflect.ownKeys(x).map(String).join()"),
    ("its entries", "Object.entries(x).join()"),
    ("its value", "String(x.valueOf())"),
    ("its value as a number", "String(Number(x)).replace('NaN', '')"),
    ("the error of a method it has not", "(() => { try { x.nothing() } catch (e) { return e.message } })()"),
    ("the error of using it as a function", "(() => { try { x() } catch (e) { return e.message } })()"),
    (
        "all that it inherits",
        "(() => { let all = ''; for (let o = x; o; o = Object.getPrototypeOf(o)) all += Object.getOwnPropertyNames(o).map(k => { try { const v = o[k]; return typeof v === 'function' ? '' : String(v) } catch { return '' } }).join(); return all })()",
    ),
];

#[test]
fn a_reference_tells_nothing_of_what_stands_behind_it() {
    let vat = vat();
    let target = vat.object("() => null");
    for (name, look) in NUMBERS {
        let seen = vat.object(&format!("x => ({look})")).text(&target.reference());
        assert!(!seen.chars().any(|c| c.is_ascii_digit()), "{name}: {seen}");
    }
    let control = r"() => { const x = { id: 17 }; return JSON.stringify(x) + Object.entries(x) }";
    assert!(vat.run(control).contains("17"), "the control");
}
