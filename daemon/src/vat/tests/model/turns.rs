//! The model's turns: one message to one object, all or nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use qrt_shared::view::Used;
use serde_json::json;

use super::oracle::{GONE, Message, Model, abroad};
use super::script::{self, Args, Ref, text};
use super::sim::{End, Sim};
use crate::protocol::{CodeError, Handle, Native};
use crate::vat::Death;
use crate::vat::source::Source;

/// What the model is told of a turn.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    pub(super) turn: u64,
    pub(super) message: u64,
    pub(super) clock_ms: u64,
    pub(super) seed: [u8; 32],
    pub(super) now_ms: u64,
    /// For a turn that a death ended: the objects it had called by then.
    pub(super) called: Vec<(Handle, u32)>,
}

impl Model {
    /// Takes the message out of the queue, if it may run now.
    fn take(&mut self, ran: &Ran) -> Message {
        let Ran { turn, message, .. } = *ran;
        assert_eq!(turn, self.next_turn(), "turns are numbered one after the other");
        let Some(was) = self.queue.remove(&message) else { panic!("message {message} ran, which is not queued") };
        let Some(target) = self.objects.get(&was.target) else { panic!("a turn of an object that is not there") };
        assert!(!target.held, "message {message} ran on a held object");
        let earlier = self.queue.iter().find(|(_, other)| other.way() == was.way());
        let in_order = earlier.is_none_or(|(other, _)| *other > message);
        assert!(in_order, "message {message} overtook {earlier:?} of its source and target");
        was
    }

    /// A turn has run to its end; what the operator then hears. The outcome must be `outcome`.
    pub(super) fn turn(&mut self, ran: &Ran, outcome: &str) -> Vec<String> {
        let was = self.take(ran);
        assert!(ran.clock_ms >= self.clock_ms, "the clock of turns went back");
        self.clock_ms = ran.clock_ms;
        let args: Args = serde_json::from_str(&was.args).expect("arguments of these tests");
        let target = was.target;
        let mut sim = Sim::new(self, ran, target);
        let ended = sim.call(target, &args);
        let Sim { memories, made, sent, log, called, ticks, slow, random, .. } = sim;
        let failed = match ended {
            Ok(()) => None,
            Err(End::Thrown { message, object }) => Some(("error", error(&message, object, 1))),
            Err(End::Killed(why)) => Some(("killed", error(why, Some(target), 0))),
            Err(End::Dies | End::Late) => panic!("message {} kills its worker, and was reported", ran.message),
        };
        let expected = failed.as_ref().map_or("ok", |(outcome, _)| *outcome);
        assert_eq!(outcome, expected, "how message {} ends", ran.message);
        let cpu_us = 10 * ticks + slow;
        let code = self.objects[&target].code;
        let (seq, of) = abroad(&was);
        let mut row = json!({
            "seq": seq, "abroad": of, "posted": null,
            "turn": ran.turn, "message": ran.message, "edit": null, "source": was.source.number(), "object": target,
            "code": code, "args": was.args, "cause": was.cause, "outcome": outcome, "result": null,
            "result_error": null, "error": null, "called": list(&called), "made": null, "sent": null, "log": null,
            "ticks": ticks, "cpu_us": cpu_us, "clock_ms": ran.clock_ms,
            "seed": random.then(|| hex(&ran.seed)),
        });
        let mut heard = Vec::new();
        self.charge(target, failed.is_some(), cpu_us);
        if let Some((outcome, error)) = failed {
            let count = |n: usize| u32::try_from(n).expect("few");
            let used = Used { cpu_us, messages: count(sent.len()), objects: count(made.len()), ..Used::default() };
            row["error"] = json!(text(&error));
            self.turns.push(Rc::new(row));
            self.failed(ran, was, outcome, &error, ticks, &used, &mut heard);
            return heard;
        }
        let mut made_now = Vec::new();
        for (handle, mut object, memory) in made {
            object.memory = memory.map_or(object.memory, |memory| Some(self.new_memory(memory)));
            object.code = self.code(&script::code(u32::try_from(object.code).expect("small")));
            let maker = object.maker.map(|maker| self.objects[&maker].account);
            assert_eq!(self.new_object(object, maker), handle);
            made_now.push(handle);
        }
        for (memory, content) in memories {
            // Those of objects made in this turn are in place already.
            if self.born.len() as u64 >= memory && self.memories.contains_key(&memory) {
                self.changed(ran.turn, memory, |memory| *memory = content);
            }
        }
        let sent_now: Vec<u64> =
            sent.into_iter().map(|(source, target, args)| self.post(ran, source, target, args, &mut heard)).collect();
        let last = made_now.last().map(|handle| format!(",{}", text(&Ref { handle: *handle })));
        let result = format!("[{ticks}{}]", last.unwrap_or_default());
        row["result"] = json!(result);
        (row["made"], row["sent"], row["log"]) = (list(&made_now), list(&sent_now), list(&log));
        self.turns.push(Rc::new(row));
        if was.source == Source::Operator {
            let ended = json!({ "turn": ran.turn, "outcome": "ok", "result": result, "error": null });
            self.ended(ran.message, ended, ran.now_ms, &mut heard);
        }
        heard
    }

    /// A worker died on a message: counted, or the end of it. What the operator then hears. `blamed`: the
    /// object whose code ran.
    pub(super) fn died(
        &mut self,
        message: u64,
        death: &Death,
        blamed: Handle,
        killed: Option<&Ran>,
        now_ms: u64,
    ) -> Vec<String> {
        let how = match death {
            Death::Replaced => panic!("a replaced worker is nobody's fault"),
            Death::Crashed(how) => how.clone(),
            Death::Deadline { clock, limit_ms } => format!("more than {limit_ms} ms of {clock} time in one turn"),
        };
        let account = self.objects[&blamed].account;
        self.deaths.push(Rc::new(json!({
            "death": self.deaths.len() + 1, "at": now_ms, "object": blamed, "account": account, "message": message,
            "turn": killed.map(|ran| ran.turn), "how": how,
        })));
        self.objects.get_mut(&blamed).expect("found above").deaths += 1;
        let Some(ran) = killed else {
            self.queue.get_mut(&message).expect("a death on a message that is queued").deaths += 1;
            return Vec::new();
        };
        let (turn, at) = self.offences.get(&account).copied().unwrap_or_default();
        self.offences.insert(account, (turn.max(ran.turn), at.max(now_ms)));
        let was = self.take(ran);
        let why = match death {
            Death::Crashed(_) => format!("the interpreter died on it 2 times: {how}"),
            _ => how,
        };
        let code = self.objects[&was.target].code;
        let error = error(&why, Some(blamed), 0);
        let (seq, of) = abroad(&was);
        self.turns.push(Rc::new(json!({
            "turn": ran.turn, "message": message, "edit": null, "source": was.source.number(), "object": was.target,
            "code": code, "args": was.args, "cause": was.cause, "outcome": "killed", "result": null,
            "result_error": null, "error": text(&error), "called": list(&ran.called), "made": null, "sent": null,
            "log": null, "ticks": 0, "cpu_us": 0, "clock_ms": ran.clock_ms, "seed": hex(&ran.seed),
            "seq": seq, "abroad": of, "posted": null,
        })));
        self.charge(was.target, true, 0);
        let used = Used::default();
        let mut heard = Vec::new();
        self.failed(ran, was, "killed", &error, 0, &used, &mut heard);
        heard
    }

    #[expect(clippy::too_many_arguments, reason = "a fault is made of so many things")]
    fn failed(
        &mut self,
        ran: &Ran,
        was: Message,
        outcome: &str,
        error: &CodeError,
        ticks: u64,
        used: &Used,
        heard: &mut Vec<String>,
    ) {
        let source = was.source;
        let row = json!({
            "turn": ran.turn, "outcome": outcome, "error": text(error), "ticks": ticks, "used": text(used)
        });
        self.fault(ran.message, was, row, ran.now_ms);
        if source == Source::Operator {
            let shown = error.one_line();
            let ended = json!({ "turn": ran.turn, "outcome": outcome, "result": null, "error": shown });
            self.ended(ran.message, ended, ran.now_ms, heard);
        }
    }

    fn charge(&mut self, object: Handle, fault: bool, cpu_us: u64) {
        let object = self.objects.get_mut(&object).expect("the target is there");
        object.turns += 1;
        object.faults += u64::from(fault);
        object.cpu_us += cpu_us;
    }

    fn post(&mut self, ran: &Ran, source: Handle, target: Handle, args: String, heard: &mut Vec<String>) -> u64 {
        let number = self.new_message();
        let (source, queued_at, cause) = (Source::Account(source), ran.now_ms, Some(ran.turn));
        let message = Message { source, target, args, queued_at, cause, deaths: 0, abroad: None };
        if !self.objects.contains_key(&target) {
            self.undeliverable(number, message, GONE, ran.now_ms, heard);
        } else if let Some(full) = self.full(message.way(), &message.args) {
            self.refuse(number, message, full, ran.now_ms, heard);
        } else {
            self.queue.insert(number, message);
        }
        number
    }
}

/// An error as it is stored; `place` is its line and column.
pub(super) fn error(message: &str, object: Option<Handle>, place: u32) -> CodeError {
    CodeError { message: message.to_owned(), object, line: place, column: place, excerpt: String::new() }
}

/// A JSON array in a text, or nothing for an empty one.
fn list<T: serde::Serialize>(items: &[T]) -> serde_json::Value {
    if items.is_empty() { json!(null) } else { json!(text(&items)) }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// The native powers of one that has all.
pub(super) fn natives() -> String {
    let natives: BTreeMap<&str, &str> = Native::ALL.iter().map(|native| (native.name(), native.name())).collect();
    text(&natives)
}
