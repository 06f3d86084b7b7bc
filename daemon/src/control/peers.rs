//! Other vats, and the messages that wait for them.

use std::time::Duration;

use qrt_shared::control::{DropOut, Name, PeerAdd, Problem, Resync, Retry};
use qrt_shared::id::{Location, PeerName, Subject, VatId};
use qrt_shared::view::Peer;
use tokio::time::{Instant, timeout_at};

use super::Refusal;
use super::router::{self, Asked, segment};
use crate::vat::request::Action;

/// How long a peer may take to say where it stands before a resync.
const ASK: Duration = Duration::from_secs(10);

/// `GET /v1/peers`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    let mut page = asked.state.readers.ask(move |db| db.peers(&listing)).await?;
    page.items.iter_mut().for_each(|peer| timed(asked, peer));
    router::json(&page)
}

/// `GET /v1/peers/{peer}`
pub(super) async fn one(asked: &Asked<'_>, peer: &str) -> Result<Vec<u8>, Refusal> {
    let peer: PeerName = segment(peer)?;
    let mut peer = asked.state.readers.ask(move |db| db.peer(&peer)).await?;
    timed(asked, &mut peer);
    router::json(&peer)
}

/// Says how long a peer took to answer, which the database does not know.
fn timed(asked: &Asked<'_>, peer: &mut Peer) {
    let took = asked.state.news.round_trips.of(&peer.vat);
    peer.round_trip_us = took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// `POST /v1/peers`
pub(super) async fn add(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let PeerAdd { vat, urls } = asked.body()?;
    if urls.is_empty() || urls.len() > 8 {
        return Err(Refusal::bad(format!("{} URLs", urls.len()), "give 1 to 8"));
    }
    for url in &urls {
        reachable(url)?;
    }
    asked.change(Action::PeerAdd { vat, urls }).await
}

/// Refuses a location that no attempt could ever reach.
fn reachable(url: &Location) -> Result<(), Refusal> {
    let uri: hyper::Uri = url.to_string().parse().map_err(Refusal::failed)?;
    if uri.scheme_str() != Some("http") {
        let hint = "give an http URL: what is sent is sealed anyway";
        return Err(Refusal::bad(format!("{url}: only http is supported by this version"), hint));
    }
    if uri.port_u16() == Some(0) {
        return Err(Refusal::bad(
            format!("{url}: nobody answers at port 0"),
            "give the port, as `qrt info` shows it there",
        ));
    }
    Ok(())
}

/// `POST /v1/peers/{peer}/hold` and `/release`
pub(super) async fn hold(asked: &Asked<'_>, peer: &str, held: bool) -> Result<Vec<u8>, Refusal> {
    asked.change(Action::HoldPeer { peer: segment(peer)?, held }).await
}

/// `PUT /v1/peers/{peer}/name`
pub(super) async fn name(asked: &Asked<'_>, peer: &str) -> Result<Vec<u8>, Refusal> {
    let Name { name } = asked.body()?;
    asked.change(Action::NamePeer { peer: segment(peer)?, name: Some(name) }).await
}

/// `DELETE /v1/peers/{peer}/name`
pub(super) async fn unname(asked: &Asked<'_>, peer: &str) -> Result<Vec<u8>, Refusal> {
    asked.change(Action::NamePeer { peer: segment(peer)?, name: None }).await
}

/// `GET /v1/outbox`
pub(super) async fn outbox(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    router::json(&asked.state.readers.ask(move |db| db.outbox(&listing)).await?)
}

/// `POST /v1/retry`
pub(super) async fn retry(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let Retry { peer } = asked.body()?;
    asked.change(Action::Retry(peer)).await
}

/// `POST /v1/peers/{peer}/outbox/{seq}/drop`
pub(super) async fn drop(asked: &Asked<'_>, peer: &str, seq: &str) -> Result<Vec<u8>, Refusal> {
    let DropOut { reason } = asked.body()?;
    asked.change(Action::DropOut { peer: segment(peer)?, seq: segment(seq)?, reason }).await
}

/// `POST /v1/peers/{peer}/resync`: the peer is asked where it stands just before.
pub(super) async fn resync(asked: &Asked<'_>, peer: &str) -> Result<Vec<u8>, Refusal> {
    let Resync { expect } = asked.body()?;
    let peer: PeerName = segment(peer)?;
    ask(asked, &peer).await?;
    asked.change(Action::Resync { peer, expect }).await
}

/// Has a peer asked where it stands, and waits for its answer.
async fn ask(asked: &Asked<'_>, peer: &PeerName) -> Result<(), Refusal> {
    let until = Instant::now() + ASK;
    let mut commits = asked.state.news.commits.clone();
    let state = |peer: PeerName| asked.state.readers.ask(move |db| db.attempted(&peer));
    let before = state(peer.clone()).await?;
    asked.change(Action::Retry(Some(peer.clone()))).await?;
    loop {
        commits.mark_unchanged();
        let now = state(peer.clone()).await?;
        if now.tries != before.tries {
            return match now.error {
                None => Ok(()),
                Some(error) => Err(unreachable(peer, &error)),
            };
        }
        if timeout_at(until, commits.changed()).await.is_err() {
            return Err(unreachable(peer, "it did not answer in time"));
        }
    }
}

fn unreachable(peer: &PeerName, why: &str) -> Refusal {
    let problem = Problem::new(
        format!("{peer} cannot be asked where it stands: {why}"),
        "nothing has changed; try again when it answers (`qrt retry`)",
    );
    Refusal { status: hyper::StatusCode::CONFLICT, problem }
}

/// `GET /v1/why?subject=`
pub(super) async fn why(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let subject = asked.parameter::<Subject>("subject")?;
    let now_ms = crate::driver::now_ms();
    router::json(&asked.state.readers.ask(move |db| db.why(subject.as_ref(), now_ms)).await?)
}

/// `GET /v1/trace/{subject}`
pub(super) async fn trace(asked: &Asked<'_>, subject: &str) -> Result<Vec<u8>, Refusal> {
    let subject: Subject = segment(subject)?;
    router::json(&asked.state.readers.ask(move |db| db.traced(&subject)).await?)
}

/// `GET /v1/trace/from/{vat}/{seq}`
pub(super) async fn trace_from(asked: &Asked<'_>, vat: &str, seq: &str) -> Result<Vec<u8>, Refusal> {
    let (vat, seq): (VatId, u64) = (segment(vat)?, segment(seq)?);
    router::json(&asked.state.readers.ask(move |db| db.traced_from(vat, seq)).await?)
}
