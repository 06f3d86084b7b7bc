//! The kernel: a vat as a step function.
//!
//! Something happened ([`Input`]) goes in; what it changed and what follows comes out as data
//! ([`Checkpoint`]: rows to write, and effects under embargo until they are on the disk). Between
//! steps [`Vat::poll`] gives out the next turns to run. Nothing in here reads a clock, a random
//! source, a file or a socket: the time, the entropy and a [`View`] of the database are arguments.
//!
//! One message's life, each arrow a step:
//!
//! ```text
//! send (request) --> message row --> poll: Delivery, streamed to the worker --> Report
//!                                                 |                            |
//!                                                 | worker dies                v
//!                                                 +--> once more, alone     finish: one checkpoint with
//!                                                      --> killed           memory, objects, messages,
//!                                                                           journal, or a fault
//! ```
//!
//! Turns run ahead of the disk and of each other: up to [`crate::protocol::WINDOW`] are with the worker at a time.
//! A memory that one of them has is not sent again: the next turn on it is told to take it as the
//! one before left it, and what that was is read back when the one before has ended. But code can
//! reach any object by `call`, and an operator can change anything, so a turn whose memory was
//! changed by somebody else after it was sent is *stale*: its report is thrown away, and its
//! message and all later ones are delivered again. Nothing had left, so nobody can tell.
//!
//! All turns in flight are in one worker, that of their [`lane`]; what a worker's death means is in
//! [`death`].
//!
//! Read next: [`turn`] (a report becomes a checkpoint), [`verify`] (what a worker may say),
//! [`request`] (what operators do), then the driver, which owns the loop.

pub mod account;
pub mod budget;
pub mod checkpoint;
pub mod entropy;
pub mod lane;
pub mod name;
pub mod request;
pub mod turn;
pub mod verify;
pub mod view;

mod death;
mod edit;
mod fair;
mod fault;
mod hold;
mod in_flight;
mod install;
mod memory;
pub mod peer;
mod remove;
pub mod replay;
mod schedule;
mod send;
mod shares;
pub mod source;
#[cfg(test)]
mod tests;

use qrt_shared::id::{Location, VatId};

use crate::peer::retry;
use crate::peer::seal::{NonceKey, OpenedRequest};
use crate::protocol::{Budget, Delivery, Handle, MemoryHandle, Page, Report, Running, Wanted};
use account::{Accounts, Totals};
pub use checkpoint::{Checkpoint, Counters};
use death::Offenders;
use entropy::Entropy;
use lane::{Isolation, Lane};
use peer::notices::Notices;
pub use request::Request;
pub use schedule::Queued;
use schedule::{Full, Schedule};
pub use turn::digest;
use view::{View, ViewError};

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// An operator asks for something.
    Request(Request),
    /// The worker says a turn has ended.
    Done {
        /// Which.
        delivery: u64,
        /// What it did.
        report: Box<Report>,
    },
    /// The running turn calls an object.
    Load {
        /// Which turn.
        delivery: u64,
        /// Which object.
        object: Handle,
    },
    /// The running turn asks for something of a Memory.
    Ask {
        /// Which turn.
        delivery: u64,
        /// Which Memory.
        memory: MemoryHandle,
        /// What of it.
        wanted: Wanted,
    },
    /// Another vat's request came in, and its boxes are open.
    Received {
        /// Where the answer goes.
        ticket: request::Ticket,
        /// Who it is from.
        from: VatId,
        /// What it holds.
        request: OpenedRequest,
    },
    /// A request to another vat has ended.
    Attempted(peer::attempt::Attempt),
    /// The daemon serves from now on.
    Started,
    /// The clock was set, by so many milliseconds.
    ClockSet(i64),
    /// The worker is gone, and every turn it had not reported with it.
    Died {
        /// How it went.
        death: Death,
        /// What it ran, by its own word.
        ran: Option<Running>,
    },
}

/// A turn to run.
#[derive(Debug)]
pub struct Start {
    /// The worker it is for.
    pub lane: Lane,
    /// Whether that worker must not have run anything yet: one died on this message.
    pub fresh: bool,
    /// What the worker is told.
    pub delivery: Box<Delivery>,
}

/// How a worker went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Death {
    /// It was ended in good order, between turns.
    Replaced,
    /// Its turn ran out of time: which clock, and how long it was allowed.
    Deadline {
        /// `CPU` or `wall-clock`.
        clock: &'static str,
        /// The limit.
        limit_ms: u64,
    },
    /// It crashed, or said something no honest worker says.
    Crashed(String),
}

impl Death {
    /// What it is taken to have cost, in microseconds: the time the turn had, and another worker.
    fn cost_us(&self) -> u64 {
        const WORKER_US: u64 = 15_000;
        match self {
            Self::Deadline { limit_ms, .. } => limit_ms.saturating_mul(1000).saturating_add(WORKER_US),
            Self::Replaced | Self::Crashed(_) => WORKER_US,
        }
    }
}

/// Why the vat cannot go on. The process must end and start again from the last commit.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The database could not be read.
    #[error("reading the vat: {0}")]
    View(#[from] ViewError),
    /// The database contradicts itself.
    #[error("the vat's database is damaged: {0}")]
    Damaged(String),
}

/// What turns and queues may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of each turn.
    pub turn: Budget,
    /// Bytes of an object's Memory.
    pub stored_bytes: u64,
    /// Of each account.
    pub account: Totals,
    /// Workers that an object's code may kill within an hour before it is held.
    pub deaths_per_hour: u64,
    /// Turns kept in the journal.
    pub journal_turns: u64,
    /// Bytes kept in the journal.
    pub journal_bytes: u64,
    /// Which accounts share a worker.
    pub isolation: Isolation,
    /// For how many turns an account that killed a worker does not, at least.
    pub quarantine_turns: u64,
    /// What may be queued.
    pub queue: QueueLimits,
    /// What may wait for other vats, of and in all; no faults are counted here.
    pub outbox: QueueLimits,
    /// What peers that no operator named may bring.
    pub strangers: Strangers,
    /// How long a peer that fails is left alone.
    pub retry: retry::Policy,
}

/// What peers that no operator named may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strangers {
    /// How many there may be.
    pub peers: u64,
    /// Bytes that all of them may have queued.
    pub bytes: u64,
    /// Messages of any peer that can be given to no object and whose head is kept.
    pub undeliverable: u64,
}

/// How much may be queued. A message that has no room is refused, never the turn that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages of one source for one object.
    pub messages: u64,
    /// Bytes of their args. One message always fits.
    pub bytes: u64,
    /// Messages in all.
    pub all_messages: u64,
    /// Bytes of their args in all.
    pub all_bytes: u64,
    /// Refused messages of one source to one object that are kept as faults; others are counted.
    pub faults: u64,
}

impl QueueLimits {
    /// Whether a message of so many bytes has room, when these are the messages and bytes in its queue and in
    /// all.
    fn room(&self, here: (u64, u64), all: (u64, u64), bytes: u64) -> Result<(), Full> {
        let fits = |(messages, sum): (u64, u64), messages_max, bytes_max| {
            messages < messages_max && (sum == 0 || sum.saturating_add(bytes) <= bytes_max)
        };
        if !fits(here, self.messages, self.bytes) {
            Err(Full::Queue)
        } else if !fits(all, self.all_messages, self.all_bytes) {
            Err(Full::Vat)
        } else {
            Ok(())
        }
    }
}

/// Over which time peers are asked where they stand when the daemon starts, so that thousands are not
/// asked at once.
const ASK_SPREAD_MS: u64 = 30_000;

/// What the worker must be told, now.
#[derive(Debug)]
pub enum Order {
    /// The image a running turn asked for.
    Loaded(Result<Box<crate::protocol::Image>, String>),
    /// The properties a running turn asked for.
    Entries(Page),
    /// End it between turns, and call back what it has not reported.
    Replace,
    /// It lied: end it.
    Kill(String),
}

/// A vat's state that is not in its database: counters, and which turns are with the worker.
pub struct Vat {
    id: VatId,
    nonce_key: NonceKey,
    /// Where this vat is reached, as it tells others.
    urls: Vec<Location>,
    limits: Limits,
    counters: Counters,
    schedule: Schedule,
    accounts: Accounts,
    /// Read from the database when first needed.
    offenders: Option<Offenders>,
    /// Whose worker has the turns in flight.
    lane: Lane,
    /// What was logged of other vats lately.
    notices: Notices,
    /// Whether the journal has been told what a turn may use.
    limits_noted: bool,
}

impl Vat {
    /// A vat that goes on from the last commit, whose counters these are. `urls` is where it tells others
    /// that it is reached.
    pub fn new(id: VatId, nonce_key: NonceKey, urls: Vec<Location>, limits: Limits, counters: Counters) -> Self {
        Self {
            id,
            nonce_key,
            urls,
            limits,
            counters,
            schedule: Schedule::default(),
            accounts: Accounts::new(limits.account),
            offenders: None,
            lane: Lane::Shared,
            notices: Notices::default(),
            limits_noted: false,
        }
    }

    /// Holds turns and queues to other limits from the next one on. What workers were started with stays: their
    /// isolation and their deadlines.
    pub fn limit(&mut self, limits: Limits) {
        let Budget { cpu_ms, wall_ms, .. } = self.limits.turn;
        let turn = Budget { cpu_ms, wall_ms, ..limits.turn };
        self.limits = Limits { turn, isolation: self.limits.isolation, ..limits };
        self.accounts.limit(limits.account);
    }

    /// One step: `input` happened at `now_ms`. What it changes is added to `checkpoint`.
    ///
    /// # Errors
    /// [`Halt`]: nothing of this or of any uncommitted step may be kept.
    pub fn handle(
        &mut self,
        input: Input,
        checkpoint: &mut Checkpoint,
        view: &impl View,
        now_ms: u64,
        entropy: &mut impl Entropy,
    ) -> Result<Option<Order>, Halt> {
        self.schedule.fill(view, &mut self.accounts)?;
        let mut step = Step { vat: self, checkpoint, view, now_ms, entropy };
        let order = match input {
            Input::Request(request) => request::handle(&mut step, request).map(|()| None),
            Input::Done { delivery, report } => turn::finish(&mut step, delivery, *report),
            Input::Load { delivery, object } => turn::load(&mut step, delivery, object),
            Input::Ask { delivery, memory, wanted } => memory::ask(&mut step, delivery, memory, &wanted),
            Input::Died { death, ran } => death::died(&mut step, &death, ran).map(|()| None),
            Input::Received { ticket, from, request } => {
                peer::receive::receive(&mut step, ticket, from, &request).map(|()| None)
            }
            Input::Attempted(attempt) => peer::attempt::ended(&mut step, attempt).map(|()| None),
            Input::Started => {
                if step.vat.counters.next_peer > 1 {
                    step.checkpoint
                        .writes
                        .push(checkpoint::Write::Peer(checkpoint::PeerWrite::Ask { now_ms, spread_ms: ASK_SPREAD_MS }));
                }
                step.checkpoint.effects.push(checkpoint::Effect::Due);
                Ok(None)
            }
            Input::ClockSet(by_ms) => {
                step.vat.schedule.unpark_all();
                step.checkpoint.writes.push(checkpoint::Write::Peer(checkpoint::PeerWrite::ShiftDue { by_ms }));
                step.checkpoint.effects.push(checkpoint::Effect::Due);
                Ok(None)
            }
        }?;
        let changed =
            checkpoint.peers.take().map(|peer| checkpoint::Write::Peer(checkpoint::PeerWrite::Row(Box::new(peer))));
        checkpoint.writes.extend(changed);
        checkpoint.references.clear();
        checkpoint.accounts.extend(self.accounts.take());
        checkpoint.counters = Some(self.counters.clone());
        Ok(order)
    }

    /// The next turn to give to the worker, if one may go now. Call it until it returns `None`.
    ///
    /// # Errors
    /// As for [`Vat::handle`].
    pub fn poll(&mut self, view: &impl View, now_ms: u64, entropy: &mut impl Entropy) -> Result<Option<Start>, Halt> {
        turn::start(self, view, now_ms, entropy)
    }

    /// When [`Vat::poll`] may give out more although nothing has happened: a budget is refilled then.
    pub fn wake_at(&self) -> Option<u64> {
        self.schedule.wake_at()
    }

    /// How many turns are with the worker.
    pub fn in_flight(&self) -> usize {
        self.schedule.in_flight.len()
    }
}

/// One step's surroundings, for the files that each handle one noun.
pub(crate) struct Step<'a, V, E> {
    pub(crate) vat: &'a mut Vat,
    pub(crate) checkpoint: &'a mut Checkpoint,
    pub(crate) view: &'a V,
    pub(crate) now_ms: u64,
    pub(crate) entropy: &'a mut E,
}
