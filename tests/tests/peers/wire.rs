//! What anybody may send to the port.

use std::io::{Read, Write};
use std::net::TcpStream;

use qrt_shared::control::Listing;
use qrt_shared::view::Peer;
use qrt_tests::{Scratch, Vat};
use serde_json::Value;

use super::{SINK, deliver, friends, id, url};

/// Sends bytes to the vat's port, and then nothing more (`cut`); the status of what comes back, 0 for none.
fn raw(vat: &Vat, bytes: &[u8], cut: bool) -> u16 {
    let address = url(vat).trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).expect("the port");
    // The vat may answer and close before it has read everything.
    stream.write_all(bytes).ok();
    if cut {
        stream.shutdown(std::net::Shutdown::Write).ok();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn post(body: &[u8], extra: &str) -> Vec<u8> {
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: vat\r\nconnection: close\r\ncontent-type: application/vnd.qrt.box\r\n{extra}\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn every_malformed_request_gets_a_refusal_and_changes_nothing() {
    let vat = Scratch::default().vat();
    vat.install("sink", SINK, &[]);
    let commit = || vat.qrt("info", &["--json"]).json()["commit"].clone();
    let before = commit();
    let own = id(&vat);
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/wire.json")).expect("JSON");
    let foreign = hex(vectors["cases"][0]["request"].as_str().expect("a request"));
    let magic = |key: &[u8], rest: &[u8]| [b"QRT1", key, &[0; 16], rest].concat();
    let mut flipped = foreign.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("no HTTP", b"hello\r\n\r\n".to_vec(), &[400, 0]),
        ("another path", b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), &[404]),
        ("another method", b"GET /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), &[405]),
        ("no body", post(b"", ""), &[400]),
        ("no magic", post(&[0; 60], ""), &[400]),
        ("a key of low order", post(&magic(&[0; 32], b""), ""), &[400]),
        ("a key with bit 255", post(&magic(&[0xff; 32], b""), ""), &[400]),
        ("our own key", post(&magic(own.as_bytes(), b"\0\0\0\x58"), ""), &[400]),
        ("a frame that is cut short", post(&magic(&good_key(), b"\0\0\0\x90abc"), ""), &[400]),
        ("a frame that is too short", post(&magic(&good_key(), &[&[0, 0, 0, 87][..], &[1; 87]].concat()), ""), &[400]),
        ("a box for somebody else", post(&foreign, ""), &[400]),
        ("a box with a bit flipped", post(&flipped, ""), &[400]),
        ("a body that is too large", post(&vec![0; (4 << 20) + 1], ""), &[413]),
        ("a body that does not come", b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/vnd.qrt.box\r\ncontent-length: 99\r\n\r\nQRT1".to_vec(), &[400, 0]),
        ("a head without end", [b"POST /v1/messages HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; 1 << 20]].concat(), &[400, 431, 0]),
    ];
    for (what, bytes, expected) in cases {
        let cut = what.contains("no HTTP") || what.contains("does not come") || what.contains("without end");
        let status = raw(&vat, &bytes, cut);
        assert!(expected.contains(&status), "{what}: {status}");
    }
    assert_eq!(commit(), before, "nothing was written");
    assert!(vat.list::<Peer>(&Listing::default()).is_empty());
    assert_eq!(vat.result("sink", "1"), 1, "and the vat goes on");
}

#[test]
fn a_question_is_answered_and_leaves_no_trace_of_who_asked() {
    let vat = Scratch::default().vat();
    let commit = || vat.qrt("info", &["--json"]).json()["commit"].clone();
    let before = commit();
    let body = [b"QRT1".as_slice(), &good_key(), &[7; 16]].concat();
    assert_eq!(raw(&vat, &post(&body, ""), false), 200);
    assert_eq!(commit(), before);
}

#[test]
fn a_flood_of_connections_does_not_keep_a_friend_out() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    let address = url(&b).trim_start_matches("http://").to_owned();
    // They connect and say nothing, or half of something.
    let idle: Vec<_> = (0..40)
        .filter_map(|n| {
            let mut stream = TcpStream::connect(&address).ok()?;
            if n % 2 == 0 {
                stream.write_all(b"POST /v1/messages HTTP/1.1\r\n").ok()?;
            }
            Some(stream)
        })
        .collect();
    for n in 0..10 {
        deliver(&a, &sink, &serde_json::json!(n));
    }
    drop(idle);
}

/// A canonical key nobody has the secret of.
fn good_key() -> [u8; 32] {
    let mut key = [9; 32];
    key[31] = 1;
    key
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}
