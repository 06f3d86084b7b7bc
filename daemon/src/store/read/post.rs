//! What is due for delivery. Only a read makes a [`Parcel`], and a read sees only what is committed: so
//! nothing can leave the machine before the commit that covers it.

use std::collections::HashMap;

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
    /// What is known of it.
    pub standing: Standing,
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

/// What is known of a peer by what it did so far. What it did last month says little, but no peer fails
/// before it was tried, so whoever makes up peers has only those places that are for the unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has acknowledged messages, and answered last time.
    Proven,
    /// It has acknowledged nothing yet, and not failed.
    Unknown,
    /// It did not answer last time.
    Failing,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Proven, Self::Unknown, Self::Failing];

    fn of(peer: &Peer) -> Self {
        match (peer.failures, peer.outbound.acked.number) {
            (1.., _) => Self::Failing,
            (0, Sequence(0)) => Self::Unknown,
            (0, _) => Self::Proven,
        }
    }

    /// The same in SQL, as the indexes have it.
    fn condition(self) -> &'static str {
        match self {
            Self::Proven => "due_at IS NOT NULL AND failures = 0 AND acked_out > 0",
            Self::Unknown => "due_at IS NOT NULL AND failures = 0 AND acked_out = 0",
            Self::Failing => "due_at IS NOT NULL AND failures > 0",
        }
    }
}

impl Asked<'_> {
    /// Up to `count` peers of that standing that are due at `now_ms` and not `busy`, the one longest due first.
    pub fn due(
        &self,
        standing: Standing,
        now_ms: u64,
        count: usize,
        busy: &HashMap<PeerNumber, Standing>,
    ) -> Read<Vec<Parcel>> {
        let condition = standing.condition();
        let sql = format!("SELECT * FROM peer WHERE due_at <= ?1 AND {condition} ORDER BY due_at LIMIT ?2");
        let rows = self.rows(&sql, params![now_ms, count + busy.len()], peers::row)?;
        let free = rows.into_iter().filter(|peer| !busy.contains_key(&peer.peer)).take(count);
        free.map(|peer| self.parcel(&peer)).collect()
    }

    /// When the next peer is due that is not at `now_ms`.
    pub fn next_due(&self, now_ms: u64) -> Read<Option<u64>> {
        let next = Standing::ALL.map(|standing| {
            let condition = standing.condition();
            let sql = format!("SELECT min(due_at) FROM peer WHERE due_at > ?1 AND {condition}");
            self.db.prepare_cached(&sql)?.query_row([now_ms], |row| row.get::<_, Option<u64>>(0))
        });
        let next = next.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(next.into_iter().flatten().min())
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
            standing: Standing::of(peer),
            due_at: peer.due_at,
            acked,
            urls,
            good,
            letters,
        })
    }
}
