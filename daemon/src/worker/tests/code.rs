//! What code may be, and where its errors are.

use super::{error, in_world};

/// What `check` says of each of `codes`.
fn refused(codes: &'static [&'static str]) {
    in_world(move |world| {
        for code in codes {
            assert!(world.engine.check(code).is_err(), "accepted: {code:?}");
        }
    });
}

#[test]
fn one_function_is_accepted() {
    in_world(|world| {
        for code in [
            "() => 1",
            "function () { return 1 }",
            "function named(args, power) { 'use strict'; return args }",
            "\n// first\n/* second */ (a, b) => ({ a, b }) // last",
            "x => { return x }\n",
            "({ a }, [b] = [1]) => a + b",
            "() => { async function f() { await 1; for await (const x of []) {} } function* g() { yield 1 } class A { #p = 1; static { } } }",
            "() => /[(]{3}\\(/.test('((((') ? `${`${1}`}` : \"[[[\"",
            "(a) => { label: for (;;) { break label } }",
            "function f() { return new.target }",
            "() => { let x; x ??= 1; return x?.y?.[0] }",
            "\u{feff}() => 1",
            // No comment in a module: less than, not, decrement.
            "x => 1 <!-- x",
        ] {
            if let Err(error) = world.engine.check(code) {
                panic!("{code:?}: {error:?}");
            }
        }
    });
}

#[test]
fn anything_but_one_function_is_refused() {
    refused(&[
        "",
        " ",
        "// nothing",
        "1",
        "class {}",
        "class A {}",
        "({})",
        "(() => 1)",
        "((a) => 1)",
        "async () => 1",
        "async function f() {}",
        "function* g() {}",
        "async function* g() {}",
        "() => 1, () => 2",
        "() => 1; () => 2",
        "() => 1;",
        "let f = () => 1",
        "f = () => 1",
        "() => {}()",
        "function () {}()",
        "function () {}.call()",
        "function () {}`x`",
        "!function () {}",
        "export default () => 1",
        "import x from 'y'",
        "true ? () => 1 : 2",
        "...() => 1",
        "{ m() {} }",
        "get x() {}",
    ]);
}

#[test]
fn no_text_closes_its_wrapper() {
    refused(&[
        "function(){}) ; (function(){}",
        "() => 1) + (() => 2",
        "() => 1); export const x = (1",
        "() => 1) => (() => 2",
        "() => 1 /*",
        "() => 1 /* * /",
        "() => 1)//",
        "() => 1) /*",
        "<!-- x\n() => 1",
        "() => 1\n--> x",
        "#!/bin/x\n() => 1",
        "() => 1 `",
        "() => `${1)}`",
        "() => 1 \u{0}",
        "() => 1\n) (\n() => 2",
        "a) => (b) => (c",
        "function f(){}\n)\n(function(){}",
        "function f(){} /*\n<!--*/ ) + (function(){}",
        "() => /x/) + (() => /y/",
    ]);
}

#[test]
fn module_syntax_is_strict_and_closed() {
    refused(&[
        "() => import('x')",
        "() => import.meta",
        "() => import.meta.url",
        "() => { with ({}) {} }",
        "() => 010",
        "() => { delete x }",
        "(eval) => 1",
        "() => { arguments = 1 }",
        "() => await 1",
        "(a = await 1) => a",
        "() => { yield = 1 }",
        "() => super.x",
        "() => new.target",
        "() => { return } }",
        "() => { let a; let a }",
        "() => { break }",
        "() => { x: x: 1 }",
        "() => /(/",
        "() => /a/gg",
        "() => { class A { constructor() {} constructor() {} } }",
        "() => { class A { m() { this.#nope } } }",
        "(a, a) => 1",
        "() => { '\\08' }",
        "() => ({ __proto__: 1, __proto__: 2 })",
        "() => { for (let x, y of []) {} }",
        "() => a?.b = 1",
        "() => 1 = 2",
    ]);
}

#[test]
fn deep_nesting_is_refused_before_a_parser_can_overflow() {
    in_world(|world| {
        for (open, close) in [("(", ")"), ("[", "]"), ("{a:", "}"), ("`${", "}`"), ("function(){", "}"), ("()=>{", "}")]
        {
            let nest = |depth: usize| format!("() => {}1{}", open.repeat(depth), close.repeat(depth));
            assert!(world.engine.check(&nest(100_000)).is_err(), "{open}");
            assert!(world.engine.check(&nest(300)).is_err(), "{open}");
        }
        assert!(world.engine.check(&format!("() => {}1{}", "(".repeat(250), ")".repeat(250))).is_ok());
        // What nests without brackets.
        for unit in [
            "!",
            "- ",
            "typeof ",
            "a=>",
            "a=",
            "a?b:",
            "a**",
            "new ",
            "x+",
            "x.y.",
            "if(1);else ",
            "l:",
            "a??",
            "a,",
            "x[0]",
        ] {
            for count in [1000, 200_000] {
                let body = unit.repeat(count);
                // Whether it is accepted is the parsers' affair; that it returns is the claim.
                let _ = world.engine.check(&format!("() => {{ {body}1 }}"));
            }
        }
    });
}

#[test]
fn an_error_has_its_line_its_column_and_a_caret() {
    in_world(|world| {
        let error = world.engine.check("(args) => {\n  const é = '€'; let let = 1;\n}").expect_err("bad");
        assert_eq!((error.line, error.column), (2, 22), "{error:?}");
        assert_eq!(error.excerpt, format!("  const é = '€'; let let = 1;\n{}^", " ".repeat(21)));
        let error = world.engine.check("(a) =>").expect_err("bad");
        assert_eq!(error.line, 1, "{error:?}");
        let error = world.engine.check("\n  async () => 1").expect_err("bad");
        assert_eq!((error.line, error.column), (2, 3), "{error:?}");
        assert_eq!(error.message, "SyntaxError: the function must not be async");
    });
}

#[test]
fn code_has_a_size() {
    in_world(|world| {
        let long = format!("() => 1{}", " ".repeat(1 << 20));
        assert!(world.engine.check(&long).is_err());
    });
}

#[test]
fn errors_of_a_turn_have_their_place_in_the_objects_own_source() {
    in_world(|world| {
        world.install(1, "(args) => {\n  const t = '€';\n  return args.x.y;\n}");
        let report = error(&world.send(1, "{}"));
        assert_eq!((report.object, report.line), (Some(1), 3), "{report:?}");
        assert!(report.message.starts_with("TypeError: "), "{report:?}");
        assert!(report.excerpt.starts_with("  return args.x.y;\n"), "{report:?}");
        let caret = report.excerpt.lines().nth(1).expect("a caret").chars().count();
        assert_eq!(caret, report.column as usize, "{report:?}");

        world.install(2, "(args) => args[0].call(args[1])");
        world.install(3, "\n\nfunction callee(args) { const é = 1; throw new RangeError('deep') }");
        let report = error(&world.send(2, r#"[{"@qref":3},1]"#));
        assert_eq!((report.object, report.line), (Some(3), 3), "{report:?}");
        assert!(report.excerpt.contains("deep"), "{report:?}");

        world.install(4, "() => { throw { code: 5 } }");
        assert_eq!(error(&world.send(4, "null")).message, r#"thrown: {"code":5}"#);
        world.install(
            5,
            "() => { class E extends Error { constructor(m) { super(m); this.name = 'Mine' } } throw new E('hm') }",
        );
        assert_eq!(error(&world.send(5, "null")).message, "Mine: hm");
        world.install(6, "() => { throw new Proxy(new Error('x'), {}) }");
        assert!(!error(&world.send(6, "null")).message.is_empty());
        world.install(7, "() => {\n  let let = 1 }");
        let report = error(&world.send(7, "null"));
        assert_eq!((report.object, report.line), (Some(7), 2), "{report:?}");
    });
}

#[test]
fn describing_an_error_runs_no_code() {
    in_world(|world| {
        world.install(
            1,
            r"(args, { memory }) => {
                const e = new Error('m');
                for (const key of ['name', 'message', 'stack', 'toString']) {
                    Object.defineProperty(e, key, { get() { memory.ran = 1; for (;;) {} } });
                }
                throw e;
            }",
        );
        assert_eq!(error(&world.send(1, "null")).message, "Error");
    });
}

#[test]
fn the_parsers_agree_on_what_they_both_accept() {
    in_world(|world| {
        let tokens = [
            "()=>",
            "(a)=>",
            "function f(){",
            "function(){",
            "}",
            "{",
            "(",
            ")",
            "[",
            "]",
            ";",
            ",",
            "\n",
            "\u{2028}",
            "//",
            "/*",
            "*/",
            "<!--",
            "-->",
            "/",
            "/x/",
            "`",
            "${",
            "'",
            "\"",
            "a",
            "1",
            "=>",
            "=",
            "async ",
            "await ",
            "yield ",
            "...",
            "#!",
            "\\",
            "\u{180e}",
            "\u{feff}",
            "class{",
            "new ",
            "?.",
            "?",
            ":",
            "return ",
            "of ",
            "get ",
            "static ",
            "import",
            ".meta",
            "<",
            "!",
            "--",
            "++",
            "*",
        ];
        // A linear congruential generator: the same texts every time.
        let mut state = 1_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let mut accepted = 0;
        for _ in 0..20_000 {
            let mut code = ["()=>", "()=>{", "function(){", "", "(a)=>a"][draw(5)].to_owned();
            for _ in 0..draw(7) {
                code.push_str(tokens[draw(tokens.len())]);
            }
            code.push_str(["", "}", "1", "}//", "1\n"][draw(5)]);
            if world.engine.check(&code).is_err() {
                continue;
            }
            accepted += 1;
            world.install(1, &code);
            if let crate::protocol::Verdict::Error(error) = world.send(1, "null").verdict {
                assert!(!error.message.contains("parsers disagree"), "{code:?}");
                assert!(!error.message.starts_with("SyntaxError"), "{code:?}: {error:?}");
            }
        }
        assert!(accepted > 500, "{accepted} texts were accepted");
    });
}
