//! An old copy of a vat's database is put back: the other end notices, nothing runs on a wrong history,
//! and an operator decides.

use std::fs;

use qrt_shared::control::{Resync, Retry};
use qrt_shared::id::PeerName;
use qrt_shared::view::PeerState;
use qrt_tests::Vat;
use serde_json::json;

use super::{SINK, deliver, friends, id, peer, send, until_got, until_peer, why};

/// Stops a vat and puts its database aside under this name, or back from there.
fn keep(vat: &Vat, name: &str) {
    vat.qrt("stop", &[]).ok();
    fs::copy(vat.dir().join("vat.db"), vat.scratch.path(name)).expect("a copy");
    vat.start();
}

fn put_back(vat: &Vat, name: &str) {
    vat.qrt("stop", &[]).ok();
    for file in ["vat.db-wal", "vat.db-shm", "vat.db.mark"] {
        fs::remove_file(vat.dir().join(file)).ok();
    }
    fs::copy(vat.scratch.path(name), vat.dir().join("vat.db")).expect("a copy");
    vat.start();
}

#[test]
fn a_sender_that_went_back_is_stopped_before_what_it_sends_runs_on_a_wrong_history() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    deliver(&a, &sink, &json!("first"));
    keep(&a, "old");
    deliver(&a, &sink, &json!("second"));
    deliver(&a, &sink, &json!("third"));
    put_back(&a, "old");
    // It has forgotten two and numbers another as the second.
    send(&a, &sink, &json!("other second"));
    let other = id(&b);
    let stopped = until_peer(&a, other, "a stop", |peer| peer.state != PeerState::Ok);
    assert_eq!((stopped.state, stopped.theirs, stopped.pending), (PeerState::Diverged, Some(3), 1));
    let told = why(&a, "");
    assert!(
        told.sentence.contains("diverged") && told.command == Some(format!("qrt peer-resync DIR {other}")),
        "{told:?}"
    );
    assert_eq!(until_got(&b, "sink", 3), ["first", "second", "third"], "nothing more has run");
    let name = PeerName::Vat(other);
    let plan = a.ask(async |client| client.resync(&name, &Resync::default()).await);
    assert!(!plan.done && plan.may_be_lost == 0, "{plan:?}");
    assert_eq!(peer(&a, other).state, PeerState::Diverged, "to ask changes nothing");
    let agreed = Resync { expect: Some(plan.expect) };
    let done = a.ask(async |client| client.resync(&name, &agreed).await);
    assert_eq!((done.done, done.renumbered), (true, Some((4, 4))));
    assert_eq!(until_got(&b, "sink", 4), ["first", "second", "third", "other second"]);
    until_peer(&a, other, "the ack", |peer| peer.pending == 0 && peer.state == PeerState::Ok);
    let audit = a.qrt("peers", &["--json"]).json();
    assert_eq!(audit[0]["acked_out"], 4);
}

#[test]
fn a_receiver_that_went_back_is_noticed_and_the_right_copy_clears_it() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    deliver(&a, &sink, &json!("first"));
    keep(&b, "old");
    deliver(&a, &sink, &json!("second"));
    keep(&b, "right");
    put_back(&b, "old");
    let other = id(&b);
    send(&a, &sink, &json!("third"));
    let stopped = until_peer(&a, other, "a stop", |peer| peer.state != PeerState::Ok);
    assert_eq!((stopped.state, stopped.theirs), (PeerState::PeerRolledBack, Some(1)));
    assert!(why(&a, "").sentence.contains("rolled back"));
    assert_eq!(until_got(&b, "sink", 1), ["first"], "the third does not run without the second");
    put_back(&b, "right");
    a.ask(async |client| client.retry(&Retry { peer: Some(PeerName::Vat(other)) }).await);
    until_peer(&a, other, "a clear channel", |peer| peer.state == PeerState::Ok && peer.pending == 0);
    assert_eq!(until_got(&b, "sink", 3), ["first", "second", "third"]);
}

#[test]
fn a_receiver_that_stays_back_is_met_where_it_stands_and_the_loss_is_said_in_numbers() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    deliver(&a, &sink, &json!("first"));
    keep(&b, "old");
    for text in ["lost", "lost too"] {
        deliver(&a, &sink, &json!(text));
    }
    put_back(&b, "old");
    send(&a, &sink, &json!("fourth"));
    let other = id(&b);
    until_peer(&a, other, "a stop", |peer| peer.state == PeerState::PeerRolledBack);
    let refused = a.scratch.qrt(&["peer-resync", a.dir().to_str().expect("UTF-8"), &other.to_string()]);
    assert_eq!(refused.code, Some(1), "nobody said yes: {}", refused.stderr);
    let said = a.qrt("peer-resync", &[&other.to_string(), "--yes", "--json"]).json();
    assert_eq!((&said["may_be_lost"], &said["renumbered"]), (&json!(2), &json!([2, 2])), "{said}");
    assert_eq!(until_got(&b, "sink", 2), ["first", "fourth"]);
}
