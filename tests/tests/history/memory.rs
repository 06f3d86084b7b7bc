//! `qrt memory --at`, `--diff` and `--blame`: memories over time.

use qrt_tests::{Grant, Scratch};
use serde_json::{Value, json};

/// Sets and deletes keys as it is told, in its own memory or, with `via`, in that of an object that does.
const KEEPER: &str = "function ({ set = {}, drop = [], via }, power) {
    if (via) return via.call({ set, drop });
    for (const key of drop) delete power.memory[key];
    Object.assign(power.memory, set);
}";

#[test]
fn a_memory_is_shown_as_each_turn_left_it() {
    let vat = Scratch::default().vat();
    let keeper = vat.install("keeper", KEEPER, &["--memory", r#"{"first":1,"b":2}"#]);
    vat.install("caller", KEEPER, &[]);
    let mut was = vec![vat.qrt("memory", &["keeper"]).ok()];
    let via = json!({ "@qref": keeper });
    for (target, message) in [
        ("keeper", json!({ "set": { "n": 1, "10": "ten", "2": "two" } })),
        ("keeper", json!({ "drop": ["first"], "set": { "n": 2 } })),
        ("caller", json!({ "via": via, "set": { "first": { "again": [null] } } })),
        ("keeper", json!({ "drop": ["n", "b", "first", "2"] })),
        ("keeper", json!({ "set": { "b": null } })),
    ] {
        vat.result(target, &message.to_string());
        was.push(vat.qrt("memory", &["keeper"]).ok());
    }
    vat.qrt("memory-set", &["keeper", "b", "7"]).ok();
    was.push(vat.qrt("memory", &["keeper"]).ok());
    for (turn, was) in was.iter().enumerate() {
        // To the letter: the order of keys too.
        assert_eq!(vat.qrt("memory", &["keeper", "--at", &turn.to_string()]).ok(), *was, "turn {turn}");
    }
    let diff =
        |from: &str, to: &str| vat.qrt("memory", &["keeper", "--diff", from, to, "--json"]).json()["changes"].clone();
    assert_eq!(diff("2", "2"), json!([]));
    assert_eq!(diff("1", "2"), json!([{ "key": "first", "before": 1 }, { "key": "n", "before": 1, "after": 2 }]));
    assert_eq!(diff("2", "1"), json!([{ "key": "first", "after": 1 }, { "key": "n", "before": 2, "after": 1 }]));
    assert_eq!(
        diff("3", "5"),
        json!([
            { "key": "2", "before": "two" },
            { "key": "b", "before": 2, "after": null },
            { "key": "first", "before": { "again": [null] } },
            { "key": "n", "before": 2 },
        ])
    );
    let shown = vat.qrt("memory", &["keeper", "--diff", "1", "2"]).ok();
    assert_eq!(shown, "- \"first\": 1\n- \"n\": 1\n+ \"n\": 2\n");
    assert!(vat.qrt("memory", &["keeper", "--at", "7"]).refusal(1).contains("there is no turn 7 yet: the last is 6"));
    vat.install("late", KEEPER, &[]);
    assert!(vat.qrt("memory", &["late", "--at", "5"]).refusal(1).contains("was installed before turn 7"));
    assert_eq!(vat.qrt("memory", &["late", "--at", "6"]).json(), json!({}));
    assert_eq!(vat.qrt("memory", &["late", "--at", "6", "--blame"]).code, Some(2));
}

#[test]
fn the_turn_that_last_changed_a_key_is_named_whoever_ran_in_it() {
    let vat = Scratch::default().vat();
    let keeper = vat.install("keeper", KEEPER, &["--memory", r#"{"old":0,"gone":1}"#]);
    vat.install("caller", KEEPER, &[]);
    vat.result("keeper", r#"{"set":{"a":1,"b":1}}"#);
    vat.result("caller", &json!({ "via": { "@qref": keeper }, "set": { "b": 2 }, "drop": ["gone"] }).to_string());
    vat.qrt("memory-set", &["keeper", "c", "3"]).ok();
    let blame = vat.qrt("memory", &["keeper", "--blame", "--json"]).json();
    let rows = blame.as_array().expect("rows").iter();
    let rows: Vec<_> = rows.map(|row| json!([row["key"], row["turn"], row["name"], row["edit"]])).collect();
    let none = Value::Null;
    assert_eq!(
        rows,
        [
            json!(["old", none, none, none]),
            json!(["a", 1, "keeper", none]),
            json!(["b", 2, "caller", none]),
            json!(["c", 3, "keeper", "memory-set"]),
        ]
    );
    let gone = vat.qrt("memory", &["keeper", "--blame", "--key", "gone", "--json"]).json();
    assert_eq!((&gone[0]["turn"], &gone[0]["is_there"]), (&json!(2), &json!(false)));
    let shown = vat.qrt("memory", &["keeper", "--blame"]).ok();
    assert!(shown.contains("memory-set by hand") && shown.contains("(before turn 1)"), "{shown}");
}

#[test]
fn a_large_memory_has_a_page_of_blame_for_each_part_and_old_turns_say_that_they_are_forgotten() {
    let vat = Scratch::default().vat_with(&[("journal.turns", "50")]);
    let first: Vec<_> = (0..1200).map(|n| format!(r#""k{n}":"{}""#, "x".repeat(20))).collect();
    let memory = format!("{{{}}}", first.join(","));
    let keeper = vat.object_with(KEEPER, &Grant { memory: Some(&memory), ..Grant::default() });
    for n in 0..60 {
        keeper.text(&json!({ "set": { format!("k{}", 20 * n): n } }).to_string());
    }
    let blame = vat.qrt("memory", &[&keeper.qrid, "--blame", "--json"]).json();
    let rows = blame.as_array().expect("rows");
    assert_eq!(rows.len(), 1200);
    assert!(rows.iter().map(|row| row["key"].as_str().expect("a key")).eq((0..1200).map(|n| format!("k{n}"))));
    let first = rows[0]["journal_first"].as_u64().expect("a turn");
    assert!(first > 5, "the journal was pruned");
    for (n, row) in rows.iter().step_by(20).enumerate() {
        let turn = n as u64 + 1;
        assert_eq!(row["turn"], json!((turn >= first).then_some(turn)), "{row}");
    }
    let at = |turn: u64| vat.qrt("memory", &[&keeper.qrid, "--at", &turn.to_string()]);
    assert_eq!(at(40).json()["k780"], 39);
    assert_eq!(at(40).json()["k800"], "x".repeat(20));
    assert_eq!(at(first - 1).json()[format!("k{}", 20 * (first - 1))], "x".repeat(20));
    assert!(at(first - 2).refusal(1).contains(&format!("the journal begins with turn {first}")));
    assert!(vat.qrt("replay", &["1"]).refusal(1).contains("turn 1 is older than the journal"));
}
