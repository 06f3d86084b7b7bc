//! One run: a program of asks and scripts, a worker, a kernel and a disk, whose steps come in an
//! order that the dice choose, and everything that can go wrong between two of them.
//!
//! After each step the model does what the kernel did; at each commit what was let out must be what
//! the model expects; after each end of the daemon the disk must hold what the model was at the last
//! commit, and everything that anybody was told.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::dice::Dice;
use super::disk;
use super::machine::{Machine, Seen};
use super::oracle::Model;
use super::program::{Ask, Operator};
use super::script::{Author, Taste};
use super::turns::Ran;
use super::worker::{Marks, Said, Worker};
use crate::protocol::{Delivery, Handle, MemoryHandle};
use crate::vat::{Death, Input, Order};

/// For how many deliveries a memory that suffered a call-back has nothing before it in flight.
const SHY_DELIVERIES: u64 = 1024;

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
    Turn { ran: Ran, source: Handle },
    Died { message: u64, source: Handle, clock_ms: u64, loads: Vec<Handle>, death: Death },
}

/// A delivery that the worker has not answered, as far as the kernel has heard.
struct Flight {
    delivery: u64,
    target: Handle,
    args: String,
    clock_ms: u64,
    seed: [u8; 32],
    loads: Vec<Handle>,
    memories: Vec<MemoryHandle>,
    /// The kernel has called it back: what is said of it counts for nothing.
    void: bool,
    /// Something has changed since it was given out, so it may be stale.
    touched: bool,
}

/// How a run goes on for a while.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Ahead,
    Steady,
    Late,
}

/// See the module.
pub(super) struct Run {
    dice: Dice,
    operator: Operator,
    machine: Machine,
    worker: Option<Worker>,
    flights: VecDeque<Flight>,
    model: Model,
    committed: Model,
    history: Vec<Event>,
    history_committed: usize,
    /// What the next commit must let out.
    expected: Vec<String>,
    /// Asks that nobody has had an answer to.
    open: BTreeMap<u64, Ask>,
    again: Vec<Ask>,
    tickets: u64,
    /// What was said of each message of the operator.
    told: BTreeMap<u64, String>,
    marks: Marks,
    /// Memories on which a turn was stale, and until which delivery nothing runs before one on them.
    shy: BTreeMap<MemoryHandle, u64>,
    now_ms: u64,
    steps_since_commit: u64,
    /// Nothing goes wrong from outside, so that more is under way at a time.
    calm: bool,
    steps: u64,
    hits: Hits,
    /// Whether every event is printed as it happens.
    traced: bool,
}

impl Run {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let taste = Taste { bad: [0, 15, 40, 80][usize::try_from(dice.below(4)).expect("small")] };
        let operator = Operator::new(Author::new(Dice::new(dice.bits()), taste));
        let journal_turns = if dice.one_in(4) { 12 } else { 100_000 };
        let calm = dice.one_in(3);
        let machine = Machine::new(Dice::new(dice.bits()), journal_turns);
        Self {
            dice,
            operator,
            machine,
            worker: None,
            flights: VecDeque::new(),
            model: Model::default(),
            committed: Model::default(),
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
            steps: 0,
            hits: Hits::new(),
            traced,
        }
    }

    fn hit(&mut self, what: &'static str) {
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
        } else if self.dice.one_in(2000) {
            self.now_ms += 25 * 60 * 60 * 1000;
        } else {
            self.now_ms += self.dice.below(3);
        }
    }

    /// No more faults: everything that may run runs, in bounded time.
    fn rest(&mut self) {
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
            if !moved && self.worker.as_ref().is_none_or(|worker| !worker.has_said()) {
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

    /// Gives out the next turn, if one may go.
    fn poll(&mut self) -> bool {
        let Some(delivery) = self.machine.poll(self.now_ms, None) else { return false };
        let Delivery { delivery: number, ref args, clock_ms, seed, .. } = delivery;
        let target = delivery.target.object;
        if delivery.target.memory.as_ref().is_some_and(|memory| memory.entries.is_none()) {
            self.hit("memory taken as left");
        }
        let args = args.clone();
        let same = |target_too: Handle, args_too: &str| target_too == target && args_too == args;
        let queued = self.model.queue.values().filter(|message| same(message.target, &message.args)).count();
        let flying = self.flights.iter().filter(|flight| !flight.void && same(flight.target, &flight.args)).count();
        assert!(flying < queued, "a message for object {target} was delivered that is not queued, or twice: {args}");
        let memories: Vec<_> = delivery.target.memory.iter().map(|memory| memory.memory).collect();
        let shy = memories.iter().any(|memory| self.shy.get(memory).is_some_and(|until| *until > number));
        let (void, touched, loads) = (false, false, Vec::new());
        self.flights.push_back(Flight {
            delivery: number,
            target,
            args,
            clock_ms,
            seed,
            loads,
            memories,
            void,
            touched,
        });
        let with_it: Vec<&Flight> = self.flights.iter().filter(|flight| !flight.void).collect();
        assert!(with_it.len() == 1 || !shy, "delivery {number} is on a memory that suffered a call-back just now");
        let suspect = |flight: &&Flight| {
            let queued = self.model.queue.values();
            let its = queued.filter(|message| (message.target, &message.args) == (flight.target, &flight.args));
            its.map(|message| message.deaths).min().is_some_and(|deaths| deaths > 0)
        };
        assert!(with_it.len() == 1 || !with_it.iter().any(suspect), "a message on which a worker died runs alone");
        let code = self.machine.code(delivery.target.code);
        self.worker.get_or_insert_default().deliver(delivery, &code);
        let ahead = self.flights.iter().filter(|flight| !flight.void).count() as u64;
        let most = self.hits.entry("most in flight").or_default();
        *most = ahead.max(*most);
        true
    }

    /// The worker handles one frame.
    fn work(&mut self) -> bool {
        self.worker.as_mut().is_some_and(|worker| worker.step(&mut self.marks))
    }

    /// The kernel hears the next thing that the worker has said.
    fn hear(&mut self) -> bool {
        let Some(said) = self.worker.as_mut().and_then(Worker::hear) else { return false };
        match said {
            Said::Load { delivery, object } => {
                let seen = self.machine.step(Input::Load { delivery, object }, self.now_ms, true);
                let Some(Order::Loaded(image)) = seen.order else { panic!("an honest load: {:?}", seen.order) };
                let flight = self.flights.iter_mut().find(|flight| flight.delivery == delivery);
                if let (Some(flight), Ok(image)) = (flight, &image) {
                    flight.loads.push(object);
                    flight.memories.extend(image.memory.iter().map(|memory| memory.memory));
                }
                if image.is_err() {
                    self.hit("call refused");
                }
                let image = image.map(|image| {
                    let code = self.machine.code(image.code);
                    (*image, code)
                });
                self.worker.get_or_insert_default().loaded(object, image);
            }
            Said::Done { delivery, report } => {
                let seen = self.machine.step(Input::Done { delivery, report }, self.now_ms, true);
                self.done(delivery, seen);
            }
            Said::Gone(death) => {
                let seen = self.machine.step(Input::Died(death.clone()), self.now_ms, true);
                self.died(death, seen);
            }
        }
        self.steps_since_commit += 1;
        true
    }

    fn done(&mut self, delivery: u64, seen: Seen) {
        let Some(flight) = self.flights.pop_front() else { panic!("delivery {delivery} ended, which was not given") };
        assert_eq!(flight.delivery, delivery, "the worker answers in order");
        let Some(turn) = seen.turn else {
            assert!(!seen.wrote, "a report that counts for nothing wrote something");
            assert!(seen.order.is_none(), "an honest worker is told {:?}", seen.order);
            assert!(flight.void || flight.touched, "a turn that nothing had touched was thrown away");
            self.hit(if flight.void { "report of a turn called back" } else { "stale turn" });
            if !flight.void {
                let last = self.flights.back().map_or(delivery, |flight| flight.delivery);
                self.shy.extend(flight.memories.iter().map(|memory| (*memory, last + 1 + SHY_DELIVERIES)));
                self.void_all();
            }
            return;
        };
        assert!(!flight.void, "a turn that was called back was committed");
        let message = &self.model.queue.get(&turn.message).expect("a turn on a message that is queued");
        assert_eq!((message.target, &message.args), (flight.target, &flight.args), "what ran is what was delivered");
        assert_eq!(turn.clock_ms, flight.clock_ms, "the time the turn was told");
        let ran = self.ran(&flight, turn.turn, turn.message, Vec::new());
        let before = self.model.before.len();
        self.expected.extend(self.model.turn(&ran, turn.outcome.as_str()));
        let changed = self.model.before.len() > before;
        self.touch(changed);
        self.hit(match turn.outcome {
            qrt_shared::view::Outcome::Ok => "turn ok",
            qrt_shared::view::Outcome::Error => "turn failed",
            qrt_shared::view::Outcome::Killed => "turn over budget",
        });
        if !flight.loads.is_empty() {
            self.hit("turn with a call");
        }
        self.remember(What::Turn { ran, source: turn.source }, seen.drawn);
        match seen.order {
            None => {}
            Some(Order::Replace) => {
                self.hit("worker replaced behind a slow turn");
                self.worker.get_or_insert_default().end(Death::Replaced);
            }
            Some(order) => panic!("an honest worker is told {order:?}"),
        }
    }

    fn died(&mut self, death: Death, seen: Seen) {
        let suspect = self.flights.pop_front();
        self.hit(match (&death, &suspect) {
            (Death::Replaced, _) => "worker replaced",
            (_, None) => "worker died with nothing to do",
            (_, Some(flight)) if flight.void => "worker died in a turn called back",
            (Death::Crashed(_), Some(flight)) if !flight.loads.is_empty() => "worker died in a call",
            (Death::Crashed(_), _) => "worker died",
            (Death::Deadline { .. }, _) => "deadline",
        });
        let blamed = seen.turn.as_ref().map(|turn| turn.message).or(seen.death);
        match (blamed, suspect) {
            (Some(message), Some(flight)) => {
                assert!(!flight.void, "{death:?} in a turn that was called back is nobody's fault, not of {message}");
                let queued = &self.model.queue[&message];
                assert_eq!((queued.target, &queued.args), (flight.target, &flight.args), "who is to blame");
                let source = queued.source;
                let ran = seen.turn.as_ref().map(|turn| self.ran(&flight, turn.turn, message, turn.called.clone()));
                if ran.is_some() {
                    self.hit(if matches!(death, Death::Crashed(_)) {
                        "killed twice"
                    } else {
                        "killed by the deadline"
                    });
                }
                self.expected.extend(self.model.died(message, &death, ran.as_ref()));
                let Flight { clock_ms, loads, .. } = flight;
                self.remember(What::Died { message, source, clock_ms, loads, death }, seen.drawn);
            }
            (Some(message), None) => panic!("message {message} is blamed for {death:?}, but nothing ran"),
            (None, Some(flight)) => {
                let blame = death != Death::Replaced && !flight.void && !flight.touched;
                assert!(!blame, "nobody is blamed for {death:?}: {}", flight.args);
                assert!(!seen.wrote, "a death that is nobody's fault wrote something");
            }
            (None, None) => {}
        }
        self.worker = None;
        self.flights.clear();
    }

    fn ran(&self, flight: &Flight, turn: u64, message: u64, called: Vec<(Handle, u32)>) -> Ran {
        Ran { turn, message, clock_ms: flight.clock_ms, seed: flight.seed, now_ms: self.now_ms, called }
    }

    fn remember(&mut self, what: What, drawn: Vec<u8>) {
        if self.traced {
            eprintln!("{} at {}: {what:?}", self.steps, self.now_ms);
        }
        self.history.push(Event { what, now_ms: self.now_ms, drawn });
    }

    fn void_all(&mut self) {
        for flight in &mut self.flights {
            flight.void = true;
        }
    }

    fn touch(&mut self, touched: bool) {
        for flight in &mut self.flights {
            flight.touched |= touched;
        }
    }

    /// The operator asks for something; whether it was anything new.
    fn ask(&mut self) -> bool {
        let again = if self.dice.one_in(3) { self.again.pop() } else { None };
        let new = again.is_none();
        let ask = again.unwrap_or_else(|| self.operator.ask(&self.model));
        self.put(ask);
        new
    }

    fn put(&mut self, ask: Ask) {
        self.tickets += 1;
        // What it names may have gone with a daemon that never told anybody.
        let Some(input) = self.machine.request(self.tickets, &ask) else { return };
        let seen = self.machine.step(input, self.now_ms, true);
        assert!(seen.turn.is_none() && seen.order.is_none(), "an ask runs no turn");
        let turns = self.model.turns.len();
        let mut heard = self.model.ask(&ask, self.now_ms);
        let edits = matches!(ask, Ask::Upgrade { .. } | Ask::Remove { .. } | Ask::MemorySet { .. } | Ask::Hold { .. });
        let answer = heard.pop().expect("an answer");
        self.hit(match (&ask, answer.as_str()) {
            (_, "refused") => "ask refused",
            (Ask::Send { .. }, answer) if answer.ends_with("true") => "key used again",
            (Ask::Remove { .. }, _) => "object removed",
            (Ask::Hold { .. }, _) => "object held or released",
            (Ask::Retry(_), _) => "fault retried",
            (Ask::Drop(_), _) => "fault dropped",
            (Ask::Send { .. }, _) => "message sent",
            _ => "other ask",
        });
        if self.model.turns.len() > turns && self.flights.iter().any(|flight| !flight.void) {
            self.hit("edit with turns in flight");
        }
        self.touch(edits);
        self.expected.extend(heard);
        self.expected.push(format!("{} {answer}", self.tickets));
        self.open.insert(self.tickets, ask.clone());
        self.remember(What::Asked(ask), seen.drawn);
        self.steps_since_commit += 1;
    }

    /// Commits; everything that may be seen then is seen, and is what was expected.
    fn commit(&mut self) {
        let let_out = self.machine.commit();
        self.committed = self.model.clone();
        self.history_committed = self.history.len();
        assert_eq!(let_out, std::mem::take(&mut self.expected), "what a commit lets out");
        for line in let_out {
            let mut words = line.split(' ');
            let (first, second, third) = (words.next(), words.next(), words.next());
            let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok()).expect("a number");
            if first == Some("ended") {
                let message = number(second);
                let told = self.machine.awaited(message);
                assert!(!matches!(told.as_str(), "queued" | "unknown"), "message {message} has ended: {told}");
                self.told.insert(message, told);
                continue;
            }
            self.open.remove(&number(first));
            // A retried message may be an object's, whose end nobody can ask for.
            if second == Some("queued") {
                let message = number(third);
                self.told.entry(message).or_insert_with(|| "queued".to_owned());
            }
        }
        self.steps_since_commit = 0;
        self.compare("commit");
    }

    /// The daemon dies between two commits.
    fn crash(&mut self) {
        if self.dice.one_in(4) {
            // In the middle of a step whose rows were not written yet.
            if let Some(Said::Done { delivery, report }) = self.worker.as_mut().and_then(Worker::hear) {
                drop(self.machine.step(Input::Done { delivery, report }, self.now_ms, false));
                self.hit("daemon died in the middle of a step");
            }
        }
        self.hit(if self.steps_since_commit > 0 { "daemon died before a commit" } else { "daemon died at rest" });
        self.reopen();
    }

    /// The daemon dies after a commit and before it told anybody, or takes the commit for failed.
    fn commit_lost(&mut self) {
        if self.steps_since_commit > 0 {
            drop(self.machine.commit());
            self.committed = self.model.clone();
            self.history_committed = self.history.len();
            self.hit("daemon died after a commit");
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        let kill = self.dice.one_in(2);
        self.machine.crash(kill);
        if kill {
            self.hit("daemon killed, files as they lay");
        }
        self.shy.clear();
        self.model = self.committed.clone();
        self.history.truncate(self.history_committed);
        self.expected.clear();
        self.worker = None;
        self.flights.clear();
        self.steps_since_commit = 0;
        for ask in std::mem::take(&mut self.open).into_values() {
            let keyed = matches!(ask, Ask::Send { key: Some(_), .. });
            if keyed || self.dice.one_in(2) {
                self.hit("ask repeated");
                self.again.push(ask);
            }
        }
        self.compare("after the daemon's end");
        for (message, told) in self.told.clone() {
            let now = self.machine.awaited(message);
            assert!(now == told || told == "queued" && now != "unknown", "message {message}: {told}, then {now}");
        }
    }

    fn lose_worker(&mut self, death: Death, what: &'static str) {
        if let Some(worker) = self.worker.as_mut().filter(|worker| !worker.is_gone()) {
            worker.end(death);
            self.hit(what);
        }
    }

    fn retire_worker(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.leave();
            self.hit("worker retired");
        }
    }

    fn compare(&mut self, when: &'static str) {
        disk::compare(&disk::read(&self.machine.file()), &self.model);
        self.hit(when);
    }

    /// What the vat has been through, and what it is now.
    pub(super) fn end(self) -> (Vec<Event>, disk::Tables, Hits, u64) {
        let disk = disk::read(&self.machine.file());
        (self.history, disk, self.hits, self.steps)
    }
}
