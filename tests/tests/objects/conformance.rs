//! Memory behaves as a plain object: programs of object operations see and leave the same on both.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use qrt_shared::view::Outcome;
use qrt_tests::{Grant, Vat};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::vat;

const OPERATIONS: &str = include_str!("operations.js");

/// What a program does: operation, path, key, value, each a number to choose by.
type Program = Vec<(u16, u8, u8, u8)>;

#[derive(serde::Deserialize)]
struct Told {
    seen: Value,
    lasts: bool,
    content: Box<RawValue>,
}

/// Runs the programs, a turn each, on a Memory with this content and on a plain object, and compares.
/// Gives how many turns changed the memory, and how many failed.
fn compare(vat: &Vat, content: &str, programs: &[Program]) -> (u32, u32) {
    let (mut changed, mut failed) = (0, 0);
    let memory = vat.object_with(OPERATIONS, &Grant { memory: Some(content), natives: &[], ..Grant::default() });
    let plain = vat.object_with(OPERATIONS, &Grant { natives: &[], ..Grant::default() });
    let mut content = memory.memory();
    for program in programs {
        let program = serde_json::to_string(program).expect("numbers");
        let told = plain.text(&format!(r#"{{"program":{program},"content":{content}}}"#));
        let told: Told = serde_json::from_str(&told).expect("what the program tells");
        let ended = memory.send(&format!(r#"{{"program":{program}}}"#));
        if told.lasts {
            assert_eq!(ended.outcome, Outcome::Ok, "{ended:?}");
            let seen: Value = serde_json::from_str(ended.result.get()).expect("JSON");
            assert_eq!(seen, told.seen, "the same observations");
            changed += u32::from(told.content.get() != content);
            told.content.get().clone_into(&mut content);
        } else {
            failed += 1;
            assert_eq!(ended.outcome, Outcome::Error, "{ended:?}");
            assert!(ended.error.expect("why").starts_with("TypeError: memory"), "the turn fails");
        }
        assert_eq!(memory.memory(), content, "the same outcome");
    }
    (changed, failed)
}

fn programs() -> impl Strategy<Value = Vec<Program>> {
    let program = prop::collection::vec(any::<(u16, u8, u8, u8)>(), 1..24);
    prop::collection::vec(program, 1..4)
}

fn check(content: &str, cases: u32) {
    let vat = vat();
    // No file of earlier failures: the programs are the same at every run.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let counts = Cell::new((0, 0));
    let outcome = runner.run(&programs(), |programs| {
        let (changed, failed) = compare(&vat, content, &programs);
        counts.set((counts.get().0 + changed, counts.get().1 + failed));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (changed, failed) = counts.get();
    assert!(changed > cases / 2 && failed > cases / 10, "{changed} turns changed the memory, {failed} failed");
}

const SMALL: &str =
    r#"{"a":{"b":{"c":1},"x":null},"list":[3,{"y":[]},1],"n":5,"7":"seven","@@at":[true],"__proto__":1}"#;

#[test]
fn a_small_memory_behaves_as_a_plain_object_for_every_operation() {
    check(SMALL, 120);
}

/// Beyond what travels with a message, so that turns fetch it by key.
fn large() -> String {
    let more: Vec<_> = (0..1000).map(|n| format!(r#""key{n}":{{"n":{n},"text":"{}"}}"#, "x".repeat(n % 30))).collect();
    let large = format!("{},{}}}", SMALL.strip_suffix('}').expect("an object"), more.join(","));
    assert!(large.len() > 32 << 10, "beyond what travels with a message: {}", large.len());
    large
}

#[test]
fn a_large_memory_behaves_as_a_plain_object_for_every_operation() {
    check(&large(), 30);
}

/// Sends what it is told to, all in one turn, so that the turns that follow are in flight together.
const SENDER: &str = "({ to, messages }) => { for (const message of messages) to.sendOnly(message) }";

#[test]
fn turns_that_follow_each_other_at_once_leave_the_memory_that_they_leave_one_by_one() {
    follow(SMALL, 25);
}

#[test]
fn turns_on_a_large_memory_that_follow_each_other_at_once_leave_what_they_leave_one_by_one() {
    follow(&large(), 5);
}

fn follow(first: &str, cases: u32) {
    let vat = vat();
    let sender = vat.object_with(SENDER, &Grant { natives: &[], ..Grant::default() });
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let program = prop::collection::vec(any::<(u16, u8, u8, u8)>(), 1..8);
    let outcome = TestRunner::new_with_rng(config, rng).run(&prop::collection::vec(program, 12..30), |programs| {
        let memory = vat.object_with(OPERATIONS, &Grant { memory: Some(first), natives: &[], ..Grant::default() });
        let plain = vat.object_with(OPERATIONS, &Grant { natives: &[], ..Grant::default() });
        let mut content = memory.memory();
        let messages: Vec<_> = programs.iter().map(|program| serde_json::json!({ "program": program })).collect();
        let messages = serde_json::to_string(&messages).expect("numbers");
        sender.text(&format!(r#"{{"to":{},"messages":{messages}}}"#, memory.reference()));
        let mut outcomes = Vec::new();
        for program in &programs {
            let program = serde_json::to_string(program).expect("numbers");
            let told = plain.text(&format!(r#"{{"program":{program},"content":{content}}}"#));
            let told: Told = serde_json::from_str(&told).expect("what the program tells");
            if told.lasts {
                told.content.get().clone_into(&mut content);
            }
            outcomes.push(if told.lasts { Outcome::Ok } else { Outcome::Error });
        }
        memory.wait_for_turns(programs.len());
        prop_assert_eq!(memory.turns(99).iter().map(|turn| turn.outcome).collect::<Vec<_>>(), outcomes);
        prop_assert_eq!(memory.memory(), content);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Sets each key of `set` to a text of that length, takes the rest away, and counts.
const RESIZE: &str = "({ keys, content }, { memory }) => {
    const m = content ?? memory;
    for (const [key, length] of keys) if (length < 0) delete m[key]; else m[key] = (m[key] ?? '').slice(0, length).padEnd(length, key);
    m.count = (m.count ?? 0) + 1;
    return content ? m : [m.count, Object.keys(m).length];
}";

#[test]
fn a_memory_that_grows_and_shrinks_past_what_travels_whole_while_turns_are_in_flight_loses_nothing() {
    let vat = vat();
    let sender = vat.object_with(SENDER, &Grant { natives: &[], ..Grant::default() });
    let config = Config { cases: 6, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let length = prop_oneof![3 => Just(-1_i64), 2 => 0..200_i64, 3 => 3_000..9_000_i64];
    let keys = prop::collection::vec((prop::sample::select(vec!["a", "b", "c", "d", "7", "1"]), length), 1..4);
    let outcome = TestRunner::new_with_rng(config, rng).run(&prop::collection::vec(keys, 30..80), |turns| {
        let memory = vat.object_with(RESIZE, &Grant { natives: &[], ..Grant::default() });
        let plain = vat.object_with(RESIZE, &Grant { natives: &[], ..Grant::default() });
        let messages: Vec<_> = turns.iter().map(|keys| serde_json::json!({ "keys": keys })).collect();
        let messages = serde_json::to_string(&messages).expect("JSON");
        sender.text(&format!(r#"{{"to":{},"messages":{messages}}}"#, memory.reference()));
        let (mut content, mut crossed, mut large) = ("{}".to_owned(), 0, false);
        for keys in &turns {
            let keys = serde_json::to_string(keys).expect("JSON");
            content = plain.text(&format!(r#"{{"keys":{keys},"content":{content}}}"#));
            crossed += u32::from(large != (content.len() > 16 << 10));
            large = content.len() > 16 << 10;
        }
        memory.wait_for_turns(turns.len());
        prop_assert_eq!(memory.memory(), content);
        prop_assert!(crossed > 2, "it was large and small in turns: {}", crossed);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Touches one key, or looks at all.
const TOUCH: &str = "({ key, all }, { memory }) => all ? Object.keys(memory).length : ++memory[key].n";

#[test]
fn one_key_of_a_memory_larger_than_a_turn_may_hold_costs_one_key_and_all_keys_cost_the_turn() {
    let vat = crate::vat_with_settings(&[("memory_bytes = 67108864", "memory_bytes = 4194304")]);
    let keys: Vec<_> = (0..30_000).map(|n| format!(r#""key{n}":{{"n":{n},"text":"{}"}}"#, "x".repeat(300))).collect();
    let content = format!("{{{}}}", keys.join(","));
    let object = vat.object_with(TOUCH, &Grant { memory: Some(&content), natives: &[], ..Grant::default() });
    assert_eq!(object.text(r#"{"key":"key20000"}"#), "20001");
    let why = object.killed(r#"{"all":true}"#);
    assert!(why.contains("bytes of memory"), "{why}");
    assert_eq!(object.text(r#"{"key":"key20000"}"#), "20002", "only the turn was killed");
}
