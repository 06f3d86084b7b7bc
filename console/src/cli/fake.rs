//! For tests: a control socket with scripted answers, one a request.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use qrt_shared::control::{SOCKET, VERSION_HEADER};

use super::operator::Operator;
use super::{Call, command};
use crate::output::Output;
use crate::output::tests::Shared;

/// What happens to one request.
pub(super) enum Answer {
    /// It is answered with this document.
    Json(String),
    /// It is refused with this problem.
    Refusal(String),
    /// It is refused because the daemon is about to end.
    Stopping,
    /// The connection is closed.
    HangUp,
    /// The same, and nobody serves for that long.
    Away(Duration),
}

/// A daemon that has nothing but its socket.
pub(super) struct Fake {
    dir: tempfile::TempDir,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// One that came in.
struct Request {
    first_line: String,
    body: String,
}

impl Fake {
    pub(super) fn new(answers: Vec<Answer>) -> Self {
        let dir = tempfile::tempdir().expect("a scratch directory");
        // The sign by which the client knows a vat's directory.
        fs::write(dir.path().join("vat.db"), "").expect("a file");
        let socket = dir.path().join(SOCKET);
        let listener = UnixListener::bind(&socket).expect("a socket");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || serve(listener, &socket, answers, &log));
        Self { dir, requests }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The first line of every request so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no test has panicked").iter().map(|request| request.first_line.clone()).collect()
    }

    /// The body of every request so far.
    pub(super) fn bodies(&self) -> Vec<String> {
        self.requests.lock().expect("no test has panicked").iter().map(|request| request.body.clone()).collect()
    }
}

/// A use of a verb whose output can be read, by somebody who answers nothing.
pub(super) fn call(line: &[&str]) -> (Call, Shared) {
    let (call, shared, _) = call_answered(line, "");
    (call, shared)
}

/// The same by somebody who types `answers`; what they were asked comes last.
pub(super) fn call_answered(line: &[&str], answers: &'static str) -> (Call, Shared, Shared) {
    let matches = command(None).try_get_matches_from(std::iter::once(&"qrt").chain(line)).expect("right usage");
    let shared = Shared::default();
    let (_, args) = matches.subcommand().expect("a verb");
    let asked = Shared::default();
    let operator = Operator::scripted(answers, asked.clone());
    (Call { args: args.clone(), out: Output::to(shared.clone()), operator }, shared, asked)
}

fn serve(mut listener: UnixListener, socket: &Path, answers: Vec<Answer>, log: &Mutex<Vec<Request>>) {
    let mut connection = None;
    for answer in answers {
        let (mut stream, request) = loop {
            let mut stream = connection.take().unwrap_or_else(|| listener.accept().expect("a connection").0);
            // A connection that is closed without a request was only a look whether we are here.
            if let Some(request) = read(&mut stream) {
                break (stream, request);
            }
        };
        log.lock().expect("no test has panicked").push(request);
        match answer {
            Answer::Json(body) => connection = Some(reply(stream, "200 OK", &body)),
            Answer::Refusal(body) => connection = Some(reply(stream, "404 Not Found", &body)),
            Answer::Stopping => connection = Some(reply(stream, "503 Service Unavailable", "{}")),
            Answer::HangUp => drop(stream),
            Answer::Away(time) => {
                fs::remove_file(socket).expect("our socket");
                drop(listener);
                stream.flush().ok();
                drop(stream);
                thread::sleep(time);
                listener = UnixListener::bind(socket).expect("a socket");
            }
        }
    }
}

/// Reads one request to its end; `None` when there was none.
fn read(stream: &mut UnixStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().expect("a number")) {
            let first_line = head.lines().next()?.to_owned();
            return Some(Request { first_line, body: body.to_owned() });
        }
    }
}

fn reply(mut stream: UnixStream, status: &str, body: &str) -> UnixStream {
    let version = qrt_shared::VERSION;
    let head = format!("HTTP/1.1 {status}\r\n{VERSION_HEADER}: {version}\r\ncontent-length: {}\r\n\r\n", body.len());
    // The client may be gone.
    stream.write_all(format!("{head}{body}").as_bytes()).ok();
    stream
}

/// A vat's id.
pub(super) const PEER: &str = "rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q";

/// A peer that is well, but for `changes`: further fields that take the place of its own.
pub(super) fn peer_json(changes: &str) -> String {
    let well = format!(
        r#"{{"vat":"{PEER}","name":null,"urls":["http://127.0.0.1:4001"],"next_out":6,"acked_out":5,"last_in":2,"pending":0,"pending_bytes":0,"state":"ok","state_since":null,"theirs":null,"held":false,"named":true,"attempts":0,"next_attempt_at":null,"last_error":null,"failing_since":null,"last_contact_at":null}}"#
    );
    let mut peer: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&well).expect("JSON");
    let changes: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&format!("{{{changes}}}")).expect("fields");
    peer.extend(changes);
    serde_json::to_string(&peer).expect("JSON")
}

/// A list's only page.
pub(super) fn page(items: &[String]) -> Answer {
    Answer::Json(format!(r#"{{"items":[{}],"next":null,"as_of":1}}"#, items.join(",")))
}
