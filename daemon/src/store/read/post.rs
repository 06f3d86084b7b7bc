//! What is due for delivery. Only a read makes a [`Parcel`], and a read sees only what is committed: so
//! nothing can leave the machine before the commit that covers it.

use std::collections::HashSet;

use qrt_shared::id::{Location, VatId};
use qrt_shared::wire::{FRAMES_MAX, REQUEST_BYTES_MAX, Sequence};
use rusqlite::params;

use super::{Asked, Read};
use crate::store::peers;
use crate::vat::peer::post::Letter;
use crate::vat::peer::{Origin, Peer};
use crate::vat::source::PeerNumber;

/// What is to be taken to a peer: messages, or, when there are none, a question.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parcel {
    /// The peer.
    pub peer: PeerNumber,
    /// Its vat.
    pub vat: VatId,
    /// Failed attempts in a row.
    pub failures: u32,
    /// Since when it is due.
    pub due_at: Option<u64>,
    /// The last message it had acknowledged when this was read.
    pub acked: Sequence,
    /// Where it may answer, in the order to try.
    pub urls: Vec<(Location, Origin)>,
    /// Where it proved itself last, if that is still one of them.
    pub good: Option<Location>,
    /// The oldest messages it has not acknowledged, in order, as many as a request holds.
    pub letters: Vec<Letter>,
}

impl Asked<'_> {
    /// Up to `count` peers that are due at `now_ms` and not in `busy`, the one longest due first: those that
    /// are `failing`, or those that are not.
    pub fn due(&self, failing: bool, now_ms: u64, count: usize, busy: &HashSet<PeerNumber>) -> Read<Vec<Parcel>> {
        let condition = if failing { "failures > 0" } else { "failures = 0" };
        let sql = format!(
            "SELECT * FROM peer WHERE due_at <= ?1 AND due_at IS NOT NULL AND {condition} ORDER BY due_at LIMIT ?2"
        );
        let rows = self.rows(&sql, params![now_ms, count + busy.len()], peers::row)?;
        let free = rows.into_iter().filter(|peer| !busy.contains(&peer.peer)).take(count);
        free.map(|peer| self.parcel(&peer)).collect()
    }

    /// When the next peer is due that is not at `now_ms`.
    pub fn next_due(&self, now_ms: u64) -> Read<Option<u64>> {
        let sql = "SELECT min((SELECT min(due_at) FROM peer WHERE due_at > ?1 AND failures = 0),
            coalesce((SELECT min(due_at) FROM peer WHERE due_at > ?1 AND failures > 0), 9223372036854775807)),
            (SELECT min(due_at) FROM peer WHERE due_at > ?1 AND failures > 0)";
        let next = |row: &rusqlite::Row<'_>| Ok(row.get::<_, Option<u64>>(0)?.or(row.get(1)?));
        Ok(self.db.prepare_cached(sql)?.query_row([now_ms], next)?)
    }

    fn parcel(&self, peer: &Peer) -> Read<Parcel> {
        let urls = self.rows(peers::URLS, [peer.peer], peers::url)?;
        let good = self.rows(peers::GOOD_URL, [peer.peer], peers::url)?.pop().map(|(url, _)| url);
        let mut letters = Vec::new();
        if peer.has_mail() {
            let sql = "SELECT * FROM outbox WHERE peer = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query(params![peer.peer, peer.outbound.acked.number.0, FRAMES_MAX])?;
            let mut bytes = 0;
            while bytes < REQUEST_BYTES_MAX
                && let Some(row) = rows.next()?
            {
                let letter = peers::letter_row(row)?;
                bytes += letter.text.len();
                letters.push(letter);
            }
        }
        let acked = peer.outbound.acked.number;
        Ok(Parcel {
            peer: peer.peer,
            vat: peer.vat,
            failures: peer.failures,
            due_at: peer.due_at,
            acked,
            urls,
            good,
            letters,
        })
    }
}
