//! New objects: `make_object` and `make_account`.

use qrt_tests::Grant;
use serde_json::json;

use crate::vat;

#[test]
fn a_new_objects_memory_is_shared_withheld_or_its_own() {
    let vat = vat();
    let code = r#"(args, power) => {
        const code = "(args, p) => { if (!p.memory) return null; p.memory.n = (p.memory.n ?? 0) + 1; return p.memory }";
        const make = power.make_object;
        return {
            shared: make(code, { memory: power.memory }), cloned: make(code, power), added: make(code, add(power, { x: 1 })),
            absent: make(code, { x: 1 }), undef: make(code, { memory: undefined }), none: make(code, { memory: null }),
            withheld: make(code, add(power, { memory: null })), withheldToo: make(code, add(power, { memory: undefined })),
            fresh: make(code, { memory: { n: 100, b: [1] } }), copy: make(code, { memory: { ...power.memory } }), bare: make(code, { memory: Object.create(null) }),
        };
    }"#;
    let maker = vat.object_with(code, &Grant { memory: Some(r#"{"n":0}"#), ..Grant::default() });
    let made = maker.result("null");
    let tell = |name: &str| vat.referred(&made[name]).text("null");
    assert_eq!(
        [tell("shared"), tell("cloned"), tell("added"), tell("shared")],
        [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#, r#"{"n":4}"#]
    );
    assert_eq!(maker.memory(), r#"{"n":4}"#);
    for name in ["absent", "undef", "none", "withheld", "withheldToo"] {
        assert_eq!(tell(name), "null", "{name}");
        assert_eq!(vat.referred(&made[name]).memory(), "null");
    }
    assert_eq!([tell("fresh"), tell("fresh")], [r#"{"n":101,"b":[1]}"#, r#"{"n":102,"b":[1]}"#]);
    assert_eq!([tell("copy"), tell("bare")], [r#"{"n":1}"#, r#"{"n":1}"#]);
    assert_eq!(maker.memory(), r#"{"n":4}"#, "a copy is no share");
}

#[test]
fn power_itself_clones_everything_and_nothing_gives_nothing() {
    let vat = vat();
    let code = r#"(args, power) => {
        const code = "(args, p) => [Object.keys(p).sort(), p.cfg, p.friend]";
        return [power, {}, null, undefined].map(p => power.make_object(code, p)).concat(power.make_object(code));
    }"#;
    let friend = vat.object("() => 1");
    let power = format!(r#"{{"cfg":{{"a":[1]}},"friend":{}}}"#, friend.reference());
    let maker = vat.object_with(code, &Grant { power: &power, ..Grant::default() });
    let made = maker.result("null");
    let all = format!(
        r#"[["cfg","clock","friend","log","make_account","make_object","memory","random"],{{"a":[1]}},{}]"#,
        friend.reference()
    );
    assert_eq!(vat.referred(&made[0]).text("null"), all);
    for index in 1..5 {
        assert_eq!(vat.referred(&made[index]).text("null"), "[[],null,null]");
    }
}

#[test]
fn a_memory_that_is_no_plain_object_is_a_type_error() {
    let vat = vat();
    let code = r"(o, power) => {
        const bad = { array: [], empty: [1], number: 1, zero: 0, text: 'x', empty: '', yes: true, no: false, reference: o, native: power.clock, fn: () => 1, map: new Map(), date: new Date(0),
            proxy: new Proxy({}, {}), klass: new (class {})(), symbol: Symbol(), bigint: 1n, getter: { get x() { return 1 } }, symbolKey: { [Symbol()]: 1 }, inherits: Object.create({}),
            nan: { x: NaN }, deep: { x: [power.clock] }, error: new Error(), boxed: Object('s') };
        const wrong = [];
        for (const [name, memory] of Object.entries(bad)) {
            try { power.make_object('() => 1', { memory }); wrong.push(name) } catch (e) { if (!(e instanceof TypeError) || !e.message.startsWith('newpower.memory')) wrong.push(name + ': ' + e) }
        }
        return wrong;
    }";
    let object = vat.object(code);
    assert_eq!(object.text(&object.reference()), "[]");
    assert!(object.last_turn().made.is_empty());
}

#[test]
fn a_description_of_power_that_is_no_plain_data_is_a_type_error() {
    let vat = vat();
    let code = r"(o, power) => {
        const bad = { number: 1, text: 'x', yes: true, no: false, zero: 0, array: [], natives: [power.clock], reference: o, native: power.clock, fn: () => 1, map: new Map(),
            proxy: new Proxy({}, {}), proxied: new Proxy(power, {}), klass: new (class {})(), symbol: Symbol(), getter: { get x() { return 1 } }, symbolKey: { [Symbol()]: 1 },
            inherits: Object.create(power), deep: { a: { b: power.clock } }, inArray: { a: [power.make_object] }, fnInside: { a: () => 1 }, nan: { a: NaN }, date: { a: new Date(0) },
            lone: { '\ud800': 1 }, loneValue: { a: '\ud800' }, wholePower: { power }, cycle: (() => { const c = {}; c.c = c; return c })(), bound: { a: power.clock.bind() },
            q: { a: Q.call }, method: { a: o.sendOnly } };
        const wrong = [];
        for (const [name, p] of Object.entries(bad)) {
            try { power.make_object('() => 1', p); wrong.push(name) } catch (e) { if (!(e instanceof TypeError) || !e.message.startsWith('newpower')) wrong.push(name + ': ' + e) }
        }
        return wrong;
    }";
    let object = vat.object(code);
    assert_eq!(object.text(&object.reference()), "[]");
    assert!(object.last_turn().made.is_empty());
}

#[test]
fn native_powers_are_granted_at_the_top_level_under_any_name() {
    let vat = vat();
    let code = r#"(args, power) => power.make_object("(args, p) => [p.now() > 0, p['@odd'](1).length, Object.keys(p).sort(), p.spawn('() => 7')]",
        { now: power.clock, '@odd': power.random, spawn: power.make_object, again: power.clock })"#;
    let made = vat.object(code).result("null");
    let told = vat.referred(&made).result("null");
    assert_eq!(told[0], true);
    assert_eq!(told[1], 2);
    assert_eq!(told[2], json!(["@odd", "again", "now", "spawn"]));
    assert_eq!(vat.referred(&told[3]).text("null"), "7");
}

#[test]
fn bad_code_is_a_syntax_error_that_can_be_caught() {
    let vat = vat();
    let code = r#"(args, power) => ["() => {", "class {}", "(() => 1)", "async () => 1", "function* () {}", "", "1", "() => 1;", "<!-- \n() => 1", "() => { with (x) {} }", "\ud800"].map(code => {
        try { return power.make_object(code) } catch (e) { return e instanceof SyntaxError }
    })"#;
    let object = vat.object(code);
    assert_eq!(object.text("null"), "[true,true,true,true,true,true,true,true,true,true,true]");
    assert!(object.last_turn().made.is_empty());
    let message = vat.run(
        "(args, power) => { try { power.make_object('(a) => {\\n  let let = 1\\n}') } catch (e) { return e.message } }",
    );
    assert!(message.contains("line 2, column 7"), "{message}");
    let types = vat.run("(args, power) => [undefined, null, 1, {}, () => 1, ['() => 1'], Object('() => 1')].map(code => { try { power.make_object(code); return 'made' } catch (e) { return e.name } })");
    assert!(!types.contains("made") && !types.contains("SyntaxError"), "{types}");
}

#[test]
fn the_description_is_copied_when_the_object_is_made() {
    let vat = vat();
    let code = r#"(args, power) => {
        const cfg = { list: [1] }, memory = { n: 1 };
        const made = power.make_object("(args, p) => [p.cfg, p.memory]", { cfg, memory });
        cfg.list.push(2); memory.n = 9; cfg.more = 1;
        return made;
    }"#;
    let made = vat.object(code).result("null");
    assert_eq!(vat.referred(&made).text("null"), r#"[{"list":[1]},{"n":1}]"#);
}

#[test]
fn a_new_object_is_of_its_makers_account_and_one_from_make_account_is_its_own() {
    let vat = vat();
    let code = r#"(args, power) => {
        const child = "(args, power) => power.make_object('() => 1')";
        return [power.make_object(child, power), power.make_account(child, power)];
    }"#;
    let maker = vat.object(code);
    let made = maker.result("null");
    let (object, account) = (vat.referred(&made[0]), vat.referred(&made[1]));
    let account_of = |object: &qrt_tests::Object| object.view().row.account.to_string();
    assert_eq!(account_of(&object), maker.qrid);
    assert_eq!(account_of(&account), account.qrid);
    assert_eq!(account_of(&vat.referred(&object.result("null"))), maker.qrid);
    assert_eq!(account_of(&vat.referred(&account.result("null"))), account.qrid, "so are its descendants");
}

#[test]
fn without_make_object_nothing_can_be_made() {
    let vat = vat();
    let code = "(args, power) => [typeof power.make_object, typeof power.make_account, typeof make_object, typeof Q.make_object]";
    let object = vat.object_with(code, &Grant { natives: &[], ..Grant::default() });
    assert_eq!(object.text("null"), r#"["undefined","undefined","undefined","undefined"]"#);
}

#[test]
fn a_failed_turn_makes_nothing() {
    let vat = vat();
    let before = vat.qrt("info", &["--json"]).json()["objects"].clone();
    let object =
        vat.object("(args, power) => { power.memory.made = power.make_object('() => 1'); throw new Error('no') }");
    object.error("null");
    assert_eq!(object.memory(), "{}");
    assert_eq!(vat.qrt("info", &["--json"]).json()["objects"].as_u64(), before.as_u64().map(|n| n + 1));
}

#[test]
fn a_new_object_can_be_told_of_itself_and_others_in_the_same_turn() {
    let vat = vat();
    let code = r#"(args, power) => {
        const keep = "(args, { memory }) => { memory.got = args }";
        const a = power.make_object(keep, { memory: {} });
        const b = power.make_object(keep, { memory: {}, a });
        a.sendOnly({ self: a, b });
        power.memory.made = [a, b];
        return { a, b };
    }"#;
    let maker = vat.object(code);
    let made = maker.result("null");
    let a = vat.referred(&made["a"]);
    a.wait_for_turns(1);
    assert_eq!(a.memory(), format!(r#"{{"got":{{"self":{},"b":{}}}}}"#, made["a"], made["b"]));
    assert_eq!(maker.memory(), format!(r#"{{"made":[{},{}]}}"#, made["a"], made["b"]));
    assert_eq!(vat.referred(&made["b"]).view().power.statics.get(), format!(r#"{{"a":{}}}"#, made["a"]));
}
