//! What really happened: it never crashes, is never restored, and checks every step of the vats.

use std::collections::{BTreeMap, HashMap, HashSet};

use qrt_shared::wire::{MessageId, Nonce, Position, Tip};

use super::super::seal::Head;
use super::super::session::{Plan, State};

/// A channel: sender and receiver.
pub(super) type Way = (usize, usize);

#[derive(Default)]
pub(super) struct Truth {
    /// How often everything that can happen did.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Every text that was ever sealed, by pair of vats and nonce.
    sealed: HashMap<(Way, Nonce), Vec<u8>>,
    /// For every message as numbered: all ids its sender's history had before it.
    pasts: HashMap<(Way, MessageId, Tip), Vec<MessageId>>,
    /// What every message said when it was first sent.
    texts: HashMap<MessageId, String>,
    voided: HashSet<MessageId>,
    /// Every message whose turn was committed, in order.
    sent: HashMap<Way, Vec<MessageId>>,
    /// Every history a receiver ever committed.
    committed: HashMap<(Way, Tip), Vec<MessageId>>,
    /// Vats that were ever restored.
    restored: HashSet<usize>,
    /// Messages that a restore made their sender forget, or their receiver.
    excused: HashSet<MessageId>,
    /// What the operators were told before each resync, in sum: repeated.
    resynced: HashMap<Way, u64>,
}

impl Truth {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// No (key, nonce) seals two texts.
    pub(super) fn sealed(&mut self, (from, to): Way, nonce: Nonce, text: &[u8]) {
        // Both directions share one key.
        let pair = (from.min(to), from.max(to));
        let before = self.sealed.entry((pair, nonce)).or_insert_with(|| text.to_vec());
        assert_eq!(*before, text, "{nonce:?} sealed two texts between {pair:?}");
    }

    pub(super) fn numbered(&mut self, way: Way, head: &Head, past: &[MessageId], json: &str) {
        self.pasts.insert((way, head.id, head.prev), past.to_vec());
        let first = self.texts.entry(head.id).or_insert_with(|| json.to_owned());
        if first != json {
            self.voided.insert(head.id);
        }
    }

    /// The commit of the turn that sent it.
    pub(super) fn committed_send(&mut self, way: Way, id: MessageId) {
        self.sent.entry(way).or_default().push(id);
    }

    /// A message leaves only when its turn is committed.
    pub(super) fn leaves(&self, way: Way, id: &MessageId) {
        assert!(self.sent[&way].contains(id), "{id:?} left before its turn was committed");
    }

    /// The receiver takes a message, standing at the end of `inbox`.
    pub(super) fn accepted(&mut self, way: Way, head: &Head, json: &[u8], inbox: &[MessageId]) {
        let past = self.pasts.get(&(way, head.id, head.prev)).expect("somebody sent it");
        assert_eq!(past, inbox, "{head:?} ran on another history than its sender's");
        assert_eq!(head.number.0, inbox.len() as u64 + 1);
        let same = self.texts[&head.id].as_bytes() == json;
        assert!(same || self.voided.contains(&head.id), "{head:?} says something else than it did");
        if inbox.contains(&head.id) {
            assert!(self.resynced.contains_key(&way), "{head:?} arrived twice, and nobody decided that");
        }
    }

    /// The receiver's commit.
    pub(super) fn committed_inbox(&mut self, way: Way, at: Position, inbox: &[MessageId]) {
        assert_eq!(at.number.0, inbox.len() as u64);
        if !self.committed.contains_key(&(way, at.tip)) {
            // A commit covers all that was taken in since the one before, and acks of each part of it.
            let mut tip = Tip::ZERO;
            self.committed.insert((way, tip), Vec::new());
            for (id, count) in inbox.iter().zip(1..) {
                tip = tip.next(id);
                self.committed.entry((way, tip)).or_insert_with(|| inbox[..count].to_vec());
            }
            assert_eq!(tip, at.tip);
        }
        if !self.went_back(way) {
            let sent = self.sent.get(&way).map_or(&[][..], Vec::as_slice);
            assert!(sent.starts_with(inbox), "nothing lost, repeated or out of order on {way:?}");
        }
    }

    /// An ack leaves only when what it acknowledges is committed.
    pub(super) fn ack_leaves(&self, way: Way, claims: Position) {
        assert!(self.committed.contains_key(&(way, claims.tip)), "an ack left before its commit");
    }

    /// The history the receiver of `way` committed, at a tip it told.
    pub(super) fn history(&self, way: Way, tip: Tip) -> Vec<MessageId> {
        self.committed.get(&(way, tip)).expect("only committed positions are told").clone()
    }

    /// The sender drops what an ack covers: it must be there.
    pub(super) fn dropped(&self, way: Way, tip: Tip, ids: &[MessageId]) {
        let theirs = &self.committed[&(way, tip)];
        assert!(ids.iter().all(|id| theirs.contains(id)), "dropped, but the peer never had it: {ids:?}");
    }

    fn went_back(&self, (from, to): Way) -> bool {
        self.restored.contains(&from) || self.restored.contains(&to)
    }

    /// A vat goes back, and no longer knows of these messages.
    pub(super) fn restored(&mut self, vat: usize, forgotten: impl IntoIterator<Item = MessageId>) {
        self.restored.insert(vat);
        self.excused.extend(forgotten);
    }

    /// An operator resyncs, having been told `plan`.
    pub(super) fn resynced(&mut self, way: Way, state: State, plan: &Plan, held: &[MessageId]) {
        let theirs = self.history(way, plan.theirs.tip);
        let twice = held.iter().filter(|id| theirs.contains(id)).count() as u64;
        assert!(twice <= plan.repeated, "{twice} will be repeated, but {} were announced", plan.repeated);
        let first = !self.resynced.contains_key(&way);
        if first && matches!(state, State::PeerRolledBack(_)) && !self.restored.contains(&way.0) {
            let gone = self.sent[&way].iter().filter(|id| !theirs.contains(id) && !held.contains(id)).count();
            assert_eq!(plan.lost, gone as u64, "exactly the announced ones are lost");
        }
        *self.resynced.entry(way).or_default() += plan.repeated;
    }

    /// The end: everything arrived, but for what restores took away.
    pub(super) fn settled(&self, way: Way, inbox: &[MessageId]) {
        let sent = self.sent.get(&way).map_or(&[][..], Vec::as_slice);
        let missing: Vec<_> = sent.iter().filter(|id| !inbox.contains(id) && !self.excused.contains(id)).collect();
        assert!(missing.is_empty(), "lost on {way:?}: {missing:?}");
        let repeats = inbox.len() - inbox.iter().collect::<HashSet<_>>().len();
        assert!(repeats as u64 <= self.resynced.get(&way).copied().unwrap_or(0));
        if !self.went_back(way) {
            assert_eq!(inbox, sent, "all of it, once, in order, on {way:?}");
        }
    }
}
