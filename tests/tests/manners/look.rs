//! `qrt audit`, `qrt log` and `qrt settings`: what was done, what was said, what is set.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use qrt_tests::{Scratch, programs};
use serde_json::{Value, json};

use super::{SINK, send, text};

#[test]
fn the_audit_names_each_change_and_who_made_it() {
    let vat = Scratch::default().vat();
    assert_eq!(vat.qrt("audit", &["--json"]).json(), json!([]));
    let sink = vat.install("sink", SINK, &[]);
    vat.qrt("hold", &["sink"]).ok();
    vat.qrt("release", &["sink"]).ok();
    vat.qrt("memory-set", &["sink", "n", "5"]).ok();
    let all = vat.qrt("audit", &["--json"]).json();
    let rows = all.as_array().expect("rows");
    let verbs: Vec<_> = rows.iter().map(|row| row["action"].as_str().expect("a verb")).collect();
    assert!(verbs.ends_with(&["hold", "release", "memory-set"]) && verbs.contains(&"install"), "{verbs:?}");
    let uid = rustix::process::getuid().as_raw();
    assert!(rows.iter().all(|row| row["uid"] == uid && row["pid"].as_u64() > Some(1)), "{all}");
    assert!(rows.iter().all(|row| row["detail"]["object"] == sink), "objects have their names: {all}");
    let newest = vat.qrt("audit", &["-n", "2", "--json"]).json();
    assert_eq!(newest.as_array().expect("rows").as_slice(), &rows[rows.len() - 2..]);
    assert!(vat.qrt("audit", &["-n", "1"]).ok().contains("memory-set"));
    vat.qrt("stop", &[]).ok();
    vat.qrt("audit", &[]).refusal(3);
}

/// Logs what it is told.
const LOGGER: &str = "function (args, power) { power.log(args.say); }";

#[test]
fn the_log_is_one_stream_of_the_daemon_and_the_objects() {
    let vat = Scratch::default().vat();
    vat.install("logger", LOGGER, &["--grant", "log"]);
    vat.result("logger", r#"{"say":"before the stop"}"#);
    vat.qrt("stop", &[]).ok();
    vat.start();
    vat.result("logger", r#"{"say":"after the start"}"#);
    let texts = |lines: &Value| -> Vec<String> {
        lines.as_array().expect("lines").iter().map(|line| line["text"].as_str().expect("a text").to_owned()).collect()
    };
    let lines = vat.qrt("log", &["--json"]).json();
    let said = texts(&lines);
    let at =
        |text: &str| said.iter().position(|said| said.contains(text)).unwrap_or_else(|| panic!("{text}: {said:?}"));
    assert!(at("before the stop") < at("asked to stop") && at("asked to stop") < at("after the start"), "{said:?}");
    let line = &lines[at("after the start")];
    assert_eq!((&line["turn"], &line["name"], &line["level"]), (&json!(2), &json!("logger"), &Value::Null));
    assert_eq!(lines[at("asked to stop")]["level"], "INFO");
    assert!(vat.qrt("log", &["-n", "1"]).ok().contains("turn 2 logger: after the start"));
    vat.qrt("stop", &[]).ok();
    let stopped = texts(&vat.qrt("log", &["--json"]).json());
    assert!(
        stopped.iter().any(|text| text == "after the start") && stopped.last().is_some_and(|text| text == "stopped")
    );
    vat.qrt("log", &["--follow"]).refusal(3);
}

#[test]
fn a_follower_of_the_log_sees_new_lines_of_both_through_a_restart() {
    let vat = Scratch::default().vat();
    vat.install("logger", LOGGER, &["--grant", "log"]);
    let mut follower = Command::new(&programs().qrt)
        // It may begin after the first line it is to see.
        .args(["log", text(vat.dir()), "--follow", "--json", "-n", "50"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("qrt runs");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    let mut until = |text: &str| {
        for line in &mut lines {
            let line: Value = serde_json::from_str(&line.expect("a line")).expect("one document a line");
            if line["text"].as_str().is_some_and(|said| said.contains(text)) {
                return;
            }
        }
        panic!("{text} did not come");
    };
    send(&vat, "logger", &json!({ "say": "first" }), &[]);
    until("first");
    vat.qrt("stop", &[]).ok();
    vat.start();
    until("serving");
    send(&vat, "logger", &json!({ "say": "second" }), &[]);
    until("second");
    follower.kill().expect("it runs");
    follower.wait().expect("it ends");
}

#[test]
fn each_setting_says_where_it_comes_from_and_what_a_restart_would_change() {
    let vat = Scratch::default().vat_with(&[("turn.messages", "77")]);
    let settings = vat.qrt("settings", &["--json"]).json();
    let one = |settings: &Value, key: &str| {
        let found = settings.as_array().expect("settings").iter().find(|setting| setting["key"] == key);
        found.unwrap_or_else(|| panic!("{key}")).clone()
    };
    let messages = one(&settings, "turn.messages");
    assert_eq!(
        messages,
        json!({ "key": "turn.messages", "value": 77, "default": 1000, "from": "settings.toml", "pending": null,
            "restart": false })
    );
    assert_eq!(one(&settings, "journal.turns")["from"], "default");
    assert_eq!(one(&settings, "listen")["from"], "settings.toml", "the port that was chosen is kept");
    let file = vat.dir().join("settings.toml");
    let was = fs::read_to_string(&file).expect("the settings");
    fs::write(&file, was.replace("messages = 77", "messages = 78")).expect("the settings");
    let messages = one(&vat.qrt("settings", &["--json"]).json(), "turn.messages");
    assert_eq!((&messages["value"], &messages["pending"]), (&json!(77), &json!(78)));
    let said = vat.qrt("settings", &[]).ok();
    assert!(said.contains("settings.toml says 78 by now: `kill -HUP "), "{said}");
    fs::write(&file, was.replace("isolation = \"shared\"", "isolation = \"account\"")).expect("the settings");
    let said = vat.qrt("settings", &[]).ok();
    assert!(said.contains("settings.toml says \"account\" by now: `qrt stop` and `qrt start`"), "{said}");
    fs::write(&file, was.replace("messages = 77", "messages = 78")).expect("the settings");
    vat.qrt("stop", &[]).ok();
    let messages = one(&vat.qrt("settings", &["--json"]).json(), "turn.messages");
    assert_eq!((&messages["value"], &messages["pending"]), (&json!(78), &Value::Null));
    fs::write(&file, "nonsense = 1").expect("the settings");
    assert!(vat.qrt("settings", &[]).refusal(1).contains("nonsense"));
}
