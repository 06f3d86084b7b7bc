//! Client and server against each other, and each against those who do not keep to the protocol.

mod delivering;
mod receiving;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qrt_shared::id::VatId;
use qrt_shared::wire::{Ack, MessageId, Plaintext, Position, RequestId, Sequence, Tip};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::channels::Channels;
use super::gate;
use super::receive::{Inbox, Limits, Receiver, Refused};
use crate::key::Key;
use crate::peer::seal::{Channel, OpenedRequest, Stored};
use crate::peer::session::intake_request;

const SENDER: u8 = 1;
const RECEIVER: u8 = 2;

/// Short enough to wait for, long enough for a busy machine where nothing should end.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_mins(1);

fn key(seed: u8) -> Key {
    Key::from_bytes([seed; 32]).expect("a usable key")
}

fn limits() -> Limits {
    let unlimited = gate::Rate { per_second: 1e9, burst: 1e9 };
    let gate = gate::Limits { requests: unlimited, strangers: unlimited, ..gate::Limits::default() };
    Limits { gate, head: LONG, body: LONG, answer: LONG, ..Limits::default() }
}

/// A kernel as small as one can be.
#[derive(Default)]
struct Model {
    position: Mutex<Position>,
    /// What it says instead of taking something in.
    refuses: Mutex<Option<Refused>>,
    /// Held while nothing commits.
    commits: tokio::sync::Mutex<()>,
    /// Told when something came in.
    came: tokio::sync::Notify,
}

impl Inbox for Arc<Model> {
    async fn receive(&self, _: VatId, request: OpenedRequest) -> Result<Ack, Refused> {
        self.came.notify_one();
        let _committed = self.commits.lock().await;
        if let Some(refused) = *self.refuses.lock().expect("not poisoned") {
            return Err(refused);
        }
        let mut position = self.position.lock().expect("not poisoned");
        let intake = intake_request(*position, &request);
        *position = intake.position;
        Ok(intake.ack(request.id))
    }
}

impl Model {
    fn last_in(&self) -> u64 {
        self.position.lock().expect("not poisoned").number.0
    }
}

struct Server {
    address: SocketAddr,
    receiver: Arc<Receiver<Arc<Model>>>,
    model: Arc<Model>,
}

async fn server(limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let model = Arc::new(Model::default());
    let own = Arc::new(key(RECEIVER));
    let channels = Arc::new(Channels::new(Arc::clone(&own), 8));
    let receiver = Arc::new(Receiver::new(&own, channels, Arc::clone(&model), limits));
    tokio::spawn(Arc::clone(&receiver).serve(listener));
    Server { address, receiver, model }
}

/// A request of the sender's first `count` messages.
fn request(id: RequestId, count: u8) -> Vec<u8> {
    let channel = Channel::new(&key(SENDER), key(RECEIVER).vat()).expect("another");
    let ids: Vec<MessageId> = (1..=count).map(|number| MessageId::from_bytes([number; 16])).collect();
    let mut prev = Tip::ZERO;
    let stored = ids.iter().zip(1..).map(|(id, number)| {
        let text = Plaintext { id: *id, prev, json: b"{}" };
        prev = prev.next(id);
        Stored { number: Sequence(number), random: [1; 14], text }
    });
    channel.request(stored).expect("short").body(id)
}

fn post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/vnd.qrt.box\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What a raw client saw of one answer.
#[derive(Debug)]
struct Seen {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Reads one answer off a connection.
async fn read_answer(stream: &mut TcpStream) -> Seen {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.expect("the head goes on");
        head.push(byte);
    }
    let head = String::from_utf8(head).expect("ASCII").to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut body).await.expect("the body");
    Seen { status, head, body }
}

/// One raw request on a connection of its own.
async fn ask(server: &Server, bytes: &[u8]) -> Seen {
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    stream.write_all(bytes).await.expect("it reads");
    read_answer(&mut stream).await
}

/// Waits until the other end has closed; whether by an end or a reset is all one.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}
