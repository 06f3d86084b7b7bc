//! Which message runs next.
//!
//! Order is kept for each (source, target): a *queue*. Among queues the worker's time is shared as the
//! tree of [`super::shares`] says. The messages themselves stay in the table `message`; a queue here is how many
//! there are, a cursor, and the few that were read ahead, so what this holds depends on how many objects
//! have something queued, not on how much. An object without messages costs nothing.
//!
//! What is with the worker cannot be overtaken, so no more is sent ahead than [`AHEAD_US_MAX`] beyond one
//! turn, by what each queue's turns cost lately. A turn is charged by that estimate when it is sent and by
//! what it did cost when it has ended.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::account::{Accounts, Change, Refill, signed};
use super::in_flight::{InFlight, Turn};
use super::lane::Lane;
use super::send::Recipient;
use super::shares::{Parked, Path, Shares};
use super::source::{PeerNumber, Source};
use super::view::{Message, Object, View};
use super::{Halt, QueueLimits, budget};
use crate::protocol::Handle;

/// How much work may be with the worker beyond one turn: CPU time, in microseconds, by recent turns. It
/// is what a message of somebody who has nothing else queued waits for.
const AHEAD_US_MAX: u64 = 20_000;

/// What every turn is charged besides its CPU time and bytes, in microseconds: what the kernel and the
/// database take for it.
pub(super) const BASE_US: u64 = 25;

/// Bytes that are charged as a microsecond: about what writing and checking them takes.
pub(super) const BYTES_PER_US: u64 = 256;

/// What a turn is taken to cost before any has ended, and the most that a queue's first one is taken to.
const COST_US_UNKNOWN: u64 = 1_000;
const COST_US_UNKNOWN_MAX: u64 = 2_000;

/// Messages of a queue that are read at a time, and the bytes after which fewer are.
const READ_MESSAGES: usize = 16;
const READ_BYTES: u64 = 64 << 10;

/// How much work, in microseconds, the worker of an account is given before that of another has its turn,
/// when accounts have workers of their own: a hand-over waits until everything in flight has ended.
const STAY_US: u64 = 25_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) in_flight: InFlight,
    shares: Shares,
    queues: HashMap<Key, Queue>,
    /// The queues in the tree, by the account of their target.
    waiting: HashMap<Handle, BTreeSet<Key>>,
    /// Whose worker was given work last, and how much since it was handed over to.
    stay: (Lane, u64),
    /// What waits for the refill of a budget, by the time of that.
    parked: BTreeMap<u64, Vec<Parked>>,
    /// Bytes in queues of peers that no operator named.
    strangers_bytes: u64,
    /// How many messages that had no room are kept as faults.
    refused: HashMap<Key, u64>,
    /// Whether this knows of what the database had at the start.
    filled: bool,
    /// What turns cost lately, whoever's.
    cost_us: u64,
}

/// A queue's source and target.
type Key = (Source, Handle);

/// What one source has sent to one object, including what is with the worker.
#[derive(Debug)]
struct Queue {
    path: Path,
    /// The target's.
    account: Handle,
    /// Who pays for its turns, the nearest first.
    payers: Arc<[Handle]>,
    messages: u64,
    bytes: u64,
    in_flight: u64,
    /// Every message up to this number was read ahead, is in flight or handled.
    cursor: u64,
    /// Read ahead, in order.
    next: VecDeque<Message>,
    /// The object, once it was read.
    object: Option<Arc<Object>>,
    held: bool,
    /// Whether it is of a peer that no operator had named when the queue began.
    stranger: bool,
    /// What its turns cost lately.
    cost_us: Option<u64>,
}

/// A queue as the database has it.
#[derive(Debug, Clone, Copy)]
pub struct Queued {
    /// Who sent.
    pub source: Source,
    /// To which object.
    pub target: Handle,
    /// Of which account.
    pub account: Handle,
    /// Whether the object is held.
    pub held: bool,
    /// Whether the source is a peer that no operator named.
    pub stranger: bool,
    /// Messages.
    pub messages: u64,
    /// Bytes of their args.
    pub bytes: u64,
}

/// What is to be sent to the worker.
pub(super) struct Next {
    pub(super) message: Message,
    pub(super) object: Arc<Object>,
    pub(super) estimate_us: u64,
}

/// What a turn has cost, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Of its source's share: everything that is done for it.
    pub(super) cost_us: u64,
    /// Of the payers' budget: CPU time.
    pub(super) cpu_us: u64,
}

/// Why a message has no room in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The queue of its source and target.
    Queue,
    /// What the account that pays may have queued.
    Account,
    /// All queues together.
    Vat,
    /// The outbox, for its peer or in all.
    Outbox,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            in_flight: InFlight::default(),
            shares: Shares::default(),
            queues: HashMap::new(),
            waiting: HashMap::new(),
            stay: (Lane::Shared, 0),
            parked: BTreeMap::new(),
            strangers_bytes: 0,
            refused: HashMap::new(),
            filled: false,
            cost_us: COST_US_UNKNOWN,
        }
    }
}

impl Schedule {
    /// Takes in what the database had at the start, once.
    pub(super) fn fill(&mut self, view: &impl View, accounts: &mut Accounts) -> Result<(), Halt> {
        if !self.filled {
            for queued in view.queues()? {
                let Queued { source, account, target, held, .. } = queued;
                let mut queue = Queue::new(view, accounts, (source, target), account, held)?;
                (queue.messages, queue.bytes, queue.stranger) = (queued.messages, queued.bytes, queued.stranger);
                if queued.stranger {
                    self.strangers_bytes += queued.bytes;
                }
                let key = (queued.source, queued.target);
                self.queues.insert(key, queue);
                self.enter(key);
            }
            self.filled = true;
        }
        Ok(())
    }

    /// The next message that may go to the worker now, and its object. What is in flight is in lane `now`.
    pub(super) fn next(
        &mut self,
        view: &impl View,
        accounts: &mut Accounts,
        now_ms: u64,
        now: Lane,
        lane: impl Fn(&Object) -> Lane,
    ) -> Result<Option<Next>, Halt> {
        self.fill(view, accounts)?;
        self.unpark(now_ms);
        if !self.in_flight.has_room() {
            return Ok(None);
        }
        let Some(first) = self.first_with_budget(view, accounts, now_ms)? else { return Ok(None) };
        let mut key = first;
        let mut object = self.object(view, key)?;
        if !self.in_flight.is_empty() && lane(&object) != now {
            // Its worker has its turn when what is in flight has ended.
            let Some(other) = self.stays(now) else { return Ok(None) };
            let payers = self.payers(&other).unwrap_or_default();
            if accounts.spent(view, &payers, now_ms)?.is_some() {
                return Ok(None);
            }
            key = other;
            object = self.object(view, key)?;
            // An offence may have ended since the worker was given its turns.
            if lane(&object) != now {
                return Ok(None);
            }
        }
        let missing = || missing(key);
        let queue = self.queues.get_mut(&key).ok_or_else(missing)?;
        if queue.next.is_empty() {
            queue.next = view.messages_after(key.0, key.1, queue.cursor, READ_MESSAGES, READ_BYTES)?.into();
        }
        let message = queue.next.front().ok_or_else(missing)?;
        let estimate_us = queue.cost_us.unwrap_or(self.cost_us);
        let too_much = self.in_flight.estimate_us() + estimate_us > AHEAD_US_MAX;
        let shy = object.memory.is_some_and(|memory| self.in_flight.is_shy(memory));
        if !self.in_flight.is_empty() && (too_much || shy || message.deaths > 0) {
            // Its turn comes when what is in flight has ended; nobody overtakes it for ever.
            return Ok(None);
        }
        let message = queue.next.pop_front().ok_or_else(missing)?;
        queue.cursor = message.message;
        queue.in_flight += 1;
        self.shares.serve(&queue.path, estimate_us);
        if queue.messages == queue.in_flight {
            self.leave(key);
        }
        let lane = lane(&object);
        let before = if self.stay.0 == lane { self.stay.1 } else { 0 };
        self.stay = (lane, before + estimate_us);
        Ok(Some(Next { message, object, estimate_us }))
    }

    /// The object a queue is for.
    fn object(&mut self, view: &impl View, key: Key) -> Result<Arc<Object>, Halt> {
        let queue = self.queues.get_mut(&key).ok_or_else(|| missing(key))?;
        Ok(match &queue.object {
            Some(object) => Arc::clone(object),
            None => Arc::clone(queue.object.insert(Arc::new(view.object(key.1)?.ok_or_else(|| missing(key))?))),
        })
    }

    /// Another queue for the lane in flight, while that has not had its stay.
    fn stays(&self, now: Lane) -> Option<Key> {
        let account = now.account().filter(|_| self.stay.1 < STAY_US)?;
        self.waiting.get(&account)?.first().copied()
    }

    /// A queue that has messages to give out, and may, is in the tree.
    fn enter(&mut self, key: Key) {
        let Some(queue) = self.queues.get(&key).filter(|queue| !queue.held && queue.messages > queue.in_flight) else {
            return;
        };
        self.shares.enter(&queue.path);
        self.waiting.entry(queue.account).or_default().insert(key);
    }

    /// Takes a queue out of the tree.
    fn leave(&mut self, key: Key) {
        let Some(queue) = self.queues.get(&key) else { return };
        self.shares.leave(&queue.path);
        if let Some(waiting) = self.waiting.get_mut(&queue.account) {
            waiting.remove(&key);
            if waiting.is_empty() {
                self.waiting.remove(&queue.account);
            }
        }
    }

    /// The queue whose turn it is and whose payers have compute left. Those whose have not are parked.
    fn first_with_budget(
        &mut self,
        view: &impl View,
        accounts: &mut Accounts,
        now_ms: u64,
    ) -> Result<Option<Key>, Halt> {
        while let Some(key) = self.shares.first() {
            let queue = self.queues.get(&key).ok_or_else(|| missing(key))?;
            let Some((account, refill)) = accounts.spent(view, &queue.payers, now_ms)? else { return Ok(Some(key)) };
            let parked = self.shares.park(&queue.path, account);
            let until_ms = match refill {
                Refill::At(at_ms) => at_ms,
                Refill::Never => u64::MAX,
            };
            self.parked.entry(until_ms).or_default().push(parked);
        }
        Ok(None)
    }

    /// Puts back into the tree what waited until now.
    fn unpark(&mut self, now_ms: u64) {
        while let Some(first) = self.parked.first_entry().filter(|first| *first.key() <= now_ms) {
            first.remove().iter().for_each(|parked| self.shares.unpark(parked));
        }
    }

    /// Looks at all budgets anew: the clock was set.
    pub(super) fn unpark_all(&mut self) {
        self.unpark(u64::MAX);
    }

    /// When the first of what waits is put back.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.parked.keys().next().copied().filter(|at_ms| *at_ms < u64::MAX)
    }

    /// Whether a message of so many bytes has room; `all` is what is queued now.
    pub(super) fn room(
        &self,
        limits: &QueueLimits,
        all: (u64, u64),
        (source, target): Key,
        bytes: u64,
    ) -> Result<(), Full> {
        let here = self.queues.get(&(source, target)).map_or((0, 0), |queue| (queue.messages, queue.bytes));
        limits.room(here, all, bytes)
    }

    /// Who pays for the turns of a queue that has messages, the nearest first.
    pub(super) fn payers(&self, key: &Key) -> Option<Arc<[Handle]>> {
        self.queues.get(key).map(|queue| Arc::clone(&queue.payers))
    }

    /// Bytes in queues of peers that no operator named.
    pub(super) fn strangers_bytes(&self) -> u64 {
        self.strangers_bytes
    }

    /// An operator has named this peer: what it has queued is no stranger's any more.
    pub(super) fn named(&mut self, peer: PeerNumber) {
        let its = |(source, _): &Key| *source == Source::Peer(peer);
        for (_, queue) in self.queues.iter_mut().filter(|(key, queue)| its(key) && queue.stranger) {
            queue.stranger = false;
            self.strangers_bytes -= queue.bytes;
        }
    }

    /// Whether another message that had no room may be kept as a fault; it is then counted.
    pub(super) fn keep_refused(&mut self, view: &impl View, key: Key, most: u64) -> Result<bool, Halt> {
        let kept = match self.refused.get(&key) {
            Some(kept) => *kept,
            None => view.refused(key.0, key.1, most)?,
        };
        let room = kept < most;
        self.refused.insert(key, kept + u64::from(room));
        Ok(room)
    }

    /// A fault is gone: how many are left is looked up when it matters.
    pub(super) fn fault_gone(&mut self, key: Key) {
        self.refused.remove(&key);
    }

    /// A message was queued for an object of `account`. [`Schedule::fill`] has been called.
    pub(super) fn queued(
        &mut self,
        view: &impl View,
        accounts: &mut Accounts,
        message: &Message,
        recipient: Recipient,
    ) -> Result<(), Halt> {
        let Recipient { account, held, stranger } = recipient;
        let Message { source, target, bytes, .. } = *message;
        let queue = match self.queues.entry((source, target)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let queue = Queue::new(view, accounts, (source, target), account, held)?;
                new.insert(Queue { cursor: message.message - 1, stranger, ..queue })
            }
        };
        queue.messages += 1;
        queue.bytes += bytes;
        let more = Change { queued_bytes: signed(bytes), ..Change::default() };
        accounts.add(view, &queue.payers, more, message.queued_at)?;
        if queue.stranger {
            self.strangers_bytes += bytes;
        }
        self.enter((source, target));
        Ok(())
    }

    /// A turn has ended that cost so much: its message is out of its queue.
    pub(super) fn handled(
        &mut self,
        view: &impl View,
        accounts: &mut Accounts,
        turn: &Turn,
        cost: Cost,
        now_ms: u64,
    ) -> Result<(), Halt> {
        let Cost { cost_us, cpu_us } = cost;
        let key = (turn.message.source, turn.message.target);
        self.cost_us = average(self.cost_us, cost_us.min(COST_US_UNKNOWN_MAX));
        let Some(queue) = self.queues.get_mut(&key) else { return Ok(()) };
        queue.cost_us = Some(average(queue.cost_us.unwrap_or(cost_us), cost_us));
        self.shares.charge(&queue.path, difference(cost_us, turn.estimate_us));
        queue.messages -= 1;
        queue.bytes -= turn.message.bytes;
        if queue.stranger {
            self.strangers_bytes -= turn.message.bytes;
        }
        queue.in_flight -= 1;
        let queued_bytes = -signed(turn.message.bytes);
        accounts.add(view, &queue.payers, Change { queued_bytes, cpu_us, ..Change::default() }, now_ms)?;
        if queue.messages == 0 {
            self.queues.remove(&key);
        }
        Ok(())
    }

    /// Those who have something queued for an object, in a lasting order.
    pub(super) fn sources_of(&self, object: Handle) -> Vec<Source> {
        let mut sources: Vec<_> =
            self.queues.keys().filter(|(_, target)| *target == object).map(|(source, _)| *source).collect();
        sources.sort_unstable();
        sources
    }

    /// An object has changed by hand, or is gone: turns in flight that were given it are stale.
    pub(super) fn edited(&mut self, object: Handle) {
        self.in_flight.edited(object);
        for (_, queue) in self.queues.iter_mut().filter(|((_, target), _)| *target == object) {
            queue.object = None;
        }
    }

    /// An object takes no turns any more, or turns again.
    pub(super) fn hold(&mut self, object: Handle, held: bool) {
        self.edited(object);
        let keys: Vec<_> = self.queues.keys().filter(|(_, target)| *target == object).copied().collect();
        for key in keys {
            if let Some(queue) = self.queues.get_mut(&key) {
                queue.held = held;
            }
            if held { self.leave(key) } else { self.enter(key) }
        }
    }

    /// An object is gone, and what was queued for it is no longer.
    pub(super) fn removed(
        &mut self,
        view: &impl View,
        accounts: &mut Accounts,
        object: Handle,
        now_ms: u64,
    ) -> Result<(), Halt> {
        self.hold(object, true);
        for (_, queue) in self.queues.extract_if(|(_, target), _| *target == object) {
            if queue.stranger {
                self.strangers_bytes -= queue.bytes;
            }
            let less = Change { queued_bytes: -signed(queue.bytes), ..Change::default() };
            accounts.add(view, &queue.payers, less, now_ms)?;
        }
        Ok(())
    }

    /// The oldest turn is stale: it and all after it are called back, and its memories are remembered.
    pub(super) fn call_back_stale(&mut self) {
        self.in_flight.remember_stale();
        self.call_back();
    }

    /// The worker is gone, and with it all that it was given.
    pub(super) fn gone(&mut self) {
        self.call_back();
        self.in_flight.gone();
    }

    /// Calls every turn in flight back; they will be delivered again, each queue's in order.
    pub(super) fn call_back(&mut self) {
        for turn in self.in_flight.call_back() {
            let key = (turn.message.source, turn.message.target);
            // A removed object's queue is gone, and its turns with it.
            let Some(queue) = self.queues.get_mut(&key) else { continue };
            queue.cursor = queue.cursor.min(turn.message.message - 1);
            queue.next.clear();
            queue.in_flight -= 1;
            self.shares.charge(&queue.path, difference(0, turn.estimate_us));
            self.enter(key);
        }
    }
}

fn missing(key: Key) -> Halt {
    Halt::Damaged(format!("the queue of {key:?} is not what its messages are"))
}

impl Queue {
    fn new(
        view: &impl View,
        accounts: &mut Accounts,
        (source, target): Key,
        account: Handle,
        held: bool,
    ) -> Result<Self, Halt> {
        let payers = budget::payers(accounts, view, source, account)?;
        let sources = match source {
            Source::Account(own) => accounts.chain(view, own)?,
            Source::Operator | Source::Peer(_) => Arc::default(),
        };
        Ok(Self {
            path: Path::new(source, account, target, sources.get(1..).unwrap_or_default()),
            account,
            payers,
            messages: 0,
            bytes: 0,
            in_flight: 0,
            cursor: 0,
            next: VecDeque::new(),
            object: None,
            held,
            stranger: false,
            cost_us: None,
        })
    }
}

/// A figure that follows the last few.
fn average(before: u64, now: u64) -> u64 {
    (3 * before.min(1 << 60) + now.min(1 << 60)) / 4
}

fn difference(more: u64, less: u64) -> i64 {
    signed(more).saturating_sub(signed(less))
}
