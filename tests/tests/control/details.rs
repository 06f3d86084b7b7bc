//! One thing seen closely: an object, its memory, a turn, and what takes room.

use std::fmt::Write as _;

use qrt_shared::control::{At, Listing};
use qrt_shared::id::Target;
use qrt_shared::view::{Entry, ObjectRow};
use qrt_tests::{Scratch, Vat};
use serde_json::json;

use super::request;

/// Does to its memory what it is told.
const EDITOR: &str = "function (args, power) {
    for (const [key, value] of Object.entries(args)) {
        if (value === null) delete power.memory[key]; else power.memory[key] = value;
    }
}";

fn editor(vat: &Vat) -> Target {
    vat.install("editor", EDITOR, &[]);
    "editor".parse().expect("a name")
}

fn entries(vat: &Vat, object: &Target, listing: &Listing) -> qrt_shared::view::Page<Entry> {
    vat.ask(async |client| client.entries(object, listing).await)
}

fn keys(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

#[test]
fn a_memory_is_seen_key_by_key() {
    let vat = Scratch::default().vat();
    let object = editor(&vat);
    vat.send("editor", r#"{"b": [1], "0": "zero", "a": true}"#);
    vat.send("editor", &json!({ "long": "é".repeat(3000), "b": { "@@qref": 1 } }).to_string());
    let all = entries(&vat, &object, &Listing::default());
    assert_eq!(keys(&all.items), ["0", "b", "a", "long"], "in the order of its keys");
    assert_eq!(all.items.iter().map(|entry| entry.turn).collect::<Vec<_>>(), [Some(1), Some(2), Some(1), Some(2)]);
    let values: Vec<_> = all.items.iter().map(|entry| entry.value.as_ref().map(|value| value.get())).collect();
    assert_eq!(values, [Some(r#""zero""#), Some(r#"{"@@qref":1}"#), Some("true"), None]);
    let long = &all.items[3];
    let head = long.head.as_deref().expect("its head");
    assert!((4095..=4096).contains(&head.len()) && head.starts_with("\"éé"), "{} bytes", head.len());
    assert_eq!(long.bytes, 4 + 2 + 6000);
    let whole = vat.ask(async |client| client.entry(&object, "long").await);
    assert_eq!(whole.value.expect("whole").get().len(), 6002);
    assert_eq!((whole.bytes, whole.turn, whole.head), (6006, Some(2), None));
    let (status, answer) = request(&vat, "GET", "/v1/objects/editor/entries/none", "");
    assert_eq!(status, 404, "{answer}");
    assert_eq!(request(&vat, "GET", "/v1/objects/editor/entries/b", "").1["value"], json!({ "@@qref": 1 }));
}

#[test]
fn the_keys_of_a_memory_go_both_ways_and_are_found_by_how_they_begin() {
    let vat = Scratch::default().vat();
    let object = editor(&vat);
    let mut all = String::new();
    (0..40).for_each(|n| write!(all, "{}\"k{n}\": {n}", if n > 0 { "," } else { "" }).expect("a string takes all"));
    vat.send("editor", &format!("{{{all}, \"3\": 0}}"));
    let by = |at, filter: &str| Listing { at, filter: filter.into(), limit: Some(3), ..Listing::default() };
    for (filter, expected) in [("", 41), ("k1", 11), ("k39", 1), ("K", 0), ("3", 1)] {
        let (mut on, mut at) = (Vec::new(), At::First);
        loop {
            let page = entries(&vat, &object, &by(at, filter));
            on.extend(page.items.into_iter().map(|entry| entry.key));
            let Some(next) = page.next else { break };
            at = At::After(next);
        }
        assert_eq!(on.len(), expected, "{filter}");
        assert!(on.iter().all(|key| key.starts_with(filter)));
        let (mut back, mut at) = (Vec::new(), At::Last);
        loop {
            let page = entries(&vat, &object, &by(at, filter));
            back.splice(0..0, page.items.into_iter().map(|entry| entry.key));
            let Some(prev) = page.prev else { break };
            at = At::Before(prev);
        }
        assert_eq!(back, on, "{filter}");
    }
}

#[test]
fn an_object_can_be_seen_without_its_memory() {
    let vat = Scratch::default().vat();
    let object = editor(&vat);
    vat.send("editor", r#"{"a": 1}"#);
    let brief = vat.ask(async |client| client.object_brief(&object).await);
    assert!(brief.memory.is_none());
    assert_eq!((brief.row.memory_bytes, brief.row.turns), (2, 1));
    let whole = vat.ask(async |client| client.object(&object).await);
    assert_eq!(whole.memory.expect("its memory").get(), r#"{"a":1}"#);
}

#[test]
fn a_turn_says_what_each_key_became() {
    let vat = Scratch::default().vat();
    editor(&vat);
    for args in [r#"{"a": 1, "b": 1, "c": 1}"#, r#"{"a": 2, "b": null}"#, r#"{"a": 3, "b": 4}"#] {
        vat.send("editor", args);
    }
    let became = |turn: u64| {
        let turn = vat.ask(async |client| client.turn(turn).await);
        turn.changes
            .iter()
            .map(|change| {
                assert!(!change.unknown);
                let text = |value: &Option<Box<serde_json::value::RawValue>>| {
                    value.as_ref().map_or("-".to_owned(), |value| value.get().to_owned())
                };
                format!("{} {} {} {}", change.key, text(&change.old), text(&change.new), change.deleted)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(became(1), ["a - 1 false", "b - 1 false", "c - 1 false"]);
    assert_eq!(became(2), ["a 1 2 false", "b 1 - true"]);
    assert_eq!(became(3), ["a 2 3 false", "b - 4 false"]);
    let (status, answer) = request(&vat, "GET", "/v1/turns/4", "");
    assert_eq!((status, answer["error"].as_str()), (404, Some("the journal has no turn 4")));
    vat.qrt("remove", &["editor", "--yes"]).ok();
    let gone = vat.ask(async |client| client.turn(3).await);
    assert!(gone.changes.iter().all(|change| change.unknown), "the memory is gone");
}

#[test]
fn what_takes_room_is_told_by_table_and_by_object() {
    let vat = Scratch::default().vat();
    editor(&vat);
    vat.send("editor", &json!({ "long": "x".repeat(100_000) }).to_string());
    let storage = vat.ask(async |client| client.storage().await);
    assert!(storage.tables.is_sorted_by_key(|table| std::cmp::Reverse(table.bytes)));
    let table = |name: &str| storage.tables.iter().find(|table| table.table == name).expect("a table");
    assert!(table("memory_entry").bytes > 100_000 && table("memory_entry").bytes < 200_000);
    assert_eq!((table("memory_entry").rows, table("object").rows), (Some(1), Some(1)));
    assert!(storage.tables.iter().all(|table| !table.estimated));
    let sum: u64 = storage.tables.iter().map(|table| table.bytes).sum();
    // SQLite's own table of tables is one page more.
    assert!(sum > 0 && sum + storage.free_bytes <= storage.database_bytes + storage.wal_bytes, "{sum}");
    let sizes: Vec<ObjectRow> = storage.objects;
    assert_eq!(sizes[0].memory_bytes, 4 + 100_002);
}
