//! Deliveries under way: what the kernel gives out and hears back, watched from outside.

use super::machine::Seen;
use super::run::{Event, Run, What};
use super::turns::Ran;
use super::worker::{Said, Worker};
use crate::protocol::{Delivery, Handle, MemoryHandle};
use crate::vat::{Death, Input, Order};

/// For how many deliveries a memory that suffered a call-back has nothing before it in flight.
const SHY_DELIVERIES: u64 = 1024;

/// A delivery that the worker has not answered, as far as the kernel has heard.
pub(super) struct Flight {
    pub(super) delivery: u64,
    pub(super) target: Handle,
    pub(super) args: String,
    pub(super) clock_ms: u64,
    pub(super) seed: [u8; 32],
    pub(super) loads: Vec<Handle>,
    pub(super) memories: Vec<MemoryHandle>,
    /// The kernel has called it back: what is said of it counts for nothing.
    pub(super) void: bool,
    /// Something has changed since it was given out, so it may be stale.
    pub(super) touched: bool,
}

impl Run {
    /// Gives out the next turn, if one may go.
    pub(super) fn poll(&mut self) -> bool {
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
    pub(super) fn work(&mut self) -> bool {
        self.worker.as_mut().is_some_and(|worker| worker.step(&mut self.marks))
    }

    /// The kernel hears the next thing that the worker has said.
    pub(super) fn hear(&mut self) -> bool {
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
        let outcomes = self.model.outcomes.len();
        self.expected.extend(self.model.turn(&ran, turn.outcome.as_str()));
        if self.model.outcomes.len() < outcomes {
            self.hit("outcomes forgotten");
        }
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
                if let Some(ran) = &ran {
                    let called: Vec<Handle> = ran.called.iter().map(|(object, _)| *object).collect();
                    assert_eq!(called, flight.loads, "what it had called by then");
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
