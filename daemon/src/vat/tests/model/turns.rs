//! The model's turns: one message to one object, all or nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use qrt_shared::view::Used;
use serde_json::json;

use super::machine::BUDGET;
use super::oracle::{Memory, Message, Model, OPERATOR, Object};
use super::script::{self, Args, Find, Op, Ref, Share, first_ref, text};
use crate::protocol::{CodeError, Handle, MemoryHandle, Native};
use crate::vat::Death;

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

/// How a turn ends before its end.
enum End {
    Thrown { message: String, object: Option<Handle> },
    Killed(&'static str),
    Dies,
    Late,
}

/// A turn's own view of the vat.
struct Sim<'a> {
    model: &'a Model,
    ran: &'a Ran,
    memories: BTreeMap<MemoryHandle, Memory>,
    made: Vec<(Handle, Object, Option<Memory>)>,
    sent: Vec<(Handle, Handle, String)>,
    log: Vec<String>,
    called: Vec<(Handle, usize)>,
    target: Handle,
    ticks: u64,
    slow: u64,
    random: bool,
}

impl Model {
    /// Takes the message out of the queue, if it may run now.
    fn take(&mut self, ran: &Ran) -> Message {
        let Ran { turn, message, .. } = *ran;
        assert_eq!(turn, self.next_turn(), "turns are numbered one after the other");
        let Some(was) = self.queue.remove(&message) else { panic!("message {message} ran, which is not queued") };
        let Some(target) = self.objects.get(&was.target) else { panic!("a turn of an object that is not there") };
        assert!(!target.held, "message {message} ran on a held object");
        let earlier = self.queue.iter().find(|(_, other)| (other.source, other.target) == (was.source, was.target));
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
        let (memories, made) = (BTreeMap::new(), Vec::new());
        let (sent, log, called) = (Vec::new(), Vec::new(), Vec::new());
        let target = was.target;
        let mut sim =
            Sim { model: self, ran, memories, made, sent, log, called, target, ticks: 0, slow: 0, random: false };
        let ended = sim.call(target, &args);
        let Sim { memories, made, sent, log, called, ticks, slow, random, .. } = sim;
        let failed = match ended {
            Ok(()) => None,
            Err(End::Thrown { message, object }) => Some(("error", error(&message, object, 1))),
            Err(End::Killed(why)) => Some(("killed", error(why, None, 0))),
            Err(End::Dies | End::Late) => panic!("message {} kills its worker, and was reported", ran.message),
        };
        let expected = failed.as_ref().map_or("ok", |(outcome, _)| *outcome);
        assert_eq!(outcome, expected, "how message {} ends", ran.message);
        let cpu_us = 10 * ticks + slow;
        let code = self.objects[&target].code;
        let mut row = json!({
            "turn": ran.turn, "message": ran.message, "edit": null, "source": was.source, "object": target,
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
            assert_eq!(self.new_object(object), handle);
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
        if was.source == OPERATOR {
            let ended = json!({ "turn": ran.turn, "outcome": "ok", "result": result, "error": null });
            self.ended(ran.message, ended, ran.now_ms, &mut heard);
        }
        heard
    }

    /// A worker died on a message: counted, or the end of it. What the operator then hears.
    pub(super) fn died(&mut self, message: u64, death: &Death, killed: Option<&Ran>) -> Vec<String> {
        let queued = self.queue.get_mut(&message).expect("a death on a message that is queued");
        let why = match death {
            Death::Replaced => panic!("a replaced worker is nobody's fault"),
            Death::Crashed(_) if queued.deaths == 0 => {
                assert!(killed.is_none(), "one death is not enough");
                queued.deaths = 1;
                return Vec::new();
            }
            Death::Crashed(how) => format!("the interpreter died on it 2 times: {how}"),
            Death::Deadline { clock, limit_ms } => format!("more than {limit_ms} ms of {clock} time in one turn"),
        };
        let ran = killed.unwrap_or_else(|| panic!("message {message} goes on after {death:?}"));
        let was = self.take(ran);
        let code = self.objects[&was.target].code;
        let error = error(&why, None, 0);
        self.turns.push(Rc::new(json!({
            "turn": ran.turn, "message": message, "edit": null, "source": was.source, "object": was.target,
            "code": code, "args": was.args, "cause": was.cause, "outcome": "killed", "result": null,
            "result_error": null, "error": text(&error), "called": list(&ran.called), "made": null, "sent": null,
            "log": null, "ticks": 0, "cpu_us": 0, "clock_ms": ran.clock_ms, "seed": null,
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
        if source == OPERATOR {
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
        let message = Message { source, target, args, queued_at: ran.now_ms, cause: Some(ran.turn), deaths: 0 };
        if self.objects.contains_key(&target) {
            self.queue.insert(number, message);
        } else {
            self.undeliverable(number, message, ran.now_ms, heard);
        }
        number
    }
}

impl Sim<'_> {
    fn object(&self, handle: Handle) -> Option<&Object> {
        let made = self.made.iter().find(|(made, ..)| *made == handle).map(|(_, object, _)| object);
        made.or_else(|| self.model.objects.get(&handle))
    }

    fn call(&mut self, handle: Handle, args: &Args) -> Result<(), End> {
        let Some(object) = self.object(handle).cloned() else {
            return Err(thrown("TypeError: call: the object was removed"));
        };
        let made = handle > self.model.references;
        let step = if made { object.code as u64 } else { script::code_number(&self.model.codes[object.code - 1]) };
        let known = made || handle == self.target || self.called.iter().any(|(called, _)| *called == handle);
        if !known {
            if object.held {
                return Err(thrown("TypeError: call: the object is held"));
            }
            self.called.push((handle, object.code));
        }
        let frame = Frame { handle, object, step };
        let mut mine = Vec::new();
        for op in &args.script {
            self.ticks += 1;
            self.op(&frame, args, &mut mine, op).map_err(|end| match end {
                End::Thrown { message, object: Some(0) } => End::Thrown { message, object: (!made).then_some(handle) },
                end => end,
            })?;
        }
        Ok(())
    }

    fn memory(&mut self, frame: &Frame) -> Option<&mut Memory> {
        let memory = frame.object.memory?;
        if let Some(known) = self.model.memories.get(&memory) {
            return Some(self.memories.entry(memory).or_insert_with(|| known.clone()));
        }
        self.made.iter_mut().find_map(|(_, object, own)| own.as_mut().filter(|_| object.memory == Some(memory)))
    }

    fn find(&mut self, frame: &Frame, args: &Args, mine: &[Handle], find: &Find) -> Option<Handle> {
        match find {
            Find::Arg(index) => args.refs.get(index.checked_rem(args.refs.len())?).map(|found| found.handle),
            Find::Made(index) => mine.get(index.checked_rem(mine.len())?).copied(),
            Find::Memory(key) => self.memory(frame)?.of(key).and_then(first_ref).map(|found| found.handle),
            Find::Static(index) => {
                let statics: BTreeMap<String, Vec<Ref>> = serde_json::from_str(&frame.object.statics).expect("statics");
                let refs = &statics["refs"];
                refs.get(index.checked_rem(refs.len())?).map(|found| found.handle)
            }
        }
    }

    fn found(&mut self, frame: &Frame, args: &Args, mine: &[Handle], finds: &[Find]) -> Vec<Ref> {
        let found = finds.iter().filter_map(|find| self.find(frame, args, mine, find));
        found.map(|handle| Ref { handle }).collect()
    }

    fn op(&mut self, frame: &Frame, args: &Args, mine: &mut Vec<Handle>, op: &Op) -> Result<(), End> {
        let natives = frame.object.natives;
        match op {
            Op::Keep { key, of } => {
                let found = text(&self.found(frame, args, mine, of));
                self.write(frame, key, |_| Some(found));
            }
            Op::Set { key, to } => self.write(frame, key, |_| Some(script::value(*to))),
            Op::Increment { key } => {
                self.write(frame, key, |memory| Some(script::incremented(memory.of(key), frame.step)));
            }
            Op::Delete { key } => self.write(frame, key, |_| None),
            Op::Move { key } => self.write(frame, key, |memory| {
                let value = memory.of(key)?.to_owned();
                memory.delete(key);
                Some(value)
            }),
            Op::Clock { key } if natives => {
                let clock_ms = self.ran.clock_ms;
                self.write(frame, key, |_| Some(clock_ms.to_string()));
            }
            Op::Random { key } if natives => {
                self.random = true;
                let hex = hex(&self.ran.seed);
                let value = format!("\"{}{}{}\"", &hex[..2], &hex[30..32], &hex[62..]);
                self.write(frame, key, |_| Some(value));
            }
            Op::Log { line } if natives => {
                if self.log.len() == BUDGET.log_lines as usize {
                    return Err(End::Killed("too many log lines"));
                }
                self.log.push(format!("line {line}"));
            }
            Op::Send { to, with, script } => {
                let Some(target) = self.find(frame, args, mine, to) else { return Ok(()) };
                if self.sent.len() == BUDGET.messages as usize {
                    return Err(End::Killed("too many messages"));
                }
                let args = text(&Args { refs: self.found(frame, args, mine, with), script: script.clone() });
                self.sent.push((frame.object.account, target, args));
            }
            Op::Call { to, with, script, catch } => {
                let Some(target) = self.find(frame, args, mine, to) else { return Ok(()) };
                let args = Args { refs: self.found(frame, args, mine, with), script: script.clone() };
                match self.call(target, &args) {
                    Err(End::Thrown { .. }) if *catch => {}
                    ended => ended?,
                }
            }
            Op::Make { .. } => self.make(frame, args, mine, op)?,
            Op::Slow => self.slow += 150_000,
            Op::Fail => return Err(thrown("Error: failed")),
            Op::Spend => return Err(End::Killed("too many ticks")),
            // Powers it has not got; and whoever reports a turn has met its mark before.
            Op::Clock { .. } | Op::Random { .. } | Op::Log { .. } | Op::Die { once: Some(_) } => {}
            Op::Die { once: None } => return Err(End::Dies),
            Op::Late => return Err(End::Late),
        }
        Ok(())
    }

    fn write(&mut self, frame: &Frame, key: &str, value: impl FnOnce(&mut Memory) -> Option<String>) {
        let Some(memory) = self.memory(frame) else { return };
        match value(memory) {
            Some(value) => memory.set(key, value),
            None => memory.delete(key),
        }
    }

    fn make(&mut self, frame: &Frame, args: &Args, mine: &mut Vec<Handle>, op: &Op) -> Result<(), End> {
        let Op::Make { account, code, memory, with, grant } = op else { return Ok(()) };
        if !frame.object.natives {
            return Ok(());
        }
        if self.made.len() == BUDGET.objects as usize {
            return Err(End::Killed("too many objects"));
        }
        let refs = text(&self.found(frame, args, mine, with));
        let handle = self.model.next_reference() + self.made.len() as u64;
        let own = matches!(memory, Share::Own);
        let own = own.then(|| Memory(vec![("7".to_owned(), "0".to_owned()), ("a".to_owned(), refs.clone())]));
        let memories = self.made.iter().filter(|(_, _, own)| own.is_some()).count() as u64;
        let memory = match memory {
            Share::None => None,
            Share::Makers => frame.object.memory,
            Share::Own => Some(self.model.next_memory() + memories),
        };
        let object = Object {
            account: if *account { handle } else { frame.object.account },
            maker: Some(frame.handle),
            code: *code as usize,
            versions: Vec::new(),
            statics: format!("{{\"refs\":{refs}}}"),
            natives: *grant,
            memory,
            held: false,
            created_at: self.ran.now_ms,
            turns: 0,
            faults: 0,
            cpu_us: 0,
        };
        mine.push(handle);
        self.made.push((handle, object, own));
        Ok(())
    }
}

/// An object while it runs.
struct Frame {
    handle: Handle,
    object: Object,
    step: u64,
}

/// An error thrown by the object that runs, which [`Sim::call`] fills in.
fn thrown(message: &str) -> End {
    End::Thrown { message: message.to_owned(), object: Some(0) }
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
