//! A database that went back is not served until the operator says so, and then it asks before it sends.

use std::fs::{self, OpenOptions};
use std::time::Instant;

use qrt_shared::id::PeerName;
use qrt_shared::view::PeerState;
use qrt_tests::{PATIENCE, Scratch, Vat};
use serde_json::json;

use super::{SINK, friends, got, id, pause, send, text, until};

/// The commit that the mark names.
fn marked(vat: &Vat) -> u64 {
    let mark = fs::read_to_string(vat.dir().join("vat.db.mark")).expect("a mark");
    mark.trim_end().split(' ').nth(1).expect("a commit").parse().expect("a number")
}

#[test]
fn a_log_that_was_cut_short_is_noticed_and_peers_are_asked_first() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    let other = id(&b);
    a.qrt("stop", &[]).ok();
    a.start();
    for text in ["first", "second"] {
        send(&a, &sink, &json!(text), &["--wait"]);
    }
    let commit = a.ask(async |client| client.info().await).commit;
    let since = Instant::now();
    while marked(&a) < commit {
        assert!(since.elapsed() < PATIENCE, "the mark follows");
        pause(&a);
    }
    a.kill();
    a.start();
    assert_eq!(a.ask(async |client| client.peer(&PeerName::Vat(other)).await).acked_out, 2, "a killed vat just starts");
    a.kill();
    let wal = OpenOptions::new().write(true).open(a.dir().join("vat.db-wal")).expect("the log");
    wal.set_len(0).expect("it is cut");
    for _ in 0..2 {
        let line = a.qrt("start", &[]).refusal(1);
        assert!(line.contains("went back") && line.contains("qrt start --after-rollback"), "{line}");
    }
    a.qrt("start", &["--after-rollback"]).ok();
    // What it sends now has a number that was used already.
    send(&a, &sink, &json!("other first"), &[]);
    let peer = until(&a, other, "a stop", |peer| peer.state == PeerState::Diverged);
    assert_eq!((peer.theirs, peer.acked_out, peer.pending), (Some(2), 0, 1));
    assert_eq!(got(&b), json!(["first", "second"]), "nothing ran");
    a.qrt("stop", &[]).ok();
    a.start();
}

#[test]
fn an_old_or_another_database_that_is_put_back_is_noticed() {
    let vat = Scratch::default().vat();
    vat.install("sink", SINK, &[]);
    vat.qrt("stop", &[]).ok();
    let (db, old, right) = (vat.dir().join("vat.db"), vat.scratch.path("old"), vat.scratch.path("right"));
    fs::copy(&db, &old).expect("a copy");
    vat.start();
    vat.result("sink", "1");
    let copy = vat.scratch.path("copy");
    vat.qrt("backup", &[text(&copy), "--with-key"]).ok();
    vat.qrt("stop", &[]).ok();
    fs::copy(&db, &right).expect("a copy");
    fs::copy(&old, &db).expect("an old one");
    assert!(vat.qrt("start", &[]).refusal(1).contains("went back"));
    fs::copy(&right, &db).expect("the right one");
    vat.start();
    vat.qrt("stop", &[]).ok();
    vat.scratch.qrt(&["restore", text(&copy), text(&vat.scratch.path("restored"))]).ok();
    fs::copy(vat.scratch.path("restored/vat.db"), &db).expect("a restored one");
    assert!(vat.qrt("start", &[]).refusal(1).contains("is not the one that was there before"));
    fs::write(vat.dir().join("vat.db.mark"), "nonsense").expect("a file");
    assert!(vat.qrt("start", &[]).refusal(1).contains("vat.db.mark is damaged"));
    vat.qrt("start", &["--after-rollback"]).ok();
    assert_eq!(got(&vat), json!([1]));
}
