//! Other vats, and the messages that wait for them.

use std::cell::RefCell;

use qrt_shared::control::Listing;
use qrt_shared::id::{PeerName, Petname, VatId};
use qrt_shared::view::{Awaited, Outgoing, Page, Peer, PeerState};
use rusqlite::{Row, params};

use super::list::{Filter, From};
use super::{Asked, Read, ReadError};
use crate::peer::session::State;
use crate::protocol::Handle;
use crate::store::peers;
use crate::vat::peer;
use crate::vat::source::PeerNumber;

/// Messages of a peer that one request may hold: those are tried together.
const TOGETHER: u64 = qrt_shared::wire::FRAMES_MAX as u64;

struct Stored {
    peer: PeerNumber,
    seq: u64,
    bytes: u64,
    target: Option<Handle>,
    void: Option<String>,
    queued_at: u64,
    turn: Option<u64>,
}

const COLUMNS: &str = "peer, seq, bytes, target, void, queued_at, turn FROM outbox";

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        peer: row.get(1)?,
        seq: row.get(2)?,
        bytes: row.get(3)?,
        target: row.get(4)?,
        void: row.get(5)?,
        queued_at: row.get(6)?,
        turn: row.get(7)?,
    })
}

/// A channel's state as people see it.
pub(super) fn state(state: &State) -> PeerState {
    match state {
        State::Ok => PeerState::Ok,
        State::Unsure => PeerState::Unsure,
        State::Diverged(_) => PeerState::Diverged,
        State::PeerRolledBack(_) => PeerState::PeerRolledBack,
    }
}

impl Asked<'_> {
    /// A page of peers, the one first heard of first; `filter` is of name, id, URLs and the last error.
    pub fn peers(&self, listing: &Listing) -> Read<Page<Peer>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let sql = format!("SELECT * FROM peer WHERE {}", from.by("peer"));
        let keep = |row: &Row<'_>| {
            if filter.is_empty() {
                return Ok(true);
            }
            let peer = peers::row(row)?;
            let named = filter.some(peer.name.as_ref().map(Petname::as_str)) || filter.text(peer.vat.to_string());
            Ok(named
                || filter.some(peer.last_error)
                || self.rows(peers::URLS, [peer.peer], peers::url)?.iter().any(|(url, _)| filter.text(url.to_string())))
        };
        self.listed(from, &sql, [from.cursor], keep, |row| Ok((self.peer_view(peers::row(row)?)?, 0)))
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
                self.one(sql, [vat.as_bytes()], peers::row)?
            }
            PeerName::Petname(name) => {
                let sql = "SELECT * FROM peer WHERE name = ?1";
                self.one(sql, [name.as_str()], peers::row)?
            }
        };
        found.ok_or_else(|| ReadError::NoPeer(name.clone()))
    }

    pub(super) fn peer_row(&self, peer: PeerNumber) -> Read<peer::Peer> {
        let sql = "SELECT * FROM peer WHERE peer = ?1";
        let found = self.one(sql, [peer], peers::row)?;
        found.ok_or_else(|| ReadError::Damaged(format!("peer {peer} has no row")))
    }

    pub(super) fn peer_view(&self, peer: peer::Peer) -> Read<Peer> {
        let urls = self.rows(peers::URLS, [peer.peer], peers::url)?;
        Ok(Peer {
            vat: peer.vat,
            name: peer.name,
            urls: urls.into_iter().map(|(url, _)| url.to_string()).collect(),
            next_out: peer.outbound.last.number.0 + 1,
            acked_out: peer.outbound.acked.number.0,
            last_in: peer.inbound.number.0,
            pending: peer.outbound.held(),
            pending_bytes: peer.pending_bytes,
            state: state(&peer.outbound.state),
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

    /// A page of the outbox, the message queued first first, to one peer or to all; `filter` is of names and ids of
    /// peer and target, and of the last error. To one peer its cursors are numbers on the channel there.
    pub fn outbox(&self, listing: &Listing) -> Read<Page<Outgoing>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let peer = listing.peer.as_ref().map(|name| self.find_peer(name)).transpose()?;
        let known: RefCell<Option<peer::Peer>> = RefCell::default();
        let of = |number: PeerNumber| {
            let known = known.take().filter(|peer| peer.peer == number);
            known.map_or_else(|| self.peer_row(number), Ok)
        };
        let keep = |row: &Row<'_>| {
            if filter.is_empty() {
                return Ok(true);
            }
            let row = stored(row)?;
            let target = row.target;
            let peer = of(row.peer)?;
            let outgoing = self.outgoing(&peer, row)?;
            known.replace(Some(peer));
            Ok(filter.some(outgoing.name.as_ref().map(Petname::as_str))
                || filter.text(outgoing.peer.to_string())
                || filter.some(outgoing.last_error)
                || target.map_or(Ok(false), |target| self.named_by(&filter, target))?)
        };
        let item = |row: &Row<'_>| {
            let row = stored(row)?;
            let peer = of(row.peer)?;
            let item = self.outgoing(&peer, row)?;
            known.replace(Some(peer));
            Ok((item, 0))
        };
        match &peer {
            None => {
                let sql = format!("SELECT outbox, {COLUMNS} WHERE {}", from.by("outbox"));
                self.listed(from, &sql, [from.cursor], keep, item)
            }
            Some(peer) => {
                let sql = format!("SELECT seq, {COLUMNS} WHERE peer = ?2 AND {}", from.by("seq"));
                self.listed(from, &sql, params![from.cursor, peer.peer], keep, item)
            }
        }
    }

    /// One message of the outbox.
    pub(super) fn letter(&self, peer: &peer::Peer, seq: u64) -> Read<Option<Outgoing>> {
        let sql = format!("SELECT seq, {COLUMNS} WHERE peer = ?1 AND seq = ?2");
        let row = self.one(&sql, params![peer.peer, seq], stored)?;
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
