//! The control socket, asked by any HTTP client.

mod details;
mod docs;
mod events;
mod lists;
mod service;
mod single_events;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use qrt_shared::action::{ACTIONS, Route, Via};
use qrt_tests::{PATIENCE, Scratch, Vat};
use serde_json::Value;

/// One request in raw bytes; status and body of the answer.
fn raw(vat: &Vat, request: &[u8]) -> (u16, Value) {
    let mut socket = UnixStream::connect(vat.dir().join("control.sock")).expect("the socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.write_all(request).expect("a request");
    let mut answer = Vec::new();
    if let Err(error) = socket.read_to_end(&mut answer) {
        // A daemon that has heard enough closes before it has read all; what it said is here all the same.
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    let answer = String::from_utf8(answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    assert!(head.contains("qrt-version: "), "{head}");
    let status = head[9..12].parse().expect("a status");
    (status, serde_json::from_str(body).expect("a JSON document"))
}

fn request(vat: &Vat, method: &str, path: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: vat\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    raw(vat, (head + body).as_bytes())
}

/// The routes of the table.
fn routes() -> impl Iterator<Item = &'static Route> {
    ACTIONS.iter().flat_map(|action| match &action.via {
        Via::Control(routes) => routes.iter(),
        Via::Qrtd | Via::Qrt => [].iter(),
    })
}

/// A path to what is not there.
fn filled(path: &str) -> String {
    let none = [("{message}", "in:1"), ("{object}", "none"), ("{fault}", "1"), ("{peer}", "none"), ("{turn}", "9")];
    let path = none.iter().fold(path.to_owned(), |path, (name, none)| path.replace(name, none));
    path.replace("{seq}", "1").replace("{key}", "count")
}

#[test]
fn the_table_shows_bodies_that_are_understood_with_every_field_there_is() {
    let vat = Scratch::default().vat();
    for route in routes().filter(|route| !route.body.is_empty()) {
        let (_, answer) = request(&vat, route.method, &filled(route.path), route.body);
        let hint = answer["hint"].as_str().unwrap_or_default();
        assert!(!hint.contains("a body it takes"), "{route:?}: {answer}");
        let mut body: BTreeMap<String, Value> = serde_json::from_str(route.body).expect("an object");
        let shown: BTreeSet<String> = body.keys().cloned().collect();
        body.insert("stray".into(), Value::Null);
        let text = serde_json::to_string(&body).expect("JSON");
        let (status, answer) = request(&vat, route.method, &filled(route.path), &text);
        let error = answer["error"].as_str().unwrap_or_default();
        let (stray, known) = error.split_once(", expected ").unwrap_or_else(|| panic!("{route:?}: {answer}"));
        assert_eq!((status, stray), (400, "unknown field `stray`"), "{route:?}");
        let known: BTreeSet<String> = known.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        assert_eq!(shown, known, "{route:?}");
        assert!(answer["hint"].as_str().is_some_and(|hint| hint.ends_with(route.body)), "{answer}");
    }
}

#[test]
fn every_route_of_the_table_is_served_and_described() {
    let vat = Scratch::default().vat();
    let (status, description) = request(&vat, "GET", "/v1/", "");
    assert_eq!(status, 200);
    assert_eq!(description["actions"], serde_json::to_value(ACTIONS).expect("JSON"));
    for action in ACTIONS {
        let Via::Control(routes) = &action.via else { continue };
        for route in *routes {
            // One ends the vat, one has no end, one is no JSON.
            if ["/v1/stop", "/v1/events", "/v1/metrics"].contains(&route.path) {
                continue;
            }
            let (status, answer) = request(&vat, route.method, &filled(route.path), "");
            let error = answer["error"].as_str().unwrap_or_default();
            assert!(!error.starts_with("no such path"), "{route:?}: {answer}");
            assert_ne!((status, error), (405, error), "{route:?}: {answer}");
            assert!(status < 500, "{route:?}: {answer}");
        }
    }
    assert_eq!(request(&vat, "POST", "/v1/stop", ""), (200, serde_json::json!({})));
}

#[test]
fn what_is_no_request_gets_an_error_and_a_hint_and_the_vat_goes_on() {
    let vat = Scratch::default().vat();
    for (method, path, body, expected) in [
        ("GET", "/", "", 404),
        ("GET", "/v2/info", "", 404),
        ("GET", "/v1/objects/%ff", "", 400),
        ("GET", "/v1/objects/none", "", 404),
        ("GET", "/v1/why?subject=none", "", 404),
        ("GET", "/v1/turns?after=x", "", 400),
        ("GET", "/v1/turns?limit=2&limit=3", "", 400),
        ("GET", "/v1/turns?object=none", "", 404),
        ("GET", "/v1/events?tell=turns,all", "", 400),
        ("GET", "/v1/events?tell=", "", 400),
        ("GET", "/v1/events?tell=peers&object=none", "", 400),
        ("GET", "/v1/events?tell=turns&object=none", "", 404),
        ("DELETE", "/v1/info", "", 405),
        ("POST", "/v1/faults/9223372036854775809/retry", "", 409),
        ("DELETE", "/v1/faults/18446744073709551615", "", 409),
        ("POST", "/v1/faults/18446744073709551616/retry", "", 400),
        ("PUT", "/v1/objects/none/memory/", r#"{"value":1}"#, 409),
        ("POST", "/v1/messages", "{", 400),
        ("POST", "/v1/messages", "", 400),
        (
            "POST",
            "/v1/peers",
            r#"{"vat":"rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q","urls":["https://x:1"]}"#,
            400,
        ),
        (
            "POST",
            "/v1/peers",
            r#"{"vat":"rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q","urls":["http://x:0"]}"#,
            400,
        ),
        ("POST", "/v1/messages", r#"{"target":"none","args":1}"#, 409),
        ("POST", "/v1/messages", r#"{"target":"none","args":{"@x":1}}"#, 400),
        ("POST", "/v1/messages", r#"{"target":"none","args":1,"extra":1}"#, 400),
        ("POST", "/v1/objects", r#"{"objects":[],"memory":{},"power":{},"natives":{}}"#, 400),
    ] {
        let (status, answer) = request(&vat, method, path, body);
        assert_eq!(status, expected, "{method} {path} {body}: {answer}");
        for part in ["error", "hint"] {
            assert!(answer[part].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {answer}");
        }
    }
    for path in ["messages/in:18446744073709551615/outcome", "faults?after=18446744073709551615"] {
        assert_eq!(request(&vat, "GET", &format!("/v1/{path}"), "").0, 200, "{path}");
    }
    assert_eq!(request(&vat, "GET", "/v1/info", "").1["commit"], 0, "nothing was written");
}

#[test]
fn bytes_that_are_no_request_get_an_error_and_a_hint_like_any_other() {
    let vat = Scratch::default().vat();
    let long = format!("GET /v1/info HTTP/1.1\r\nhost: vat\r\nx: {}\r\n\r\n", "x".repeat(150_000));
    let uri = format!("GET /{} HTTP/1.1\r\nhost: vat\r\n\r\n", "x".repeat(65_535));
    for (bytes, expected) in [
        (&b"hello\n"[..], 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /v1/info\r\n\r\n", 400),
        (b"GET /v1/info HTTP/1.1\r\nhost\xff: vat\r\n\r\n", 400),
        (b"POST /v1/retry HTTP/1.1\r\nhost: vat\r\ncontent-length: x\r\n\r\n", 400),
        (long.as_bytes(), 431),
        (uri.as_bytes(), 414),
    ] {
        let (status, answer) = raw(&vat, bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        assert_eq!(status, expected, "{shown}: {answer}");
        for part in ["error", "hint"] {
            assert!(answer[part].as_str().is_some_and(|text| !text.is_empty()), "{shown}: {answer}");
        }
    }
    assert_eq!(request(&vat, "GET", "/v1/info", "").0, 200, "the vat goes on");
}

#[test]
#[ignore = "only root can be somebody else"]
fn another_user_gets_nothing_even_where_the_files_would_let_them() {
    let vat = Scratch::default().vat();
    let socket = vat.dir().join("control.sock");
    let log = || fs::read_to_string(vat.dir().join("qrtd.log")).expect("the log");
    let ask = |user: &str| {
        let ids = [format!("--reuid={user}"), format!("--regid={user}")];
        let url = "http://vat/v1/info";
        let command = Command::new("setpriv")
            .args(ids)
            .args(["--clear-groups", "curl", "--silent", "--unix-socket"])
            .arg(&socket)
            .arg(url)
            .output();
        let ran = command.expect("setpriv and curl run");
        (ran.status.code(), String::from_utf8(ran.stdout).expect("UTF-8"))
    };
    // 7 is what curl says when it cannot connect.
    assert_eq!(ask("65534"), (Some(7), String::new()), "the directory is its owner's alone");
    assert!(!log().contains("another user"), "the socket was not even reached");
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
    for dir in vat.dir().ancestors().filter(|dir| dir.starts_with(vat.scratch.path(""))) {
        open(dir, 0o755);
    }
    open(&socket, 0o666);
    // Depending on when it is cut off, curl says that it has no connection or no answer.
    let (code, answer) = ask("65534");
    assert!(code != Some(0) && answer.is_empty(), "the socket knows who asks: {answer}");
    assert!(ask("0").1.contains("\"state\":\"running\""), "root is answered");
    assert!(log().lines().any(|line| line.contains("another user was refused") && line.contains("65534")), "{}", log());
}

#[test]
fn clients_that_stall_do_not_keep_others_out() {
    let vat = Scratch::default().vat();
    let stalled: Vec<UnixStream> = (0..40)
        .map(|_| {
            let mut socket = UnixStream::connect(vat.dir().join("control.sock")).expect("the socket");
            socket.write_all(b"POST /v1/messages HTTP/1.1\r\nhost: v").expect("half a request");
            socket
        })
        .collect();
    assert_eq!(vat.qrt("info", &["--json"]).json()["state"], "running");
    drop(stalled);
}

#[test]
fn the_socket_is_its_owners_alone() {
    let vat = Scratch::default().vat();
    let mode = |name: &str| fs::metadata(vat.dir().join(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode("control.sock"), 0o600);
    assert_eq!(mode("."), 0o700);
    for file in ["key", "vat.db", "vat.db-wal", "settings.toml", "qrtd.log", "qrtd.lock"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

#[test]
fn the_key_and_ids_are_in_no_log() {
    let vat = Scratch::default().vat();
    let qrid = vat.install("counter", "function () { throw 1; }", &[]);
    vat.send("counter", "null");
    vat.qrt("stop", &[]).ok();
    let log = fs::read_to_string(vat.dir().join("qrtd.log")).expect("the log");
    assert!(log.contains("serving"), "{log}");
    let key = fs::read_to_string(vat.dir().join("key")).expect("the key");
    assert!(!log.contains(key.trim()), "the log holds the key");
    let object = qrid.rsplit('/').next().expect("an id");
    assert!(!log.contains(object), "the log holds an object's id, which is the authority to invoke it");
}
