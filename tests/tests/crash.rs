//! Killing the daemon at any moment loses nothing and repeats nothing.

use std::collections::BTreeMap;

use qrt_shared::control::Send;
use qrt_shared::view::Outcome;
use qrt_tests::Scratch;

/// Counts, and takes a few milliseconds over it, so that a queue builds up.
const SLOW_COUNTER: &str = "function (args, power) {
    for (let i = 0; i < 30000; i++) {}
    power.memory.count = (power.memory.count || 0) + 1;
    power.memory.last = args.n;
    return power.memory.count;
}";

#[test]
fn a_vat_killed_in_the_middle_of_a_thousand_turns_runs_each_exactly_once() {
    const MESSAGES: u64 = 1000;
    let vat = Scratch::default().vat();
    vat.install("counter", SLOW_COUNTER, &[]);
    let queued = vat.ask(async |client| {
        let mut queued = BTreeMap::new();
        for n in 0..MESSAGES {
            let args = serde_json::value::to_raw_value(&serde_json::json!({ "n": n })).expect("JSON");
            let send = Send { target: "counter".parse().expect("a petname"), args, key: None };
            queued.insert(client.send(&send).await?.message, n);
        }
        Ok(queued)
    });
    // Each kill comes while there is still work queued; the last proves that the queue was not empty.
    for turns in [1, 150, 151, 300, 450] {
        vat.wait_for_turn(turns);
        vat.kill();
        vat.start();
    }
    let left = vat.ask(async |client| Ok(client.info().await?.inbox));
    assert!(left > 0, "the kills came after all the work was done: make the counter slower");
    vat.wait_for_turn(MESSAGES);
    let journal = vat.journal();
    assert_eq!(journal.len() as u64, MESSAGES);
    for (turn, number) in journal.iter().zip(1..) {
        assert_eq!(turn.turn, number);
        assert_eq!(turn.outcome, Outcome::Ok);
        assert_eq!(turn.result.get(), number.to_string(), "the counter counts every turn once");
        let n = queued.get(&turn.message).expect("only what was queued runs");
        assert_eq!(*n, number - 1, "one sender's messages run in their order");
    }
    assert_eq!(vat.qrt("memory", &["counter", "--json"]).json(), serde_json::json!({ "count": 1000, "last": 999 }));
    let info = vat.qrt("info", &["--json"]).json();
    assert_eq!((&info["inbox"], &info["faults"], &info["turns"]), (&0.into(), &0.into(), &1000.into()));
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
