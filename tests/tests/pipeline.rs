//! Turns that are streamed ahead on one memory come out as if each had waited for the one before.

use qrt_shared::view::Outcome;
use qrt_tests::Scratch;
use serde_json::{Map, Value, json};

/// Does what its message says to a memory that others share, call into, and reorder.
const HOT: &str = "function (args, power) {
    const m = power.memory;
    if (args.begin) {
        m.friend = power.make_object('(n, p) => { p.memory.sum += 10 * n; }', { memory: m });
        m.other = args.begin;
        m.sum = 0;
        return null;
    }
    m.sum += args.n;
    if (args.op === 'fail') throw new Error('no');
    if (args.op === 'make') m['made' + args.n] = power.make_object('() => 1');
    if (args.op === 'drop') for (const key of Object.keys(m)) if (key.startsWith('made')) { delete m[key]; break; }
    if (args.op === 'move') { const sum = m.sum; delete m.sum; m.sum = sum; }
    if (args.op === 'friend') m.friend.call(args.n);
    if (args.op === 'other') m.other.call(args.n);
    return m.sum;
}";

const OTHER: &str =
    "function (n, power) { power.memory.count = (power.memory.count || 0) + n; return power.memory.count; }";

/// Sends every message in the commit of one turn, so that the worker gets them as fast as it can.
const STARTER: &str = "function (args, power) {
    for (const [to, message] of args) power[to].sendOnly(message);
}";

#[test]
fn a_hot_memory_ends_as_if_every_turn_had_waited_for_the_one_before() {
    let vat = Scratch::default().vat();
    let hot = vat.install("hot", HOT, &[]);
    let other = vat.install("other", OTHER, &[]);
    let power = json!({ "hot": { "@qref": hot }, "other": { "@qref": other } });
    vat.install("starter", STARTER, &["--power", &power.to_string()]);
    vat.result("hot", &json!({ "begin": { "@qref": other } }).to_string());

    let operations = ["add", "other", "fail", "make", "add", "friend", "move", "drop", "other", "add", "make"];
    let messages: Vec<Value> = (1..=900)
        .map(|n| {
            // 7 and 11 have no common factor, so every operation follows every other.
            if n % 7 == 0 { json!(["other", n]) } else { json!(["hot", { "n": n, "op": operations[n % 11] }]) }
        })
        .collect();
    vat.result("starter", &Value::Array(messages.clone()).to_string());
    vat.wait_for_turn(2 + messages.len() as u64);

    // The same, one after the other.
    let mut sum = 0;
    let mut count = 0;
    let mut keys = vec!["friend".to_owned(), "other".to_owned(), "sum".to_owned()];
    let journal = vat.journal();
    let mut queues = ["hot", "other"].map(|to| messages.iter().filter(move |message| message[0] == to));
    for turn in &journal[2..] {
        let queue = &mut queues[usize::from(turn.object.to_string() == other)];
        let message = queue.next().expect("as many as were sent");
        assert_eq!(turn.args.get(), message[1].to_string(), "each object's in the order they were sent");
        let expected = if message[0] == "other" {
            count += message[1].as_u64().expect("a number");
            json!(count)
        } else {
            let (n, op) = (message[1]["n"].as_u64().expect("a number"), message[1]["op"].as_str().expect("a word"));
            if op == "fail" {
                assert_eq!(turn.outcome, Outcome::Error);
                continue;
            }
            sum += n;
            match op {
                "make" => keys.push(format!("made{n}")),
                "drop" => {
                    if let Some(made) = keys.iter().position(|key| key.starts_with("made")) {
                        keys.remove(made);
                    }
                }
                "move" => {
                    keys.retain(|key| key != "sum");
                    keys.push("sum".to_owned());
                }
                "friend" => sum += 10 * n,
                "other" => count += n,
                _ => {}
            }
            json!(sum)
        };
        assert_eq!(turn.outcome, Outcome::Ok, "{turn:?}");
        assert_eq!(turn.result.get(), expected.to_string(), "turn {} on {}", turn.turn, turn.args);
    }
    assert!(queues.iter_mut().all(|queue| queue.next().is_none()), "every message ran");
    let memory: Map<String, Value> =
        serde_json::from_value(vat.qrt("memory", &["hot", "--json"]).json()).expect("an object");
    assert_eq!(memory["sum"], sum);
    let text = vat.qrt("memory", &["hot", "--json"]).ok();
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":")).expect("the key is there")).collect();
    assert!(places.is_sorted(), "keys keep JavaScript's order: {keys:?}\n{text}");
    assert_eq!(memory.len(), keys.len());
    assert_eq!(vat.qrt("memory", &["other", "--json"]).json(), json!({ "count": count }));

    // What was made in a turn is what later turns find: each reference is an object of its own.
    let made: Vec<_> = memory.iter().filter(|(key, _)| key.starts_with("made")).map(|(_, value)| value).collect();
    let objects = vat.qrt("objects", &["--json"]).json();
    for reference in &made {
        let there = objects.as_array().expect("a list").iter().any(|object| object["qrid"] == reference["@qref"]);
        assert!(there, "{reference} is an object");
    }
    let log = std::fs::read_to_string(vat.dir().join("qrtd.log")).expect("the log");
    assert!(!log.contains("honest"), "no turn was taken for a lie: {log}");
}

#[test]
fn an_answer_does_not_wait_for_the_end_of_a_slow_turn_behind_it() {
    let endless = [("ticks", "1000000000"), ("cpu_ms", "1000000"), ("wall_ms", "1000000")];
    let vat = Scratch::default().vat_with(&endless);
    let object = vat.install("object", "(hang) => { if (hang) for (;;) {} }", &[]);
    let starter = "function (args, power) { for (const hang of [false, false, true]) power.object.sendOnly(hang); }";
    vat.install("starter", starter, &["--power", &json!({ "object": { "@qref": object } }).to_string()]);
    vat.result("starter", "null");
    vat.wait_for_turn(3);
    let journal = vat.journal();
    assert!(journal.iter().all(|turn| turn.outcome == Outcome::Ok) && journal.len() == 3, "{journal:?}");
    assert_eq!(vat.qrt("info", &["--json"]).json()["inbox"], 1, "the slow turn still runs");
}
