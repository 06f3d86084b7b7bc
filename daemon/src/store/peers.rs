//! The rows of `peer`, `peer_url` and `outbox`, both ways.

use qrt_shared::id::{Location, Petname, VatId};
use qrt_shared::wire::{MessageId, Position, Sequence, Tip};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Result, Row, params};

use super::apply::run;
use crate::peer::session::{Outbound, State, Stop};
use crate::vat::checkpoint::PeerWrite;
use crate::vat::peer::post::Letter;
use crate::vat::peer::{Origin, Peer};
use crate::vat::source::PeerNumber;

/// A peer's URLs in the order to try: the one that worked last, then by who said so.
pub(super) const URLS: &str = "SELECT url, origin FROM peer_url WHERE peer = ?1 ORDER BY rank > 0, origin, rank";

/// The one that worked last.
pub(super) const GOOD_URL: &str = "SELECT url, origin FROM peer_url WHERE peer = ?1 AND rank = 0";

/// Writes what has changed of a peer.
pub(super) fn apply(db: &Connection, write: PeerWrite) -> Result<()> {
    match write {
        PeerWrite::Row(row) => peer(db, &row),
        PeerWrite::Urls { peer, urls: new, origin } => urls(db, peer, &new, origin),
        PeerWrite::GoodUrl { peer, url } => good_url(db, peer, &url),
        PeerWrite::Letter(row) => letter(db, &row),
        PeerWrite::NoLetters(peer) => run(db, "DELETE FROM outbox WHERE peer = ?1", [peer]),
        PeerWrite::Delivered { peer, to } => {
            run(db, "DELETE FROM outbox WHERE peer = ?1 AND seq <= ?2", params![peer, to.0])
        }
        PeerWrite::Ask { now_ms, spread_ms } => ask(db, now_ms, spread_ms),
        PeerWrite::ShiftDue { by_ms } => run(db, "UPDATE peer SET due_at = max(0, due_at + ?1)", [by_ms]),
    }
}

/// Writes a peer's row.
fn peer(db: &Connection, peer: &Peer) -> Result<()> {
    let Outbound { last, acked, state } = &peer.outbound;
    let stop = state.stop();
    run(
        db,
        "INSERT OR REPLACE INTO peer VALUES
            (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        params![
            peer.peer,
            peer.vat.as_bytes(),
            peer.name.as_ref().map(Petname::as_str),
            peer.named,
            peer.held,
            last.number.0,
            last.tip.as_bytes(),
            acked.number.0,
            acked.tip.as_bytes(),
            peer.inbound.number.0,
            peer.inbound.tip.as_bytes(),
            state.name(),
            stop.map(|stop| stop.theirs.number.0),
            stop.map(|stop| *stop.theirs.tip.as_bytes()),
            stop.map(|stop| stop.noticed_at.0),
            peer.stopped_at,
            peer.pending_bytes,
            peer.failures,
            peer.tries,
            peer.tried_at,
            peer.due_at,
            peer.last_error,
            peer.failing_since,
            peer.last_contact_at,
        ],
    )
}

/// A peer's row, read back.
pub(super) fn row(row: &Row<'_>) -> Result<Peer> {
    let position = |number: &str, tip: &str| -> Result<Position> {
        Ok(Position { number: Sequence(row.get(number)?), tip: Tip::from_bytes(row.get(tip)?) })
    };
    let stop = || {
        Ok::<_, rusqlite::Error>(Stop {
            theirs: position("theirs", "theirs_tip")?,
            noticed_at: Sequence(row.get("noticed_at")?),
        })
    };
    let state = match row.get::<_, String>("state")?.as_str() {
        "ok" => State::Ok,
        "unsure" => State::Unsure,
        "diverged" => State::Diverged(stop()?),
        _ => State::PeerRolledBack(stop()?),
    };
    let outbound =
        Outbound { last: position("last_out", "last_out_tip")?, acked: position("acked_out", "acked_out_tip")?, state };
    Ok(Peer {
        peer: row.get("peer")?,
        vat: vat(row.get("vat")?)?,
        name: row.get::<_, Option<String>>("name")?.and_then(|name| name.parse().ok()),
        named: row.get("named")?,
        held: row.get("held")?,
        outbound,
        stopped_at: row.get("stopped_at")?,
        inbound: position("last_in", "last_in_tip")?,
        pending_bytes: row.get("pending_bytes")?,
        failures: row.get("failures")?,
        tries: row.get("tries")?,
        tried_at: row.get("tried_at")?,
        due_at: row.get("due_at")?,
        last_error: row.get("last_error")?,
        failing_since: row.get("failing_since")?,
        last_contact_at: row.get("last_contact_at")?,
    })
}

/// A stored vat id.
pub(super) fn vat(bytes: Vec<u8>) -> Result<VatId> {
    let size = bytes.len();
    let bytes = bytes.try_into().map_err(|_| FromSqlError::InvalidBlobSize { expected_size: 32, blob_size: size })?;
    VatId::from_bytes(bytes).map_err(|error| unreadable(Box::new(error)))
}

fn unreadable(error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, error)
}

/// Keeps URLs that were heard of.
fn urls(db: &Connection, peer: PeerNumber, urls: &[Location], origin: Origin) -> Result<()> {
    if origin == Origin::Peer {
        // Only what it does not name any more, so that what worked last stays known as that.
        let named: Vec<_> = urls.iter().map(ToString::to_string).collect();
        run(
            db,
            "DELETE FROM peer_url WHERE peer = ?1 AND origin = ?2 AND url NOT IN (SELECT value FROM json_each(?3))",
            params![peer, origin.number(), serde_json::json!(named).to_string()],
        )?;
    }
    for (url, rank) in urls.iter().zip(1_u64..) {
        run(
            db,
            "INSERT INTO peer_url VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
                SET origin = min(origin, excluded.origin), rank = iif(rank = 0, 0, excluded.rank)",
            params![peer, url.to_string(), origin.number(), rank],
        )?;
    }
    Ok(())
}

/// Has the URL that worked tried first.
fn good_url(db: &Connection, peer: PeerNumber, url: &Location) -> Result<()> {
    run(
        db,
        "UPDATE peer_url SET rank = iif(url = ?2, 0, max(rank, 1)) WHERE peer = ?1 AND (rank = 0) != (url = ?2)",
        params![peer, url.to_string()],
    )
}

/// A row of [`URLS`].
pub(super) fn url(row: &Row<'_>) -> Result<(Location, Origin)> {
    let url = row.get::<_, String>(0)?.parse::<Location>().map_err(|error| unreadable(Box::new(error)))?;
    let origin = match row.get(1)? {
        0 => Origin::Operator,
        1 => Origin::Peer,
        _ => Origin::Hint,
    };
    Ok((url, origin))
}

/// Writes a message of the outbox.
fn letter(db: &Connection, letter: &Letter) -> Result<()> {
    run(
        db,
        "INSERT OR REPLACE INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            letter.outbox,
            letter.peer,
            letter.seq.0,
            letter.id.as_bytes(),
            letter.prev.as_bytes(),
            letter.random,
            letter.text,
            letter.text.len(),
            letter.target,
            letter.void,
            letter.queued_at,
            letter.turn,
        ],
    )
}

/// A message of the outbox, read back.
pub(super) fn letter_row(row: &Row<'_>) -> Result<Letter> {
    Ok(Letter {
        outbox: row.get("outbox")?,
        peer: row.get("peer")?,
        seq: Sequence(row.get("seq")?),
        id: MessageId::from_bytes(row.get("id")?),
        prev: Tip::from_bytes(row.get("prev")?),
        random: row.get("random")?,
        text: row.get("text")?,
        target: row.get("target")?,
        void: row.get("void")?,
        queued_at: row.get("queued_at")?,
        turn: row.get("turn")?,
    })
}

/// Has peers asked where they stand, one after another.
fn ask(db: &Connection, now_ms: u64, spread_ms: u64) -> Result<()> {
    // Those that have something to send keep their schedule; 7919 is prime, so neighbours are apart.
    run(
        db,
        "UPDATE peer SET due_at = ?1 + (peer * 7919) % ?2
            WHERE held = 0 AND last_out > 0 AND (state != 'ok' OR last_out = acked_out)",
        params![now_ms, spread_ms],
    )
}
