//! One run: a program of asks and scripts, a worker, a kernel and a disk, whose steps come in an
//! order that the dice choose, and everything that can go wrong between two of them.
//!
//! After each step the model does what the kernel did; at each commit what was let out must be what
//! the model expects; after each end of the daemon the disk must hold what the model was at the last
//! commit, and everything that anybody was told.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::dice::Dice;
use super::disk;
use super::flight::Flight;
use super::machine::{LIMITS, Machine};
use super::oracle::Model;
use super::program::{Ask, Operator};
use super::script::{Author, Taste};
use super::turns::Ran;
use super::unbroken;
use super::worker::Marks;
use super::workers::Workers;
use crate::protocol::{Handle, MemoryHandle};
use crate::vat::lane::{Isolation, Lane};
use crate::vat::source::Source;
use crate::vat::{Death, Limits, QueueLimits};

/// How often each kind of thing happened.
pub(super) type Hits = BTreeMap<&'static str, u64>;

/// Something that is part of the vat's history, once it is committed.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) what: What,
    pub(super) now_ms: u64,
    /// The random bytes it drew.
    pub(super) drawn: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Asked(Ask),
    Turn {
        ran: Ran,
        way: (Source, Handle),
    },
    Died {
        message: u64,
        way: (Source, Handle),
        clock_ms: u64,
        seed: [u8; 32],
        loads: Vec<Handle>,
        death: Death,
        blamed: Handle,
    },
}

/// How a run goes on for a while.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Ahead,
    Steady,
    Late,
}

/// See the module.
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own, and all combinations happen")]
pub(super) struct Run {
    pub(super) dice: Dice,
    pub(super) operator: Operator,
    pub(super) machine: Machine,
    pub(super) workers: Workers,
    /// Whose worker has the turns in flight, or had the last.
    pub(super) lane: Lane,
    /// The oldest delivery that the kernel waits for an answer of.
    pub(super) unanswered: u64,
    pub(super) next_delivery: u64,
    /// The worker is to go before anything else starts.
    pub(super) condemned: bool,
    pub(super) flights: VecDeque<Flight>,
    pub(super) model: Model,
    pub(super) committed: Model,
    pub(super) history: Vec<Event>,
    pub(super) history_committed: usize,
    /// What the next commit must let out.
    pub(super) expected: Vec<String>,
    /// Asks that nobody has had an answer to.
    pub(super) open: BTreeMap<u64, Ask>,
    pub(super) again: Vec<Ask>,
    pub(super) tickets: u64,
    /// What was said of each message of the operator.
    pub(super) told: BTreeMap<u64, String>,
    pub(super) marks: Marks,
    /// Memories on which a turn was stale, and until which delivery nothing runs before one on them.
    pub(super) shy: BTreeMap<MemoryHandle, u64>,
    pub(super) now_ms: u64,
    pub(super) steps_since_commit: u64,
    /// Nothing goes wrong from outside, so that more is under way at a time.
    pub(super) calm: bool,
    /// Nothing goes wrong any more.
    pub(super) resting: bool,
    pub(super) steps: u64,
    pub(super) hits: Hits,
    /// Whether every event is printed as it happens.
    pub(super) traced: bool,
}

impl Run {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let bad = [0, 15, 40, 80][usize::try_from(dice.below(4)).expect("small")];
        let taste = Taste { bad, large: dice.one_in(4), crowded: dice.one_in(3) };
        let operator = Operator::new(Author::new(Dice::new(dice.bits()), taste));
        let limits = limits(&mut dice, taste);
        let calm = dice.one_in(3);
        let first_message = if dice.one_in(2) { 1000 } else { 1 };
        let machine = Machine::new(Dice::new(dice.bits()), limits, first_message);
        let model = Model::new(first_message, limits);
        Self {
            dice,
            operator,
            machine,
            workers: Workers::default(),
            lane: Lane::Shared,
            unanswered: 0,
            next_delivery: 0,
            condemned: false,
            flights: VecDeque::new(),
            committed: model.clone(),
            model,
            history: Vec::new(),
            history_committed: 0,
            expected: Vec::new(),
            open: BTreeMap::new(),
            again: Vec::new(),
            tickets: 0,
            told: BTreeMap::new(),
            marks: Marks::These(HashSet::new()),
            shy: BTreeMap::new(),
            now_ms: 1_000_000,
            steps_since_commit: 0,
            calm,
            resting: false,
            steps: 0,
            hits: Hits::new(),
            traced,
        }
    }

    pub(super) fn hit(&mut self, what: &'static str) {
        if self.traced {
            eprintln!("{} at {}: {what}", self.steps, self.now_ms);
        }
        *self.hits.entry(what).or_default() += 1;
    }

    /// Runs a program of so many asks, then lets the vat come to rest; checks the end.
    pub(super) fn run(&mut self, asks: u64) {
        let mut asks = asks;
        let mut mood = Mood::Steady;
        while asks > 0 {
            if self.dice.one_in(30) {
                mood = [Mood::Ahead, Mood::Steady, Mood::Late][usize::try_from(self.dice.below(3)).expect("small")];
            }
            self.pass_time();
            let mut weights = match mood {
                Mood::Ahead => [200, 30, 30, 10, 90, 2, 1, 2, 2],
                Mood::Steady => [100, 100, 100, 30, 40, 2, 1, 2, 2],
                Mood::Late => [100, 60, 20, 4, 60, 2, 2, 2, 2],
            };
            if self.calm {
                weights[5..].fill(0);
            }
            match self.dice.weighed(&weights) {
                0 => drop(self.poll()),
                1 => drop(self.work()),
                2 => drop(self.hear()),
                3 => self.commit(),
                4 => asks -= u64::from(self.ask()),
                5 => self.crash(),
                6 => self.commit_lost(),
                7 => self.lose_worker(Death::Crashed("killed from outside".to_owned()), "worker killed from outside"),
                _ => self.retire_worker(),
            }
            self.steps += 1;
        }
        self.rest();
        self.compare("at rest");
        let disk = disk::read(&self.machine.file());
        let undone = disk::undo(&disk, &self.model);
        *self.hits.entry("changes undone").or_default() += undone;
    }

    fn pass_time(&mut self) {
        if self.dice.one_in(400) {
            self.now_ms -= 500;
            self.hit("clock set back");
        } else if self.dice.one_in(250) {
            // Less than any outcome is kept, more than most, more than all.
            let minutes = [20, 120, 25 * 60][usize::try_from(self.dice.below(3)).expect("small")];
            self.now_ms += minutes * 60 * 1000;
            self.hit(if minutes > 24 * 60 { "a day has passed" } else { "an hour or so has passed" });
        } else {
            self.now_ms += self.dice.below(3);
        }
    }

    /// No more faults: everything that may run runs, in bounded time.
    fn rest(&mut self) {
        self.resting = true;
        for ask in std::mem::take(&mut self.again) {
            self.put(ask);
        }
        let mut bound = 1000;
        let mut sent = 0;
        loop {
            let mut moved = false;
            while self.poll() {
                moved = true;
            }
            moved |= self.work();
            moved |= self.hear();
            if self.dice.one_in(10) {
                self.commit();
            }
            self.steps += 1;
            // A few steps for each message there ever was, however many the turns send.
            bound += 60 * (self.model.messages - std::mem::replace(&mut sent, self.model.messages));
            bound -= 1;
            assert!(bound > 0, "the queue does not drain: {:?}", self.model.queue.keys());
            if !moved && !self.workers.have_said() {
                break;
            }
        }
        self.commit();
        assert_eq!(self.machine.in_flight(), 0, "a turn is with a worker that has nothing left");
        let waits = self.model.queue.values().find(|message| !self.model.objects[&message.target].held);
        assert!(waits.is_none(), "a message for an object that is not held waits: {waits:?}");
        if !self.model.queue.is_empty() {
            self.hit("held messages at rest");
        }
    }

    pub(super) fn compare(&mut self, when: &'static str) {
        disk::compare(&disk::read(&self.machine.file()), &self.model);
        self.hit(when);
    }

    /// Whether the same history without anything going wrong leaves the same; what happened, and in
    /// how many steps.
    pub(super) fn end(self) -> (Hits, u64) {
        let Model { first_message, limits, .. } = self.model;
        unbroken::same(disk::read(&self.machine.file()), unbroken::unbroken(&self.history, first_message, limits));
        (self.hits, self.steps)
    }
}

/// The settings of a run.
fn limits(dice: &mut Dice, taste: Taste) -> Limits {
    let mut limits = LIMITS;
    if dice.one_in(4) {
        limits.journal_turns = 12;
    }
    if dice.one_in(3) {
        limits.isolation = Isolation::Account;
    }
    if taste.crowded {
        let (messages, faults) = (2 + dice.below(3), 1 + dice.below(2));
        limits.queue = QueueLimits { messages, bytes: 2000, all_messages: 16, all_bytes: 10_000, faults };
    }
    limits
}
