//! `qrt demo`: two vats in a scratch directory. On a terminal the console on them, with objects at work; without
//! one a scripted tour through them, and checks of what they themselves say about it.
//!
//! Whatever happens, an error, a signal or a panic, the daemons are stopped and the scratch
//! directory is removed.

mod live;
mod report;
mod tour;
mod vat;

use std::io::IsTerminal;

use tokio::signal::unix::{SignalKind, signal};

use super::{Call, Done, console};
use crate::failure::Failure;
use report::Report;
use vat::Vat;

pub(super) async fn run(call: &mut Call) -> Done {
    let interrupted = interrupted()?;
    let failed = |error: std::io::Error| Failure::new(format!("cannot make a scratch directory: {error}"));
    let scratch = tempfile::Builder::new().prefix("qrt-demo-").tempdir().map_err(failed)?;
    // Declared after the directory, so dropped before it is removed.
    let mut alice = Vat::new("alice", scratch.path())?;
    let mut bob = Vat::new("bob", scratch.path())?;
    let mut carol = Vat::new("carol", scratch.path())?;
    let live = std::io::stdin().is_terminal() && call.out.is_terminal() && !call.flag("tour");
    let record = console::record(call)?;
    let mut report = Report::new(&mut call.out);
    let done = tokio::select! {
        biased;
        done = async {
            if live {
                live::run(&mut report, [&mut alice, &mut bob, &mut carol], record.as_ref()).await
            } else {
                tour::run(&mut report, &mut alice, &mut bob).await
            }
        } => done,
        () = interrupted => Err(Failure::Interrupted),
    };
    let ended = [alice.end().await, bob.end().await, carol.end().await];
    done?;
    ended.into_iter().collect::<Result<Vec<_>, _>>()?;
    let path = scratch.path().to_owned();
    scratch.close().map_err(|error| Failure::new(format!("cannot remove {}: {error}", path.display())))?;
    report.end(&path)
}

/// From now on a signal that asks this process to end does not end it, which would leave the
/// daemons behind; what is returned is done when one has come.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::new(format!("cannot listen to signals: {error}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
