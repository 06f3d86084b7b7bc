//! A vat in one file, and a vat from one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use qrt_shared::control::{Listing, Retry};
use qrt_shared::view::{Peer, PeerState};
use qrt_tests::{Scratch, Vat, programs};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{SINK, friends, got, id, send, text, until};

/// Counts in two places at once, and sends itself the next until told how often.
const PAIR: &str = "function (args, power) {
    const memory = power.memory;
    memory.left = (memory.left || 0) + 1;
    if (args.self) memory.self = args.self;
    if (memory.left < args.until) memory.self.sendOnly({ until: args.until });
    memory.right = (memory.right || 0) + 1;
}";

/// A copy of a vat, in its scratch directory.
fn backup(vat: &Vat, args: &[&str]) -> PathBuf {
    let file = vat.scratch.path("copy");
    fs::remove_file(&file).ok();
    vat.qrt("backup", &[&[text(&file)], args].concat()).ok();
    file
}

/// A vat made of a copy, not started.
fn restore(file: &Path, args: &[&str]) -> Vat {
    let scratch = Scratch::default();
    let dir = scratch.path("vat");
    scratch.qrt(&[&["restore", text(file), text(&dir)], args].concat()).ok();
    scratch.there()
}

/// The line with which a copy is refused; nothing was made.
fn refused(file: &Path, args: &[&str]) -> String {
    let scratch = Scratch::default();
    let dir = scratch.path("vat");
    let line = scratch.qrt(&[&["restore", text(file), text(&dir)], args].concat()).refusal(1);
    assert_eq!(names(&scratch.path("")), ["stdin"], "{line}");
    line
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_copy_of_a_busy_vat_holds_whole_turns_and_runs_on_from_where_it_stood() {
    const TURNS: u64 = 3000;
    let vat = Scratch::default().vat();
    let pair = vat.install("pair", PAIR, &[]);
    send(&vat, &pair, &json!({ "self": { "@qref": pair }, "until": TURNS }), &[]);
    vat.wait_for_turn(50);
    let file = backup(&vat, &["--with-key"]);
    assert_eq!(fs::metadata(&file).expect("the copy").permissions().mode() & 0o777, 0o600);
    vat.wait_for_turn(TURNS);
    let who = id(&vat);
    vat.qrt("stop", &[]).ok();
    let again = restore(&file, &[]);
    assert_eq!(id(&again), who);
    let stood = again.qrt("info", &["--json"]).json();
    assert!(stood["turns"].as_u64().is_some_and(|turns| (50..TURNS).contains(&turns)), "it was busy: {stood}");
    assert_eq!(stood["inbox"], 1);
    again.start();
    again.wait_for_turn(TURNS);
    let memory = again.qrt("memory", &["pair"]).json();
    assert_eq!((&memory["left"], &memory["right"]), (&json!(TURNS), &json!(TURNS)), "no turn is half there");
}

#[test]
fn a_stopped_vat_is_copied_too_and_nothing_is_overwritten() {
    let vat = Scratch::default().vat();
    vat.install("sink", SINK, &[]);
    let there = vat.scratch.file("there", "mine");
    assert!(vat.qrt("backup", &[text(&there)]).refusal(1).contains("is there already"));
    vat.qrt("stop", &[]).ok();
    assert!(vat.qrt("backup", &[text(&there)]).refusal(1).contains("is there already"));
    assert_eq!(fs::read_to_string(&there).expect("a file"), "mine");
    assert!(vat.qrt("backup", &["/nowhere/at/all"]).refusal(1).contains("make it first"));
    let file = backup(&vat, &["--with-key"]);
    assert_eq!(restore(&file, &[]).qrt("info", &["--json"]).json()["objects"], 1);
    assert!(vat.scratch.qrt(&["restore", text(&file), text(vat.dir())]).refusal(1).contains("not empty"));
}

#[test]
fn a_disk_without_room_leaves_no_half_of_a_copy() {
    let vat = Scratch::default().vat();
    vat.qrt("stop", &[]).ok();
    let file = vat.scratch.path("copy");
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 80; exec \"$0\" backup \"$1\" \"$2\""])
        .args([programs().qrtd.as_os_str(), vat.dir().as_os_str(), file.as_os_str()])
        .output()
        .expect("a shell");
    let line = String::from_utf8(limited.stderr).expect("UTF-8");
    assert_eq!(limited.status.code(), Some(1), "{line}");
    assert!(line.contains(text(&file)) && line.lines().count() == 1, "{line}");
    assert_eq!(names(&vat.scratch.path("")), ["stdin", "vat"]);
}

#[test]
fn the_key_is_in_a_copy_only_when_asked_for_and_a_restore_needs_the_right_one() {
    let vat = Scratch::default().vat();
    let key = fs::read_to_string(vat.dir().join("key")).expect("the key");
    let holds = |file: &Path| {
        let bytes = fs::read(file).expect("a file");
        bytes.windows(64).any(|window| window == key.trim_end().as_bytes())
    };
    let bare = backup(&vat, &[]);
    assert!(!holds(&bare));
    assert!(refused(&bare, &[]).contains("--key FILE"));
    let other = Scratch::default().vat();
    assert!(refused(&bare, &["--key", text(&other.dir().join("key"))]).contains("give the key that belongs to it"));
    assert!(refused(&bare, &["--key", text(&bare)]).contains("does not hold a key"));
    assert_eq!(id(&restore(&bare, &["--key", text(&vat.dir().join("key"))])), id(&vat));
    let full = backup(&vat, &["--with-key"]);
    assert!(holds(&full));
    let again = restore(&full, &[]);
    assert_eq!(id(&again), id(&vat));
    assert!(!holds(&again.dir().join("vat.db")), "no page keeps it");
    assert_eq!(again.scratch.qrt(&["restore", text(&full), "x", "--fork", "--key", "k"]).code, Some(2));
}

#[test]
fn what_is_no_whole_backup_is_refused_and_nothing_is_made() {
    let vat = Scratch::default().vat();
    vat.install("sink", SINK, &[]);
    let file = backup(&vat, &["--with-key"]);
    let whole = fs::read(&file).expect("the copy");
    assert!(refused(&vat.scratch.path("none"), &[]).contains("there is no file"));
    for (what, bytes) in [("text", b"no database".to_vec()), ("nothing", Vec::new()), ("head", whole[..50].to_vec())] {
        let path = vat.scratch.path(what);
        fs::write(&path, bytes).expect("a file");
        assert!(refused(&path, &[]).contains("is not a backup"), "{what}");
    }
    vat.qrt("stop", &[]).ok();
    assert!(refused(&vat.dir().join("vat.db"), &[]).contains("is not a backup"));
    let damaged = vat.scratch.path("damaged");
    for page in 1..whole.len() / 4096 {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xaa);
        fs::write(&damaged, bytes).expect("a file");
        let line = refused(&damaged, &[]);
        assert!(line.contains("is damaged") && line.contains(text(&damaged)), "{page}: {line}");
    }
    fs::write(&damaged, &whole[..whole.len() - 4096]).expect("a file");
    assert!(refused(&damaged, &[]).contains("is damaged"));
    fs::write(&damaged, &whole).expect("a file");
    let db = Connection::open(&damaged).expect("a database");
    db.execute("UPDATE code SET text = text || ' '", []).expect("other code");
    db.close().expect("it closes");
    assert!(refused(&damaged, &[]).contains("is not what was installed"));
    // Nor does a daemon serve a copy.
    fs::copy(&file, vat.dir().join("vat.db")).expect("a copy");
    assert!(vat.qrt("start", &[]).refusal(1).contains("is not a vat's database"));
}

#[test]
fn a_restored_vat_asks_before_it_sends_and_goes_on_where_both_ends_agree() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    let other = id(&b);
    send(&a, &sink, &json!("first"), &["--wait"]);
    b.qrt("stop", &[]).ok();
    send(&a, &sink, &json!("second"), &[]);
    let file = backup(&a, &["--with-key"]);
    a.qrt("stop", &[]).ok();
    let again = restore(&file, &[]);
    again.start();
    let peer = until(&again, other, "an attempt", |peer| peer.attempts > 0);
    assert_eq!((peer.state, peer.pending), (PeerState::Unsure, 1));
    send(&again, &sink, &json!("third"), &[]);
    let why = again.qrt("why", &[&other.to_string()]).ok();
    assert!(why.contains("went back"), "{why}");
    assert!(again.qrt("peers", &[]).ok().contains("unsure"));
    b.start();
    again.ask(async |client| client.retry(&Retry::default()).await);
    until(&again, other, "the acks", |peer| peer.state == PeerState::Ok && peer.pending == 0);
    assert_eq!(got(&b), json!(["first", "second", "third"]));
}

#[test]
fn a_restored_vat_that_has_forgotten_sends_nothing_until_a_resync() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    let other = id(&b);
    send(&a, &sink, &json!("first"), &["--wait"]);
    b.qrt("stop", &[]).ok();
    send(&a, &sink, &json!("second"), &[]);
    let file = backup(&a, &["--with-key"]);
    b.start();
    send(&a, &sink, &json!("third"), &["--wait"]);
    a.qrt("stop", &[]).ok();
    let again = restore(&file, &[]);
    again.start();
    let peer = until(&again, other, "a stop", |peer| peer.state == PeerState::Diverged);
    assert_eq!((peer.theirs, peer.pending), (Some(3), 1));
    assert_eq!(got(&b), json!(["first", "second", "third"]), "nothing ran twice");
    let said = again.qrt("peer-resync", &[&other.to_string(), "--yes", "--json"]).json();
    assert_eq!(said["renumbered"], json!([4, 4]), "{said}");
    until(&again, other, "the ack", |peer| peer.state == PeerState::Ok && peer.pending == 0);
    assert_eq!(got(&b), json!(["first", "second", "third", "second"]), "the operator was told that it may repeat");
}

#[test]
fn a_fork_is_another_vat_and_runs_beside_the_first() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    a.install("own", SINK, &[]);
    let other = id(&b);
    send(&a, &sink, &json!("first"), &["--wait"]);
    b.qrt("stop", &[]).ok();
    send(&a, &sink, &json!("second"), &[]);
    let file = backup(&a, &[]);
    b.start();
    let scratch = Scratch::default();
    let dir = scratch.path("vat");
    let told = scratch.qrt(&["restore", text(&file), text(&dir), "--fork", "--json"]).json();
    assert_eq!((&told["fork_of"], &told["outbox_dropped"]), (&json!(id(&a)), &json!(1)), "{told}");
    let fork = scratch.there();
    fork.start();
    assert_ne!(id(&fork), id(&a));
    assert_eq!(fork.qrt("outbox", &["--json"]).json(), json!([]));
    assert_eq!(fork.result("own", "1"), Value::Null, "its objects are there");
    send(&fork, &sink, &json!("from the fork"), &["--wait"]);
    a.ask(async |client| client.retry(&Retry::default()).await);
    until(&a, other, "the ack", |peer| peer.pending == 0);
    let got = got(&b);
    let mut got: Vec<_> = got.as_array().expect("messages").iter().filter_map(Value::as_str).collect();
    got.sort_unstable();
    assert_eq!(got, ["first", "from the fork", "second"]);
    let peers = b.list::<Peer>(&Listing::default());
    assert_eq!(peers.iter().map(|peer| peer.last_in).collect::<Vec<_>>(), [2, 1], "each has a channel of its own");
}
