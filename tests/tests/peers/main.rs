//! Vats that do not trust each other, nor the network, send each other messages and references: claims,
//! through real daemons on loopback, one file a group.

mod channel;
mod crash;
mod operator;
mod references;
mod rollback;
mod wire;

use std::time::{Duration, Instant};

use qrt_shared::control::{Client, ClientError};
use qrt_shared::id::{MessageName, PeerName, VatId};
use qrt_shared::view::{Peer, Why};
use qrt_tests::{PATIENCE, Scratch, Vat};
use serde_json::{Value, json};

/// Keeps what it is told, in order.
const SINK: &str = "function (args, power) {
    const memory = power.memory;
    memory.got = memory.got || [];
    memory.got.push(args);
    return memory.got.length;
}";

/// Vats that know each other.
fn friends<const N: usize>() -> [Vat; N] {
    let vats = [(); N].map(|()| Scratch::default().vat());
    gossip(&vats);
    vats
}

fn gossip(vats: &[Vat]) {
    let dirs: Vec<_> = vats.iter().map(|vat| vat.dir().as_os_str()).collect();
    vats[0].scratch.qrt(&[&["gossip".as_ref()], dirs.as_slice()].concat()).ok();
}

fn id(vat: &Vat) -> VatId {
    vat.ask(async |client| client.info().await).vat
}

fn url(vat: &Vat) -> String {
    vat.ask(async |client| client.info().await).url.expect("a vat has a URL")
}

/// How `vat` sees the channel with `other`.
fn peer(vat: &Vat, other: VatId) -> Peer {
    vat.ask(async |client| client.peer(&PeerName::Vat(other)).await)
}

fn why(vat: &Vat, subject: &str) -> Why {
    let subject = (!subject.is_empty()).then(|| subject.parse().expect("a subject"));
    vat.ask(async |client| client.why(subject.as_ref()).await)
}

/// Sends without waiting; the message's name.
fn send(vat: &Vat, to: &str, args: &Value) -> MessageName {
    let dir = vat.dir().to_str().expect("UTF-8");
    vat.scratch.qrt(&["send", "-d", dir, to, &args.to_string()]).ok().trim().parse().expect("a name")
}

/// Sends and waits until the other vat has it.
fn deliver(vat: &Vat, to: &str, args: &Value) {
    let dir = vat.dir().to_str().expect("UTF-8");
    let told: Value =
        serde_json::from_str(&vat.scratch.qrt(&["send", "-d", dir, "--wait", to, &args.to_string()]).ok())
            .expect("JSON");
    assert_eq!(told["acked"], true, "{told}");
}

/// Waits until something holds of a vat.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a closure written at the call")]
fn until<T>(vat: &Vat, what: &str, look: impl AsyncFn(&mut Client) -> Result<Option<T>, ClientError>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = vat.ask(async |client| look(client).await) {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "{what} did not come");
        // Answered when there is a turn, or after this time: a pause that ends early when something happens.
        vat.ask(async |client| client.turns(None, i64::MAX as u64 - 1, Duration::from_millis(20)).await);
    }
}

/// Waits until `vat` sees the channel with `other` so.
#[track_caller]
fn until_peer(vat: &Vat, other: VatId, what: &str, holds: impl Fn(&Peer) -> bool) -> Peer {
    until(vat, what, async |client| {
        let peer = client.peer(&PeerName::Vat(other)).await?;
        Ok(holds(&peer).then_some(peer))
    })
}

/// Waits until a sink has got so many messages; them.
#[track_caller]
fn until_got(vat: &Vat, sink: &str, count: usize) -> Vec<Value> {
    let target = sink.parse().expect("an object");
    until(vat, "as many messages", async |client| {
        let memory: Value = serde_json::from_str(client.memory(&target).await?.get()).expect("JSON");
        let got = memory["got"].as_array().cloned().unwrap_or_default();
        Ok((got.len() >= count).then_some(got))
    })
}

fn reference(qrid: &str) -> Value {
    json!({ "@qref": qrid })
}
