//! Budgets as an operator gives and sees them: real daemons.

use std::time::{Duration, Instant};

use qrt_shared::id::Subject;
use qrt_tests::{PATIENCE, Scratch, Vat};

/// Sends itself the next message until it was told so many, and works a little each time.
const WORKS: &str = "(args, power) => {
    for (let n = 0; n < 200000; n++) {}
    if (args.left > 0) args.me.sendOnly({ me: args.me, left: args.left - 1 });
    else power.memory.done = true;
}";

/// A call of the engine that never asks whether it should end.
const DEAF: &str = "() => [].reverse.call({ length: 2 ** 53 - 1 })";

/// What keeps something from going on, the vat itself without a name, with the evidence.
fn why(vat: &Vat, subject: Option<&str>) -> String {
    let subject: Option<Subject> = subject.map(|text| text.parse().expect("a subject"));
    let why = vat.ask(async |client| client.why(subject.as_ref()).await);
    format!("{} {}", why.sentence, why.evidence.join(" "))
}

#[test]
fn a_budget_is_given_at_install_shown_and_named_by_what_it_kills() {
    let vat = Scratch::default().vat();
    let code = "(args, power) => { if (args === 'loop') for (;;) {} power.memory.text = 'x'.repeat(args); }";
    let qrid = vat.install("small", code, &["--budget", "ticks=3, stored=1KiB"]);
    vat.result("small", "1000");
    let error = |args: &str| vat.send("small", args)["error"].as_str().expect("an error").to_owned();
    assert_eq!(error("\"loop\""), "more than 3 ticks of 10,000 branches and calls in one turn");
    assert_eq!(error("2000"), "a stored memory of 2006 bytes, more than 1024");
    let faults = vat.qrt("faults", &[]).ok();
    let spender = format!("(budget of {qrid})");
    assert_eq!(faults.split_whitespace().collect::<Vec<_>>().join(" ").matches(&spender).count(), 2, "{faults}");
    let why = vat.qrt("why", &["--json"]).json();
    assert!(why["sentence"].as_str().is_some_and(|why| why.starts_with("nothing is stuck, but 2 messages failed")));
    assert_eq!(why["blocked"], false, "{why}");
    let shown = vat.qrt("object", &["small"]).ok();
    assert!(shown.contains("budget stored=1024,ticks=3"), "{shown}");
    let refused = |args: &[&str]| {
        let file = vat.scratch.file("refused.js", code);
        let mut all = vec![file.to_str().expect("UTF-8")];
        all.extend(args);
        let ran = vat.qrt("install", &all);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        ran.stderr
    };
    assert!(refused(&["--budget", "tick=3"]).contains("no budget is called `tick`: there are ticks, memory"));
    assert!(refused(&["--budget", "calls=65"]).contains("`calls` is 65, and may be 0 to 64"));
    assert!(refused(&["--account-budget", "refill=1"]).contains("give `cpu` too"));
}

#[test]
fn a_deadline_of_its_own_ends_an_objects_turn_and_no_others() {
    let vat = Scratch::default().vat();
    vat.install("quick", DEAF, &["--budget", "cpu=100ms"]);
    vat.install("other", "(args) => args", &[]);
    assert_eq!(vat.send("quick", "null")["error"], "more than 100 ms of CPU time in one turn");
    assert_eq!(vat.result("other", "1"), 1);
    vat.install("slow", DEAF, &["--budget", "wall=200ms"]);
    assert_eq!(vat.send("slow", "null")["error"], "more than 200 ms of wall-clock time in one turn");
}

#[test]
fn an_account_that_has_spent_its_compute_says_so_and_goes_on_by_itself_when_it_is_refilled() {
    let vat = Scratch::default().vat();
    let spent = vat.install("spent", WORKS, &["--account-budget", "cpu=1ms,refill=0"]);
    let slow = vat.install("slow", WORKS, &["--account-budget", "cpu=1ms,refill=50ms/s"]);
    let start = |qrid: &str, left: u32| format!(r#"{{"me": {{"@qref": "{qrid}"}}, "left": {left}}}"#);
    vat.result("spent", &start(&spent, 10));
    vat.result("slow", &start(&slow, 10));
    // Nothing else happens: only the clock wakes it.
    vat.wait_for_turn(2 + 1 + 10);
    assert_eq!(vat.qrt("memory", &["slow", "--json"]).json()["done"], true);
    assert_eq!(vat.qrt("inbox", &["--json"]).json().as_array().map(Vec::len), Some(1));
    let message = vat.qrt("inbox", &["--json"]).json()[0]["message"].as_str().expect("a name").to_owned();
    let account = format!("the account of {spent} has spent its budget of CPU time; none ever comes back");
    for subject in [Some("spent"), Some(message.as_str()), None] {
        let why = why(&vat, subject);
        assert!(why.contains(&account), "{why}");
    }
    let shown = vat.qrt("object", &["spent"]).ok();
    assert!(shown.contains("owed") && shown.contains("account budget cpu=1,refill=0"), "{shown}");
    assert!(vat.qrt("faults", &["--json"]).json().as_array().is_some_and(Vec::is_empty), "it waits unfaulted");
}

#[test]
fn an_object_that_kills_worker_after_worker_is_held_and_runs_again_when_it_is_released() {
    let vat = Scratch::default().vat_with(&[("deaths_per_hour", "2")]);
    let code = "(args) => args ? args : [].reverse.call({ length: 2 ** 53 - 1 })";
    vat.install("killer", code, &["--budget", "cpu=50ms"]);
    for _ in 0..2 {
        assert_eq!(vat.send("killer", "null")["outcome"], "killed");
    }
    let why_held = "its code killed 2 worker processes within an hour";
    assert!(why(&vat, Some("killer")).contains(why_held));
    assert!(vat.qrt("object", &["killer"]).ok().contains(why_held));
    // The line is written after the commit that a turn's end is told with.
    vat.ask(async |client| {
        let since = Instant::now();
        let mut log = client.newest_log(50).await?;
        while !log.lines.iter().any(|line| line.text.contains(why_held)) {
            assert!(since.elapsed() < PATIENCE, "it is not in the log");
            log = client.log_after(&log, Duration::from_secs(1)).await?;
        }
        Ok(())
    });
    vat.qrt("release", &["killer"]).ok();
    assert_eq!(vat.result("killer", "1"), 1);
    assert_eq!(vat.send("killer", "null")["outcome"], "killed");
    assert_eq!(vat.result("killer", "2"), 2, "the deaths before the release are forgiven");
}

#[test]
fn a_ping_pong_is_shown_as_the_chain_it_is() {
    let vat = Scratch::default().vat();
    let code = "(args) => args.to.sendOnly({ to: args.from, from: args.to })";
    let (ping, pong) = (vat.install("ping", code, &[]), vat.install("pong", code, &[]));
    vat.result("ping", &format!(r#"{{"to": {{"@qref": "{pong}"}}, "from": {{"@qref": "{ping}"}}}}"#));
    vat.wait_for_turn(1200);
    // With one of them held the chain stands still.
    vat.qrt("hold", &["ping"]).ok();
    while vat.qrt("inbox", &["--json"]).json()[0]["target"] != ping.as_str() {}
    let message = vat.qrt("inbox", &["--json"]).json()[0].clone();
    let chain = message["chain"].as_u64().expect("a length");
    assert!(chain > 1200, "{message}");
    let shown = format!("part of a chain of {chain} messages");
    assert!(why(&vat, message["message"].as_str()).contains(&shown));
    assert!(vat.qrt("inbox", &[]).ok().contains(&chain.to_string()));
}
