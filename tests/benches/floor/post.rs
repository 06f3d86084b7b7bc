//! The floor of delivery: the least program that takes the same messages from one database to another.
//!
//! It writes the rows of the product's outbox and inbox with the product's settings of SQLite, as many to a
//! commit as a request holds, and sends the same texts over one kept-alive connection. It seals and opens
//! nothing, numbers and names nothing, and asks nobody whether there is room.

#[path = "db.rs"]
mod db;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use db::{create, write};
use qrt_shared::wire::FRAMES_MAX;
use rusqlite::{Connection, params};

const LETTER: &str = "INSERT INTO outbox (outbox, peer, seq, id, prev, random, text, bytes, queued_at)
    VALUES (?1, 1, ?1, zeroblob(16), zeroblob(32), zeroblob(14), ?2, length(?2), 0)";
const MESSAGE: &str = "INSERT INTO message (source, target, args, bytes, queued_at, deaths, seq, abroad, chain)
    VALUES (-1, 1, ?1, length(?1), 0, 0, ?2, 'a turn', 1)";
const DUE: &str = "SELECT text FROM outbox WHERE peer = 1 AND seq > ?1 ORDER BY seq LIMIT ?2";

/// An answer's length, about that of an ack.
const ACK_BYTES: usize = 240;

/// How long it takes to deliver `count` messages of which `text` is one, in the directory `dir`. They are in the
/// outbox before the clock starts.
pub(crate) fn run(dir: &Path, count: u64, text: &str, args: &str) -> Duration {
    let db = create(&dir.join("sender.db"));
    db.execute_batch("BEGIN").expect("a transaction");
    (1..=count).for_each(|seq| write(&db, LETTER, params![seq, text]));
    db.execute_batch("COMMIT").expect("a transaction");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
    let receiver = create(&dir.join("receiver.db"));
    let args = args.to_owned();
    let receiver = thread::spawn(move || receive(&receiver, listener.accept().expect("the sender").0, &args));

    let started = Instant::now();
    send(&db, to);
    let took = started.elapsed();
    let got = receiver.join().expect("the receiver ends");
    assert_eq!(got, count, "each was delivered once");
    took
}

/// Sends batch after batch; what was answered is deleted.
fn send(db: &Connection, to: TcpStream) {
    to.set_nodelay(true).expect("a socket");
    let mut from = BufReader::new(to.try_clone().expect("a socket"));
    let mut to = to;
    let mut acked = 0;
    loop {
        let mut due = db.prepare_cached(DUE).expect("the statement");
        let texts = due.query_map(params![acked, FRAMES_MAX], |row| row.get::<_, String>(0)).expect("rows");
        let texts: Vec<_> = texts.collect::<Result<_, _>>().expect("rows");
        if texts.is_empty() {
            return;
        }
        let body = texts.join("\n");
        let head = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
        to.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it reads");
        assert_eq!(message(&mut from).map(|answer| answer.len()), Some(ACK_BYTES));
        acked += texts.len();
        db.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        write(db, "DELETE FROM outbox WHERE peer = 1 AND seq <= ?1", [acked]);
        write(db, "UPDATE vat SET commits = commits + 1", []);
        db.execute_batch("COMMIT").expect("a commit");
    }
}

/// Commits each batch and answers it; how many messages came.
fn receive(db: &Connection, from: TcpStream, args: &str) -> u64 {
    from.set_nodelay(true).expect("a socket");
    let mut to = from.try_clone().expect("a socket");
    let (mut from, mut got) = (BufReader::new(from), 0);
    while let Some(body) = message(&mut from) {
        db.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        for _ in body.split(|byte| *byte == b'\n') {
            got += 1;
            write(db, MESSAGE, params![args, got]);
        }
        write(db, "UPDATE vat SET commits = commits + 1", []);
        db.execute_batch("COMMIT").expect("a commit");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {ACK_BYTES}\r\n\r\n");
        to.write_all(&[head.as_bytes(), &[b'x'; ACK_BYTES]].concat()).expect("it reads");
    }
    got
}

/// The body of the next message of HTTP, if there is one.
fn message(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).expect("the connection") == 0 {
            return None;
        }
        if line == "\r\n" {
            let mut body = vec![0; length.expect("a length")];
            from.read_exact(&mut body).expect("the body");
            return Some(body);
        }
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.trim_end().parse().ok();
        }
    }
}
