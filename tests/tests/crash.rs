//! Killing the daemon at any moment loses nothing and repeats nothing.

use std::collections::BTreeMap;

use qrt_shared::view::Outcome;
use qrt_tests::Scratch;

/// Counts, and takes a few milliseconds over it, so that a queue builds up.
const SLOW_COUNTER: &str = "function (args, power) {
    for (let i = 0; i < 300000; i++) {}
    power.memory.count = (power.memory.count || 0) + 1;
    power.memory.last = args.n;
    return power.memory.count;
}";

/// Queues a thousand messages in the commit of one turn.
const STARTER: &str = "function (args, power) {
    for (let n = 0; n < 1000; n++) power.counter.sendOnly({ n });
}";

#[test]
fn a_vat_killed_in_the_middle_of_a_thousand_queued_turns_runs_each_exactly_once() {
    const MESSAGES: u64 = 1000;
    let vat = Scratch::default().vat();
    let counter = vat.install("counter", SLOW_COUNTER, &[]);
    vat.install("starter", STARTER, &["--power", &format!(r#"{{"counter": {{"@qref": "{counter}"}}}}"#)]);
    vat.result("starter", "null");
    // Each kill comes while there is work queued and turns are in flight.
    for turns in [2, 100, 101, 250, 400, 600] {
        vat.wait_for_turn(turns);
        vat.kill();
        vat.start();
        let left = vat.ask(async |client| Ok(client.info().await?.inbox));
        assert!(left > 0, "the kill after turn {turns} came after all the work: make the counter slower");
    }
    vat.wait_for_turn(1 + MESSAGES);
    let journal = vat.journal();
    assert_eq!(journal.len() as u64, 1 + MESSAGES);
    assert_eq!(journal[0].sent.len() as u64, MESSAGES);
    let mut runs = BTreeMap::new();
    for (turn, count) in journal[1..].iter().zip(1..) {
        assert_eq!((turn.turn, turn.outcome), (count + 1, Outcome::Ok));
        assert_eq!(turn.result.get(), count.to_string(), "the counter counts every turn once");
        assert_eq!(turn.args.get(), format!(r#"{{"n":{}}}"#, count - 1), "in the order they were sent");
        *runs.entry(turn.message.expect("a turn has a message")).or_insert(0) += 1;
    }
    assert_eq!(runs.keys().copied().collect::<Vec<_>>(), journal[0].sent, "each that was sent ran");
    assert!(runs.values().all(|times| *times == 1), "and none twice");
    assert_eq!(vat.qrt("memory", &["counter", "--json"]).json(), serde_json::json!({ "count": 1000, "last": 999 }));
    let info = vat.qrt("info", &["--json"]).json();
    assert_eq!((&info["inbox"], &info["faults"], &info["turns"]), (&0.into(), &0.into(), &1001.into()));
}

#[test]
fn an_orderly_stop_keeps_everything_and_a_stopped_vat_still_says_its_counts() {
    let vat = Scratch::default().vat();
    vat.install("counter", SLOW_COUNTER, &[]);
    for n in 0..20 {
        let dir = vat.dir().to_str().expect("UTF-8");
        vat.scratch.qrt(&["send", "-d", dir, "counter", &format!("{{\"n\":{n}}}")]).ok();
    }
    vat.qrt("stop", &[]).ok();
    let stopped = vat.qrt("info", &["--json"]).json();
    assert_eq!(stopped["state"], "stopped");
    assert_eq!(stopped["pid"], serde_json::Value::Null);
    let (turns, inbox) = (stopped["turns"].as_u64().expect("a count"), stopped["inbox"].as_u64().expect("a count"));
    assert_eq!(turns + inbox, 20, "nothing accepted is lost");
    vat.start();
    vat.wait_for_turn(20);
    assert_eq!(vat.result("counter", "{\"n\":20}"), 21);
}
