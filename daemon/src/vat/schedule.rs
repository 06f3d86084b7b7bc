//! Which message runs next, and which turns are with the worker.
//!
//! Messages run in the order of their numbers. The queue itself is the table `message`; this holds
//! only a cursor into it and the turns in flight, so its size does not depend on how many messages
//! wait.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Halt;
use super::view::{Memory, Message, Object, View};
use crate::protocol::WINDOW;
use crate::protocol::{CodeNumber, Handle, MemoryHandle, Native};

/// Bytes of images and args with the worker at one time, beyond which it gets no more.
const IN_FLIGHT_BYTES_MAX: usize = 4 << 20;

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
    /// Every message up to this number is handled or in flight.
    cursor: u64,
    /// Messages up to the cursor were passed over and may run now.
    passed_over: bool,
    /// The next message and the object it is for, once read.
    peeked: Option<(Message, Object)>,
    in_flight: VecDeque<InFlight>,
    next_delivery: u64,
    /// Reports of deliveries below this are of turns that were called back.
    floor: u64,
    /// Memories on which a turn was stale, and the delivery until which that is remembered.
    shy: HashMap<MemoryHandle, u64>,
    /// The worker is to be killed: nothing it still says counts.
    pub(super) condemned: bool,
}

impl Schedule {
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The next turn that may go to the worker now: its delivery's number, message and object.
    pub(super) fn next(&mut self, view: &impl View) -> Result<Option<(u64, Message, Object)>, Halt> {
        let bytes: usize = self.in_flight.iter().map(|turn| turn.bytes).sum();
        // A message on which a worker died runs with nothing before or behind it.
        let suspect = self.in_flight.front().is_some_and(|turn| turn.message.deaths > 0);
        if self.condemned || suspect || self.in_flight.len() >= WINDOW || bytes >= IN_FLIGHT_BYTES_MAX {
            return Ok(None);
        }
        if self.passed_over {
            // What is in flight is above some of them: it ends first, so that nothing is given twice.
            if !self.in_flight.is_empty() {
                return Ok(None);
            }
            (self.cursor, self.passed_over) = (0, false);
        }
        if self.peeked.is_none() {
            let Some(message) = view.message_after(self.cursor)? else { return Ok(None) };
            let Some(object) = view.object(message.target)? else {
                let Message { message, target, .. } = message;
                return Err(Halt::Damaged(format!("message {message} is for object {target}, which is not there")));
            };
            self.peeked = Some((message, object));
        }
        let alone = self.in_flight.is_empty();
        let shy = |memory| self.shy.get(&memory).is_some_and(|until| *until > self.next_delivery);
        let may_go = |(message, object): &mut (Message, Object)| {
            alone || (message.deaths == 0 && !object.memory.is_some_and(shy))
        };
        let Some((message, object)) = self.peeked.take_if(may_go) else { return Ok(None) };
        self.cursor = message.message;
        let delivery = self.next_delivery;
        self.next_delivery += 1;
        Ok(Some((delivery, message, object)))
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
        self.peeked = None;
        for turn in &mut self.in_flight {
            turn.stale |= turn.objects.iter().any(|given| given.object == object);
        }
    }

    /// Messages that were passed over may run now: look again from the first.
    pub(super) fn rewind(&mut self) {
        self.peeked = None;
        self.passed_over = true;
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

    /// Calls every turn in flight back; they will be delivered again, in order.
    pub(super) fn call_back(&mut self) {
        if let Some(first) = self.in_flight.front() {
            self.cursor = first.message.message - 1;
        }
        self.peeked = None;
        self.in_flight.clear();
        self.floor = self.next_delivery;
    }
}
