//! Texts that would be more than one function, or fewer, in the wrapper they are evaluated in.

use qrt_tests::Grant;

use super::{Neighbour, vat};

/// A text that must be refused, and one beside it that is code.
type Text = (&'static str, &'static str, &'static str);

const TEXTS: [Text; 30] = [
    ("an expression that closes the wrapper", "() => 1), (1", "() => (1, (1))"),
    ("a call of itself", "(() => 1)()", "() => (() => 1)()"),
    ("a call of a function", "function () { return 1 }()", "function () { return (function () { return 1 })() }"),
    ("two expressions", "() => 1, () => 2", "() => (1, () => 2)"),
    ("a statement after it", "function f() {}; f()", "function f() { f; }"),
    ("a comment that hides the wrapper's end", "() => 1) //", "() => 1 // x\n"),
    ("a comment that is not closed", "() => 1 /*", "() => 1 /* */"),
    ("a comment that a HTML comment opens", "() => 1 <!-- x\n, 2", "() => 1 // <!-- x\n"),
    ("a comment that a HTML comment closes", "() => 1\n--> x", "() => { let x = 1; while (x --> 0); }"),
    ("a HTML comment that hides a second expression", "() => 1 /*\n*/--> , x", "() => 1 /*\n*/"),
    ("import as a call", "() => import('object#1')", "() => 'import(1)'"),
    ("import in a template", "() => `${import('x')}`", "() => `${'import'}`"),
    ("import in a class", "() => class { static x = import('x') }", "() => class { static x = 1 }"),
    ("import in a default", "(a = import('x')) => 1", "(a = 1) => 1"),
    ("import with a phase", "() => import.defer('x')", "() => ({ defer: 1 }).defer"),
    ("import.meta", "() => import.meta", "() => ({ meta: 1 }).meta"),
    ("an import statement", "() => 1\nimport x from 'x'", "() => { return 1\n'import' }"),
    ("an export", "() => 1); export const x = (1", "() => { const x = 1 }"),
    ("await outside of a function", "await 1, () => 1", "() => async () => await 1"),
    ("await as a default", "(a = await 1) => 1", "() => async (a) => { await a }"),
    ("a return of the wrapper", "return () => 1", "() => { return () => 1 }"),
    ("the wrapper's arguments", "() => 1 }, () => { arguments", "function () { arguments }"),
    ("an async function", "async () => 1", "() => async () => 1"),
    ("a generator", "function* () {}", "() => function* () {}"),
    ("a class", "class {}", "() => class {}"),
    ("a method", "{ m() {} }.m", "() => ({ m() {} }).m"),
    ("parentheses", "(() => 1)", "() => (1)"),
    ("a template that goes on", "() => 1`${2}`)(`", "() => { String.raw`${2}` }"),
    ("a regular expression that is a division", "() => 1 /1/ (1)).x", "() => 1 /1/ (1)"),
    ("a directive before it", "'use strict'; () => 1", "() => { 'use strict'; }"),
];

#[test]
fn a_text_that_is_not_one_function_is_refused() {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    for (name, text, honest) in TEXTS {
        let refused = vat.try_object(text, &Grant::default()).err().unwrap_or_else(|| panic!("{name} is taken"));
        assert!(refused.error.contains("SyntaxError"), "{name}: {}", refused.error);
        // Code that makes objects is told the same.
        let makes = format!(
            "(args, power) => {{ try {{ power.make_object({text:?}); return 'made' }} catch (e) {{ return e.name }} }}"
        );
        assert_eq!(vat.run(&makes), r#""SyntaxError""#, "{name}");
        vat.object(honest);
        neighbour.is_well(name);
    }
}

/// What the engine's own looser reading takes for code: each must be a refusal, not a sloppy function.
const SLOPPY: [Text; 8] = [
    ("with", "() => { with ({}) {} }", "() => { { } }"),
    ("an octal number", "() => 010", "() => 0o10"),
    ("an octal escape", r"() => '\07'", r"() => '\x07'"),
    ("a name deleted", "x => { delete x }", "x => { delete x.y }"),
    ("eval as a name", "eval => 1", "evil => 1"),
    ("two parameters of one name", "(a, a) => 1", "(a, b) => 1"),
    ("a label that is await", "() => { await: 1 }", "() => { a: 1 }"),
    ("a legacy escape in a template", r"() => `\07`", r"() => `\x07`"),
];

#[test]
fn code_is_strict_and_a_module() {
    let vat = vat();
    for (name, text, honest) in SLOPPY {
        assert!(vat.try_object(text, &Grant::default()).is_err(), "{name} is taken");
        vat.object(honest);
    }
    assert_eq!(vat.run("() => (function () { return this === undefined })()"), "true");
}

#[test]
fn a_text_that_parsers_choke_on_is_refused_and_nobody_notices() {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    let deep = |open: &str, close: &str, n: usize| format!("() => {}1{}", open.repeat(n), close.repeat(n));
    for (name, text, honest) in [
        ("parentheses", deep("(", ")", 50_000), deep("(", ")", 100)),
        ("brackets", deep("[", "]", 50_000), deep("[", "]", 100)),
        ("templates in templates", deep("`${", "}`", 50_000), deep("`${", "}`", 100)),
        ("signs", deep("- ", "", 400_000), deep("- ", "", 50)),
        ("arrows", deep("()=>", "", 200_000), deep("()=>", "", 50)),
        ("powers", format!("() => 1{}", "**1".repeat(200_000)), format!("() => 1{}", "**1".repeat(50))),
        ("conditions", format!("() => {}1", "1?1:".repeat(200_000)), format!("() => {}1", "1?1:".repeat(50))),
        (
            "elses",
            format!("() => {{ {} }}", "if (0) ; else ".repeat(60_000) + ";"),
            "() => { if (0) ; else ; }".to_owned(),
        ),
    ] {
        // One that is taken is code that both parsers could read whole; what counts is that the vat lives.
        let taken = vat.try_object(&text, &Grant::default()).is_ok();
        neighbour.is_well(&format!("{name} ({taken})"));
        vat.object(&honest);
    }
}
