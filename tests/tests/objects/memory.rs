//! Memory: what lasts from turn to turn, and what it refuses.

use qrt_tests::Grant;

use crate::vat;

fn keeping<'v>(vat: &'v qrt_tests::Vat, code: &str, memory: &str) -> qrt_tests::Object<'v> {
    vat.object_with(code, &Grant { memory: Some(memory), ..Grant::default() })
}

#[test]
fn memory_lasts_from_turn_to_turn_and_over_a_restart() {
    let vat = vat();
    let object =
        keeping(&vat, "(args, { memory }) => { memory.list.push(memory.n++); return memory }", r#"{"n":1,"list":[]}"#);
    assert_eq!(object.text("null"), r#"{"n":2,"list":[1]}"#);
    vat.kill();
    vat.start();
    assert_eq!(object.text("null"), r#"{"n":3,"list":[1,2]}"#);
}

#[test]
fn an_object_without_memory_has_none() {
    let vat = vat();
    let object = vat.object_with(
        "(args, power) => ['memory' in power, power.memory === undefined]",
        &Grant { memory: None, ..Grant::default() },
    );
    assert_eq!(object.text("null"), "[false,true]");
    assert_eq!(object.memory(), "null");
}

#[test]
fn nested_changes_count() {
    let vat = vat();
    let code = "(args, { memory }) => { memory.a.b[1].c = 'changed'; memory.a.b.push([]); delete memory.a.gone; memory.m.x.y ??= 1; memory.list.sort(); memory.list.length = 2 }";
    let object = keeping(&vat, code, r#"{"a":{"b":[1,{"c":2}],"gone":1},"m":{"x":{}},"list":[3,1,2],"same":{}}"#);
    object.text("null");
    assert_eq!(object.memory(), r#"{"a":{"b":[1,{"c":"changed"},[]]},"m":{"x":{"y":1}},"list":[1,2],"same":{}}"#);
    let mut keys: Vec<_> = object.last_turn().changes.iter().map(|change| change.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, ["a", "list", "m"], "and only what changed is written");
}

#[test]
fn a_turn_that_changes_nothing_writes_nothing() {
    let vat = vat();
    let code = "(args, { memory }) => { memory.n = memory.n; memory.o = { ...memory.o }; memory.o.x = [1]; memory.list.push(2); memory.list.pop(); memory.t = 1; delete memory.t; memory.u = undefined }";
    let object = keeping(&vat, code, r#"{"n":1,"o":{"x":[1]},"list":[1]}"#);
    object.text("null");
    assert!(object.last_turn().changes.is_empty(), "{:?}", object.last_turn().changes);
}

#[test]
fn key_order_is_javascripts_and_lasts_over_turns() {
    let vat = vat();
    let code = r"(args, { memory }) => {
        for (const [what, key, value] of args) if (what === 'set') memory[key] = value ?? 0; else if (what === 'new') memory[key] = {}; else delete memory[key];
        return Object.keys(memory).join();
    }";
    let object = vat.object(code);
    for (change, order) in [
        (
            r#"[["set","b"],["set","a"],["set","10"],["set","2"],["set","-1"],["set","01"],["set","1.5"],["set","4294967294"],["set","4294967295"]]"#,
            "2,10,4294967294,b,a,-1,01,1.5,4294967295",
        ),
        (r#"[["delete","b"],["set","b"]]"#, "2,10,4294967294,a,-1,01,1.5,4294967295,b"),
        (r#"[["set","1"],["delete","10"],["set","10"]]"#, "1,2,10,4294967294,a,-1,01,1.5,4294967295,b"),
        (r#"[["set","a",5],["new","-1"]]"#, "1,2,10,4294967294,a,-1,01,1.5,4294967295,b"),
        (
            r#"[["delete","a"],["delete","-1"],["set","-1"],["set","a"],["delete","4294967294"]]"#,
            "1,2,10,01,1.5,4294967295,b,-1,a",
        ),
        (r#"[["delete","01"]]"#, "1,2,10,1.5,4294967295,b,-1,a"),
        (r#"[["set","01"]]"#, "1,2,10,1.5,4294967295,b,-1,a,01"),
        (
            r#"[["set","@"],["delete","1.5"],["set","@@x"],["set","1.5"],["set",""]]"#,
            "1,2,10,4294967295,b,-1,a,01,@,@@x,1.5,",
        ),
    ] {
        assert_eq!(object.result(change), order, "in the turn that changes it");
        assert_eq!(object.result("[]"), order, "and in the next");
    }
    vat.qrt("stop", &[]).ok();
    vat.start();
    assert_eq!(object.result("[]"), "1,2,10,4294967295,b,-1,a,01,@,@@x,1.5,");
    let nested = vat.object("(args, { memory }) => { const o = memory.o ??= {}; for (const key of args) { delete o[key]; o[key] = 1 } return Object.keys(o) }");
    nested.text(r#"["b","a","2","1"]"#);
    assert_eq!(nested.text(r#"["b"]"#), r#"["1","2","a","b"]"#);
    assert_eq!(nested.text("[]"), r#"["1","2","a","b"]"#);
}

#[test]
fn what_a_memory_cannot_keep_fails_the_turn_and_names_object_and_path() {
    let vat = vat();
    let ways = [
        (
            "Object.defineProperty(memory, 'x', { get() { return 1 }, enumerable: true, configurable: true })",
            "memory.x: ",
        ),
        ("Object.defineProperty(memory, 'x', { set(v) {}, enumerable: true, configurable: true })", "memory.x: "),
        ("memory.a.b = { get c() { return 1 } }", "memory.a.b.c: "),
        ("memory.__defineGetter__('x', () => 1)", "memory.x: "),
        ("memory[Symbol('s')] = 1", "memory: "),
        ("memory.a[Symbol.iterator] = 1", "memory.a: "),
        ("Object.defineProperty(memory, 'x', { value: 1 })", "memory.x: "),
        ("Object.defineProperty(memory, 'x', { value: 1, enumerable: true, configurable: true })", "memory.x: "),
        ("Object.defineProperty(memory, 'x', { value: 1, writable: true, configurable: true })", "memory.x: "),
        ("Object.defineProperty(memory, 'x', { value: 1, writable: true, enumerable: true })", "memory.x: "),
        ("Object.defineProperty(memory, 'a', { enumerable: false })", "memory.a: "),
        ("Object.defineProperty(memory.a, 'b', { writable: false })", "memory.a.b: "),
        ("Object.defineProperty(memory.list, 0, { writable: false })", "memory.list[0]: "),
        ("Object.defineProperty(memory.list, 'length', { writable: false })", "memory.list"),
        ("Object.freeze(memory)", "memory"),
        ("Object.seal(memory)", "memory"),
        ("Object.preventExtensions(memory)", "memory"),
        ("Object.freeze(memory.a)", "memory.a"),
        ("Object.seal(memory.list)", "memory.list"),
        ("Reflect.preventExtensions(memory.a)", "memory.a"),
        ("memory.fresh = Object.freeze({ x: 1 })", "memory.fresh"),
        ("memory.fresh = power.cfg", "memory.fresh"),
        ("Object.setPrototypeOf(memory, null)", "memory: "),
        ("memory.__proto__ = {}", "memory: "),
        ("Object.setPrototypeOf(memory.a, {})", "memory.a: "),
        ("memory.fresh = Object.create(null)", "memory.fresh: "),
        ("Object.setPrototypeOf(memory.list, null)", "memory.list: "),
        ("memory.f = () => 1", "memory.f: "),
        ("memory.list[2] = new Map()", "memory.list[2]: "),
        ("memory.n = 0 / 0", "memory.n: "),
        ("memory.n = 1 / 0", "memory.n: "),
        ("memory['a b'] = { x: 1n }", "memory[\"a b\"].x: "),
        ("memory.self = memory", "memory.self: "),
        ("memory.a.up = memory.a", "memory.a.up: "),
        ("memory.p = new Proxy({}, {})", "memory.p: "),
        ("memory.p = power.clock", "memory.p: "),
        ("memory.s = '\\ud800'", "memory.s: "),
        ("memory['\\ud800'] = 1", "memory: "),
        ("memory.d = new Date(0)", "memory.d: "),
        ("memory.list.extra = 1", "memory.list: "),
        ("memory.promise = Promise.resolve(1)", "memory.promise: "),
        ("memory.sym = Symbol()", "memory.sym: "),
        ("memory.re = /x/", "memory.re: "),
        ("memory.args = (function () { return arguments })(1)", "memory.args: "),
        ("memory.sub = new (class extends Array {})()", "memory.sub: "),
    ];
    let before = r#"{"a":{"b":1},"list":[1,2]}"#;
    for (change, path) in ways {
        let code =
            format!("(o, power) => {{ const {{ memory }} = power; memory.before = 1; o.sendOnly(1); {change} }}");
        let object =
            vat.object_with(&code, &Grant { memory: Some(before), power: r#"{"cfg":{"x":1}}"#, ..Grant::default() });
        let error = object.error(&object.reference());
        assert!(error.starts_with(&format!("TypeError: {path}")), "{change}: {error}");
        assert_eq!(object.memory(), before, "{change}");
        let fault = object.faults().pop().expect("a fault");
        assert_eq!(fault.error.object.map(|object| object.to_string()), Some(object.qrid.clone()), "{change}");
        assert_eq!(object.turns(9).len(), 1, "the message was not sent");
    }
}

#[test]
fn a_memory_that_cannot_be_kept_names_the_object_whose_it_is() {
    let vat = vat();
    let callee = vat.object("(args, { memory }) => { memory.bad = () => 1 }");
    let caller = vat.object("(o, { memory }) => { memory.fine = 1; try { o.call() } catch {} }");
    assert!(caller.error(&callee.reference()).starts_with("TypeError: memory.bad: a function"));
    let fault = caller.faults().pop().expect("a fault");
    assert_eq!(fault.error.object.map(|object| object.to_string()), Some(callee.qrid.clone()));
    assert_eq!((caller.memory(), callee.memory()), ("{}".to_owned(), "{}".to_owned()));
}

#[test]
fn what_does_not_last_does_no_harm_when_it_is_gone_by_the_end() {
    let vat = vat();
    let code = "(args, { memory }) => { memory.f = () => 1; memory.m = new Map(); memory[Symbol.iterator] = 1; memory.self = memory; memory.o = { get x() { return 1 } }; memory.n = NaN; \
                delete memory.f; delete memory.m; delete memory[Symbol.iterator]; delete memory.self; memory.o = 1; memory.n = 2 }";
    let object = vat.object(code);
    object.text("null");
    assert_eq!(object.memory(), r#"{"o":1,"n":2}"#);
}

#[test]
fn values_are_trees_two_names_for_one_object_part_at_the_end_of_the_turn() {
    let vat = vat();
    let code = "(args, { memory }) => { if (args) { memory.a.x = 2; memory.list[0].y = 3; return memory.a === memory.b } memory.b = memory.a = { x: 1 }; memory.list = [memory.a, memory.a]; return memory.a === memory.b }";
    let object = vat.object(code);
    assert_eq!(object.text("null"), "true");
    assert_eq!(object.text("true"), "false");
    assert_eq!(object.memory(), r#"{"a":{"x":2},"b":{"x":1},"list":[{"x":1,"y":3},{"x":1}]}"#);
}

#[test]
fn args_and_results_that_are_put_into_memory_are_kept_as_they_are_at_the_end() {
    let vat = vat();
    let object = vat.object("(args, { memory }) => { memory.args = args; args.later = 1; return args }");
    assert_eq!(object.text(r#"{"a":[1]}"#), r#"{"a":[1],"later":1}"#);
    assert_eq!(object.memory(), r#"{"args":{"a":[1],"later":1}}"#);
}

#[test]
fn a_large_memory_is_a_plain_object_too() {
    let vat = vat();
    let fill = "(args, { memory }) => { if (args) { for (let i = 0; i < args; i++) memory['key' + i] = { n: i, text: 'x'.repeat(20) }; return } \
                memory.key7.n = 'seven'; delete memory.key8; memory.fresh = 1; const keys = Object.keys(memory); return [keys.length, keys[0], keys.at(-1), memory.key4999.n, 'key8' in memory] }";
    let object = vat.object(fill);
    object.text("5000");
    assert_eq!(object.text("null"), r#"[5000,"key0","fresh",4999,false]"#);
    assert_eq!(object.last_turn().changes.len(), 3, "only what changed is written");
}
