//! Turns through the real daemon: memory, references, made objects, faults, the journal.

use qrt_tests::Scratch;
use serde_json::json;

const COUNTER: &str = "function (args, power) {
    power.memory.count = (power.memory.count || 0) + ((args && args.by) || 1);
    return power.memory.count;
}";

#[test]
fn a_counter_counts_and_its_memory_lasts_over_a_restart() {
    let vat = Scratch::default().vat();
    let qrid = vat.install("counter", COUNTER, &["--memory", r#"{"count": 40}"#]);
    assert_eq!(vat.result("counter", "null"), 41);
    assert_eq!(vat.result(&qrid, r#"{"by": 1}"#), 42);
    vat.qrt("stop", &[]).ok();
    vat.start();
    assert_eq!(vat.qrt("memory", &[&qrid, "--json"]).json(), json!({ "count": 42 }));
    let turns = vat.qrt("turns", &["--json"]).json();
    assert_eq!(
        turns[1]["changes"],
        json!([{ "object": qrid, "key": "count", "added": false, "old": 41 }]),
        "the journal keeps the old value"
    );
}

#[test]
fn a_turn_that_throws_changes_nothing_and_becomes_a_fault_that_can_be_retried() {
    let vat = Scratch::default().vat();
    let code = "function (args, power) {\n    power.memory.tries = (power.memory.tries || 0) + 1; power.log('trying');\n    \
                args.target.sendOnly(1);\n    if (!args.target.ok) throw new Error('not today');\n}";
    vat.install("counter", COUNTER, &[]);
    let counter = vat.qrt("objects", &["--json"]).json()[0]["qrid"].as_str().expect("a QRID").to_owned();
    vat.install("fussy", code, &["--memory", r#"{"tries": 7}"#, "--grant", "log"]);
    let answer = vat.send("fussy", &format!(r#"{{"target": {{"@qref": "{counter}"}}}}"#));
    assert_eq!(answer["outcome"], "error");
    assert_eq!(answer["error"], "Error: not today (line 4, column 36)");
    assert_eq!(vat.qrt("memory", &["fussy", "--json"]).json(), json!({ "tries": 7 }), "the write was rolled back");
    assert_eq!(vat.qrt("memory", &["counter", "--json"]).json(), json!({}), "the message was never sent");
    let faults = vat.qrt("faults", &["--json"]).json();
    assert_eq!(faults.as_array().map(Vec::len), Some(1));
    assert_eq!((&faults[0]["error"]["line"], &faults[0]["error"]["column"]), (&json!(4), &json!(36)));
    assert_eq!(faults[0]["args"], json!({ "target": { "@qref": counter } }), "the message is kept whole");
    assert_eq!(vat.qrt("turns", &["--json"]).json()[0]["log"], json!([]), "so were its log lines");
    let used = &faults[0]["used"];
    assert_eq!((&used["messages"], &used["objects"]), (&json!(1), &json!(0)), "and says what was rolled back: {used}");
    let id = faults[0]["id"].to_string();
    vat.qrt("fault-retry", &[&id]).ok();
    vat.wait_for_turn(2);
    let faults = vat.qrt("faults", &["--json"]).json();
    assert_eq!(faults.as_array().map(Vec::len), Some(1), "it failed again, as another fault");
    assert_ne!(faults[0]["id"].to_string(), id);
    vat.qrt("fault-drop", &[&faults[0]["id"].to_string()]).ok();
    assert_eq!(vat.qrt("faults", &["--json"]).json(), json!([]));
    assert_eq!(vat.qrt("info", &["--json"]).json()["faults"], 0);
}

#[test]
fn references_travel_in_messages_and_edges_say_who_holds_whom() {
    let vat = Scratch::default().vat();
    let counter = vat.install("counter", COUNTER, &[]);
    let keep =
        "function (args, power) { power.memory.kept = args.it; power.friend.sendOnly({ by: 5 }); return args.it; }";
    let power = format!(r#"{{"friend": {{"@qref": "{counter}"}}}}"#);
    let keeper = vat.install("keeper", keep, &["--power", &power]);
    let result = vat.result("keeper", &format!(r#"{{"it": {{"@qref": "{keeper}"}}}}"#));
    assert_eq!(result, json!({ "@qref": keeper }));
    vat.wait_for_turn(2);
    assert_eq!(vat.qrt("memory", &["counter", "--json"]).json(), json!({ "count": 5 }));
    let object = vat.qrt("object", &["keeper", "--json"]).json();
    let held = |end: &str, place: &str, key: &str| {
        (object[end].as_array().expect("a list").iter()).any(|h| h["place"] == place && h["key"] == key)
    };
    assert!(held("holds", "power", "friend") && held("holds", "memory", "kept"), "{object}");
    assert!(held("held_by", "memory", "kept"), "it holds itself: {object}");
    vat.result("keeper", r#"{"it": 1}"#);
    let object = vat.qrt("object", &["keeper", "--json"]).json();
    assert_eq!(object["held_by"], json!([]), "the edge went with the reference");
    let turn = &vat.qrt("turns", &["--object", "counter", "--json"]).json()[0];
    assert_eq!(turn["source"], keeper, "the sender's account is the message's source");
}

#[test]
fn make_object_makes_lasting_objects_of_the_makers_account() {
    let vat = Scratch::default().vat();
    let maker = "function (args, power) {
        const shared = power.make_object('function (a, p) { return ++p.memory.n; }', { memory: power.memory });
        const own = power.make_object('function (a, p) { return p.memory; }', { memory: { mine: [1] } });
        const none = power.make_object('function (a, p) { return p.memory === undefined && p.pal === a.pal; }', { pal: own });
        return { shared, own, none };
    }";
    let account = vat.install("maker", maker, &["--memory", r#"{"n": 1}"#]);
    let made = vat.result("maker", "null");
    let qrid = |name: &str| made[name]["@qref"].as_str().expect("a reference").to_owned();
    assert_eq!(vat.result(&qrid("shared"), "null"), 2);
    assert_eq!(vat.result(&qrid("shared"), "null"), 3);
    assert_eq!(vat.qrt("memory", &["maker", "--json"]).json(), json!({ "n": 3 }), "one memory, two objects");
    assert_eq!(vat.result(&qrid("own"), "null"), json!({ "mine": [1] }));
    assert_eq!(vat.result(&qrid("none"), &format!(r#"{{"pal": {}}}"#, made["own"])), true);
    for object in vat.qrt("objects", &["--json"]).json().as_array().expect("a list") {
        assert_eq!(object["account"], account);
    }
    assert_eq!(
        vat.qrt("turns", &["-n", "1", "--object", "maker", "--json"]).json()[0]["made"].as_array().map(Vec::len),
        Some(3)
    );
}

#[test]
fn a_key_queues_a_message_once_and_answers_the_same() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    let dir = vat.dir().to_str().expect("UTF-8").to_owned();
    let send = |key: &str| vat.scratch.qrt(&["send", "-d", &dir, "--wait", "--key", key, "counter", "null"]).json();
    let first = send("monday");
    assert_eq!(first["result"], 1);
    assert_eq!(send("monday"), first, "the same key, the same answer");
    assert_eq!(send("tuesday")["result"], 2);
    vat.kill();
    vat.start();
    assert_eq!(send("monday"), first, "also after a crash");
}

#[test]
fn a_loop_is_ended_by_its_ticks_and_a_call_of_the_engine_that_never_polls_by_the_clock() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    vat.install("loop", "function () { for (;;) { try { for (;;) {} } catch {} } }", &[]);
    vat.install("deaf", "function () { return [].reverse.call({ length: 2 ** 53 - 1 }); }", &[]);
    vat.install("hog", "function () { const a = []; for (;;) { try { a.push('x'.repeat(1e6)); } catch {} } }", &[]);
    for (name, why) in [("loop", "ticks"), ("deaf", "CPU time"), ("hog", "memory")] {
        let answer = vat.send(name, "null");
        assert_eq!(answer["outcome"], "killed", "{answer}");
        assert!(answer["error"].as_str().expect("a reason").contains(why), "{answer}");
        assert!(vat.result("counter", "null").is_u64(), "the next turn of another runs");
    }
}

#[test]
fn petnames_are_given_shown_taken_and_unique() {
    let vat = Scratch::default().vat();
    let first = vat.install("first", COUNTER, &[]);
    vat.install("second", COUNTER, &[]);
    assert_eq!(vat.qrt("name", &[&first]).ok().trim(), "first");
    let taken = vat.qrt("name", &[&first, "second"]).refusal(1);
    assert!(taken.contains("something else is named second"), "{taken}");
    vat.qrt("name", &["second", "--remove"]).ok();
    vat.qrt("name", &[&first, "second"]).ok();
    assert_eq!(vat.result("second", "null"), 1);
    assert_eq!(vat.qrt("objects", &["--filter", "second", "--json"]).json()[0]["qrid"], first);
}
