//! Object code: what it may be, how it is called, and what is in scope.

use qrt_tests::Grant;
use serde_json::json;

use crate::vat;

#[test]
fn code_is_exactly_one_function_expression() {
    let vat = vat();
    for code in [
        "function () { return 1 }",
        "function named(args, power) { return 1 }",
        "() => 1",
        "x => 1",
        "(args, { memory }) => { return 1 }",
        "(args, { a }, [b] = [1]) => b",
        "\n\t// before\n/* and */ () => 1 // after\n/* and after */\n",
        "\u{feff}() => 1",
        "function f() { 'use strict'; return 1 }",
        "() => { async function f() { await 1 } function* g() { yield 1 } class A { #p = 1; static { } } return 1 }",
        // In a module this is less than, not, minus minus.
        "y => { const x = 3; return x > 2 ? 1 : x <!-- x\n }",
        "() => { const x = { n: 1 }; return x?.n ?? x\u{2028}}",
        "() => /[(]\\)/.test('') ? 2 : `${`${'1'}`}` | 0",
    ] {
        assert_eq!(vat.object(code).text("null"), "1", "{code:?}");
    }
    for code in [
        "",
        "   ",
        "// nothing",
        "1",
        "'() => 1'",
        "class {}",
        "class A { constructor() {} }",
        "(() => 1)",
        "(function () {})",
        "((a) => 1)",
        "async () => 1",
        "async function () {}",
        "async x => 1",
        "function* () {}",
        "async function* g() {}",
        "() => 1;",
        "function f() {};",
        "() => 1, () => 2",
        "function f() {} function g() {}",
        "() => 1\n() => 2",
        "let f = () => 1",
        "f = () => 1",
        "export default () => 1",
        "import 'x'",
        "'use strict'; () => 1",
        "function () {}()",
        "() => {}()",
        "function () {}.call()",
        "!function () {}",
        "x ? () => 1 : () => 2",
        "get x() { return 1 }",
        "{ m() {} }",
        "new Function('')",
        "#!/usr/bin/env qrt\n() => 1",
        "<!-- x\n() => 1",
        "() => 1\n--> x",
        "() => 1 /*",
        "() => 1) + (() => 2",
        "function(){}) ; (function(){}",
        "() => 1)//",
        "() => 1\u{0}",
    ] {
        let problem = vat.try_object(code, &Grant::default()).err().unwrap_or_else(|| panic!("accepted: {code:?}"));
        assert!(problem.error.contains("SyntaxError"), "{code:?}: {problem:?}");
    }
}

#[test]
fn code_is_in_module_syntax() {
    let vat = vat();
    for code in [
        "() => { with ({}) {} }",
        "() => 010",
        "() => '\\08'",
        "() => { delete x }",
        "(a, a) => 1",
        "eval => 1",
        "() => { arguments = 1 }",
        "() => import('x')",
        "() => import.meta.url",
        "() => await 1",
        "await => 1",
        "() => { yield = 1 }",
        "() => { let static = 1 }",
        "() => super.x",
        "() => new.target",
        "() => { let a; let a }",
        "() => { break }",
        "() => { class A { m() { this.#nope } } }",
        "() => /(/",
        "() => ({ __proto__: 1, __proto__: 2 })",
    ] {
        assert!(vat.try_object(code, &Grant::default()).is_err(), "accepted: {code:?}");
    }
    assert_eq!(vat.run("function () { return this === undefined }"), "true");
    assert_eq!(vat.run("() => this === undefined"), "true");
    assert!(vat.object("() => { undeclared = 1 }").error("null").starts_with("ReferenceError: "));
    assert!(vat.object("() => { Object.freeze({}).x = 1 }").error("null").starts_with("TypeError: "));
}

#[test]
fn a_syntax_error_is_refused_with_line_column_and_a_caret() {
    let vat = vat();
    for (code, line, column, shown) in [
        ("(args) => {\n  const é = '€'; let let = 1;\n}", 2, 22, "  const é = '€'; let let = 1;"),
        ("\n  async () => 1", 2, 3, "  async () => 1"),
        ("() => {\r\n  return )\r\n}", 2, 10, "  return )"),
        ("() => 1;", 1, 8, "() => 1;"),
        ("() => {}\n+\n(() => 2)", 2, 1, "+"),
    ] {
        let problem = vat.try_object(code, &Grant::default()).err().expect("refused");
        let place = format!("object.js:{line}:{column}: SyntaxError: ");
        assert!(problem.error.starts_with(&place), "{code:?}: {problem:?}");
        assert_eq!(
            problem.excerpt.as_deref(),
            Some(format!("{shown}\n{}^", " ".repeat(column - 1)).as_str()),
            "{code:?}"
        );
    }
}

#[test]
fn brackets_nest_at_most_256_deep() {
    let vat = vat();
    let nest = |depth: usize| format!("() => {}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(vat.run(&nest(250)), "1");
    for depth in [300, 10_000, 300_000] {
        assert!(vat.try_object(&nest(depth), &Grant::default()).is_err());
        assert!(vat.try_object(&format!("() => {}", "[".repeat(depth)), &Grant::default()).is_err());
    }
    assert_eq!(vat.run("() => 2"), "2", "the vat goes on");
}

#[test]
fn code_is_called_as_f_of_args_and_power() {
    let vat = vat();
    let told = vat
        .object("function (args, power) { return [arguments.length, args, typeof power, this === undefined, new.target === undefined] }")
        .text("[7]");
    assert_eq!(told, r#"[2,[7],"object",true,true]"#);
}

#[test]
fn code_has_no_state_but_its_memory() {
    let vat = vat();
    let code = r"function f(args, power) {
        const tag = s => s;
        const places = { f, prototype: f.prototype, global: globalThis, proto: Object.getPrototypeOf(globalThis), template: tag`t`, power, Object, Array,
            arrayProto: Array.prototype, Q, add, console, JSON, Math, regexp: /x/g, make: power.make_object, friend: args, refProto: Object.getPrototypeOf(args),
            iterator: Object.getPrototypeOf([].values()), generator: Object.getPrototypeOf(function* () {}), asyncFn: Object.getPrototypeOf(async () => {}),
            error: Error, symbol: Symbol, promise: Promise.prototype, encoder: TextEncoder, date: Date.prototype };
        const seen = Object.keys(places).filter(name => places[name].mark !== undefined);
        for (const name in places) try { places[name].mark = 1 } catch {}
        for (const name in places) try { Object.defineProperty(places[name], 'mark', { value: 1 }) } catch {}
        try { places.template.raw.push('x') } catch {}
        seen.push(places.template.raw.length, places.regexp.lastIndex, /x/g.lastIndex, typeof mark, Symbol.for('mark').description);
        places.regexp.test('x');
        return seen;
    }";
    let object = vat.object(code);
    let other = vat.object(code);
    for _ in 0..3 {
        assert_eq!(object.text(&other.reference()), r#"[1,0,0,"undefined","mark"]"#);
        assert_eq!(other.text(&object.reference()), r#"[1,0,0,"undefined","mark"]"#);
    }
    let nested = vat.object("(args, power) => [args.call(args), args.call(args)]");
    assert_eq!(nested.text(&object.reference()), r#"[[1,0,0,"undefined","mark"],[1,0,0,"undefined","mark"]]"#);
}

#[test]
fn the_standard_intrinsics_are_frozen() {
    let vat = vat();
    let code = r"() => {
        const open = [];
        for (const name of Reflect.ownKeys(Object.getPrototypeOf(Object.getPrototypeOf(globalThis)))) {
            const value = globalThis[name];
            if (Object(value) !== value) continue;
            if (!Object.isFrozen(value)) open.push(String(name));
            if (value.prototype && !Object.isFrozen(value.prototype)) open.push(String(name) + '.prototype');
        }
        for (const change of [() => { Object.prototype.x = 1 }, () => { Array.prototype.push = 1 }, () => { Math.PI = 3 }, () => { delete JSON.parse },
            () => { Object.defineProperty(Function.prototype, 'call', { value: 1 }) }, () => { Object.setPrototypeOf(Array.prototype, {}) },
            () => { Promise.prototype.then = 1 }, () => { Object.getPrototypeOf(function* () {}).prototype.next = 1 }, () => { String.prototype.x = 1 },
            () => { undefined = 1 }, () => { NaN = 1 }, () => { Array = 1 }, () => { Q = 1 }, () => { console.log = 1 }])
            try { change(); open.push(String(change)) } catch (e) { if (!(e instanceof TypeError)) open.push(String(e)) }
        return open;
    }";
    assert_eq!(vat.run(code), "[]");
}

#[test]
fn what_inherits_from_an_intrinsic_can_override_it_by_assignment() {
    let vat = vat();
    let code = r"() => {
        const o = {}; o.toString = () => 'mine'; o.constructor = 1; o.hasOwnProperty = 2; o.valueOf = 3;
        function Old() {} Old.prototype.toString = () => 'old';
        class E extends Error {} E.prototype.name = 'E';
        const e = new TypeError('a'); e.message = 'b'; e.name = 'N';
        const f = () => 1; f.call = 2; f.toString = () => 'f';
        const list = [1]; list.map = () => 'mapped'; list.length = 0;
        return [String(o), Object.keys(o), String(new Old()), String(new E('c')), String(e), f.call, String(f), list.map(), list.length];
    }";
    assert_eq!(
        vat.run(code),
        r#"["mine",["toString","constructor","hasOwnProperty","valueOf"],"old","E: c","N: b",2,"f","mapped",0]"#
    );
}

#[test]
fn global_this_is_a_fresh_ordinary_object_of_the_call() {
    let vat = vat();
    let code = r"(args, power) => {
        const before = Reflect.ownKeys(globalThis).length;
        const told = [before, Object.getPrototypeOf(Object.getPrototypeOf(globalThis)) !== null, Object.isExtensible(globalThis), globalThis.Map === Map,
            'JSON' in globalThis, globalThis.globalThis === globalThis, globalThis.undefined === undefined];
        globalThis.mine = 1; globalThis.Array = 2; globalThis.undefined = 3; globalThis.Q = 4; globalThis.globalThis = 5; globalThis.toString = 6;
        told.push(Object.keys(globalThis), typeof mine, Array.isArray([]), undefined === void 0, Q.isReference(1), globalThis.globalThis);
        told.push(Object.getOwnPropertyDescriptor(globalThis, 'Array'), delete globalThis.Array && globalThis.Array === Array);
        try { mine = 2 } catch (e) { told.push(e.name) }
        try { neverDeclared = 2 } catch (e) { told.push(e.name) }
        globalThis = 'a parameter';
        told.push(globalThis);
        return told;
    }";
    let told = r#"[0,true,true,true,true,true,true,["mine","Array","undefined","Q","globalThis","toString"],"undefined",true,true,false,5,{"value":2,"writable":true,"enumerable":true,"configurable":true},true,"ReferenceError","ReferenceError","a parameter"]"#;
    let object = vat.object(code);
    assert_eq!(object.text("null"), told);
    assert_eq!(object.text("null"), told);
    let caller =
        vat.object("o => { globalThis.mine = 'the caller\\'s'; return [o.call(), o.call(), globalThis.mine] }");
    assert_eq!(caller.text(&object.reference()), format!("[{told},{told},\"the caller's\"]"));
}

#[test]
fn there_is_no_ambient_authority_time_or_chance() {
    let vat = vat();
    let code = r"() => {
        const names = ['eval', 'WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics', 'performance', 'setTimeout', 'setInterval',
            'setImmediate', 'queueMicrotask', 'require', 'process', 'module', 'fetch', 'XMLHttpRequest', 'WebSocket', 'Worker', 'importScripts', 'crypto',
            'Intl', 'structuredClone', 'navigator', 'window', 'self', 'global', 'document', 'localStorage', 'print', 'os', 'std', 'bjson', 'gc', 'scriptArgs',
            'DOMException', 'Deno', 'Bun', 'WebAssembly', 'ShadowRealm', 'postMessage', 'navigator', 'alert', 'Buffer', 'URL'];
        const found = names.filter(name => name in globalThis);
        for (const name of ['eval', 'WeakRef', 'SharedArrayBuffer', 'Atomics', 'setTimeout', 'queueMicrotask', 'require', 'process'])
            try { (0, { eval: () => eval, WeakRef: () => WeakRef, SharedArrayBuffer: () => SharedArrayBuffer, Atomics: () => Atomics, setTimeout: () => setTimeout,
                queueMicrotask: () => queueMicrotask, require: () => require, process: () => process }[name])(); found.push('bare ' + name) } catch {}
        if ('random' in Math) found.push('Math.random');
        for (const name of ['captureStackTrace', 'prepareStackTrace', 'stackTraceLimit']) if (name in Error) found.push(name);
        for (const name of ['caller', 'arguments', 'fileName', 'lineNumber', 'columnNumber']) if (name in (() => 1) && name !== 'caller' && name !== 'arguments') found.push(name);
        return found;
    }";
    assert_eq!(vat.run(code), "[]");
}

#[test]
fn code_is_never_made_from_text() {
    let vat = vat();
    let code = r"() => {
        const ways = [() => Function('return 1')(), () => new Function('return 1')(), () => (() => 1).constructor('return 1')(),
            () => (function* () {}).constructor('yield 1')(), () => (async () => {}).constructor('return 1')(), () => (async function* () {}).constructor('yield 1')(),
            () => Reflect.construct(Function, ['return 1']), () => Function.call(null, 'return 1'), () => Function.bind(null, 'return 1')(),
            () => Reflect.construct(Object, ['return 1'], Function).call(), () => new (class extends Function {})('return 1')(),
            () => new (class extends (function* () {}).constructor {})(), () => Object.getPrototypeOf(async () => {}).constructor('return 1'),
            () => eval('1'), () => (0, globalThis.eval)('1'), () => globalThis['eval']('1'), () => setTimeout('1'),
            () => Error.prepareStackTrace = (e, s) => s[0].getFunction(), () => [].map.constructor('return 1')(), () => Q.call.constructor('return 1')()];
        return ways.map(way => { try { way(); return 'ran' } catch (e) { return e.name } }).filter(name => name !== 'TypeError' && name !== 'ReferenceError');
    }";
    assert_eq!(vat.run(code), "[]");
}

#[test]
fn dates_are_arithmetic_in_utc_and_no_clock() {
    let vat = vat();
    let code = r"() => {
        const throws = run => { try { run(); return 'no' } catch (e) { return e.name } };
        const d = new Date(Date.UTC(2024, 1, 29, 12, 30));
        return [throws(() => Date()), throws(() => new Date()), throws(() => Date.now()), throws(() => Reflect.construct(Date, [])),
            throws(() => new (class extends Date {})()), throws(() => new Date(undefined).toISOString()), throws(() => new d.constructor()),
            throws(() => Date.call({})), throws(() => Date.apply(null, [1])),
            d.toISOString(), d.getHours(), d.getTimezoneOffset(), new Date(2024, 0, 1).getTime() === Date.UTC(2024, 0, 1), new Date('2024-01-01T00:00').getTime() === Date.UTC(2024, 0, 1),
            String(d), d.toLocaleString() === d.toLocaleString(), new Date(d.getTime() + 864e5).getDate(), d instanceof Date, Number(new Date(0)), Date.parse('1970-01-01T00:00:01Z')];
    }";
    let told: serde_json::Value = serde_json::from_str(&vat.run(code)).expect("JSON");
    let t = "TypeError";
    assert_eq!(
        told,
        json!([
            t,
            t,
            t,
            t,
            t,
            "RangeError",
            t,
            t,
            t,
            "2024-02-29T12:30:00.000Z",
            12,
            0,
            true,
            true,
            "Thu Feb 29 2024 12:30:00 GMT+0000",
            true,
            1,
            true,
            0,
            1000
        ])
    );
}

#[test]
fn honest_packages_find_encoders_base64_and_a_console() {
    let vat = vat();
    let code = r"() => {
        const bytes = new TextEncoder().encode('aé€😀');
        const throws = run => { try { run(); return 'no' } catch (e) { return e.name } };
        return [[...bytes], new TextDecoder().decode(bytes), btoa('abc'), atob('YWJj'), throws(() => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))),
            new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])), new TextEncoder().encodeInto('aé', new Uint8Array(2)), new TextEncoder().encoding,
            new TextDecoder().decode(new Uint8Array([65, 255])), throws(() => btoa('€')) !== 'no', throws(() => atob('!')) !== 'no',
            [TextEncoder, TextDecoder, TextEncoder.prototype, btoa, atob, console, console.log].map(Object.isFrozen),
            ['log', 'info', 'warn', 'error', 'debug'].map(name => typeof console[name]), console.log('x')];
    }";
    assert_eq!(
        vat.run(code),
        r#"[[97,195,169,226,130,172,240,159,152,128],"aé€😀","YWJj","abc","TypeError","A",{"read":1,"written":1},"utf-8","A�",true,true,[true,true,true,true,true,true,true],["function","function","function","function","function"],null]"#
    );
}

#[test]
fn console_lines_go_to_the_turns_log_if_the_object_holds_log_and_nowhere_else() {
    let vat = vat();
    let code = "() => { console.log('a', 1, { b: [2] }); console.error('bad'); console.info(); console.warn(null); console.debug(true); console.assert(1, 'fine') }";
    let loud = vat.object(code);
    loud.text("null");
    assert_eq!(loud.last_turn().log, [r#"a 1 {"b":[2]}"#, "bad", "", "null", "true"]);
    let mute = vat.object_with(code, &Grant { natives: &["make_object"], ..Grant::default() });
    mute.text("null");
    assert!(mute.last_turn().log.is_empty());
    // Whose line it is depends on whose code runs.
    let caller = vat.object("o => { console.log('mine'); o.call(); console.log('mine again') }");
    caller.text(&mute.reference());
    assert_eq!(caller.last_turn().log, ["mine", "mine again"]);
    let mute_caller =
        vat.object_with("o => { console.log('mine'); o.call() }", &Grant { natives: &[], ..Grant::default() });
    mute_caller.text(&caller_of(&vat, "() => { console.log('the callee speaks') }"));
    assert_eq!(mute_caller.last_turn().log, ["the callee speaks"]);
}

fn caller_of(vat: &qrt_tests::Vat, code: &str) -> String {
    vat.object(code).reference()
}

#[test]
fn a_stack_shows_no_other_objects_code() {
    let vat = vat();
    let callee = vat.object("function inner() { return new Error('x').stack }");
    let stack = vat.object("function outerSecret(o) { return o.call() }").text(&callee.reference());
    assert!(stack.contains("inner") && !stack.contains("outerSecret"), "{stack}");
}

#[test]
fn code_sees_nothing_of_what_runs_it() {
    let vat = vat();
    let code = r"function f(args, power) {
        const told = [];
        const probe = run => { try { const value = run(); told.push(value === undefined ? 'undefined' : typeof value) } catch (e) { told.push(e.name) } };
        probe(() => f.caller); probe(() => f.arguments); probe(() => arguments.callee); probe(() => exports); probe(() => module); probe(() => host);
        probe(() => (() => this)()); probe(() => new Error().fileName); probe(() => _default); probe(() => __filename);
        return [told, new Error('x').stack];
    }";
    let result: serde_json::Value = serde_json::from_str(&vat.run(code)).expect("JSON");
    let (t, r) = ("TypeError", "ReferenceError");
    assert_eq!(result[0], json!(["undefined", "undefined", t, r, r, r, "undefined", "undefined", r, r]));
    let stack = result[1].as_str().expect("text");
    assert_eq!(stack, "    at f (object:6:27)\n", "{stack}");
    assert!(vat.object("() => arguments.length").error("null").starts_with(r));
}
