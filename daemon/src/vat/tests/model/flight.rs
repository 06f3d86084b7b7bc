//! Deliveries under way: what the kernel gives out and hears back, watched from outside.

use super::machine::{Given, Seen};
use super::oracle::LEVELS_MAX;
use super::run::{Event, Run, What};
use super::turns::Ran;
use super::worker::Said;
use crate::protocol::{Content, Handle, MemoryHandle, Running, WHOLE_BYTES_MAX, Wanted};
use crate::vat::source::Source;
use crate::vat::{Death, Input, Order};

/// For how many deliveries a memory that suffered a call-back has nothing before it in flight.
const SHY_DELIVERIES: u64 = 1024;

/// What takes longer is not what its source's turns were taken for.
const SLOW_US: u64 = 100_000;

/// A delivery that the worker has not answered, as far as the kernel has heard.
pub(super) struct Flight {
    pub(super) delivery: u64,
    pub(super) message: u64,
    /// Its message's queue: source and target.
    pub(super) way: (Source, Handle),
    pub(super) clock_ms: u64,
    pub(super) seed: [u8; 32],
    /// The objects it called and was given.
    pub(super) loads: Vec<Handle>,
    pub(super) memories: Vec<MemoryHandle>,
    /// The kernel has called it back: what is said of it counts for nothing.
    pub(super) void: bool,
    /// Something has changed since it was given out, so it may be stale.
    pub(super) touched: bool,
}

impl Run {
    fn live(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter().filter(|flight| !flight.void)
    }

    /// Gives out the next turn, if one may go.
    pub(super) fn poll(&mut self) -> bool {
        let Some(given) = self.machine.poll(self.now_ms, None) else {
            let idle = self.live().count() == 0 && !self.condemned;
            let waits = self.model.queue.values().find(|message| idle && !self.model.objects[&message.target].held);
            assert!(waits.is_none(), "nothing is in flight, and yet a message waits: {waits:?}");
            return false;
        };
        self.check(&given);
        let Given { start, message, source } = given;
        let delivery = start.delivery;
        let target = &delivery.target;
        let way = (source, target.object);
        self.hit(match target.memory.as_ref().map(|memory| &memory.content) {
            Some(Content::AsLeft) => "memory taken as left",
            Some(Content::ByKey { known, .. }) if known.is_empty() => "memory by key",
            Some(Content::ByKey { .. }) => "memory by key, some sent along",
            Some(Content::Whole(_)) | None => "memory whole or none",
        });
        if start.lane != self.lane || start.fresh {
            self.flights.clear();
            self.unanswered = delivery.delivery;
            self.hit(if start.fresh { "worker must be fresh" } else { "another lane" });
        }
        self.lane = start.lane;
        self.next_delivery = delivery.delivery + 1;
        self.flights.push_back(Flight {
            delivery: delivery.delivery,
            message,
            way,
            clock_ms: delivery.clock_ms,
            seed: delivery.seed,
            loads: Vec::new(),
            memories: delivery.target.memory.iter().map(|memory| memory.memory).collect(),
            void: false,
            touched: false,
        });
        let code = self.machine.code(delivery.target.code);
        self.workers.turn_to(start.lane, start.fresh).deliver(*delivery, &code);
        let ahead = self.live().count() as u64;
        let most = self.hits.entry("most in flight").or_default();
        *most = ahead.max(*most);
        true
    }

    /// Whether that turn may go now.
    fn check(&self, given: &Given) {
        let Given { start, message, source } = given;
        let delivery = &start.delivery;
        let target = delivery.target.object;
        let Some(own) = self.model.queue.get(message) else { panic!("message {message} is not queued") };
        assert_eq!((own.way(), &own.args), ((*source, target), &delivery.args), "what is delivered is queued");
        assert!(self.live().all(|flight| flight.message != *message), "message {message} is delivered twice");
        let mut before = self.model.queue.range(..message).filter(|(_, other)| other.way() == own.way());
        let overtaken = before.find(|(before, _)| self.live().all(|flight| flight.message != **before));
        assert!(overtaken.is_none(), "message {message} overtakes {overtaken:?}");
        let object = &self.model.objects[&target];
        assert!(!object.held, "message {message} is delivered to a held object");
        assert_eq!(start.lane, self.model.lane(object.account, self.now_ms), "the lane of message {message}");
        assert!(
            self.live().all(|_| start.lane == self.lane),
            "turns of two lanes are in flight: {:?} then {:?}",
            self.lane,
            start.lane
        );
        assert_eq!(start.fresh, own.deaths > 0, "who killed a worker gets one that is new");
        // One whose object was removed is no message any more.
        let queued = |flight: &Flight| self.model.queue.get(&flight.message);
        let suspect = |flight: &Flight| queued(flight).is_some_and(|message| message.deaths > 0);
        let alone = self.live().count() == 0;
        assert!(alone || !start.fresh && !self.live().any(suspect), "a message on which a worker died runs alone");
        let shy = |memory: &MemoryHandle| self.shy.get(memory).is_some_and(|until| *until > delivery.delivery);
        let shy = delivery.target.memory.iter().any(|memory| shy(&memory.memory));
        assert!(alone || !shy, "delivery {} is on a memory that suffered a call-back just now", delivery.delivery);
    }

    /// The worker handles one frame.
    pub(super) fn work(&mut self) -> bool {
        let Some(worker) = self.workers.heard() else { return false };
        worker.step(&mut self.marks)
    }

    /// The kernel hears the next thing that the worker has said.
    pub(super) fn hear(&mut self) -> bool {
        let Some(said) = self.workers.hear() else { return false };
        match said {
            Said::Load { delivery, object } => self.load(delivery, object),
            Said::Ask { delivery, memory, wanted } => self.told(delivery, memory, wanted),
            Said::Done { delivery, report } => {
                let told = (report.cpu_us > SLOW_US, !report.memories.is_empty());
                let seen = self.machine.step(Input::Done { delivery, report }, self.now_ms, true);
                self.done(delivery, told, seen);
            }
            Said::Gone { death, page } => {
                let ran = self.page(page);
                let seen = self.machine.step(Input::Died { death: death.clone(), ran }, self.now_ms, true);
                self.died(death, ran, seen);
            }
        }
        self.steps_since_commit += 1;
        true
    }

    fn load(&mut self, delivery: u64, object: Handle) {
        let seen = self.machine.step(Input::Load { delivery, object }, self.now_ms, true);
        let Some(Order::Loaded(image)) = seen.order else { panic!("an honest load: {:?}", seen.order) };
        let flight = self.flights.iter_mut().find(|flight| flight.delivery == delivery);
        if let (Some(flight), Ok(image)) = (flight, &image) {
            flight.loads.push(object);
            flight.memories.extend(image.memory.iter().map(|memory| memory.memory));
            let own = self.lane.account();
            if own.is_some_and(|own| own != self.model.objects[&object].account)
                && let Some(worker) = self.workers.heard()
            {
                worker.spoilt_in.get_or_insert(delivery);
            }
        }
        let memory = image.as_ref().ok().and_then(|image| image.memory.as_ref()).map(|memory| &memory.content);
        match (&image, memory) {
            (Err(_), _) => self.hit("call refused"),
            (_, Some(Content::ByKey { .. })) => self.hit("call into a large memory"),
            _ => {}
        }
        let image = image.map(|image| {
            let code = self.machine.code(image.code);
            (*image, code)
        });
        if let Some(worker) = self.workers.heard() {
            worker.loaded(object, image);
        }
    }

    fn told(&mut self, delivery: u64, memory: MemoryHandle, wanted: Wanted) {
        let input = Input::Ask { delivery, memory, wanted: wanted.clone() };
        let seen = self.machine.step(input, self.now_ms, true);
        let Some(Order::Entries(page)) = seen.order else { panic!("an honest ask: {:?}", seen.order) };
        self.hit(match &wanted {
            Wanted::Key(_) => "asked for a key",
            Wanted::Page { after: Some(_) } if !page.entries.is_empty() => "asked for another page",
            Wanted::Page { .. } => "asked for a page",
        });
        if let Some(worker) = self.workers.heard() {
            worker.told(memory, wanted, page);
        }
    }

    /// What the kernel reads on the page of a worker that died: mostly what was there.
    fn page(&mut self, page: Option<(u64, Handle)>) -> Option<Running> {
        let honest = page.map(|(delivery, object)| Running { delivery, object, since_ns: 0 });
        if self.resting || !self.dice.one_in(3) {
            return honest;
        }
        if self.dice.one_in(2) {
            self.hit("nothing on the page");
            return None;
        }
        self.hit("nonsense on the page");
        let delivery = (self.unanswered + self.dice.below(6)).saturating_sub(2);
        let object = 1 + self.dice.below(self.model.next_reference() + 1);
        Some(Running { delivery, object, since_ns: 0 })
    }

    /// The report said whether the turn was `slow`, and whether it `changed` a memory.
    fn done(&mut self, delivery: u64, (slow, changed): (bool, bool), seen: Seen) {
        let Some(flight) = self.flights.pop_front() else { panic!("delivery {delivery} ended, which was not given") };
        assert_eq!(flight.delivery, delivery, "the worker answers in order");
        self.unanswered = self.unanswered.max(delivery + 1);
        let spoilt_in = self.workers.heard().and_then(|worker| worker.spoilt_in);
        let spoilt = spoilt_in.is_some() && !flight.void;
        let replaced = matches!(seen.order, Some(Order::Replace));
        assert!(replaced || seen.order.is_none(), "an honest worker is told {:?}", seen.order);
        let Some(turn) = seen.turn else {
            assert!(!seen.wrote, "a report that counts for nothing wrote something");
            assert!(flight.void || flight.touched, "a turn that nothing had touched was thrown away");
            assert_eq!(replaced, spoilt, "only a worker that ran another account's code is replaced");
            self.hit(if flight.void { "report of a turn called back" } else { "stale turn" });
            if !flight.void {
                let last = self.flights.back().map_or(delivery, |flight| flight.delivery);
                self.shy.extend(flight.memories.iter().map(|memory| (*memory, last + 1 + SHY_DELIVERIES)));
                self.void_all();
            }
            if replaced {
                self.spoilt();
            }
            return;
        };
        assert!(!flight.void, "a turn that was called back was committed");
        assert!(spoilt_in.is_none_or(|at| at == delivery), "a spoilt worker ran another turn");
        assert_eq!((turn.message, turn.way), (flight.message, flight.way), "what ran is what was delivered");
        assert_eq!(turn.clock_ms, flight.clock_ms, "the time the turn was told");
        let ran = self.ran(&flight, turn.turn, Vec::new());
        let before = self.model.before.len();
        let outcomes = self.model.outcomes.len();
        let (refused, accounts) = (self.model.refusals(), self.model.accounts.len());
        self.expected.extend(self.model.turn(&ran, turn.outcome.as_str()));
        self.model.step_ends();
        self.count(before, refused, accounts);
        if self.model.outcomes.len() < outcomes {
            self.hit("outcomes forgotten");
        }
        self.touch(changed);
        self.hit(match turn.outcome {
            qrt_shared::view::Outcome::Ok => "turn ok",
            qrt_shared::view::Outcome::Error => "turn failed",
            qrt_shared::view::Outcome::Killed => "turn over budget",
        });
        if !flight.loads.is_empty() {
            self.hit("turn with a call");
        }
        self.remember(What::Turn { ran, way: turn.way }, seen.drawn);
        let behind = self.live().count() > 0;
        assert_eq!(replaced, spoilt || slow && behind, "whether the worker is replaced after delivery {delivery}");
        if spoilt {
            self.spoilt();
        } else if replaced {
            self.hit("worker replaced behind a slow turn");
            self.end_worker();
        }
    }

    /// Counts what a turn did, by what there was before it.
    fn count(&mut self, before: usize, (kept, counted): (u64, u64), accounts: usize) {
        let (kept_now, counted_now) = self.model.refusals();
        if kept_now > kept {
            self.hit("message refused, kept as a fault");
        }
        if counted_now > counted {
            self.hit("message refused, counted");
        }
        let made: Vec<Handle> = self.model.accounts.keys().copied().skip(accounts).collect();
        for account in made {
            self.hit("account made");
            let above = self.model.above(account).len();
            if above == LEVELS_MAX {
                self.hit("account as deep as may be");
            }
        }
        self.resized(before);
    }

    /// Counts memories that changed since there were so many changes and travel otherwise now.
    pub(super) fn resized(&mut self, before: usize) {
        let bytes =
            |entries: &[(String, String)]| entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let mut hits = Vec::new();
        for (_, memory, before) in &self.model.before[before..] {
            // It may be gone with its object.
            let Some(now) = self.model.memories.get(memory) else { continue };
            let large = |bytes: usize| bytes as u64 > WHOLE_BYTES_MAX;
            match (large(bytes(before)), large(bytes(&now.0))) {
                (false, true) => hits.push("memory outgrew a delivery"),
                (true, false) => hits.push("memory fits a delivery again"),
                (true, true) => hits.push("large memory changed"),
                (false, false) => {}
            }
        }
        for hit in hits {
            self.hit(hit);
        }
    }

    fn spoilt(&mut self) {
        self.condemned = true;
        self.hit("worker spoilt");
        self.void_all();
        self.end_worker();
    }

    fn end_worker(&mut self) {
        if let Some(worker) = self.workers.heard() {
            worker.end(Death::Replaced);
        }
    }

    fn died(&mut self, death: Death, ran: Option<Running>, seen: Seen) {
        let said = ran.filter(|ran| (self.unanswered..self.next_delivery).contains(&ran.delivery));
        let suspect = said.map_or(self.unanswered, |said| said.delivery);
        let suspect = self.flights.iter().position(|flight| flight.delivery == suspect);
        let suspect = suspect.and_then(|at| self.flights.remove(at));
        self.hit(match (&death, &suspect) {
            (Death::Replaced, _) => "worker replaced",
            (_, None) => "worker died with nothing to do",
            (_, Some(flight)) if flight.void => "worker died in a turn called back",
            (Death::Crashed(_), Some(flight)) if !flight.loads.is_empty() => "worker died in a call",
            (Death::Crashed(_), _) => "worker died",
            (Death::Deadline { .. }, _) => "deadline",
        });
        match (seen.death, suspect) {
            (Some((message, blamed)), Some(flight)) => {
                assert!(!flight.void, "{death:?} in a turn that was called back is nobody's fault, not of {message}");
                assert_eq!(message, flight.message, "on which message the worker died");
                let innermost = ran.filter(|ran| ran.delivery == flight.delivery).map(|ran| ran.object);
                let innermost = innermost.filter(|object| flight.loads.contains(object));
                assert_eq!(blamed, innermost.unwrap_or(flight.way.1), "who is to blame");
                let ahead = self.live().any(|other| other.delivery < flight.delivery && other.way == flight.way);
                let late = matches!(death, Death::Deadline { .. });
                let last = self.model.queue[&message].deaths > 0 || late && !ahead;
                assert_eq!(seen.turn.is_some(), last, "whether it is the end of message {message}");
                let ran = seen.turn.as_ref().map(|turn| self.ran(&flight, turn.turn, turn.called.clone()));
                if let Some(ran) = &ran {
                    let called: Vec<Handle> = ran.called.iter().map(|(object, _)| *object).collect();
                    assert_eq!(called, flight.loads, "what it had called by then");
                    self.hit(if late { "killed by the deadline" } else { "killed twice" });
                } else if late {
                    self.hit("deadline behind an earlier turn of its queue");
                }
                if innermost.is_some() {
                    self.hit("callee to blame");
                }
                self.expected.extend(self.model.died(message, &death, blamed, ran.as_ref(), self.now_ms));
                self.model.step_ends();
                let Flight { way, clock_ms, seed, loads, .. } = flight;
                self.remember(What::Died { message, way, clock_ms, seed, loads, death, blamed }, seen.drawn);
            }
            (Some(blamed), None) => panic!("{blamed:?} is blamed for {death:?}, but nothing ran"),
            (None, Some(flight)) => {
                let blame = death != Death::Replaced && !flight.void && !flight.touched;
                assert!(!blame, "nobody is blamed for {death:?} in message {}", flight.message);
                assert!(!seen.wrote, "a death that is nobody's fault wrote something");
            }
            (None, None) => assert!(!seen.wrote, "a death that is nobody's fault wrote something"),
        }
        self.workers.gone();
        self.condemned = false;
        self.flights.clear();
        self.unanswered = self.next_delivery;
    }

    fn ran(&self, flight: &Flight, turn: u64, called: Vec<(Handle, u32)>) -> Ran {
        let Flight { message, clock_ms, seed, .. } = *flight;
        Ran { turn, message, clock_ms, seed, now_ms: self.now_ms, called }
    }

    pub(super) fn remember(&mut self, what: What, drawn: Vec<u8>) {
        if self.traced {
            eprintln!("{} at {}: {what:?}", self.steps, self.now_ms);
        }
        self.history.push(Event { what, now_ms: self.now_ms, drawn });
    }

    pub(super) fn void_all(&mut self) {
        for flight in &mut self.flights {
            flight.void = true;
        }
    }

    pub(super) fn touch(&mut self, touched: bool) {
        for flight in &mut self.flights {
            flight.touched |= touched;
        }
    }
}
