//! The scripts' interpreter of the model: over the vat as it is, with lasting handles.

use std::collections::BTreeMap;

use super::machine::BUDGET;
use super::oracle::{Memory, Model, Object};
use super::script::{self, Args, Find, Op, Ref, Share, first_ref, text};
use super::turns::{Ran, hex};
use crate::protocol::{Handle, MemoryHandle};

/// How a turn ends before its end.
pub(super) enum End {
    Thrown { message: String, object: Option<Handle> },
    Killed(&'static str),
    Dies,
    Late,
}

/// A turn's own view of the vat.
pub(super) struct Sim<'a> {
    model: &'a Model,
    ran: &'a Ran,
    pub(super) memories: BTreeMap<MemoryHandle, Memory>,
    pub(super) made: Vec<(Handle, Object, Option<Memory>)>,
    pub(super) sent: Vec<(Handle, Handle, String)>,
    pub(super) log: Vec<String>,
    pub(super) called: Vec<(Handle, usize)>,
    target: Handle,
    pub(super) ticks: u64,
    pub(super) slow: u64,
    pub(super) random: bool,
}

impl<'a> Sim<'a> {
    pub(super) fn new(model: &'a Model, ran: &'a Ran, target: Handle) -> Self {
        let (memories, made, sent) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (log, called) = (Vec::new(), Vec::new());
        Self { model, ran, memories, made, sent, log, called, target, ticks: 0, slow: 0, random: false }
    }

    fn object(&self, handle: Handle) -> Option<&Object> {
        let made = self.made.iter().find(|(made, ..)| *made == handle).map(|(_, object, _)| object);
        made.or_else(|| self.model.objects.get(&handle))
    }

    pub(super) fn call(&mut self, handle: Handle, args: &Args) -> Result<(), End> {
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
            Find::Newest => mine.last().copied(),
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
            Op::Keys { key } => self
                .write(frame, key, |memory| Some(script::keys(memory.ordered().iter().map(|(key, _)| key.as_str())))),
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
            Op::Dynasty { levels } => {
                for op in script::dynasty(*levels) {
                    self.op(frame, args, mine, &op)?;
                }
            }
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
            deaths: 0,
            refused: 0,
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
