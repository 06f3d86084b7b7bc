//! Other vats, as the kernel knows them: a row each, which says how the channels to and from it stand.
//!
//! The protocol is the module [`crate::peer`]'s; here it meets objects and turns:
//!
//! - [`post`]: a message for an object of another vat is numbered, named and stored.
//! - [`receive`]: a request of another vat is taken in, and what it brings is queued.
//! - [`attempt`]: what came of trying to deliver.
//! - [`operator`]: what an operator does to a channel.
//! - [`notices`]: what the log says of other vats, so much in a minute.
//!
//! Whoever delivers sees the outbox only as it was committed, and hears by [`Effect::Due`] that there is
//! something new.

pub mod attempt;
pub(super) mod notices;
pub(super) mod operator;
pub mod post;
pub mod receive;

use std::collections::BTreeMap;

use qrt_shared::id::{Location, Petname, Qrid, VatId};
use qrt_shared::wire::Position;

use super::checkpoint::{Effect, PeerWrite, Write};
use super::entropy::Entropy;
use super::source::PeerNumber;
use super::view::View;
use super::{Halt, Step};
use crate::peer::retry;
use crate::peer::session::Outbound;
use crate::protocol::Handle;

/// URLs that are kept of a peer, of each origin.
pub(super) const URLS_MAX: usize = 8;

/// A row of the table `peer`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a column, or a few, that the schema explains")]
pub struct Peer {
    pub peer: PeerNumber,
    pub vat: VatId,
    pub name: Option<Petname>,
    pub named: bool,
    pub held: bool,
    pub outbound: Outbound,
    pub stopped_at: Option<u64>,
    pub inbound: Position,
    pub pending_bytes: u64,
    pub failures: u32,
    pub tries: u64,
    pub tried_at: Option<u64>,
    pub due_at: Option<u64>,
    pub last_error: Option<String>,
    pub failing_since: Option<u64>,
    pub last_contact_at: Option<u64>,
}

impl Peer {
    fn new(peer: PeerNumber, vat: VatId) -> Self {
        Self {
            peer,
            vat,
            name: None,
            named: false,
            held: false,
            outbound: Outbound::default(),
            stopped_at: None,
            inbound: Position::default(),
            pending_bytes: 0,
            failures: 0,
            tries: 0,
            tried_at: None,
            due_at: None,
            last_error: None,
            failing_since: None,
            last_contact_at: None,
        }
    }

    /// Whether there is something that may be sent.
    pub fn has_mail(&self) -> bool {
        !self.held && self.outbound.first_to_send().is_some()
    }

    /// Whether something waits for it: mail, or the question without whose answer there is none.
    fn is_waited_for(&self) -> bool {
        self.has_mail() || (!self.held && self.outbound.waits_to_ask())
    }

    /// Whether there is anything to ask it: it was sent something once.
    fn is_known_there(&self) -> bool {
        !self.held && self.outbound.last.number.0 > 0
    }

    /// There is something new to send. A peer that fails is tried at once too, but no more often than a
    /// first failure would have it, or a busy vat would hammer a dead one.
    fn hurry(&mut self, policy: &retry::Policy, now_ms: u64) {
        if self.is_waited_for() {
            let earliest = match self.tried_at {
                Some(tried_at) if self.failures > 0 => tried_at.saturating_add(policy.base_ms).max(now_ms),
                _ => now_ms,
            };
            self.due_at = Some(self.due_at.map_or(earliest, |due_at| due_at.min(earliest)));
        }
    }

    /// An operator wants it tried or asked now.
    fn retry(&mut self, now_ms: u64) -> bool {
        let wanted = self.is_known_there();
        if wanted {
            self.due_at = Some(now_ms);
        }
        wanted
    }
}

/// Where a URL of a peer was heard of. The order is that in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// From the operator.
    Operator,
    /// From the peer itself, which is believed, because it is authenticated.
    Peer,
    /// From a reference that others passed on.
    Hint,
}

impl Origin {
    /// The number that stands for it in the database.
    pub fn number(self) -> u8 {
        match self {
            Self::Operator => 0,
            Self::Peer => 1,
            Self::Hint => 2,
        }
    }
}

/// The rows of peers that a step has changed, written once at its end.
#[derive(Debug, Default, Clone)]
pub struct Changed(BTreeMap<PeerNumber, Peer>);

impl Changed {
    /// Nothing may be left here when a step ends.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Peer> {
        std::mem::take(&mut self.0).into_values()
    }
}

impl<V: View, E: Entropy> Step<'_, V, E> {
    /// The peer of that number, as this step has it.
    pub(super) fn peer(&self, peer: PeerNumber) -> Result<Peer, Halt> {
        if let Some(changed) = self.checkpoint.peers.0.get(&peer) {
            return Ok(changed.clone());
        }
        let missing = || Halt::Damaged(format!("peer {peer} has no row"));
        self.view.peer(peer)?.ok_or_else(missing)
    }

    /// The peer that is that vat, if it is known.
    pub(super) fn peer_of(&self, vat: &VatId) -> Result<Option<Peer>, Halt> {
        if let Some(changed) = self.checkpoint.peers.0.values().find(|peer| peer.vat == *vat) {
            return Ok(Some(changed.clone()));
        }
        Ok(self.view.peer_of(vat)?)
    }

    /// Whether that vat is known, or may be: there are not too many whom no operator named.
    pub(super) fn may_meet(&self, vat: &VatId) -> Result<bool, Halt> {
        Ok(self.vat.counters.strangers < self.vat.limits.strangers.peers || self.peer_of(vat)?.is_some())
    }

    /// The peer that is that vat, which is known from now on.
    pub(super) fn meet(&mut self, vat: VatId) -> Result<Peer, Halt> {
        if let Some(known) = self.peer_of(&vat)? {
            return Ok(known);
        }
        let peer = Peer::new(self.vat.counters.next_peer, vat);
        self.vat.counters.next_peer += 1;
        self.vat.counters.strangers += 1;
        self.keep(peer.clone());
        Ok(peer)
    }

    /// There is something new to send to a peer, or somewhere new to send it: whoever delivers looks.
    fn hurry(&mut self, peer: &mut Peer) {
        peer.hurry(&self.vat.limits.retry, self.now_ms);
        self.checkpoint.effects.push(Effect::Due);
    }

    /// Has a line about another vat logged, if there were not too many lately.
    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(line) = self.vat.notices.note(self.now_ms, line) {
            self.checkpoint.effects.push(Effect::Log(line));
        }
    }

    /// Has a peer's row written.
    pub(super) fn keep(&mut self, peer: Peer) {
        self.checkpoint.peers.0.insert(peer.peer, peer);
    }

    /// Learns where a peer may answer. What an operator said is never replaced by what others say.
    pub(super) fn learn(&mut self, peer: &mut Peer, urls: &[Location], origin: Origin) -> Result<(), Halt> {
        let known = self.view.urls(peer.peer)?;
        let of = |wanted: Origin| known.iter().filter(move |(_, origin)| *origin == wanted).map(|(url, _)| url);
        let mut new: Vec<&Location> = Vec::new();
        for url in urls.iter().take(URLS_MAX) {
            let stronger = known.iter().any(|(known, by)| known == url && *by < origin);
            if !stronger && !new.contains(&url) {
                new.push(url);
            }
        }
        let all_known = new.iter().all(|url| of(origin).any(|known| known == *url));
        let same = match origin {
            // What a peer says of itself is all there is to say; the others add. The order is not compared: what
            // worked last comes first.
            Origin::Peer => of(origin).count() == new.len() && all_known,
            Origin::Operator | Origin::Hint => all_known,
        };
        if same || (origin == Origin::Hint && of(origin).count() + new.len() > URLS_MAX) {
            return Ok(());
        }
        let urls = new.into_iter().cloned().collect();
        self.checkpoint.writes.push(Write::Peer(PeerWrite::Urls { peer: peer.peer, urls, origin }));
        if origin == Origin::Operator {
            peer.retry(self.now_ms);
        }
        self.hurry(peer);
        Ok(())
    }

    /// The handle of an object of any vat, which is known from now on. Its hints are learnt, as `origin`
    /// gave them.
    pub(super) fn refer(&mut self, qrid: &Qrid, origin: Origin) -> Result<Handle, Halt> {
        // Hints to ever more vats are a way to fill a database: beyond the limit they are let go.
        if qrid.vat != self.vat.id && !qrid.at.is_empty() && (origin == Origin::Operator || self.may_meet(&qrid.vat)?) {
            let mut peer = self.meet(qrid.vat)?;
            self.learn(&mut peer, &qrid.at, origin)?;
            self.keep(peer);
        }
        let abroad = (qrid.vat != self.vat.id).then_some(qrid.vat);
        let key = (abroad, qrid.object);
        if let Some(handle) = self.checkpoint.references.get(&key) {
            return Ok(*handle);
        }
        if let Some(handle) = self.view.reference(abroad.as_ref(), &qrid.object)? {
            return Ok(handle);
        }
        let handle = self.vat.counters.next_reference;
        self.vat.counters.next_reference += 1;
        self.checkpoint.references.insert(key, handle);
        self.checkpoint.writes.push(Write::Reference { reference: handle, vat: abroad, id: qrid.object });
        Ok(handle)
    }
}
