//! The live demo: alice and bob at work, carol away, and the console on alice and bob.
//!
//! While the console is on the screen a visitor, on a thread of its own, sends alice's counter an increment now and
//! then, and once in a while something that fails; bob's taker trades with alice's maker; and a letter to carol,
//! whose daemon was stopped, waits in alice's outbox for somebody to find out why.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use qrt_shared::control::{Client, Send};
use qrt_shared::id::{Petname, Qrid};
use serde_json::{Value, json};

use super::report::Report;
use super::vat::{Vat, raw};
use crate::app::State;
use crate::cli::console;
use crate::failure::Failure;
use crate::record::Record;
use crate::{format, terminal};

/// How long the visitor waits between two messages.
const PAUSE: Duration = Duration::from_millis(400);

/// Of so many messages, one fails.
const FAILING: u64 = 25;

/// Of so many messages, one begins another round of trade.
const TRADING: u64 = 5;

/// # Errors
/// Something could not be done or read, or the console could not be shown.
pub(super) async fn run(
    report: &mut Report<'_>,
    [alice, bob, carol]: [&mut Vat; 3],
    record: Option<&Record>,
) -> Result<(), Failure> {
    report.step("Make three vats, and stop one of them")?;
    let mut known = Vec::new();
    for vat in [&mut *alice, &mut *bob, &mut *carol] {
        vat.create()?;
        vat.start().await?;
        known.push(vat.info().await?);
    }
    let letterbox = carol.install("letterbox", "sample-methods", json!({})).await?;
    carol.stop().await?;
    for (own, vat) in [&mut *alice, &mut *bob].into_iter().enumerate() {
        for (_, other) in known.iter().enumerate().filter(|(number, _)| *number != own) {
            vat.tell_of(other).await?;
        }
    }
    for (vat, name) in [(1, "bob"), (2, "carol")] {
        alice.name_peer(known[vat].vat, name.parse::<Petname>()?).await?;
    }
    bob.name_peer(known[0].vat, "alice".parse::<Petname>()?).await?;
    report.step("Install objects")?;
    alice.install("counter", "sample-methods", json!({})).await?;
    let maker = alice.install("maker", "market-maker", json!({})).await?;
    let taker = bob.install("taker", "market-taker", json!({ "maker": { "@qref": maker.to_string() } })).await?;
    alice.send(&letterbox.to_string(), json!({ "method": "increment" })).await?;
    let (leave, left) = channel();
    let visitor = Visitor { alice: alice.dir().to_owned(), bob: bob.dir().to_owned(), taker };
    let visiting = thread::Builder::new().name("visitor".to_owned()).spawn(move || visitor.run(&left));
    let visiting = visiting.map_err(|error| Failure::new(format!("cannot start the visitor: {error}")))?;
    let attach = |dir: &Path| {
        let state = State::new(dir.display().to_string(), false, console::environment(), format::now_ms());
        (dir.to_owned(), state)
    };
    let shown = terminal::run(vec![attach(alice.dir()), attach(bob.dir())], false, record);
    drop(leave);
    let visited = visiting.join().unwrap_or_else(|_| Err(Failure::new("the visitor broke")));
    shown.and(visited)
}

/// Who keeps the objects at work.
struct Visitor {
    alice: PathBuf,
    bob: PathBuf,
    taker: Qrid,
}

impl Visitor {
    /// Sends until `left` says that the console has ended.
    fn run(&self, left: &Receiver<()>) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(format!("cannot start the visitor: {error}")))?;
        let mut number = 0;
        while left.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            number += 1;
            // An operator may stop a vat, or remove an object: the visitor tries again next time.
            runtime.block_on(self.visit(number)).ok();
        }
        Ok(())
    }

    async fn visit(&self, number: u64) -> Result<(), Failure> {
        let method = if number.is_multiple_of(FAILING) { "fail" } else { "increment" };
        send(&self.alice, "counter", json!({ "method": method })).await?;
        if number % TRADING == 1 {
            let me = json!({ "@qref": self.taker.to_string() });
            send(&self.bob, "taker", json!({ "begin": { "me": me, "rounds": 2 } })).await?;
        }
        Ok(())
    }
}

async fn send(dir: &Path, target: &str, args: Value) -> Result<(), Failure> {
    let send = Send { target: target.parse()?, args: raw(&args), key: None };
    Client::open(dir).await?.send(&send).await?;
    Ok(())
}
