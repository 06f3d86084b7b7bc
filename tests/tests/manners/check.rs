//! `qrt check` finds nothing wrong with a vat that has lived, and finds what is wrong with one that was damaged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use qrt_tests::{Scratch, Vat};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{SINK, friends, id, send, text};

/// Makes objects and accounts, keeps references to them, sends to them, and lets some of it go again.
const MAKER: &str = "function (args, power) {
    const memory = power.memory;
    memory.made = memory.made || [];
    const child = '(args, power) => { power.memory.last = args; if (args.n % 3 === 0) throw new Error(\"third\"); }';
    const make = args.n % 2 ? power.make_object : power.make_account;
    const made = make(child, { memory: { n: args.n }, friend: args.friend });
    memory.made.push({ made });
    if (memory.made.length > 5) memory.made.shift();
    memory['big' + args.n % 4] = 'x'.repeat(args.n * 400);
    made.sendOnly({ n: args.n, from: made });
    if (args.n === 7) delete memory.big1;
}";

/// Two vats that have done a bit of everything; the first has something in each table.
fn lived() -> [Vat; 2] {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    let grant = format!("{{\"sink\":{{\"@qref\":\"{sink}\"}}}}");
    a.install("maker", MAKER, &["--grant", "make_account", "--power", &grant]);
    for n in 0..12 {
        a.result("maker", &json!({ "n": n, "friend": { "@qref": sink } }).to_string());
    }
    send(&a, &sink, &json!("first"), &["--wait"]);
    b.qrt("stop", &[]).ok();
    for text in ["second", "third"] {
        send(&a, &sink, &json!(text), &[]);
    }
    a.install("held", SINK, &[]);
    a.qrt("hold", &["held"]).ok();
    send(&a, "held", &json!({ "waits": true }), &[]);
    let objects = a.qrt("objects", &["--json"]).json();
    let made = objects.as_array().expect("objects").iter().filter(|object| object["name"].is_null()).nth(3);
    a.qrt("remove", &[made.expect("one that was made")["qrid"].as_str().expect("a QRID"), "--yes"]).ok();
    [a, b]
}

/// The report of a vat on which `qrt check` ends so.
#[track_caller]
fn report(vat: &Vat, args: &[&str], code: i32) -> Vec<Value> {
    let ran = vat.qrt("check", &[&["--json"], args].concat());
    assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stderr.lines().count(), usize::from(code != 0), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("one document");
    report["checks"].as_array().expect("checks").clone()
}

/// What the check of that name found, which must have failed.
#[track_caller]
fn failed(vat: &Vat, name: &str) -> String {
    let checks = report(vat, &[], 1);
    let check = checks.iter().find(|check| check["name"] == name).expect("a check");
    assert_eq!(check["health"], "failed", "{checks:?}");
    assert!(check["todo"] != "" || name == "mark", "{check}");
    check["found"].as_str().expect("a text").to_owned()
}

#[test]
fn a_vat_that_has_lived_is_well_running_and_stopped() {
    let [a, _b] = lived();
    for args in [&[][..], &["--full"]] {
        let checks = report(&a, args, 0);
        assert_eq!(checks.len(), 17, "{checks:?}");
        assert!(checks.iter().all(|check| check["health"] != "failed"), "{checks:?}");
    }
    let shown = a.qrt("check", &[]).ok();
    assert!(shown.lines().any(|line| line.starts_with("ok") && line.contains("channels")), "{shown}");
    a.qrt("stop", &[]).ok();
    let checks = report(&a, &["--full"], 0);
    let found = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name).expect("a check");
        check["found"].as_str().expect("a text").to_owned()
    };
    // Where no worker runs, one is started to see.
    assert!(found("sandbox").contains("seccomp"), "{}", found("sandbox"));
    assert!(found("versions").contains("QuickJS 0."), "{}", found("versions"));
    assert!(found("channels").contains("2 messages in"), "{}", found("channels"));
    assert!(found("queues").contains("each of 1 messages"), "{}", found("queues"));
    assert!(!found("memories").contains(" 0 edges"), "{}", found("memories"));
}

#[test]
fn each_promise_that_is_broken_is_named() {
    let [a, _b] = lived();
    a.qrt("stop", &[]).ok();
    let db = a.dir().join("vat.db");
    let whole = fs::read(&db).expect("the database");
    for (sql, name) in [
        ("UPDATE vat SET inbox = inbox + 1", "counters"),
        ("UPDATE vat SET outbox_bytes = 0", "counters"),
        ("UPDATE vat SET next_reference = 1", "counters"),
        ("UPDATE code SET text = replace(text, 'power', 'might')", "code"),
        ("UPDATE message SET target = 1000", "queues"),
        ("UPDATE memory SET bytes = bytes + 1 WHERE memory = 1", "memories"),
        ("DELETE FROM memory_edge WHERE reference = (SELECT max(reference) FROM memory_edge)", "memories"),
        ("INSERT INTO memory_edge VALUES (1, 1, 'nothing')", "memories"),
        ("DELETE FROM power_edge WHERE object = (SELECT min(object) FROM power_edge)", "references"),
        ("UPDATE account SET objects = objects + 1 WHERE account = (SELECT max(account) FROM account)", "accounts"),
        ("UPDATE outbox SET prev = zeroblob(32) WHERE seq = 3", "channels"),
        ("UPDATE peer SET pending_bytes = 1", "channels"),
        ("UPDATE peer SET last_out_tip = zeroblob(32)", "channels"),
        ("UPDATE vat SET journal_bytes = 1", "journal"),
        ("DELETE FROM turn WHERE turn = 3", "journal"),
        ("UPDATE vat SET commits = commits - 1", "mark"),
    ] {
        fs::write(&db, &whole).expect("the database");
        let connection = Connection::open(&db).expect("the database");
        let changed = connection.execute(sql, []);
        connection.close().expect("it closes");
        assert!(changed.is_ok_and(|rows| rows > 0), "{sql}");
        assert!(!failed(&a, name).is_empty(), "{sql}");
    }
    fs::write(&db, &whole).expect("the database");
    report(&a, &[], 0);
}

#[test]
fn what_is_wrong_around_the_database_is_named_too() {
    let vat = Scratch::default().vat();
    let key = vat.dir().join("key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("a mode");
    assert!(failed(&vat, "files").contains(text(&key)));
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("a mode");
    report(&vat, &[], 0);
    vat.qrt("stop", &[]).ok();
    let settings = vat.dir().join("settings.toml");
    let right = fs::read_to_string(&settings).expect("the settings");
    fs::write(&settings, "nonsense = 1").expect("the settings");
    assert!(failed(&vat, "settings").contains("nonsense"));
    fs::write(&settings, right).expect("the settings");
    for (name, file) in [("settings", &settings), ("mark", &vat.dir().join("vat.db.mark"))] {
        let was = fs::read(file).expect("the file");
        fs::remove_file(file).expect("it goes");
        let checks = report(&vat, &[], 0);
        let check = checks.iter().find(|check| check["name"] == name).expect("a check");
        assert!(check["health"] == "warning" && check["found"].to_string().contains("is missing"), "{check}");
        fs::write(file, was).expect("the file");
    }
    let other = Scratch::default().vat();
    let mine = fs::read(&key).expect("the key");
    fs::copy(other.dir().join("key"), &key).expect("another key");
    assert!(failed(&vat, "key").contains(&id(&other).to_string()));
    fs::write(&key, mine).expect("the key");
    fs::write(vat.dir().join("vat.db"), vec![0xaa; 8192]).expect("no database");
    assert!(failed(&vat, "database").contains("is not a database"));
}
