//! Whatever code does at random to whatever it can reach, nothing outside of its turn has changed.
//!
//! `QRT_FUZZ_SECONDS=600 cargo test -p qrt-tests --test hostile fuzz` goes on for longer; the seeds go on from 1.

#![expect(clippy::print_stdout, reason = "a long run is for its figures")]

use std::time::{Duration, Instant};

use qrt_tests::{Lone, on_engine_stack};
use qrtd::protocol::{Report, Verdict};

use super::NEIGHBOUR;

const DEEDS: &str = include_str!("fuzz.js");
/// What the realm is, as text.
const INVENTORY: &str = include_str!("../../../daemon/src/worker/tests/inventory.js");

fn result(report: &Report) -> Option<&str> {
    match &report.verdict {
        Verdict::Ok { result, result_error: None } => Some(result),
        _ => None,
    }
}

/// An engine with the neighbour, the inventory, and what they answer while all is well.
struct Realm {
    lone: Lone,
    answers: [String; 2],
}

impl Realm {
    fn new() -> Self {
        let mut lone = Lone::default();
        lone.code(1, NEIGHBOUR);
        lone.code(2, INVENTORY);
        let answers = [1, 2].map(|code| Self::ask(&mut lone, code));
        Self { lone, answers }
    }

    fn ask(lone: &mut Lone, code: u32) -> String {
        let report = lone.run(code, if code == 1 { "null" } else { r#"{"@qref":5}"# }, &[]);
        result(&report).unwrap_or_else(|| panic!("{:?}", report.verdict)).to_owned()
    }

    fn is_well(&mut self, code: u32, seed: u32) {
        let now = Self::ask(&mut self.lone, code);
        let was = &self.answers[code as usize - 1];
        if now != *was {
            let line = |text: &str| text.replace("\\n", "\n");
            let (now, was) = (line(&now), line(was));
            let difference = now.lines().zip(was.lines()).find(|(now, was)| now != was);
            panic!("seed {seed} has changed what all code shares: {difference:?}");
        }
    }
}

fn limit() -> Duration {
    let seconds = std::env::var("QRT_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

#[test]
fn deeds_at_random_change_nothing_outside_of_their_turn() {
    on_engine_stack(|| {
        let until = Instant::now() + limit();
        let mut realm = Realm::new();
        let (mut seed, mut done) = (0_u32, 0);
        while Instant::now() < until {
            seed += 1;
            realm.lone.code(3, DEEDS);
            let report =
                realm.lone.run(3, &format!(r#"{{"seed":{},"steps":300}}"#, seed.wrapping_mul(2_654_435) | 1), &[]);
            done += result(&report).and_then(|done| done.parse::<u64>().ok()).unwrap_or(0);
            if realm.lone.is_spent() {
                // As in the daemon, nothing runs in an engine after a turn that was cut off.
                realm = Realm::new();
                continue;
            }
            realm.is_well(1, seed);
            if seed % 8 == 0 {
                realm.is_well(2, seed);
            }
        }
        println!("{done} deeds in {seed} turns");
        assert!(done > 1000 && seed > 8, "the deeds are done: {done} in {seed} turns");
    });
}

/// Numbers by xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

const NAMES: [&str; 30] = [
    "Object",
    "Array",
    "Function",
    "Promise",
    "Map",
    "Set",
    "Symbol",
    "RegExp",
    "Error",
    "TypeError",
    "Iterator",
    "Proxy",
    "Reflect",
    "JSON",
    "Math",
    "Date",
    "BigInt",
    "String",
    "Number",
    "Uint8Array",
    "ArrayBuffer",
    "DataView",
    "WeakMap",
    "globalThis",
    "Q",
    "add",
    "console",
    "power",
    "args",
    "TextDecoder",
];

const KEYS: [&str; 24] = [
    "prototype",
    "constructor",
    "__proto__",
    "length",
    "name",
    "mark",
    "then",
    "next",
    "call",
    "apply",
    "bind",
    "toString",
    "valueOf",
    "map",
    "from",
    "of",
    "[Symbol.iterator]",
    "[Symbol.species]",
    "[Symbol.toPrimitive]",
    "[0]",
    "exec",
    "get",
    "set",
    "memory",
];

/// What stands for `E` is an expression, for `N` a path to an intrinsic, for `K` a key, for `I` a number.
const EXPRESSIONS: [&str; 44] = [
    "I",
    "'x'",
    "`a${E}b`",
    "/a(?<g>b)?/giu",
    "1n",
    "[E, ...[E]]",
    "[, E]",
    "{ K2: E, ...(E), get mark() { return E }, [E]() { return super.mark } }",
    "(() => E)",
    "(function (a = E, ...b) { return [this, arguments, a, b, new.target] })",
    "(function* () { yield E; yield* [E] })()",
    "(async () => { try { await E } finally { E } })()",
    "(async function* () { yield E })()",
    "(class extends (E) { #p = E; static #s = E; static mark = E; [E] = E; static { this.x = E } })",
    "(class { #p = E; static has(o) { return #p in o } }).has(E)",
    "new (E)(E)",
    "new N(E)",
    "N",
    "N",
    "N.K",
    "(N.K = E)",
    "(N.K ??= E)",
    "delete N.K",
    "N.K?.(E, E)",
    "N.K.K",
    "N.K.call(E, E)",
    "(E)(E)",
    "(E).K",
    "(E)?.K?.(E)",
    "(E)[E]",
    "typeof E",
    "(E) in (Object(E))",
    "(E) instanceof N",
    "(E, E)",
    "E ? E : E",
    "(E) ?? (E)",
    "((s, ...v) => [s, v])`x${E}y`",
    "N.K`x${E}`",
    "(([a, { b = E } = {}]) => a)([E])",
    "Reflect.construct(N, [E], N)",
    "Object.defineProperty(N, 'mark', { value: E })",
    "Object.getOwnPropertyDescriptor(N, 'K2')?.set?.call(N, E)",
    "Object.setPrototypeOf(E, N)",
    "(E).then?.(E, E)",
];

fn expression(dice: &mut Dice, depth: usize, text: &mut String) {
    let form = if depth == 0 { dice.pick(&["I", "N", "'x'", "N.K"]) } else { dice.pick(&EXPRESSIONS) };
    let mut letters = form.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let alone = !before.is_alphanumeric() && !letters.peek().is_some_and(|next| next.is_alphabetic());
        match letter {
            'E' if alone => expression(dice, depth - 1, text),
            'N' if alone => text.push_str(dice.pick(&NAMES)),
            'I' if alone => text.push_str(dice.pick(&["0", "-1", "1", "3", "1.5", "NaN", "100"])),
            'K' if alone && letters.peek() == Some(&'2') => {
                letters.next();
                text.push_str(dice.pick(&["mark", "length", "name", "constructor", "then", "stack", "next"]));
            }
            'K' if alone => {
                let key = dice.pick(&KEYS);
                if key.starts_with('[') && text.ends_with('.') {
                    text.pop();
                    if text.ends_with('?') {
                        text.push('.');
                    }
                }
                text.push_str(key);
            }
            _ => text.push(letter),
        }
        before = letter;
    }
}

/// A program by the grammar above: each of its statements is tried.
fn program(seed: u64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut text = "(args, power) => {\n".to_owned();
    for _ in 0..6 {
        let mut statement = String::new();
        expression(&mut dice, 3, &mut statement);
        text += &["try { (", &statement, "); } catch {}\n"].concat();
    }
    text + "return 'through' }"
}

/// The same, but it answers with what each statement gave, as text.
pub(super) fn program_that_tells(seed: u64) -> String {
    let told = program(seed).replace("try { (", "try { tell(").replace("(args, power) => {\n", TELLING);
    told.replace("return 'through' }", "return told }")
}

const TELLING: &str = "(args, power) => {
const told = [];
const tell = x => { try { told.push(typeof x + String(Object(x) === x ? Reflect.ownKeys(x).map(String) : x)) } catch (e) { told.push(String(e)) } };
";

#[test]
fn programs_by_the_grammar_change_nothing_outside_of_their_turn() {
    on_engine_stack(|| {
        let until = Instant::now() + limit();
        let mut realm = Realm::new();
        let (mut seed, mut through, mut refused) = (0_u32, 0, 0);
        while Instant::now() < until {
            seed += 1;
            realm.lone.code(3, &program(seed.into()));
            let report = realm.lone.run(3, "null", &[]);
            match &report.verdict {
                Verdict::Ok { .. } => through += 1,
                Verdict::Error(error) if error.message.starts_with("SyntaxError") => refused += 1,
                _ => {}
            }
            if realm.lone.is_spent() {
                realm = Realm::new();
                continue;
            }
            realm.is_well(1, seed);
            if seed % 32 == 0 {
                realm.is_well(2, seed);
            }
        }
        let figures = format!("{seed} programs, {through} went through, {refused} were none");
        println!("{figures}");
        assert!(through > seed / 4 && through > 50, "{figures}");
    });
}
