//! Watching single events: what is told to whoever asks, what is left out, and how a watcher resumes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use qrt_shared::control::{Client, Events, Listing};
use qrt_shared::id::Target;
use qrt_shared::view::{Event, EventKind, Fault, Outcome, PeerState, Turn};
use qrt_tests::{Scratch, Vat, roomy};
use serde_json::{Value, json};

const COUNTER: &str = "function (args, power) { if (args < 0) throw 'less'; power.memory.n = args; }";

/// Sends the numbers below `n` to `to`.
const BURST: &str = "function ({ to, n }) { for (let i = 0; i < n; i++) to.sendOnly(i); }";

/// The most that is told of a kind in a second.
const SECOND_MAX: usize = 100;

fn watch(vat: &Vat, kinds: &[EventKind], object: Option<&Target>, after: Option<u64>) -> Events {
    vat.ask(async |_| Client::open(vat.dir()).await?.events_of(kinds, object, after).await)
}

/// What is told until `last`, which is the last of it.
fn until(vat: &Vat, events: &mut Events, last: impl Fn(&Event) -> bool) -> Vec<Event> {
    vat.ask(async |_| {
        let mut told = Vec::new();
        while !told.last().is_some_and(&last) {
            told.push(events.next().await?.expect("a watcher that listens is not cut off"));
        }
        Ok(told)
    })
}

/// What is told until the commit's line by which so many `turns` are done.
fn until_turns(vat: &Vat, events: &mut Events, turns: u64) -> Vec<Event> {
    until(vat, events, |event| matches!(event, Event::Commit { totals, .. } if totals.turns == turns))
}

fn commit(told: &[Event]) -> u64 {
    let commit = |event: &Event| if let Event::Commit { commit, .. } = event { Some(*commit) } else { None };
    told.iter().rev().find_map(commit).expect("a commit was told")
}

fn turns(told: &[Event]) -> Vec<u64> {
    let turn = |event: &Event| if let Event::Turn { turn, .. } = event { Some(*turn) } else { None };
    told.iter().filter_map(turn).collect()
}

/// How many are left out: `None` of those whose number nobody knows.
fn left_out(told: &[Event], of: EventKind) -> Vec<Option<u64>> {
    let left_out = |event: &Event| match event {
        Event::LeftOut { kind, count } if *kind == of => Some(*count),
        _ => None,
    };
    told.iter().filter_map(left_out).collect()
}

fn petname(name: &str) -> Target {
    name.parse().expect("a petname")
}

#[test]
fn turns_and_faults_are_told_before_the_commit_they_are_of() {
    let vat = Scratch::default().vat();
    let counter = vat.install("counter", COUNTER, &[]);
    let mut events = watch(&vat, &[EventKind::Turns, EventKind::Faults], None, None);
    vat.send("counter", "1");
    vat.send("counter", "-1");
    let told = until_turns(&vat, &mut events, 2);
    let rows: Vec<Turn> = vat.list(&Listing::default());
    let expected = rows.iter().map(|row| Event::Turn {
        turn: row.turn,
        object: row.object.clone(),
        name: row.name.clone(),
        outcome: row.outcome,
        edit: None,
        at: row.at,
    });
    let is_turn = |event: &&Event| matches!(event, Event::Turn { .. });
    assert_eq!(told.iter().filter(is_turn).cloned().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(rows.iter().map(|row| row.outcome).collect::<Vec<_>>(), [Outcome::Ok, Outcome::Error]);
    let faults: Vec<Fault> = vat.list(&Listing::default());
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert!(fault.error.message.contains("less"), "{fault:?}");
    assert!(told.contains(&Event::Fault {
        fault: fault.id,
        turn: Some(2),
        object: Some(counter.parse().expect("a QRID")),
        name: Some("counter".parse().expect("a petname")),
        error: fault.error.message.clone(),
        at: fault.at,
    }));
}

#[test]
fn of_one_object_no_other_is_told_and_a_commit_says_how_long_the_queues_are() {
    let vat = Scratch::default().vat();
    vat.install("one", COUNTER, &[]);
    vat.install("other", COUNTER, &[]);
    let mut events = watch(&vat, &[EventKind::Turns, EventKind::Faults], Some(&petname("one")), None);
    for args in ["1", "-1"] {
        vat.send("other", args);
        vat.send("one", args);
    }
    let told = until_turns(&vat, &mut events, 4);
    assert_eq!(turns(&told), [2, 4]);
    let faults: Vec<_> = told.iter().filter(|event| matches!(event, Event::Fault { .. })).collect();
    assert!(matches!(faults.as_slice(), [Event::Fault { turn: Some(4), .. }]), "{faults:?}");
    assert!(left_out(&told, EventKind::Turns).is_empty());
    vat.qrt("hold", &["one"]).ok();
    let dir = vat.dir().to_str().expect("UTF-8");
    vat.scratch.qrt(&["send", "-d", dir, "one", "2"]).ok();
    until(&vat, &mut events, |event| matches!(event, Event::Commit { inbox: 1, outbox: 0, .. }));
}

#[test]
fn of_a_burst_a_hundred_turns_are_told_and_the_others_counted() {
    const TURNS: u64 = 1000;
    let vat = Scratch::default().vat_with(&roomy(TURNS));
    let counter = vat.install("counter", COUNTER, &[]);
    vat.install("burst", BURST, &[]);
    let started = Instant::now();
    let mut events = watch(&vat, &[EventKind::Turns], None, None);
    let before = commit(&until(&vat, &mut events, |_| true));
    vat.send("burst", &json!({ "to": { "@qref": counter }, "n": TURNS }).to_string());
    let told = until_turns(&vat, &mut events, TURNS + 1);
    let left: u64 = left_out(&told, EventKind::Turns).into_iter().flatten().sum();
    assert_eq!(turns(&told).len() as u64 + left, TURNS + 1, "each is told or counted");
    let seconds = usize::try_from(started.elapsed().as_secs()).expect("a few") + 1;
    assert!(turns(&told).len() <= seconds * SECOND_MAX, "{} in {seconds} s", turns(&told).len());

    // Whoever comes back hears of them all at once.
    let mut again = watch(&vat, &[EventKind::Turns], None, Some(before));
    let told = until_turns(&vat, &mut again, TURNS + 1);
    assert_eq!(turns(&told), (1..=SECOND_MAX as u64).collect::<Vec<_>>());
    assert_eq!(left_out(&told, EventKind::Turns), [Some(TURNS + 1 - SECOND_MAX as u64)]);
    let mut of_one = watch(&vat, &[EventKind::Turns], Some(&petname("counter")), Some(before));
    let told = until_turns(&vat, &mut of_one, TURNS + 1);
    assert_eq!(turns(&told), (2..2 + SECOND_MAX as u64).collect::<Vec<_>>());
    assert_eq!(left_out(&told, EventKind::Turns), [Some(TURNS - SECOND_MAX as u64)]);
}

#[test]
fn whoever_comes_back_hears_of_what_was_missed_and_of_nothing_twice() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    let kinds = [EventKind::Turns, EventKind::Faults, EventKind::Peers];
    let mut events = watch(&vat, &kinds, None, None);
    vat.send("counter", "1");
    let heard = commit(&until_turns(&vat, &mut events, 1));
    drop(events);
    vat.send("counter", "-1");
    vat.send("counter", "2");
    let mut events = watch(&vat, &kinds, None, Some(heard));
    let told = until_turns(&vat, &mut events, 3);
    assert_eq!(turns(&told), [2, 3]);
    assert!(told.iter().any(|event| matches!(event, Event::Fault { turn: Some(2), .. })), "{told:?}");
    assert_eq!(left_out(&told, EventKind::Peers), [None], "what peers' states were is kept nowhere");
    // Another daemon remembers no commit before its own first.
    vat.qrt("stop", &[]).ok();
    vat.start();
    vat.send("counter", "3");
    let told = until_turns(&vat, &mut watch(&vat, &kinds, None, Some(heard)), 1);
    assert_eq!((turns(&told), left_out(&told, EventKind::Turns)), (vec![], vec![None]));
}

#[test]
fn attempts_to_deliver_and_what_becomes_of_a_channel_are_told() {
    let [a, b] = [(); 2].map(|()| Scratch::default().vat());
    a.scratch.qrt(&["gossip".as_ref(), a.dir().as_os_str(), b.dir().as_os_str()]).ok();
    let sink = b.install("sink", "() => 1", &[]);
    let other = b.ask(async |client| client.info().await).vat;
    b.qrt("stop", &[]).ok();
    a.qrt("stop", &[]).ok();
    a.qrt("start", &["--after-rollback"]).ok();
    let mut events = watch(&a, &[EventKind::Attempts, EventKind::Peers], None, None);
    let dir = a.dir().to_str().expect("UTF-8");
    a.scratch.qrt(&["send", "-d", dir, &sink, "1"]).ok();
    let failed = |event: &Event| matches!(event, Event::Attempt { error: Some(_), .. });
    let told = until(&a, &mut events, failed);
    let Some(Event::Attempt { peer, error: Some(error), next_attempt_at, at, .. }) = told.last() else {
        panic!("{told:?}")
    };
    assert_eq!(*peer, other);
    assert!(error.contains("refused"), "{error}");
    assert!(next_attempt_at.is_some_and(|next| next > *at), "{told:?}");
    b.start();
    a.qrt("retry", &[]).ok();
    let sure = |event: &Event| matches!(event, Event::Peer { state: PeerState::Ok, .. });
    let told = until(&a, &mut events, sure);
    let went = |event: &Event| matches!(event, Event::Attempt { peer, error: None, .. } if *peer == other);
    assert!(told.iter().any(went), "{told:?}");
    assert!(told.iter().any(|event| matches!(event, Event::Peer { peer, .. } if *peer == other)), "{told:?}");
}

#[test]
fn curl_reads_single_events_a_line_each() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    vat.send("counter", "1");
    let mut curl = Command::new("curl")
        .args(["--silent", "--no-buffer", "--unix-socket"])
        .arg(vat.dir().join("control.sock"))
        .arg("http://vat/v1/events?tell=turns,faults&object=counter&after=0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    let lines = BufReader::new(curl.stdout.take().expect("a pipe")).lines();
    let events = lines.map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("a line of JSON"));
    // The install may have a line of its own.
    let events: Vec<Value> = events.skip_while(|event| event["event"] == "commit").take(2).collect();
    curl.kill().expect("it is there to be ended");
    curl.wait().expect("it ends");
    assert_eq!((&events[0]["event"], &events[0]["turn"]), (&json!("turn"), &json!(1)));
    assert_eq!((&events[0]["outcome"], &events[0]["name"]), (&json!("ok"), &json!("counter")));
    assert_eq!((&events[1]["event"], &events[1]["inbox"]), (&json!("commit"), &json!(0)));
}
