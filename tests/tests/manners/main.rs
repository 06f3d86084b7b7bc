//! The manners of a service: copies of a running vat, vats from copies, a database that went back, whether
//! all is well, what was done and what was said.

mod backup;
mod check;
mod look;
mod rollback;

use std::path::Path;
use std::time::{Duration, Instant};

use qrt_shared::id::{PeerName, VatId};
use qrt_shared::view::Peer;
use qrt_tests::{PATIENCE, Scratch, Vat};
use serde_json::Value;

/// Keeps what it is told, in order.
const SINK: &str = "function (args, power) {
    const memory = power.memory;
    memory.got = memory.got || [];
    memory.got.push(args);
}";

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn friends() -> [Vat; 2] {
    let vats = [(); 2].map(|()| Scratch::default().vat());
    vats[0].scratch.qrt(&["gossip", text(vats[0].dir()), text(vats[1].dir())]).ok();
    vats
}

fn id(vat: &Vat) -> VatId {
    vat.qrt("info", &["--json"]).json()["vat"].as_str().expect("an id").parse().expect("an id")
}

fn send(vat: &Vat, to: &str, args: &Value, flags: &[&str]) {
    let args = args.to_string();
    vat.scratch.qrt(&[&["send", "-d", text(vat.dir())], flags, &[to, &args]].concat()).ok();
}

/// A pause that ends early when there is a turn.
fn pause(vat: &Vat) {
    vat.ask(async |client| client.turns(None, i64::MAX as u64 - 1, Duration::from_millis(20)).await);
}

/// Looks until something holds of the channel from `vat` to `other`.
#[track_caller]
fn until(vat: &Vat, other: VatId, what: &str, holds: impl Fn(&Peer) -> bool) -> Peer {
    let since = Instant::now();
    loop {
        let peer = vat.ask(async |client| client.peer(&PeerName::Vat(other)).await);
        if holds(&peer) {
            return peer;
        }
        assert!(since.elapsed() < PATIENCE, "{what} did not come: {peer:?}");
        pause(vat);
    }
}

/// What the sink of a vat was told.
fn got(vat: &Vat) -> Value {
    vat.qrt("memory", &["sink"]).json()["got"].clone()
}
