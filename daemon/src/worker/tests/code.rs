//! What code may be, and where its errors are.

use super::{World, error, in_world};

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

/// Pieces of code, and what two parsers may read differently.
const PIECES: [&str; 118] = [
    "()=>",
    "(a)=>",
    "a=>",
    "function f(){",
    "function(){",
    "function*g(){",
    "async()=>",
    "async function h(){",
    "class{",
    "class A extends B{",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    ";",
    ",",
    "\n",
    "\r",
    "\r\n",
    "\u{2028}",
    "\u{2029}",
    "\u{a0}",
    "\u{feff}",
    "\u{180e}",
    "\u{0}",
    "\u{b}",
    "\u{c}",
    "\u{85}",
    "//",
    "/*",
    "*/",
    "/**/",
    "/*\n*/",
    "//\n",
    "//\u{2028}",
    "/*\u{2029}*/",
    "<!--",
    "-->",
    "<!-- x\n",
    "\n--> x\n",
    "*/-->",
    "/*\n*/-->",
    "#!",
    "#",
    "#p",
    "@",
    "/",
    "/x/",
    "/[/]/",
    "/(?:)/g",
    "/=/",
    "`",
    "${",
    "`${",
    "}`",
    "``",
    "'",
    "\"",
    "'x'",
    "\"y\"",
    "'\\\n'",
    "\\",
    "\\u0061",
    "\\u{62}",
    "a",
    "b",
    "1",
    "0x1",
    "1n",
    ".5",
    "1.",
    "08",
    "=>",
    "=",
    "==",
    "async ",
    "await ",
    "yield ",
    "...",
    "new ",
    "new.target",
    "super",
    "this",
    "?.",
    "?",
    ":",
    "??",
    "??=",
    "||",
    "**",
    "return ",
    "of ",
    "get ",
    "static ",
    "let ",
    "const x=",
    "var ",
    "import",
    "import(",
    ".meta",
    "export ",
    "default ",
    "eval",
    "arguments",
    "<",
    "!",
    "--",
    "++",
    "*",
    "+",
    "in ",
    "typeof ",
    "void ",
    "delete ",
    "with(",
    "debugger",
];

/// Whole pieces that nest, so that more of what is drawn is code.
const WHOLE: [&str; 30] = [
    "1",
    "a",
    "x=>x",
    "()=>{}",
    "function(){}",
    "{}",
    "[]",
    "`t${1}`",
    "/r/g",
    "'s'",
    "({a,b:[c]}={})=>c",
    "class{#p=1;static{}}",
    "async()=>await 1",
    "function*(){yield}",
    "a?.b",
    "new Map",
    "(1,2)",
    "a?b:c",
    "a/b/c",
    "{let x=1}",
    "if(1){}else{}",
    "for(const x of[]){}",
    "try{}catch{}",
    "l:{break l}",
    "return 1",
    "return\n1",
    "a\n++b",
    "x<!--y",
    "a-->b",
    "do{}while(0)",
];

/// A linear congruential generator: the same texts for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % below
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A text that is nearly a function: a frame, some pieces in it, and some damage.
    fn code(&mut self) -> String {
        let mut pieces = Vec::new();
        for _ in 0..self.below(3) {
            pieces.push(self.of(&[
                "",
                " ",
                "\n",
                "//c\n",
                "/*c*/",
                "\u{2028}",
                "\u{feff}",
                "/*\n*/",
                "<!--\n",
                "-->\n",
                "//\u{2028}",
            ]));
        }
        let (open, close) = [
            ("()=>", ""),
            ("()=>{", "}"),
            ("function(){", "}"),
            ("function f(a,b){", "}"),
            ("(a,{b})=>[", "]"),
            ("a=>(", ")"),
            ("a=>`${", "}`"),
            ("", ""),
            ("()=>/", "/"),
            ("function(a=", "){}"),
            ("({a=", "})=>1"),
        ][self.below(11)];
        pieces.push(open);
        for _ in 0..self.below(6) {
            pieces.push(if self.below(2) == 0 { self.of(&WHOLE) } else { self.of(&PIECES) });
            if self.below(3) == 0 {
                pieces.push(self.of(&[";", "\n", ",", " ", "\u{2028}", "+"]));
            }
        }
        pieces.push(close);
        pieces.push(self.of(&[
            "",
            "",
            " ",
            "\n",
            "//c",
            "//c\n",
            "/*c*/",
            "\n-->",
            "<!--",
            "\u{2029}",
            ";",
            "//\u{2028}",
            "()",
            "`x`",
            ".a",
            ")(",
            ",1",
            "*/",
        ]));
        for _ in 0..self.below(3) {
            let at = self.below(pieces.len());
            match self.below(4) {
                0 => drop(pieces.remove(at)),
                1 => pieces.insert(at, self.of(&PIECES)),
                2 => pieces.insert(at, pieces[at]),
                _ => {
                    let other = self.below(pieces.len());
                    pieces.swap(at, other);
                }
            }
            if pieces.is_empty() {
                pieces.push("()=>1");
            }
        }
        pieces.concat()
    }
}

/// What is left of `text` without the blanks and comments it opens with, as ECMA-262 12.2 to 12.4
/// has them in a module, told by hand: a third opinion.
fn without_blanks(mut text: &str) -> &str {
    let ends_line = |c: char| matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}');
    loop {
        let blank = |c: char| {
            ends_line(c)
                || matches!(
                    c,
                    '\t' | '\u{b}' | '\u{c}' | ' ' | '\u{a0}' | '\u{feff}' | '\u{1680}' | '\u{2000}'
                        ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
                )
        };
        text = text.trim_start_matches(blank);
        if let Some(comment) = text.strip_prefix("//") {
            text = comment.find(ends_line).map_or("", |end| &comment[end..]);
        } else if let Some((_, after)) = text.strip_prefix("/*").and_then(|comment| comment.split_once("*/")) {
            text = after;
        } else {
            return text;
        }
    }
}

/// Draws texts; every one that is accepted must evaluate to one function that is the whole text but
/// for blanks and comments around it. Gives how many were accepted.
fn parsers_agree(world: &mut World, seed: u64, cases: u64) -> u64 {
    let mut draw = Draw(seed);
    let mut accepted = 0;
    for _ in 0..cases {
        let code = draw.code();
        if world.engine.check(&code).is_err() {
            continue;
        }
        accepted += 1;
        let function = match world.engine.evaluated(1, &code) {
            Ok(function) => function,
            Err(error) => panic!("accepted, but not evaluated: {code:?}: {error:?}"),
        };
        let rest = without_blanks(&code).strip_prefix(function.as_str());
        assert_eq!(rest.map(without_blanks), Some(""), "more than one function: {code:?} gives {function:?}");
        assert!(!function.starts_with("async") && !function.starts_with("class"), "{code:?}");
        world.install(1, &code);
        if let crate::protocol::Verdict::Error(error) = world.send(1, "null").verdict {
            assert!(!error.message.starts_with("SyntaxError"), "{code:?}: {error:?}");
        }
    }
    accepted
}

/// How many texts the next test draws, and from which seed: more of them than a test suite has time
/// for find more. The engine is replaced every so often, as the daemon replaces its worker.
const CASES: &str = "QRT_CODE_CASES";
const SEED: &str = "QRT_CODE_SEED";

#[test]
fn what_both_parsers_accept_is_one_function_and_nothing_beside_it() {
    const CASES_PER_ENGINE: u64 = 20_000;
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"));
    let (cases, seed) = (number(CASES, 20_000_u64), number(SEED, 1_u64));
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    for (round, from) in (seed..).zip((0..cases).step_by(usize::try_from(CASES_PER_ENGINE).expect("small"))) {
        let accepted = std::sync::Arc::clone(&accepted);
        in_world(move |world| {
            let found = parsers_agree(world, round, CASES_PER_ENGINE.min(cases - from));
            accepted.fetch_add(found, std::sync::atomic::Ordering::Relaxed);
        });
    }
    let accepted = accepted.load(std::sync::atomic::Ordering::Relaxed);
    if std::env::var_os(CASES).is_some() {
        eprintln!("{accepted} of {cases} texts were accepted");
    }
    assert!(accepted > cases / 100, "{accepted} of {cases} texts were accepted");
}
