//! The daemon as a service: figures for monitoring, settings taken while it runs, the service manager, and clients that
//! mean no good.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use qrt_shared::control::Listing;
use qrt_shared::view::Audited;
use qrt_tests::{PATIENCE, Scratch, Vat, programs};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use super::request;

fn curl(vat: &Vat, args: &[&str]) -> String {
    let ran = Command::new("curl")
        .args(["--silent", "--show-error", "--unix-socket"])
        .arg(vat.dir().join("control.sock"))
        .args(args)
        .output()
        .expect("curl runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("UTF-8")
}

#[test]
fn curl_is_a_client_like_any_other() {
    let vat = Scratch::default().vat();
    vat.install("counter", "(args, power) => { power.memory.n = args; }", &[]);
    vat.send("counter", "1");
    let at = |path: &str| format!("http://vat/v1/{path}");
    for path in [
        "",
        "info",
        "overview",
        "storage",
        "objects",
        "objects?sort=cpu",
        "accounts",
        "inbox",
        "turns?before=9",
        "turns/1",
        "faults",
        "peers",
        "outbox",
        "audit?limit=1",
        "objects/counter?memory=false",
        "objects/counter/entries",
        "objects/counter/entries/n",
        "settings",
        "log?newest=1",
        "why",
        "check",
    ] {
        let answer = curl(&vat, &["--fail", &at(path)]);
        assert!(serde_json::from_str::<Value>(&answer).is_ok(), "{path}: {answer}");
    }
    assert!(curl(&vat, &["--fail", &at("metrics")]).contains("qrt_turns_total 1\n"));
    let done = curl(&vat, &["--fail", "-X", "POST", &at("checkpoint")]);
    assert!(done.contains("\"wal_bytes\":"), "{done}");
    let refused = curl(&vat, &[&at("objects?afer=1")]);
    assert!(refused.contains("\"hint\":\"it takes after, before,"), "{refused}");
}

#[test]
fn curl_does_whatever_an_operator_can() {
    let vat = Scratch::default().vat();
    let scratch = Scratch::default();
    let nowhere = scratch.path("nowhere");
    let made = scratch.qrt(&["create-node".as_ref(), nowhere.as_os_str(), "--json".as_ref()]).json();
    let far = made["vat"].as_str().expect("an id");
    let done = |method: &str, path: &str, body: &str| -> Value {
        let url = format!("http://vat/v1/{path}");
        let answer = curl(&vat, &["--fail-with-body", "-X", method, "-d", body, &url]);
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{method} {path}: {error}: {answer}"))
    };
    let code = "(args, power) => { if (args.less) throw args; return power.memory.count = args.by; }";
    let object = json!({ "label": "counter.js", "code": code, "name": "counter" });
    let install = json!({ "objects": [object], "memory": {}, "power": {}, "natives": {} }).to_string();
    assert_eq!(done("POST", "dry/objects", &install)["objects"].as_array().map(Vec::len), Some(1));
    let qrid = done("POST", "objects", &install)["objects"][0]["qrid"].as_str().expect("a QRID").to_owned();
    let send =
        |target: &str, args: &str| done("POST", "messages", &format!(r#"{{"target":"{target}","args":{args}}}"#));
    let counted = send("counter", r#"{"by":2}"#)["message"].as_str().expect("a name").to_owned();
    assert_eq!(done("GET", &format!("messages/{counted}/outcome?wait_ms=30000"), "")["result"], 2);
    let upgrade = json!({ "label": "counter.js", "code": code.replace("args.by", "args.by + 1") }).to_string();
    assert!(done("POST", "dry/objects/counter/code", &upgrade).is_object());
    assert_eq!(done("POST", "objects/counter/code", &upgrade)["version"], 2);
    assert_eq!(done("PUT", "objects/counter/memory/count", r#"{"value":7,"expect":2}"#)["key"], "count");
    assert_eq!(done("GET", "objects/counter/memory", "")["count"], 7);
    assert_eq!(done("DELETE", "objects/counter/name", "")["name"], Value::Null);
    assert_eq!(done("PUT", &format!("objects/{}/name", qrid.replace('/', "%2f")), r#"{"name":"sum"}"#)["name"], "sum");
    assert_eq!(done("POST", "turns/1/replay", r#"{"args":{"by":3}}"#)["replayed"]["result"], 3);
    for held in [true, false] {
        let verb = if held { "hold" } else { "release" };
        assert_eq!(done("POST", &format!("objects/sum/{verb}"), "")["held"], held);
    }
    for _ in 0..2 {
        let failed = send("sum", r#"{"less":1}"#)["message"].as_str().expect("a name").to_owned();
        let ended = done("GET", &format!("messages/{failed}/outcome?wait_ms=30000"), "");
        assert_eq!(ended["outcome"], "error", "{ended}");
    }
    assert!(done("POST", "faults/1/retry", "")["message"].is_string());
    assert_eq!(done("DELETE", "faults/2", ""), json!({}));
    let add = json!({ "vat": far, "urls": ["http://127.0.0.1:9"] }).to_string();
    assert_eq!(done("POST", "peers", &add)["held"], false);
    done("PUT", &format!("peers/{far}/name"), r#"{"name":"far"}"#);
    assert_eq!(done("GET", "peers/far", "")["name"], "far");
    assert_eq!(done("POST", "peers/far/hold", "")["held"], true);
    send(&format!("qrt:{far}/7z2fziy4eazx2seb54ittqs77cr5lfj3"), "1");
    assert_eq!(done("POST", "peers/far/outbox/1/drop", r#"{"reason":"a test"}"#)["seq"], 1);
    assert_eq!(done("POST", "peers/far/release", "")["pending"], 1);
    for body in [r#"{"peer":"far"}"#, "{}", ""] {
        assert_eq!(done("POST", "retry", body)["peers"], 1, "{body}");
    }
    let refused = curl(&vat, &["-d", "{}", "http://vat/v1/peers/far/resync"]);
    assert!(refused.contains("\"hint\":"), "its history is ours: {refused}");
    done("DELETE", "peers/far/name", "");
    assert_eq!(done("GET", &format!("peers/{far}"), "")["name"], Value::Null);
    assert_eq!(done("POST", "checkpoint", "")["wal_bytes"], 0);
    let copy = scratch.path("copy");
    let backup = json!({ "file": copy, "with_key": true }).to_string();
    assert!(done("POST", "backup", &backup)["bytes"].as_u64() > Some(0) && copy.exists());
    assert_eq!(done("DELETE", "objects/sum", "")["objects"], json!([qrid]));
    assert_eq!(done("POST", "stop", ""), json!({}));
}

#[test]
fn what_is_done_outside_of_turns_is_written_down_too() {
    let vat = Scratch::default().vat();
    vat.install("counter", "() => 1", &[]);
    let done = vat.qrt("checkpoint", &["--json"]).json();
    assert_eq!(done["emptied"], true);
    assert!(done["wal_bytes_before"].as_u64() > Some(0) && done["wal_bytes"] == 0, "{done}");
    let file = vat.scratch.path("copy");
    vat.qrt("backup", &[file.to_str().expect("UTF-8")]).ok();
    vat.qrt("stop", &[]).ok();
    vat.start();
    let audit: Vec<Audited> = vat.list(&Listing::last(3));
    assert_eq!(audit.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["checkpoint", "backup", "stop"]);
    assert_eq!(audit[0].detail["emptied"], true);
    assert_eq!(audit[1].detail["file"].as_str(), file.to_str());
    assert!(audit.iter().all(|row| row.pid > 0 && row.uid == rustix::process::geteuid().as_raw()));
}

#[test]
fn the_figures_fit_what_was_done_and_are_read_over_tcp_where_an_operator_says_so() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let vat = Scratch::default().vat_with(&[("metrics", format!("\"{free}\""))]);
    vat.install("counter", "(args) => { if (args < 0) throw 'less'; }", &[]);
    for args in ["1", "-1", "2"] {
        vat.send("counter", args);
    }
    vat.qrt("hold", &["counter"]).ok();
    let dir = vat.dir().to_str().expect("UTF-8");
    vat.scratch.qrt(&["send", "-d", dir, "counter", "1"]).ok();
    let fetch = |path: &str| {
        let mut socket = TcpStream::connect(free).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(socket, "GET {path} HTTP/1.1\r\nhost: vat\r\n\r\n").expect("a request");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let text = fetch("/metrics");
    for line in [
        "HTTP/1.1 200 OK",
        "# TYPE qrt_turns_total counter",
        "qrt_turns_total 3",
        "qrt_turns_failed_total 1",
        "qrt_inbox 1",
        "qrt_faults 1",
        "qrt_worker_deaths_total 0",
        "qrt_turn_ticks_bucket{le=\"+Inf\"} 3",
        "qrt_turn_cpu_seconds_count 3",
        "qrt_outbox_oldest_seconds 0.000000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(fetch("/v1/objects").starts_with("HTTP/1.1 404"), "nothing else is served there");
}

#[test]
fn settings_are_taken_while_it_runs_and_a_file_with_an_error_changes_nothing() {
    let vat = Scratch::default().vat();
    vat.install("chatty", "(n, power) => { for (let i = 0; i < n; i++) power.me.sendOnly(0); }", &[]);
    let qrid = vat.qrt("object", &["chatty", "--json"]).json()["qrid"].as_str().expect("a QRID").to_owned();
    let power = format!(r#"{{"me": {{"@qref": "{qrid}"}}}}"#);
    vat.install("sender", "(n, power) => { for (let i = 0; i < n; i++) power.me.sendOnly(0); }", &["--power", &power]);
    assert_eq!(vat.send("sender", "3")["outcome"], "ok");
    let file = vat.dir().join("settings.toml");
    let text = fs::read_to_string(&file).expect("the settings");
    let reload = |text: &str, word: &str| {
        fs::write(&file, text).expect("the settings");
        vat.ask(async |client| {
            let mut log = client.newest_log(1).await?;
            kill_process(vat.pid().expect("a process"), Signal::HUP).expect("it is told");
            loop {
                log = client.log_after(&log, Duration::from_secs(10)).await?;
                if let Some(line) = log.lines.iter().find(|line| line.text.contains(word)) {
                    return Ok(line.text.clone());
                }
            }
        })
    };
    let changed = text
        .replace("\nmessages = 1000\n", "\nmessages = 2\n")
        .replace("isolation = \"shared\"", "isolation = \"account\"");
    let line = reload(&changed, "needs a restart");
    assert!(line.contains("worker.isolation"), "{line}");
    assert_eq!(vat.send("sender", "3")["outcome"], "killed");
    let settings = vat.qrt("settings", &["--json"]).json();
    let one = |key: &str| settings.as_array().expect("a list").iter().find(|row| row["key"] == key).expect("a setting");
    assert_eq!((&one("turn.messages")["value"], &one("turn.messages")["pending"]), (&2.into(), &Value::Null));
    assert_eq!(
        (&one("worker.isolation")["value"], &one("worker.isolation")["pending"]),
        (&"shared".into(), &"account".into())
    );
    let line = reload("[turn]\nmessages = 1000\ntick = 1\n", "stay as they are");
    assert!(line.contains("line 3"), "{line}");
    assert_eq!(vat.send("sender", "3")["outcome"], "killed", "nothing of that file is taken");
}

#[test]
fn the_service_manager_is_told_when_it_serves_while_it_lives_and_when_it_stops() {
    let vat = Scratch::default().vat();
    vat.qrt("stop", &[]).ok();
    let path = vat.scratch.path("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut daemon = Command::new(&programs().qrtd)
        .arg("serve")
        .arg(vat.dir())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("qrtd runs");
    let heard = || {
        let mut text = [0; 256];
        let length = manager.recv(&mut text).expect("it says something");
        String::from_utf8_lossy(&text[..length]).trim().to_owned()
    };
    assert_eq!(heard(), "READY=1");
    assert_eq!(vat.qrt("info", &["--json"]).json()["state"], "running");
    assert_eq!([heard(), heard()], ["WATCHDOG=1", "WATCHDOG=1"]);
    let pid = rustix::process::Pid::from_child(&daemon);
    kill_process(pid, Signal::TERM).expect("it is told");
    while heard() != "STOPPING=1" {}
    assert!(daemon.wait().expect("it ends").success());
}

#[test]
fn a_program_gone_wild_does_not_lock_the_operator_out() {
    let vat = Scratch::default().vat();
    let connect = |bytes: &[u8]| {
        let mut socket = UnixStream::connect(vat.dir().join("control.sock")).expect("the socket");
        // A connection that was cut off already takes nothing.
        socket.write_all(bytes).ok();
        socket
    };
    let long_poll = b"GET /v1/turns?wait_ms=30000 HTTP/1.1\r\nhost: vat\r\n\r\n";
    let watch = b"GET /v1/events HTTP/1.1\r\nhost: vat\r\n\r\n";
    let huge = [b"GET /v1/info HTTP/1.1\r\nx: ".to_vec(), vec![b'x'; 200 << 10]].concat();
    let slow = b"POST /v1/messages HTTP/1.1\r\nhost: vat\r\ncontent-length: 16000000\r\n\r\n{";
    let all: Vec<_> = (0..100)
        .map(|number: usize| match number % 5 {
            0 => connect(b"GET /v1/in"),
            1 => connect(long_poll),
            2 => connect(watch),
            3 => connect(if number.is_multiple_of(2) { &huge } else { b"\x16\x03\x01\x02\x00random bytes\r\n\r\n" }),
            _ => connect(slow),
        })
        .collect();
    assert_eq!(vat.qrt("info", &["--json"]).json()["state"], "running");
    vat.install("counter", "() => 1", &[]);
    assert_eq!(vat.result("counter", "null"), 1);
    let (status, _) = request(&vat, "GET", "/v1/overview", "");
    assert_eq!(status, 200, "and the wild program itself gets in when it behaves");
    drop(all);
}
