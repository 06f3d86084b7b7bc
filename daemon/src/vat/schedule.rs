//! Which message runs next, and which turns are with the worker.
//!
//! Sources take turns: the ring goes round, a message a source. Inside a source, messages run in the
//! order of their numbers. So one source's flood delays its own, and what anybody else sends waits
//! for one turn of each. The queue itself is the table `message`; this holds a cursor for each
//! source and the turns in flight, so its size does not depend on how many messages wait.
//!
//! What is with the worker cannot be overtaken, so a source has only so much work there as
//! [`AHEAD_US_MAX`], by what its turns cost lately.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Halt;
use super::lane::Lane;
use super::view::{Memory, Message, Object, View};
use crate::protocol::WINDOW;
use crate::protocol::{CodeNumber, Handle, MemoryHandle, Native};

/// Bytes of images and args with the worker at one time, beyond which it gets no more.
const IN_FLIGHT_BYTES_MAX: usize = 4 << 20;

/// How much work of one source may be with the worker, beyond one turn: CPU time by its recent
/// turns, in microseconds.
const AHEAD_US_MAX: u64 = 20_000;

/// What a turn of a source is taken to cost before one has ended.
const COST_US_UNKNOWN: u64 = 5_000;

/// For how many deliveries turns on a memory run with nothing before them in flight, after one was
/// stale: a call-back wastes up to a window of turns, so it must stay rare.
const SHY_DELIVERIES: u64 = 1024;

/// A turn that is with the worker.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) delivery: u64,
    pub(super) message: Message,
    /// The objects it was given: its target first, then those it called.
    pub(super) objects: Vec<Given>,
    /// The Memories it was given, as they were then. `None`: as the turns before it leave it, which
    /// is known when they have ended.
    pub(super) memories: Vec<(MemoryHandle, Option<Memory>)>,
    /// Every handle the turn may use.
    pub(super) held: HashSet<Handle>,
    pub(super) clock_ms: u64,
    pub(super) seed: [u8; 32],
    /// A turn before it has changed what it was given: its report counts for nothing.
    pub(super) stale: bool,
    pub(super) bytes: usize,
}

/// An object a turn was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) object: Handle,
    pub(super) account: Handle,
    pub(super) code: CodeNumber,
    pub(super) memory: Option<MemoryHandle>,
    pub(super) natives: Vec<Native>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// The sources that may have something queued, the one whose turn it is first.
    ring: VecDeque<Handle>,
    queues: HashMap<Handle, Queue>,
    /// Whether the ring knows of what the database had at the start.
    filled: bool,
    in_flight: VecDeque<InFlight>,
    next_delivery: u64,
    /// Reports of deliveries below this are of turns that were called back.
    floor: u64,
    /// Memories on which a turn was stale, and the delivery until which that is remembered.
    shy: HashMap<MemoryHandle, u64>,
    /// The worker is to be killed: nothing it still says counts.
    pub(super) condemned: bool,
}

/// One source's messages.
#[derive(Debug)]
struct Queue {
    /// Every message up to this number is handled, in flight, or passed over because it is held.
    cursor: u64,
    /// The next message and the object it is for, once read.
    peeked: Option<(Message, Object)>,
    /// What its turns cost lately, in microseconds of CPU time.
    cost_us: u64,
    /// Whether the ring has it. One without messages is out, and forgotten with its last turn in flight.
    in_ring: bool,
}

impl Queue {
    fn after(cursor: u64) -> Self {
        Self { cursor, peeked: None, cost_us: COST_US_UNKNOWN, in_ring: true }
    }
}

impl Schedule {
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The next turn that may go to the worker now: its delivery's number, message and object. What is
    /// in flight is in lane `now`.
    pub(super) fn next(
        &mut self,
        view: &impl View,
        now: Lane,
        lane: impl Fn(&Object) -> Lane,
    ) -> Result<Option<(u64, Message, Object)>, Halt> {
        let bytes: usize = self.in_flight.iter().map(|turn| turn.bytes).sum();
        // A message on which a worker died runs with nothing before or behind it.
        let suspect = self.in_flight.front().is_some_and(|turn| turn.message.deaths > 0);
        if self.condemned || suspect || self.in_flight.len() >= WINDOW || bytes >= IN_FLIGHT_BYTES_MAX {
            return Ok(None);
        }
        if !self.filled {
            // What is in flight is known only by the cursors: it ends first, so that nothing is given twice.
            if !self.in_flight.is_empty() {
                return Ok(None);
            }
            self.ring = view.sources()?.into();
            self.queues = self.ring.iter().map(|source| (*source, Queue::after(0))).collect();
            self.filled = true;
        }
        for _ in 0..self.ring.len() {
            let Some(source) = self.ring.pop_front() else { break };
            let Some(queue) = self.queues.get_mut(&source) else { continue };
            if queue.peeked.is_none() {
                queue.peeked = peek(view, source, queue.cursor)?;
            }
            let Some((message, object)) = &queue.peeked else {
                queue.in_ring = false;
                self.forget(source);
                continue;
            };
            let alone = self.in_flight.is_empty();
            let shy = |memory| self.shy.get(&memory).is_some_and(|until| *until > self.next_delivery);
            if !alone && (message.deaths > 0 || lane(object) != now || object.memory.is_some_and(shy)) {
                // Its turn comes when what is in flight has ended; nobody overtakes it for ever.
                self.ring.push_front(source);
                return Ok(None);
            }
            let ahead = self.in_flight.iter().filter(|turn| turn.message.source == source).count() as u64;
            self.ring.push_back(source);
            if ahead > 0 && ahead * queue.cost_us >= AHEAD_US_MAX {
                continue;
            }
            let Some((message, object)) = queue.peeked.take() else { continue };
            queue.cursor = message.message;
            let delivery = self.next_delivery;
            self.next_delivery += 1;
            return Ok(Some((delivery, message, object)));
        }
        Ok(None)
    }

    /// A message was queued.
    pub(super) fn queued(&mut self, message: &Message) {
        // Before the ring is filled, filling it finds the message.
        if self.filled {
            self.enter(message.source, message.message - 1);
        }
    }

    /// Puts a source into the ring, if it is not there; a new one starts after `cursor`.
    fn enter(&mut self, source: Handle, cursor: u64) -> &mut Queue {
        let queue = self.queues.entry(source).or_insert_with(|| Queue { in_ring: false, ..Queue::after(cursor) });
        if !queue.in_ring {
            queue.in_ring = true;
            self.ring.push_back(source);
        }
        queue
    }

    /// Forgets a source that has nothing queued and nothing in flight.
    fn forget(&mut self, source: Handle) {
        let idle = self.queues.get(&source).is_some_and(|queue| !queue.in_ring);
        if idle && !self.in_flight.iter().any(|turn| turn.message.source == source) {
            self.queues.remove(&source);
        }
    }

    /// A turn has ended that cost its source so much.
    pub(super) fn charge(&mut self, source: Handle, cpu_us: u64) {
        if let Some(queue) = self.queues.get_mut(&source) {
            queue.cost_us = (3 * queue.cost_us + cpu_us) / 4;
        }
        self.forget(source);
    }

    /// The turn that [`Schedule::next`] gave out is with the worker now.
    pub(super) fn started(&mut self, turn: InFlight) {
        self.in_flight.push_back(turn);
    }

    /// The oldest turn in flight: the one the worker runs.
    pub(super) fn front(&mut self) -> Option<&mut InFlight> {
        self.in_flight.front_mut()
    }

    /// The oldest turn has ended.
    pub(super) fn pop(&mut self) -> Option<InFlight> {
        self.in_flight.pop_front()
    }

    /// Takes out the turn a worker died on: the one that it said it ran, if that is in flight, or the oldest.
    pub(super) fn take_suspect(&mut self, delivery: Option<u64>) -> Option<InFlight> {
        let at = self.in_flight.iter().position(|turn| Some(turn.delivery) == delivery).unwrap_or(0);
        self.in_flight.remove(at)
    }

    /// Whether a turn that was given out before this one, from the same source to the same target, is in flight.
    pub(super) fn has_before(&self, turn: &InFlight) -> bool {
        let way = |message: &Message| (message.source, message.target);
        (self.in_flight.iter()).any(|other| other.delivery < turn.delivery && way(&other.message) == way(&turn.message))
    }

    /// A turn that was taken out stays with the worker after all.
    pub(super) fn push_front(&mut self, turn: InFlight) {
        self.in_flight.push_front(turn);
    }

    /// Whether this delivery was called back, so that what is said of it counts for nothing.
    pub(super) fn called_back(&self, delivery: u64) -> bool {
        self.condemned || delivery < self.floor
    }

    /// Whether a turn in flight has this Memory.
    pub(super) fn has(&self, memory: MemoryHandle) -> bool {
        self.in_flight.iter().any(|turn| turn.memories.iter().any(|(given, _)| *given == memory))
    }

    /// The oldest turn has changed a Memory: those that were sent its content before are stale, those
    /// that take it as they find it are not, unless what they find is not what was committed.
    pub(super) fn changed(&mut self, memory: MemoryHandle, as_found: bool) {
        for turn in &mut self.in_flight {
            turn.stale |=
                turn.memories.iter().any(|(given, content)| *given == memory && (content.is_some() || !as_found));
        }
    }

    /// An object has changed by hand: turns in flight that were given it are stale.
    pub(super) fn edited(&mut self, object: Handle) {
        for queue in self.queues.values_mut() {
            queue.peeked = None;
        }
        for turn in &mut self.in_flight {
            turn.stale |= turn.objects.iter().any(|given| given.object == object);
        }
    }

    /// Messages that were passed over may run now: look again from the first.
    pub(super) fn rewind(&mut self) {
        self.filled = false;
    }

    /// The oldest turn is stale: it and all after it are called back, and its memories are remembered.
    pub(super) fn call_back_stale(&mut self) {
        if let Some(stale) = self.in_flight.front() {
            let until = self.next_delivery + SHY_DELIVERIES;
            self.shy.retain(|_, until| *until > self.next_delivery);
            self.shy.extend(stale.memories.iter().map(|(memory, _)| (*memory, until)));
        }
        self.call_back();
    }

    /// Calls every turn in flight back; they will be delivered again, each source's in order.
    pub(super) fn call_back(&mut self) {
        for turn in std::mem::take(&mut self.in_flight) {
            let before = turn.message.message - 1;
            let queue = self.enter(turn.message.source, before);
            (queue.cursor, queue.peeked) = (queue.cursor.min(before), None);
        }
        self.floor = self.next_delivery;
    }
}

/// The first message of `source` after `cursor` that may run, and the object it is for.
fn peek(view: &impl View, source: Handle, cursor: u64) -> Result<Option<(Message, Object)>, Halt> {
    let Some(message) = view.message_after(source, cursor)? else { return Ok(None) };
    let Some(object) = view.object(message.target)? else {
        let Message { message, target, .. } = message;
        return Err(Halt::Damaged(format!("message {message} is for object {target}, which is not there")));
    };
    Ok(Some((message, object)))
}
