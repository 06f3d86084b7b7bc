//! Other vats, and the messages that wait for them.

use qrt_shared::id::{PeerName, VatId};
use qrt_shared::view::{Awaited, Outgoing, Page, Peer, PeerState};
use rusqlite::{OptionalExtension, Row, params};

use super::{Asked, PAGE_ROWS, Read, ReadError};
use crate::peer::session::State;
use crate::protocol::Handle;
use crate::store::peers;
use crate::vat::peer;
use crate::vat::source::PeerNumber;

/// Messages of a peer that one request may hold: those are tried together.
const TOGETHER: u64 = qrt_shared::wire::FRAMES_MAX as u64;

struct Stored {
    outbox: u64,
    peer: PeerNumber,
    seq: u64,
    bytes: u64,
    target: Option<Handle>,
    void: Option<String>,
    queued_at: u64,
    turn: Option<u64>,
}

const COLUMNS: &str = "outbox, peer, seq, bytes, target, void, queued_at, turn FROM outbox";

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        outbox: row.get(0)?,
        peer: row.get(1)?,
        seq: row.get(2)?,
        bytes: row.get(3)?,
        target: row.get(4)?,
        void: row.get(5)?,
        queued_at: row.get(6)?,
        turn: row.get(7)?,
    })
}

impl Asked<'_> {
    /// A page of peers after the cursor `after`, the one first heard of first.
    pub fn peers(&self, after: u64) -> Read<Page<Peer>> {
        let sql = "SELECT * FROM peer WHERE peer > ?1 ORDER BY peer LIMIT ?2";
        let rows = self.rows(sql, [after, PAGE_ROWS], peers::row)?;
        self.page(rows, |peer| Ok((u64::from(peer.peer), self.peer_view(peer)?)), |_| 0)
    }

    /// One peer.
    pub fn peer(&self, name: &PeerName) -> Read<Peer> {
        self.peer_view(self.find_peer(name)?)
    }

    /// The peer an operator means, as the kernel knows it.
    pub(super) fn find_peer(&self, name: &PeerName) -> Read<peer::Peer> {
        let found = match name {
            PeerName::Vat(vat) => {
                let sql = "SELECT * FROM peer WHERE vat = ?1";
                self.db.prepare_cached(sql)?.query_row([vat.as_bytes()], peers::row).optional()?
            }
            PeerName::Petname(name) => {
                let sql = "SELECT * FROM peer WHERE name = ?1";
                self.db.prepare_cached(sql)?.query_row([name.as_str()], peers::row).optional()?
            }
        };
        found.ok_or_else(|| ReadError::NoPeer(name.clone()))
    }

    pub(super) fn peer_row(&self, peer: PeerNumber) -> Read<peer::Peer> {
        let sql = "SELECT * FROM peer WHERE peer = ?1";
        let found = self.db.prepare_cached(sql)?.query_row([peer], peers::row).optional()?;
        found.ok_or_else(|| ReadError::Damaged(format!("peer {peer} has no row")))
    }

    pub(super) fn peer_view(&self, peer: peer::Peer) -> Read<Peer> {
        let urls = self.rows(peers::URLS, [peer.peer], peers::url)?;
        let state = match peer.outbound.state {
            State::Ok => PeerState::Ok,
            State::Unsure => PeerState::Unsure,
            State::Diverged(_) => PeerState::Diverged,
            State::PeerRolledBack(_) => PeerState::PeerRolledBack,
        };
        Ok(Peer {
            vat: peer.vat,
            name: peer.name,
            urls: urls.into_iter().map(|(url, _)| url.to_string()).collect(),
            next_out: peer.outbound.last.number.0 + 1,
            acked_out: peer.outbound.acked.number.0,
            last_in: peer.inbound.number.0,
            pending: peer.outbound.held(),
            pending_bytes: peer.pending_bytes,
            state,
            state_since: peer.stopped_at,
            theirs: peer.outbound.state.stop().map(|stop| stop.theirs.number.0),
            held: peer.held,
            named: peer.named,
            attempts: u64::from(peer.failures),
            next_attempt_at: peer.due_at,
            last_error: peer.last_error,
            failing_since: peer.failing_since,
            round_trip_us: None,
            last_contact_at: peer.last_contact_at,
        })
    }

    /// A page of the outbox after the cursor `after`, the message queued first first, to one peer or to all.
    pub fn outbox(&self, peer: Option<&PeerName>, after: u64) -> Read<Page<Outgoing>> {
        let rows = match peer {
            None => {
                let sql = format!("SELECT {COLUMNS} WHERE outbox > ?1 ORDER BY outbox LIMIT ?2");
                self.rows(&sql, [after, PAGE_ROWS], stored)?
            }
            Some(name) => {
                let peer = self.find_peer(name)?.peer;
                let sql = format!(
                    "SELECT {COLUMNS} WHERE peer = ?1
                        AND seq > coalesce((SELECT seq FROM outbox WHERE outbox = ?2 AND peer = ?1),
                            (SELECT max(seq) FROM outbox WHERE peer = ?1 AND outbox <= ?2), 0)
                        ORDER BY seq LIMIT ?3"
                );
                self.rows(&sql, params![peer, after, PAGE_ROWS], stored)?
            }
        };
        let mut known: Option<peer::Peer> = None;
        let mut items = Vec::new();
        for row in rows {
            let peer = match known.take().filter(|peer| peer.peer == row.peer) {
                Some(peer) => peer,
                None => self.peer_row(row.peer)?,
            };
            items.push((row.outbox, self.outgoing(&peer, row)?));
            known = Some(peer);
        }
        self.page(items, Ok, |_| 0)
    }

    /// One message of the outbox.
    pub(super) fn letter(&self, peer: &peer::Peer, seq: u64) -> Read<Option<Outgoing>> {
        let sql = format!("SELECT {COLUMNS} WHERE peer = ?1 AND seq = ?2");
        let row = self.db.prepare_cached(&sql)?.query_row(params![peer.peer, seq], stored).optional()?;
        row.map(|row| self.outgoing(peer, row)).transpose()
    }

    fn outgoing(&self, peer: &peer::Peer, row: Stored) -> Read<Outgoing> {
        // Those behind the first request have not been tried since the first of them failed.
        let tried = row.seq <= peer.outbound.acked.number.0 + TOGETHER;
        Ok(Outgoing {
            peer: peer.vat,
            name: peer.name.clone(),
            seq: row.seq,
            target: row.target.map(|target| self.qrid(target)).transpose()?,
            bytes: row.bytes,
            queued_at: row.queued_at,
            turn: row.turn,
            attempts: if tried { u64::from(peer.failures) } else { 0 },
            next_attempt_at: peer.due_at.filter(|_| tried && peer.has_mail()),
            last_error: peer.last_error.clone().filter(|_| tried),
            void: row.void,
        })
    }

    /// What became of a message to another vat.
    pub fn awaited_out(&self, vat: VatId, seq: u64) -> Read<Awaited> {
        let peer = match self.find_peer(&PeerName::Vat(vat)) {
            Ok(peer) => peer,
            Err(ReadError::NoPeer(_)) => return Ok(Awaited::Unknown),
            Err(error) => return Err(error),
        };
        let outbound = &peer.outbound;
        Ok(if seq <= outbound.acked.number.0 {
            Awaited::Acked
        } else if seq <= outbound.last.number.0 {
            Awaited::Queued
        } else {
            Awaited::Unknown
        })
    }
}
