//! What an operator does to a live object: upgrade, memory-set, hold, release, remove.

use qrt_tests::Scratch;
use serde_json::json;

const COUNTER: &str = "function (args, power) { return power.memory.n = (power.memory.n || 0) + 1; }";

#[test]
fn an_upgrade_keeps_qrid_power_and_memory_and_the_old_code_in_the_history() {
    let vat = Scratch::default().vat();
    let qrid = vat.install("counter", COUNTER, &["--power", r#"{"step": 10}"#]);
    assert_eq!(vat.result("counter", "null"), 1);
    let better = vat.scratch.file("better.js", "function (args, power) { return power.memory.n += power.step; }");
    let better = better.to_str().expect("UTF-8");
    let upgraded = vat.qrt("upgrade", &["counter", better, "--json"]).json();
    assert_eq!((&upgraded["qrid"], &upgraded["version"]), (&json!(qrid), &json!(2)));
    assert_eq!(vat.result(&qrid, "null"), 11);
    let object = vat.qrt("object", &["counter", "--json"]).json();
    assert_eq!((&object["code"]["version"], &object["code"]["history"][0]["text"]), (&json!(2), &json!(COUNTER)));
    assert_eq!(object["code"]["history"][0]["until"], upgraded["turn"]);
    let turns = vat.qrt("turns", &["--json"]).json();
    assert_eq!(turns[1]["edit"], "upgrade", "it has its place among turns");
    assert_ne!(turns[0]["code"], turns[2]["code"], "each turn names the code it ran");
    let bad = vat.scratch.file("bad.js", "function (");
    let ran = vat.qrt("upgrade", &["counter", bad.to_str().expect("UTF-8")]);
    assert!(ran.code == Some(1) && ran.stderr.contains("bad.js:1:"), "{}", ran.stderr);
    assert_eq!(vat.result("counter", "null"), 21, "a refused upgrade changes nothing");
}

#[test]
fn a_memory_key_set_by_hand_is_seen_by_the_next_turn_and_kept_in_the_journal() {
    let vat = Scratch::default().vat();
    let qrid = vat.install("counter", COUNTER, &[]);
    assert_eq!(vat.result("counter", "null"), 1);
    vat.qrt("memory-set", &["counter", "n", "41"]).ok();
    vat.qrt("memory-set", &["counter", "friend", &format!(r#"{{"@qref": "{qrid}"}}"#)]).ok();
    assert_eq!(vat.result("counter", "null"), 42);
    assert_eq!(vat.qrt("memory", &["counter", "--json"]).json(), json!({ "n": 42, "friend": { "@qref": qrid } }));
    let turns = vat.qrt("turns", &["--json"]).json();
    assert_eq!(turns[1]["edit"], "memory-set");
    assert_eq!(turns[1]["changes"], json!([{ "object": qrid, "key": "n", "added": false, "old": 1 }]));
    assert_eq!(vat.qrt("object", &["counter", "--json"]).json()["held_by"][0]["key"], "friend", "edges are kept");
    let refusal = vat.qrt("memory-set", &["counter", "n", "7", "--expect", "40"]).refusal(1);
    assert!(refusal.contains("\"n\" has another value: nothing was set"), "{refusal}");
    let refusal = vat.qrt("memory-set", &["counter", "none", "7", "--expect", "null"]).refusal(1);
    assert!(refusal.contains("\"none\" is not there"), "{refusal}");
    vat.qrt("memory-set", &["counter", "n", r#"{"b":1,"a":2}"#, "--expect", "42"]).ok();
    vat.qrt("memory-set", &["counter", "n", "43", "--expect", r#"{ "a": 2, "b": 1.0 }"#]).ok();
    assert_eq!(vat.qrt("memory", &["counter", "--json"]).json()["n"], 43);
    let refusal = vat.qrt("memory-set", &["counter", "n", "{"]).refusal(1);
    assert!(refusal.contains("line 1, column 2"), "{refusal}");
    vat.install("bare", COUNTER, &["--no-memory"]);
    let refusal = vat.qrt("memory-set", &["bare", "n", "1"]).refusal(1);
    assert!(refusal.contains("bare has no memory"), "{refusal}");
}

#[test]
fn a_held_object_takes_no_turns_cannot_be_called_and_goes_on_where_it_was() {
    let vat = Scratch::default().vat();
    let counter = vat.install("counter", COUNTER, &[]);
    let caller =
        "function (args, power) { try { return args.call(1); } catch (e) { return e.name + ': ' + e.message; } }";
    vat.install("caller", caller, &[]);
    vat.qrt("hold", &["counter"]).ok();
    let dir = vat.dir().to_str().expect("UTF-8").to_owned();
    for n in 0..5 {
        vat.scratch.qrt(&["send", "-d", &dir, "counter", &n.to_string()]).ok();
    }
    let called = vat.result("caller", &format!(r#"{{"@qref": "{counter}"}}"#));
    assert_eq!(called, "TypeError: call: the object is held", "others go on meanwhile");
    assert_eq!(vat.qrt("inbox", &["--json"]).json().as_array().map(Vec::len), Some(5));
    assert_eq!(vat.qrt("objects", &["--filter", "counter", "--json"]).json()[0]["held"], true);
    vat.kill();
    vat.start();
    assert_eq!(vat.result("caller", "null"), "TypeError: cannot read property 'call' of null");
    assert_eq!(vat.qrt("inbox", &["--json"]).json().as_array().map(Vec::len), Some(5), "a restart does not release it");
    vat.qrt("release", &["counter"]).ok();
    assert_eq!(vat.result("counter", "null"), 6, "what had waited ran first, each once");
    let turns = vat.qrt("turns", &["--object", "counter", "--json"]).json();
    let args: Vec<_> = turns.as_array().expect("a list").iter().map(|turn| turn["args"].clone()).collect();
    assert_eq!(args, [json!(0), json!(1), json!(2), json!(3), json!(4), json!(null)]);
}

#[test]
fn a_removed_object_is_refused_for_ever_and_its_queue_becomes_faults() {
    let vat = Scratch::default().vat();
    let counter = vat.install("counter", COUNTER, &[]);
    let keeper = "function (args, power) {
        if (args) { power.memory.it = args; return null; }
        power.memory.it.sendOnly('late');
        try { power.memory.it.call(); } catch (e) { return e.message; }
    }";
    vat.install("keeper", keeper, &[]);
    vat.result("keeper", &format!(r#"{{"@qref": "{counter}"}}"#));
    vat.qrt("hold", &["counter"]).ok();
    let dir = vat.dir().to_str().expect("UTF-8").to_owned();
    let name = vat.scratch.qrt(&["send", "-d", &dir, "counter", "7"]).ok();
    let ran = vat.qrt("remove", &["counter"]);
    assert_eq!(ran.code, Some(1), "nobody said yes");
    assert!(ran.stderr.contains("keeper holds it in memory.it"), "{}", ran.stderr);
    let removed = vat.qrt("remove", &["counter", "--yes", "--json"]).json();
    assert_eq!((&removed["objects"], &removed["faults"]), (&json!([counter]), &json!(1)));
    let faults = vat.qrt("faults", &["--json"]).json();
    assert_eq!((&faults[0]["args"], &faults[0]["turn"]), (&json!(7), &json!(null)));
    assert_eq!(faults[0]["message"], name.trim());
    assert_eq!(faults[0]["error"]["message"], "the object was removed");
    for refused in [
        vat.scratch.qrt(&["send", "-d", &dir, &counter, "1"]),
        vat.qrt("object", &[&counter]),
        vat.qrt("upgrade", &[&counter, "sample-methods"]),
        vat.qrt("hold", &[&counter]),
        vat.qrt("name", &[&counter, "ghost"]),
        vat.qrt("remove", &[&counter, "--yes"]),
        vat.qrt("fault-retry", &[&faults[0]["id"].to_string()]),
    ] {
        refused.refusal(1);
    }
    assert_eq!(vat.result("keeper", "null"), "call: the object was removed", "the turn that sends to it is not failed");
    let faults = vat.qrt("faults", &["--json"]).json();
    assert_eq!(faults[1]["args"], "late", "its message is a fault, in the commit of that turn");
    assert_eq!(vat.qrt("info", &["--json"]).json()["objects"], 1);
    assert_eq!(vat.qrt("turns", &["--object", &counter, "--json"]).json(), json!([]), "the journal may still be asked");
}

#[test]
fn removing_an_account_takes_every_object_of_it_and_shared_memory_goes_with_the_last() {
    let vat = Scratch::default().vat();
    let maker = "function (args, power) {
        power.memory.child = power.make_object('(a, p) => p.memory.n', { memory: power.memory });
        power.memory.n = 5;
        return power.memory.child;
    }";
    vat.install("maker", maker, &[]);
    let child = vat.result("maker", "null")["@qref"].as_str().expect("a reference").to_owned();
    vat.install("other", COUNTER, &[]);
    assert_eq!(vat.qrt("remove", &["maker", "--yes", "--json"]).json()["objects"].as_array().map(Vec::len), Some(1));
    assert_eq!(vat.result(&child, "null"), 5, "the memory it shares is still there");
    vat.qrt("remove", &[&child, "--yes", "--account"]).ok();
    assert_eq!(vat.qrt("info", &["--json"]).json()["objects"], 1);
    vat.qrt("stop", &[]).ok();
    let database = rusqlite::Connection::open(vat.dir().join("vat.db")).expect("the database");
    for table in ["memory_entry", "memory_edge", "memory", "object_use"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: u64 = database.query_row(&sql, [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, u64::from(table == "memory" || table == "object_use"), "{table}: only `other`'s is left");
    }
}
