//! The loop: event in, commit, effects out.
//!
//! One thread owns the kernel, the writer and the worker. Events that are there are handled one
//! after another into one open transaction, a *group*; the group is committed when nothing more
//! waits to be handled and no turn is in flight, when it is [`GROUP_AGE`] old, or when it holds
//! [`GROUP_EVENTS`]. So a lone message never waits for company, and a long queue shares its syncs.
//! Effects are released by the commit and by nothing else. Any error of the database ends the loop
//! and with it the process: the next one goes on from the last commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use qrt_shared::control::Problem;
use qrt_shared::id::VatId;
use qrt_shared::wire::Ack;
use tokio::sync::{Notify, broadcast, oneshot, watch};
use zeroize::Zeroizing;

use crate::executor::{Executor, Generation};
use crate::http::round_trips::RoundTrips;
use crate::peer::seal::OpenedRequest;
use crate::store::{self, Store};
use crate::totals::{Committed, Tally};
use crate::vat::checkpoint::{Answer, Effect, Embargo};
use crate::vat::entropy::Entropy;
use crate::vat::peer::attempt::Attempt;
use crate::vat::peer::receive::Busy;
use crate::vat::request::{Action, Request, Ticket, Who};
use crate::vat::{Checkpoint, Death, Halt, Input, Limits, Order, Vat};

/// How long a group may grow while turns keep coming.
const GROUP_AGE: Duration = Duration::from_millis(10);

/// How many events one group may hold.
const GROUP_EVENTS: usize = 1024;

/// What the loop is told.
pub enum Event {
    /// Something happened that nobody waits to have answered: the worker did something, say.
    Input(Input),
    /// Another vat's request came in, and its boxes are open.
    Received {
        /// Whose.
        from: VatId,
        /// What it holds.
        request: OpenedRequest,
        /// Who waits for the ack.
        answer: oneshot::Sender<Result<Ack, Busy>>,
    },
    /// A request to another vat has ended.
    Attempted {
        /// How.
        attempt: Attempt,
        /// Told when that is on the disk.
        committed: oneshot::Sender<()>,
    },
    /// A worker did something: one thing after the other.
    Worker(Generation, Vec<Input>),
    /// An operator asks for something.
    Request {
        /// Who asks.
        who: Who,
        /// For what.
        action: Action,
        /// Who waits for the answer.
        answer: oneshot::Sender<Result<Answer, Problem>>,
    },
    /// Empty the write-ahead log.
    Checkpoint {
        /// Told how that went, when it has.
        answer: oneshot::Sender<bool>,
    },
    /// Say that the loop goes round.
    Alive {
        /// Who wants to know.
        answer: oneshot::Sender<()>,
    },
    /// Hold turns and queues to other limits from now on.
    Limits(Box<Limits>),
    /// Commit what is in hand and end.
    Stop {
        /// Told when everything accepted is on the disk.
        stopped: oneshot::Sender<()>,
    },
}

/// Why the loop ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The kernel cannot go on.
    #[error(transparent)]
    Halt(#[from] Halt),
}

/// What somebody may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The first turn of one of the operator's messages has ended.
    Ended(u64),
    /// That vat has our messages up to this number.
    Acked(VatId, u64),
}

/// What the rest of the daemon hears from the loop.
#[derive(Clone)]
pub struct News {
    /// The last commit.
    pub commits: watch::Receiver<Committed>,
    /// What became of messages.
    pub heard: broadcast::Sender<Heard>,
    /// Something may be due for delivery.
    pub due: Arc<Notify>,
    /// Where events go.
    pub events: Sender<Event>,
    /// How long peers took to answer.
    pub round_trips: Arc<RoundTrips>,
}

/// The loop's parts.
pub struct Driver {
    vat: Vat,
    store: Store,
    executor: Executor,
    entropy: Os,
    events: Receiver<Event>,
    outward: Outward,
}

/// The one place where effects happen, given a receipt.
struct Outward {
    waiting: HashMap<Ticket, oneshot::Sender<Result<Answer, Problem>>>,
    vats: HashMap<Ticket, oneshot::Sender<Result<Ack, Busy>>>,
    /// Those who only wait for the commit.
    attempts: Vec<oneshot::Sender<()>>,
    commits: watch::Sender<Committed>,
    tally: Tally,
    heard: broadcast::Sender<Heard>,
    due: Arc<Notify>,
}

/// Randomness of the operating system, drawn in larger pieces; what was given out is wiped.
struct Os {
    drawn: Zeroizing<[u8; 4096]>,
    used: usize,
}

impl Default for Os {
    fn default() -> Self {
        let drawn = Zeroizing::new([0; 4096]);
        Self { used: drawn.len(), drawn }
    }
}

impl Entropy for Os {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.drawn.len() {
                getrandom::fill(&mut *self.drawn).expect("the operating system has randomness");
                self.used = 0;
            }
            *byte = std::mem::take(&mut self.drawn[self.used]);
            self.used += 1;
        }
    }
}

impl Driver {
    /// A driver of these parts, and where its news comes out.
    pub fn new(vat: Vat, store: Store, executor: Executor, events: (Sender<Event>, Receiver<Event>)) -> (Self, News) {
        let (commits, commits_heard) = watch::channel(Tally::new(store.counters()).last());
        let tally = Tally::new(store.counters());
        let (heard, _) = broadcast::channel(4096);
        let due = Arc::new(Notify::new());
        let news = News {
            commits: commits_heard,
            heard: heard.clone(),
            due: Arc::clone(&due),
            events: events.0,
            round_trips: Arc::default(),
        };
        let outward =
            Outward { waiting: HashMap::new(), vats: HashMap::new(), attempts: Vec::new(), commits, tally, heard, due };
        (Self { vat, store, executor, entropy: Os::default(), events: events.1, outward }, news)
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// [`Error`]: what was not committed is lost, and nothing of it was ever seen.
    pub fn run(mut self) -> Result<(), Error> {
        let mut group = Group::default();
        loop {
            while self.executor.takes_more(self.vat.in_flight()) {
                let Some(start) = self.vat.poll(&self.store, now_ms(), &mut self.entropy)? else { break };
                let store = &self.store;
                self.executor.deliver(start, |code| store.code_text(code))?;
            }
            self.executor.flush();
            if group.since.is_none() {
                self.store.rest()?;
            }
            match self.next(&group) {
                Some(Event::Stop { stopped }) => {
                    self.commit(&mut group)?;
                    self.store.close()?;
                    // Nobody may be left to hear it.
                    stopped.send(()).ok();
                    return Ok(());
                }
                Some(event) => self.step(event, &mut group)?,
                None => self.commit(&mut group)?,
            }
            if group.events >= GROUP_EVENTS || group.age() >= GROUP_AGE {
                self.commit(&mut group)?;
            }
        }
    }

    /// The next event; `None` when the group is better committed first, or more may run.
    fn next(&self, group: &Group) -> Option<Event> {
        let Some(since) = group.since else {
            // Senders live as long as the daemon; without one there is nobody to serve.
            let nobody = Event::Stop { stopped: oneshot::channel().0 };
            let Some(at_ms) = self.vat.wake_at() else { return Some(self.events.recv().unwrap_or(nobody)) };
            // Nothing may happen until then, and more may run all the same.
            return match self.events.recv_timeout(Duration::from_millis(at_ms.saturating_sub(now_ms()))) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(nobody),
            };
        };
        if self.vat.in_flight() == 0 {
            return self.events.try_recv().ok();
        }
        self.events.recv_timeout(GROUP_AGE.saturating_sub(since.elapsed())).ok()
    }

    /// Handles one event into the open group.
    fn step(&mut self, event: Event, group: &mut Group) -> Result<(), Error> {
        match event {
            Event::Worker(generation, inputs) => {
                for input in inputs {
                    self.worker(generation, input, group)?;
                }
                Ok(())
            }
            Event::Input(input) => self.handle(input, group),
            Event::Received { from, request, answer } => {
                let ticket = group.ticket();
                self.outward.vats.insert(ticket, answer);
                self.handle(Input::Received { ticket, from, request }, group)
            }
            Event::Attempted { attempt, committed } => {
                self.outward.attempts.push(committed);
                self.outward.tally.attempt(attempt.result.is_err());
                self.handle(Input::Attempted(attempt), group)
            }
            Event::Request { who, action, answer } => {
                let ticket = group.ticket();
                self.outward.waiting.insert(ticket, answer);
                self.handle(Input::Request(Request { ticket, who, action }), group)
            }
            Event::Checkpoint { answer } => {
                // What is not committed would stay in the log.
                self.commit(group)?;
                // Whoever asked may have gone.
                answer.send(self.store.checkpoint()?).ok();
                Ok(())
            }
            Event::Alive { answer } => {
                // Whoever asked may have given up.
                answer.send(()).ok();
                Ok(())
            }
            Event::Limits(limits) => {
                self.vat.limit(*limits);
                Ok(())
            }
            Event::Stop { .. } => Ok(()),
        }
    }

    /// Handles what a worker did, if the turns in flight are with it.
    fn worker(&mut self, generation: Generation, input: Input, group: &mut Group) -> Result<(), Error> {
        let heard = self.executor.hears(generation);
        if let Input::Died { death, .. } = &input {
            match death {
                Death::Replaced => tracing::info!(generation, "the worker is replaced"),
                Death::Deadline { .. } | Death::Crashed(_) => tracing::warn!(generation, ?death, "the worker is gone"),
            }
            self.executor.gone(generation);
        }
        if heard { self.handle(input, group) } else { Ok(()) }
    }

    fn handle(&mut self, input: Input, group: &mut Group) -> Result<(), Error> {
        let mut checkpoint = Checkpoint::default();
        let order = self.vat.handle(input, &mut checkpoint, &self.store, now_ms(), &mut self.entropy)?;
        self.outward.tally.step(&checkpoint);
        self.store.apply(&mut checkpoint)?;
        group.add(checkpoint.effects);
        let store = &self.store;
        match order {
            None => {}
            Some(Order::Replace) => self.executor.replace(),
            Some(Order::Entries(page)) => self.executor.entries(page),
            Some(Order::Loaded(image)) => {
                self.executor.loaded(image, |code| store.code_text(code))?;
            }
            Some(Order::Kill(lie)) => {
                tracing::error!(lie, "the worker said what no honest worker says; killing it");
                self.executor.kill(lie);
            }
        }
        Ok(())
    }

    /// Commits the group and lets its effects out.
    fn commit(&mut self, group: &mut Group) -> Result<(), Error> {
        let receipt = self.store.commit()?;
        let effects = std::mem::take(group).close();
        for effect in effects.release(&receipt) {
            self.outward.act(effect);
        }
        for committed in self.outward.attempts.drain(..) {
            committed.send(()).ok();
        }
        if self.outward.commits.borrow().commit != receipt.commit() {
            let committed = self.outward.tally.committed(receipt.commit(), self.store.counters());
            self.outward.commits.send_replace(committed);
        }
        Ok(())
    }
}

impl Outward {
    fn act(&mut self, effect: Effect) {
        match effect {
            // Whoever asked may have gone; what was done is done.
            Effect::Answer(ticket, answer) => {
                if let Some(waiting) = self.waiting.remove(&ticket) {
                    waiting.send(answer).ok();
                }
            }
            Effect::Received(ticket, ack) => {
                if let Some(waiting) = self.vats.remove(&ticket) {
                    waiting.send(ack).ok();
                }
            }
            Effect::Ended(message) => {
                self.heard.send(Heard::Ended(message)).ok();
            }
            Effect::Acked(vat, to) => {
                self.heard.send(Heard::Acked(vat, to.0)).ok();
            }
            Effect::Due => self.due.notify_one(),
            Effect::Log(line) => tracing::warn!("{line}"),
        }
    }
}

/// What waits for the next commit.
#[derive(Default)]
struct Group {
    since: Option<Instant>,
    events: usize,
    effects: Embargo<Effect>,
}

impl Group {
    fn add(&mut self, effects: Embargo<Effect>) {
        self.since.get_or_insert_with(Instant::now);
        self.events += 1;
        self.effects.append(effects);
    }

    fn age(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// A number no other request of this group has.
    fn ticket(&self) -> Ticket {
        Ticket(self.events as u64)
    }

    fn close(self) -> Embargo<Effect> {
        self.effects
    }
}

/// Milliseconds since the epoch, for display and for code that asks; nothing is timed by it.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
