//! The turns that are with the worker, in the order it runs them.
//!
//! A turn whose objects or memories somebody else changed after it was sent is *stale*: when it ends,
//! it and all after it are called back, and their messages are delivered again.

use std::collections::{HashMap, HashSet, VecDeque};

use qrt_shared::budget::Budget;

use super::memory::{self, How};
use super::verify;
use super::view::Message;
use crate::protocol::{self, CodeNumber, Handle, MemoryHandle, Native, WINDOW};

/// Bytes of images and args with the worker at one time, beyond which it gets no more.
const BYTES_MAX: usize = 4 << 20;

/// For how many deliveries turns on a memory run with nothing before them in flight, after one was
/// stale: a call-back wastes up to a window of turns, so it must stay rare.
const SHY_DELIVERIES: u64 = 1024;

/// A turn that is with the worker.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) delivery: u64,
    pub(super) message: Message,
    /// The objects it was given: its target first, then those it called.
    pub(super) objects: Vec<Given>,
    /// Those it called and was not given, because they were held.
    pub(super) refused: Vec<(Handle, String)>,
    /// The Memories it was given.
    pub(super) memories: Vec<memory::Given>,
    /// Every handle the turn may use.
    pub(super) held: HashSet<Handle>,
    pub(super) clock_ms: u64,
    pub(super) seed: [u8; 32],
    /// A turn before it has changed what it was given: its report counts for nothing.
    pub(super) stale: bool,
    pub(super) bytes: usize,
    /// What it may use.
    pub(super) budget: protocol::Budget,
    /// What its source was charged when it was sent, in microseconds.
    pub(super) estimate_us: u64,
}

impl Turn {
    /// Whether it was told that it cannot call this object.
    pub(super) fn has_refused(&self, object: Handle) -> bool {
        self.refused.iter().any(|(refused, _)| *refused == object)
    }

    /// The Memories of which it was given only what it asked for.
    pub(super) fn by_key(&self) -> impl Iterator<Item = MemoryHandle> {
        self.memories.iter().filter(|given| matches!(given.how, How::ByKey(_))).map(|given| given.memory)
    }
}

/// An object a turn was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) object: Handle,
    pub(super) account: Handle,
    pub(super) code: CodeNumber,
    pub(super) memory: Option<MemoryHandle>,
    pub(super) natives: Vec<Native>,
    /// The figures it has instead of the settings'.
    pub(super) budget: Budget,
}

impl verify::Given for Turn {
    fn holds(&self, handle: Handle) -> bool {
        self.held.contains(&handle)
    }

    fn object(&self, object: Handle) -> Option<verify::GivenObject<'_>> {
        let given = self.objects.iter().find(|given| given.object == object)?;
        Some(verify::GivenObject { natives: &given.natives, has_memory: given.memory.is_some() })
    }

    fn grants(&self, native: Native) -> bool {
        self.objects.iter().any(|given| given.natives.contains(&native))
    }

    fn memory(&self, memory: MemoryHandle) -> Result<impl Fn(&str) -> bool, &'static str> {
        let given = self.memories.iter().find(|given| given.memory == memory);
        let found = given.ok_or("a memory that was not given to it")?.found.as_ref();
        let found = found.ok_or("a memory that nobody has looked up")?;
        Ok(|key: &str| found.entry(key).is_some())
    }
}

/// How turns in flight were given a Memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Some have, or are left, all of it.
    pub(super) whole: bool,
    /// Some ask for what they want.
    pub(super) by_key: bool,
}

/// What the worker has of a Memory that has changed is what is there now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AsFound {
    /// All of it.
    pub(super) whole: bool,
    /// The keys that changed.
    pub(super) keys: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    turns: VecDeque<Turn>,
    next_delivery: u64,
    /// Reports of deliveries below this are of turns that were called back.
    floor: u64,
    /// The oldest delivery that the worker has not answered, called back or not.
    unanswered: u64,
    /// Memories on which a turn was stale, and the delivery until which that is remembered.
    shy: HashMap<MemoryHandle, u64>,
    /// The worker is to be killed: nothing it still says counts.
    pub(super) condemned: bool,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether the worker may be given another turn at all.
    pub(super) fn has_room(&self) -> bool {
        // A message on which a worker died runs with nothing before or behind it.
        let suspect = self.turns.front().is_some_and(|turn| turn.message.deaths > 0);
        !self.condemned && !suspect && self.turns.len() < WINDOW && self.bytes() < BYTES_MAX
    }

    fn bytes(&self) -> usize {
        self.turns.iter().map(|turn| turn.bytes).sum()
    }

    /// What all of it is taken to cost, in microseconds.
    pub(super) fn estimate_us(&self) -> u64 {
        self.turns.iter().map(|turn| turn.estimate_us).sum()
    }

    /// The number of the next delivery.
    pub(super) fn next_delivery(&mut self) -> u64 {
        self.next_delivery += 1;
        self.next_delivery - 1
    }

    /// Whether a turn on this Memory was stale a short while ago.
    pub(super) fn is_shy(&self, memory: MemoryHandle) -> bool {
        self.shy.get(&memory).is_some_and(|until| *until > self.next_delivery)
    }

    /// The turn is with the worker now.
    pub(super) fn push(&mut self, turn: Turn) {
        self.turns.push_back(turn);
    }

    /// The oldest turn in flight: the one the worker runs.
    pub(super) fn front(&mut self) -> Option<&mut Turn> {
        self.turns.front_mut()
    }

    /// The oldest turn has ended.
    pub(super) fn pop(&mut self) -> Option<Turn> {
        self.turns.pop_front()
    }

    /// The worker has answered this delivery, the oldest in flight or one that was called back.
    pub(super) fn answered(&mut self, delivery: u64) {
        self.unanswered = self.unanswered.max(delivery.saturating_add(1));
    }

    /// The turn a worker died in: the one that it `said` it ran, if it had that and has not answered it,
    /// else the oldest that it has not answered. `None` when that was called back, so that it counts for nothing.
    pub(super) fn suspect(&self, said: Option<u64>) -> Option<&Turn> {
        let said = said.filter(|said| (self.unanswered..self.next_delivery).contains(said));
        let suspect = said.unwrap_or(self.unanswered);
        self.turns.iter().find(|turn| turn.delivery == suspect && !turn.stale)
    }

    /// Whether a turn of the same source and target is before this one.
    pub(super) fn has_before(&self, turn: &Turn) -> bool {
        let way = |message: &Message| (message.source, message.target);
        self.turns.iter().any(|other| other.delivery < turn.delivery && way(&other.message) == way(&turn.message))
    }

    /// Takes a turn out, whichever it is.
    pub(super) fn take(&mut self, delivery: u64) -> Option<Turn> {
        let at = self.turns.iter().position(|turn| turn.delivery == delivery)?;
        self.turns.remove(at)
    }

    /// The worker is gone: nothing that it was given is unanswered any more.
    pub(super) fn gone(&mut self) {
        self.unanswered = self.next_delivery;
        self.condemned = false;
    }

    /// Whether this delivery was called back, so that what is said of it counts for nothing.
    pub(super) fn called_back(&self, delivery: u64) -> bool {
        self.condemned || delivery < self.floor
    }

    /// How turns in flight were given this Memory.
    pub(super) fn given(&self, memory: MemoryHandle) -> Ahead {
        let mut ahead = Ahead::default();
        for given in self.turns.iter().flat_map(|turn| &turn.memories).filter(|given| given.memory == memory) {
            match given.how {
                How::ByKey(_) => ahead.by_key = true,
                How::Whole | How::AsLeft => ahead.whole = true,
            }
        }
        ahead
    }

    /// The number of the oldest delivery in flight.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.turns.front().map(|turn| turn.delivery)
    }

    /// A Memory has changed: turns that were sent all of it before are stale. Those that take it from
    /// the turns before them are not, unless what those left is not what is there now; those that ask
    /// are told what is there.
    pub(super) fn changed(&mut self, memory: MemoryHandle, as_found: AsFound) {
        for turn in &mut self.turns {
            let mut given = turn.memories.iter().filter(|given| given.memory == memory);
            turn.stale |= given.any(|given| match &given.how {
                How::Whole => true,
                How::AsLeft => !as_found.whole,
                // It may have asked already, or take what was sent along from the turns before it.
                How::ByKey(sent) => !as_found.keys && (given.found.is_some() || !sent.is_empty()),
            });
        }
    }

    /// An object has changed by hand: turns in flight that were given it, or refused it, are stale.
    pub(super) fn edited(&mut self, object: Handle) {
        for turn in &mut self.turns {
            turn.stale |= turn.objects.iter().any(|given| given.object == object) || turn.has_refused(object);
        }
    }

    /// The oldest turn is stale: its memories are remembered.
    pub(super) fn remember_stale(&mut self) {
        let Some(stale) = self.turns.front() else { return };
        let until = self.next_delivery + SHY_DELIVERIES;
        self.shy.retain(|_, until| *until > self.next_delivery);
        self.shy.extend(stale.memories.iter().map(|given| (given.memory, until)));
    }

    /// Calls every turn back: what the worker still says of them counts for nothing.
    pub(super) fn call_back(&mut self) -> VecDeque<Turn> {
        self.floor = self.next_delivery;
        std::mem::take(&mut self.turns)
    }
}
