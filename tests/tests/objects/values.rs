//! Values: what goes into a message, a memory and a result, and how it comes out.

use qrt_tests::Grant;
use serde_json::json;

use crate::vat;

/// Returns its args.
const ECHO: &str = "args => args";

/// Keeps its args in memory.
const KEEP: &str = "(args, power) => { power.memory.kept = args; }";

/// Tells what a thunk throws, as `Name: message`.
const TELL: &str = "const tell = run => { try { return run() } catch (e) { return e.name + ': ' + e.message } };";

#[test]
fn args_memory_and_results_keep_every_json_value() {
    let vat = vat();
    let text =
        r#"{"a":[1,-2.5,1e+21,1e-7,true,false,null,"é€😀\"\\\n\u0000\u001f\b\f\r\t/\u007f "],"":{"":[]},"b":{}}"#;
    let text = &text.replace("\\u007f", "\u{7f}");
    assert_eq!(&vat.object(ECHO).text(text), text);
    let keeper = vat.object(KEEP);
    keeper.text(text);
    assert_eq!(keeper.memory(), format!(r#"{{"kept":{text}}}"#));
    let granted = vat
        .object_with("(args, power) => power.it", &Grant { power: &format!(r#"{{"it":{text}}}"#), ..Grant::default() });
    assert_eq!(&granted.text("null"), text);
}

#[test]
fn numbers_are_shown_as_json_stringify_writes_them() {
    let vat = vat();
    let echo = vat.object(ECHO);
    for (written, shown) in [
        ("-0", "0"),
        ("0.0", "0"),
        ("-0.0", "0"),
        ("1.50", "1.5"),
        ("1E2", "100"),
        ("1e21", "1e+21"),
        ("123456789012345680000", "123456789012345680000"),
        ("1e-6", "0.000001"),
        ("1e-7", "1e-7"),
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "-9007199254740992"),
        ("9007199254740991", "9007199254740991"),
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("0.1", "0.1"),
        ("4.35", "4.35"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("123456789.123456789", "123456789.12345679"),
    ] {
        assert_eq!(echo.text(written), shown);
        assert_eq!(echo.text(&format!("[{written}]")), format!("[{shown}]"));
    }
    let told =
        vat.run("() => [-0, 0.1 + 0.2, 1e21, 2 ** 53, -(2 ** 53) - 2, 5e-324, 1 / 3].map(x => [x, JSON.stringify(x)])");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let written = vat.run("() => [-0, 0.1 + 0.2, 1e21, 2 ** 53, -(2 ** 53) - 2, 5e-324, 1 / 3]");
    let items: Vec<_> = written.trim_matches(['[', ']']).split(',').collect();
    for (item, pair) in items.iter().zip(told.as_array().expect("a list")) {
        assert_eq!(pair[1], json!(item));
    }
}

#[test]
fn a_number_from_outside_that_no_double_holds_is_an_error() {
    let vat = vat();
    let echo = vat.object(ECHO);
    for number in
        ["1e309", "-1e309", "9007199254740993", "-9007199254740993", "100000000000000000001", "1e999999999999"]
    {
        let problem = echo.try_send(&format!(r#"{{"n":[{number}]}}"#)).expect_err(number);
        assert!(problem.error.contains("args.n[0]"), "{problem:?}");
    }
    assert_eq!(echo.turns(1).len(), 0, "nothing was queued");
}

#[test]
fn what_is_not_qjson_is_a_type_error_that_names_its_path() {
    let vat = vat();
    let code = format!(
        r"(args, power) => {{
            {TELL}
            const cycle = {{}}; cycle.again = [cycle];
            const bad = {{
                getter: {{ get x() {{ return 1 }} }}, setter: {{ set x(v) {{}} }}, proxy: new Proxy({{}}, {{}}), proxyArray: new Proxy([], {{}}),
                proxyFunction: new Proxy(() => 1, {{}}), date: new Date(0), map: new Map(), set: new Set(), klass: new (class A {{}})(),
                inherits: Object.create({{}}), fn: () => 1, asyncFn: async () => 1, symbol: Symbol('s'), symbolKey: {{ [Symbol('s')]: 1 }},
                bigint: 1n, nan: NaN, infinity: Infinity, minus: -Infinity, cycle, lone: '\ud800', loneLow: 'a\udc00b',
                loneKey: {{ '\ud800': 1 }}, promise: Promise.resolve(), regexp: /x/, error: new Error('e'), number: Object(1), string: Object('s'),
                bool: Object(true), bytes: new Uint8Array(1), buffer: new ArrayBuffer(1), extra: Object.assign([1], {{ extra: 1 }}),
                subclass: new (class extends Array {{}})(), native: power.clock, arguments: (function () {{ return arguments }})(1),
                generator: (function* () {{}})(), toJSON: {{ toJSON() {{ return 1 }} }}, weak: new WeakMap(), iterator: [].values(),
                indexGetter: Object.defineProperty([], '0', {{ get() {{ return 1 }} }}), boxed: Object(1n), math: Math, json: JSON, global: globalThis,
            }};
            const told = {{}};
            for (const [name, when] of Object.entries(bad)) told[name] = tell(() => {{ args.sendOnly({{ items: [1, {{ when }}] }}); return 'sent' }});
            return told;
        }}"
    );
    let told = vat.object(&code).result(&vat.object(ECHO).reference());
    let told = told.as_object().expect("an object");
    assert_eq!(told.len(), 43);
    for (name, message) in told {
        let message = message.as_str().expect("text");
        assert!(message.starts_with("TypeError: args.items[1].when"), "{name}: {message}");
        assert!(message.contains("when: ") || name != "proxy", "{name}: {message}");
    }
    assert!(told["cycle"].as_str().expect("text").contains("args.items[1].when.again[0]: "));
    assert!(told["getter"].as_str().expect("text").contains("args.items[1].when.x: "));
}

#[test]
fn paths_of_odd_keys_are_written_so_that_they_can_be_read() {
    let vat = vat();
    let told = vat
        .object(&format!("args => {{ {TELL} return ['a b', '', '1x', '@a', 'é', '$_9', '\"', '3'].map(key => tell(() => args.sendOnly({{ [key]: NaN }}))) }}"))
        .result(&vat.object(ECHO).reference());
    assert_eq!(
        told,
        json!([
            "TypeError: args[\"a b\"]: NaN",
            "TypeError: args[\"\"]: NaN",
            "TypeError: args[\"1x\"]: NaN",
            "TypeError: args[\"@a\"]: NaN",
            "TypeError: args.é: NaN",
            "TypeError: args.$_9: NaN",
            "TypeError: args[\"\\\"\"]: NaN",
            "TypeError: args[\"3\"]: NaN",
        ])
    );
}

#[test]
fn serialising_runs_no_code_of_the_object() {
    let vat = vat();
    let code = r"(args, power) => {
        let ran = [];
        const note = name => ran.push(name);
        const traps = {};
        for (const trap of Object.getOwnPropertyNames(Reflect)) traps[trap] = (...a) => { note(trap); return Reflect[trap](...a) };
        const proto = { get x() { note('inherited get') }, toJSON() { note('inherited toJSON') } };
        class Species extends Array { static get [Symbol.species]() { note('species'); return Array } get 0() { note('index') } }
        const list = [1, 2, 3]; Object.setPrototypeOf(list, { get 1() { note('list get') }, get length() { note('length') } });
        const holes = [,]; 
        const values = [
            new Proxy({ a: 1 }, traps), new Proxy([1], traps), new Proxy(() => 1, traps), Object.create(new Proxy({}, traps)),
            { get a() { note('get'); return 1 } }, { set a(v) { note('set') } }, Object.create(proto), Species.from([1]), list,
            { toJSON() { note('toJSON'); return 1 } }, { toString() { note('toString') } }, { valueOf() { note('valueOf') } },
            { [Symbol.toPrimitive]() { note('toPrimitive') } }, { get [Symbol.toStringTag]() { note('tag') } },
            { then(f) { note('then') } }, { [Symbol.iterator]() { note('iterator') } }, { constructor: { get [Symbol.species]() { note('species') } } },
            new (class { get [Symbol.toStringTag]() { note('class tag') } })(), Object.defineProperty([1], 'length', { writable: false }),
            Object.defineProperty({}, 'hidden', { get() { note('hidden') } }), { __proto__: { a: 1 } }, new Date(NaN), holes,
            Object.assign(new Map(), { get() { note('map get') } }),
        ];
        const uses = [v => args.sendOnly(v), v => args.sendOnly({ deep: [v] }), v => Q.sendOnly(args, v), v => power.make_object('() => 1', v),
            v => power.make_object('() => 1', { memory: v }), v => power.make_object('() => 1', { x: v }), v => power.log(v), v => power.log({ v }),
            v => console.log(v), v => power.make_account('() => 1', { memory: { v } }), v => Q.isReference(v), v => Q.sendOnly(v, 1), v => Q.call(v, 1),
            v => power.random(v), v => power.make_object(v)];
        for (const value of values) for (const use of uses) try { use(value) } catch {}
        return ran;
    }";
    assert_eq!(vat.object(code).text(&vat.object("() => 1").reference()), "[]");
    // The result and the memory are taken when the code is through: what ran then would show in
    // the turn's log, or not end.
    for value in [
        "new Proxy({}, { ownKeys() { for (;;); } })",
        "({ get a() { for (;;); } })",
        "({ toJSON() { for (;;); } })",
        "Object.create(new Proxy({}, { get() { for (;;); } }))",
    ] {
        let ended = vat.object(&format!("() => {value}")).send("null");
        assert_eq!((ended.result.get(), ended.error), ("null", None), "{value}");
        assert!(ended.result_error.expect("it is not QJSON").starts_with("result"), "{value}");
        let error = vat.object(&format!("(args, power) => {{ power.memory.x = {value} }}")).error("null");
        assert!(error.starts_with("TypeError: memory.x"), "{error}");
    }
}

#[test]
fn undefined_properties_are_dropped_and_undefined_items_become_null() {
    let vat = vat();
    let value = "{ a: undefined, b: [undefined, , 1, undefined], c: { d: undefined } }";
    let shown = r#"{"b":[null,null,1,null],"c":{}}"#;
    assert_eq!(vat.run(&format!("() => ({value})")), shown);
    let target = vat.object("(args, power) => { power.memory.got = args }");
    vat.object(&format!("args => args.sendOnly({value})")).text(&target.reference());
    target.wait_for_turns(1);
    assert_eq!(target.memory(), format!(r#"{{"got":{shown}}}"#));
    let keeper =
        vat.object(&format!("(args, power) => {{ power.memory.it = {value}; power.memory.gone = undefined; }}"));
    keeper.text("null");
    assert_eq!(keeper.memory(), format!(r#"{{"it":{shown}}}"#));
}

#[test]
fn minus_zero_becomes_zero_on_every_way() {
    let vat = vat();
    let target = vat.object("args => Object.is(args.z, 0) && args.z === 0");
    assert_eq!(target.text(r#"{"z":-0}"#), "true");
    let keeper = vat.object("(args, { memory }) => { const before = Object.is(memory.z, 0); memory.z = -0; return [before, Object.is(memory.z, -0)] }");
    assert_eq!(keeper.text("null"), "[false,true]");
    assert_eq!(keeper.text("null"), "[true,true]");
    assert_eq!(keeper.memory(), r#"{"z":0}"#);
}

#[test]
fn a_lone_surrogate_from_outside_is_an_error_and_a_pair_is_a_character() {
    let vat = vat();
    let echo = vat.object(ECHO);
    assert_eq!(echo.text(r#""\ud83d\ude00""#), "\"😀\"");
    for bad in [r#""\ud83d""#, r#""\ude00\ud83d""#, r#"{"\ud83d":1}"#, r#"["\ud83dx"]"#] {
        assert!(echo.try_send(bad).is_err(), "{bad}");
    }
}

#[test]
fn proto_is_an_ordinary_own_key() {
    let vat = vat();
    let code = r"(args, power) => {
        const first = power.memory.kept;
        power.memory.kept = args;
        const told = [Object.keys(args), Object.getPrototypeOf(args) === Object.prototype, args.polluted, Object.getOwnPropertyDescriptor(args, '__proto__')];
        return [told, args, first, power.given, power['__proto__'] === 7];
    }";
    let object =
        vat.object_with(code, &Grant { power: r#"{"given":{"__proto__":[1]},"__proto__":7}"#, ..Grant::default() });
    let value = r#"{"__proto__":{"polluted":true}}"#;
    let told = r#"[["__proto__"],true,null,{"value":{"polluted":true},"writable":true,"enumerable":true,"configurable":true}]"#;
    assert_eq!(object.text(value), format!(r#"[{told},{value},null,{{"__proto__":[1]}},true]"#));
    assert_eq!(object.text(value), format!(r#"[{told},{value},{value},{{"__proto__":[1]}},true]"#));
    assert_eq!(object.memory(), format!(r#"{{"kept":{value}}}"#));
    // With an escaped key beside it, which is read by another way.
    let value = r#"{"@@a":1,"__proto__":{"polluted":true}}"#;
    assert!(object.text(value).contains(r#"["@a","__proto__"],true,null"#));
    let keeper = vat.object(
        "(args, { memory }) => { const d = Object.getOwnPropertyDescriptor(memory, '__proto__'); \
         Object.defineProperty(memory, '__proto__', { value: { n: 1 }, writable: true, enumerable: true, configurable: true }); \
         memory.z = 1; return d }",
    );
    keeper.text("null");
    assert_eq!(keeper.memory(), r#"{"__proto__":{"n":1},"z":1}"#);
    assert_eq!(keeper.result("null")["value"], json!({ "n": 1 }));
}

#[test]
fn a_key_that_starts_with_at_is_written_with_one_more_and_loses_it_again() {
    let vat = vat();
    let made = "{ '@qref': 1, '@': 2, '@@': 3, 'a@': { '@x': [{ '@y': 4 }] } }";
    let shown = r#"{"@@qref":1,"@@":2,"@@@":3,"a@":{"@@x":[{"@@y":4}]}}"#;
    assert_eq!(vat.run(&format!("() => ({made})")), shown);
    assert_eq!(
        vat.object("args => [Object.keys(args), args['a@']['@x'][0]['@y'], args['@@']]").text(shown),
        r#"[["@qref","@","@@","a@"],4,3]"#
    );
    assert_eq!(vat.object(ECHO).text(shown), shown);
    // In memory, at the top level too, and over turns.
    let keeper = vat.object(&format!(
        "(args, {{ memory }}) => {{ const keys = Object.keys(memory); Object.assign(memory, {made}); memory.deep = {made}; return keys }}"
    ));
    assert_eq!(keeper.text("null"), "[]");
    assert_eq!(keeper.text("null"), r#"["@qref","@","@@","a@","deep"]"#);
    let memory = format!("{},\"deep\":{shown}}}", shown.strip_suffix('}').expect("an object"));
    assert_eq!(keeper.memory(), memory);
    let deleter = vat.object_with(
        "(args, { memory }) => { delete memory['@qref']; memory['@'] = 5; memory['@@'] = undefined }",
        &Grant { memory: Some(&memory), ..Grant::default() },
    );
    deleter.text("null");
    assert_eq!(deleter.memory(), format!(r#"{{"@@":5,"a@":{{"@@x":[{{"@@y":4}}]}},"deep":{shown}}}"#));
    // In static power, given and made, and in a made object's memory.
    let maker = vat.object_with(
        &format!(
            "(args, power) => [power, power.make_object('(a, p) => [p, p.memory, p.deep]', {{ '@top': 1, deep: {made}, memory: {made} }})]"
        ),
        &Grant { power: r#"{"@@own":{"@@in":1}}"#, natives: &["make_object"], memory: None },
    );
    let ended = maker.send("null");
    assert!(ended.result_error.expect("a native power is no data").starts_with("result[0].make_object: "));
    let maker = vat.object_with(
        &format!("(args, power) => [power['@own'], power.make_object('(a, p) => [p[\"@top\"], p.memory, p.deep]', {{ '@top': 1, deep: {made}, memory: {made} }})]"),
        &Grant { power: r#"{"@@own":{"@@in":1}}"#, natives: &["make_object"], memory: None },
    );
    let result = maker.result("null");
    assert_eq!(result[0], json!({ "@@in": 1 }));
    assert_eq!(vat.referred(&result[1]).text("null"), format!("[1,{shown},{shown}]"));
}

#[test]
fn a_stray_at_key_from_outside_is_an_error() {
    let vat = vat();
    let echo = vat.object(ECHO);
    let reference = echo.reference();
    let qrid = &echo.qrid;
    for bad in [
        r#"{"@a":1}"#.to_owned(),
        r#"{"@":1}"#.to_owned(),
        r#"{"a":[{"\u0040b":1}]}"#.to_owned(),
        r#"{"@qref":1}"#.to_owned(),
        r#"{"@qref":null}"#.to_owned(),
        r#"{"@qref":"qrt:nonsense"}"#.to_owned(),
        r#"{"@qref":""}"#.to_owned(),
        format!(r#"{{"@qref":"{qrid}","x":1}}"#),
        format!(r#"{{"x":1,"@qref":"{qrid}"}}"#),
        format!(r#"{{"@qref":"{qrid}","@qref":"{qrid}"}}"#),
        format!(r#"{{"@qref":{reference}}}"#),
        format!(r#"{{"@qref":["{qrid}"]}}"#),
        format!(r#"{{"@qref":"{}"}}"#, qrid.to_uppercase()),
        r#"{"a":1,"a":2}"#.to_owned(),
    ] {
        assert!(echo.try_send(&bad).is_err(), "{bad}");
    }
    assert_eq!(echo.text(&format!(r#"[{{ "\u0040qref" : "{qrid}" }}]"#)), format!("[{reference}]"));
}

#[test]
fn nesting_is_at_most_128_levels() {
    let vat = vat();
    let echo = vat.object(ECHO);
    let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(echo.text(&nest(128)), nest(128));
    assert!(echo.try_send(&nest(129)).is_err());
    let code = format!(
        r"(args, power) => {{
            {TELL}
            const nest = depth => {{ let x = []; for (let i = 1; i < depth; i++) x = [x]; return x }};
            const uses = {{ send: v => args.sendOnly(v), memory: v => power.make_object('() => 1', {{ memory: {{ v }} }}), power: v => power.make_object('() => 1', {{ v }}) }};
            const told = {{}};
            for (const [name, use] of Object.entries(uses)) told[name] = [126, 127, 128, 129].map(n => tell(() => (use(nest(n)), 'ok')).slice(0, 10));
            return told;
        }}"
    );
    let told = vat.object(&code).result(&echo.reference());
    assert_eq!(told["send"], json!(["ok", "ok", "ok", "RangeError"]));
    assert_eq!(told["memory"], json!(["ok", "ok", "RangeError", "RangeError"]), "the memory is a level of its own");
    assert_eq!(told["power"], json!(["ok", "ok", "RangeError", "RangeError"]), "so is the power");
    let deep = "const nest = depth => { let x = []; for (let i = 1; i < depth; i++) x = [x]; return x };";
    assert_eq!(vat.run(&format!("() => {{ {deep} return nest(128) }}")), nest(128));
    let ended = vat.object(&format!("() => {{ {deep} return nest(129) }}")).send("null");
    assert!(ended.result_error.expect("too deep").contains("128 levels"));
    let keeper = vat.object(&format!("(args, {{ memory }}) => {{ {deep} memory.v = nest(args) }}"));
    keeper.text("127");
    assert_eq!(keeper.memory(), format!(r#"{{"v":{}}}"#, nest(127)));
    assert!(keeper.error("128").contains("128 levels"));
}

#[test]
fn the_args_of_a_message_are_at_most_a_mebibyte() {
    let vat = vat();
    let size = vat.object("args => args.length");
    assert_eq!(size.text(&format!("\"{}\"", "x".repeat((1 << 20) - 2))), ((1 << 20) - 2).to_string());
    let problem = size.try_send(&format!("\"{}\"", "x".repeat((1 << 20) - 1))).expect_err("too large");
    assert!(problem.error.contains("1048576"), "{problem:?}");
    // A Reference counts as 128 bytes, however it is written: `[r,r]` is 3 + 256.
    let count = |n: usize| format!("[{}]", vec![size.reference(); n].join(","));
    let most = ((1 << 20) - 1) / 129;
    assert_eq!(size.text(&count(most)), most.to_string());
    assert!(size.try_send(&count(most + 1)).is_err());
    let code = format!(
        "args => {{ {TELL} return ['x'.repeat(2 ** 20 - 2), 'x'.repeat(2 ** 20 - 1), Array({most}).fill(args), Array({most} + 1).fill(args)]\
         .map(v => tell(() => (args.sendOnly(v), 'ok')).slice(0, 16)) }}"
    );
    let told = vat.object(&code).result(&size.reference());
    assert_eq!(told, json!(["ok", "RangeError: args", "ok", "RangeError: args"]));
}

#[test]
fn missing_args_are_null() {
    let vat = vat();
    let target = vat.object("(args, { memory }) => { (memory.got ??= []).push(args === null) }");
    vat.object("args => { args.sendOnly(); args.sendOnly(undefined); Q.sendOnly(args); args.sendOnly(null) }")
        .text(&target.reference());
    target.wait_for_turns(4);
    assert_eq!(target.memory(), r#"{"got":[true,true,true,true]}"#);
}

#[test]
fn args_are_copied_when_they_are_sent() {
    let vat = vat();
    let target = vat.object("(args, { memory }) => { (memory.got ??= []).push(args) }");
    vat.object("args => { const list = [1]; args.sendOnly(list); list.push(2); args.sendOnly(list); list[0] = 9 }")
        .text(&target.reference());
    target.wait_for_turns(2);
    assert_eq!(target.memory(), r#"{"got":[[1],[1,2]]}"#);
}

#[test]
fn a_result_that_is_not_qjson_is_null_and_says_where() {
    let vat = vat();
    for (value, said) in [
        ("Promise.resolve(1)", "result: an instance of Promise"),
        ("({ a: [1, NaN] })", "result.a[1]: NaN"),
        ("() => 1", "result: a function"),
        ("({ 'b c': Symbol() })", r#"result["b c"]: a symbol"#),
    ] {
        let object = vat.object(&format!("(args, power) => {{ power.memory.ran = true; return {value} }}"));
        let ended = object.send("null");
        assert_eq!((ended.outcome.as_str(), ended.result.get()), ("ok", "null"));
        assert_eq!(ended.result_error.as_deref(), Some(said));
        assert_eq!(object.memory(), r#"{"ran":true}"#, "the turn is committed");
        assert_eq!(object.last_turn().result_error.as_deref(), Some(said));
    }
    assert_eq!(vat.run("() => undefined"), "null");
    assert_eq!(vat.run("() => {}"), "null");
}

#[test]
fn any_text_is_a_key_or_a_value_the_zero_character_too() {
    let vat = vat();
    let text = r#"{"\u0000":"\u0000","a\u0000b":1,"\u2028":"\n","\ud83d\ude00":"\uffff"}"#;
    let shown = "{\"\\u0000\":\"\\u0000\",\"a\\u0000b\":1,\"\u{2028}\":\"\\n\",\"😀\":\"\u{ffff}\"}";
    assert_eq!(vat.object(ECHO).text(text), shown);
    let keeper = vat.object("(args, { memory }) => { const keys = Object.keys(memory).map(key => key.length); Object.assign(memory, args); return keys }");
    assert_eq!(keeper.text(text), "[]");
    assert_eq!(keeper.text("null"), "[1,3,1,2]");
    assert_eq!(keeper.memory(), shown);
}
