//! The control socket, asked by any HTTP client.

mod details;
mod events;
mod lists;
mod service;
mod single_events;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use qrt_shared::action::{ACTIONS, Via};
use qrt_tests::{PATIENCE, Scratch, Vat};
use serde_json::Value;

/// One request in raw bytes; status and body of the answer.
fn raw(vat: &Vat, request: &[u8]) -> (u16, Value) {
    let mut socket = UnixStream::connect(vat.dir().join("control.sock")).expect("the socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.write_all(request).expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
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
            let path = route.path.replace("{message}", "in:1").replace("{object}", "none").replace("{fault}", "1");
            let (status, answer) = request(&vat, route.method, &path, "");
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
        ("GET", "/v1/turns?after=x", "", 400),
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
    let mode = |name: &str| std::fs::metadata(vat.dir().join(name)).expect("it is there").permissions().mode() & 0o777;
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
    let log = std::fs::read_to_string(vat.dir().join("qrtd.log")).expect("the log");
    assert!(log.contains("serving"), "{log}");
    let key = std::fs::read_to_string(vat.dir().join("key")).expect("the key");
    assert!(!log.contains(key.trim()), "the log holds the key");
    let object = qrid.rsplit('/').next().expect("an id");
    assert!(!log.contains(object), "the log holds an object's id, which is the authority to invoke it");
}
