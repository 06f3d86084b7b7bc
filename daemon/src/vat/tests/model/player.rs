//! How the test's worker runs a turn: the scripts' interpreter over what a delivery gives it.

use std::collections::BTreeMap;

use super::script::{self, Args, Find, Op, Ref, Share, first_ref, text};
use super::slot::Slot;
use super::worker::{Marks, Running};
use crate::protocol::{
    CodeError, CodeNumber, FIRST_MADE, Handle, Limit, Made, MadeMemory, MemoryHandle, Native, Power, Report, Sent,
    Used, Verdict, Wanted,
};
use crate::worker::kept::Left;

/// How a turn stops before its end.
pub(super) enum Stop {
    Thrown(CodeError),
    Killed(Limit, String),
    Needs(Handle),
    Asks(MemoryHandle, Wanted),
    /// The worker dies, or hangs, in this object's code.
    Dies(Handle),
    Late(Handle),
}

/// An object as a turn runs it.
#[derive(Clone)]
struct Body {
    step: u64,
    statics: String,
    natives: Vec<(String, Native)>,
    memory: Option<MemoryHandle>,
}

/// One run of a turn.
pub(super) struct Turn<'a> {
    running: &'a Running,
    codes: &'a BTreeMap<CodeNumber, u64>,
    marks: &'a mut Marks,
    slots: BTreeMap<MemoryHandle, Slot<'a>>,
    made: Vec<Made>,
    sent: Vec<Sent>,
    log: Vec<String>,
    ticks: u64,
    slow: u64,
    random_used: bool,
    clock_used: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(running: &'a Running, codes: &'a BTreeMap<CodeNumber, u64>, marks: &'a mut Marks) -> Self {
        let slots = running.memories.iter().map(|(memory, given)| (*memory, Slot::of(given))).collect();
        let (made, sent, log) = (Vec::new(), Vec::new(), Vec::new());
        let (ticks, slow, random_used, clock_used) = (0, 0, false, false);
        Self { running, codes, marks, slots, made, sent, log, ticks, slow, random_used, clock_used }
    }

    pub(super) fn run(&mut self) -> Result<String, Stop> {
        let delivery = &self.running.delivery;
        let args: Args = serde_json::from_str(&delivery.args).expect("arguments of these tests");
        self.call(delivery.target.object, &args)?;
        let made = self.made.len().checked_sub(1).map(|last| text(&Ref { handle: FIRST_MADE + last as u64 }));
        Ok(format!("[{}{}]", self.ticks, made.map(|made| format!(",{made}")).unwrap_or_default()))
    }

    /// What it reports, and what it leaves in memories.
    pub(super) fn finish(self, ended: Result<String, Verdict>) -> (Report, Vec<Left>) {
        let Self { slots, mut made, sent, log, ticks, slow, random_used, clock_used, .. } = self;
        let count = |n: usize| u32::try_from(n).expect("few");
        let used = Used { messages: count(sent.len()), objects: count(made.len()), ..Used::default() };
        let verdict = ended.map_or_else(|verdict| verdict, |result| Verdict::Ok { result, result_error: None });
        let cpu_us = 10 * ticks + slow;
        let rest = Report { log, ticks, cpu_us, used, clock_used, random_used, ..Report::empty(verdict) };
        if !matches!(rest.verdict, Verdict::Ok { .. }) {
            return (rest, Vec::new());
        }
        let (mut memories, mut left) = (Vec::new(), Vec::new());
        for (memory, slot) in slots {
            match memory.checked_sub(FIRST_MADE) {
                None => {
                    let (change, leaves) = slot.change(memory);
                    memories.extend(change);
                    left.extend(leaves);
                }
                Some(index) => {
                    let index = usize::try_from(index).expect("few");
                    made[index].memory = MadeMemory::New(slot.into_entries());
                }
            }
        }
        (Report { memories, made, sent, ..rest }, left)
    }

    fn call(&mut self, object: Handle, args: &Args) -> Result<(), Stop> {
        let body = self.body(object)?;
        let thrown = |message: String| {
            let object = (object < FIRST_MADE).then_some(object);
            Stop::Thrown(CodeError { message, object, line: 1, column: 1, excerpt: String::new() })
        };
        let mut mine = Vec::new();
        for op in &args.script {
            self.ticks += 1;
            self.op(object, &body, args, &mut mine, op).map_err(|stop| match stop {
                Stop::Thrown(CodeError { message, line: 0, .. }) => thrown(message),
                stop => stop,
            })?;
        }
        Ok(())
    }

    fn body(&mut self, object: Handle) -> Result<Body, Stop> {
        let target = &self.running.delivery.target;
        if let Some(made) = object.checked_sub(FIRST_MADE) {
            // The handle may be one that an earlier turn left in its memory, in a turn called back.
            let made = self.made.get(usize::try_from(made).expect("few")).cloned();
            let made = made.ok_or_else(|| throw("TypeError: call: no such object".to_owned()))?;
            let memory = match made.memory {
                MadeMemory::None => None,
                MadeMemory::Makers => self.body(made.maker)?.memory,
                MadeMemory::New(entries) => {
                    self.slots.entry(object).or_insert_with(|| Slot::new(entries));
                    Some(object)
                }
            };
            let Power { statics, natives } = made.power;
            return Ok(Body { step: script::code_number(&made.code), statics, natives, memory });
        }
        let image = if object == target.object {
            target
        } else {
            match self.running.images.get(&object) {
                None => return Err(Stop::Needs(object)),
                Some(Err(why)) => return Err(throw(format!("TypeError: call: {why}"))),
                Some(Ok(image)) => image,
            }
        };
        let Power { statics, natives } = image.power.clone();
        let memory = image.memory.as_ref().map(|memory| memory.memory);
        Ok(Body { step: self.codes[&image.code], statics, natives, memory })
    }

    fn find(&mut self, body: &Body, args: &Args, mine: &[Ref], find: &Find) -> Result<Option<Ref>, Stop> {
        let around = |refs: &[Ref], index: usize| refs.get(index.checked_rem(refs.len())?).copied();
        Ok(match find {
            Find::Arg(index) => around(&args.refs, *index),
            Find::Made(index) => around(mine, *index),
            Find::Newest => mine.last().copied(),
            Find::Memory(key) => self.read(body, key)?.as_deref().and_then(first_ref),
            Find::Static(index) => {
                let statics: BTreeMap<String, Vec<Ref>> = serde_json::from_str(&body.statics).expect("statics");
                statics.get("refs").and_then(|refs| around(refs, *index))
            }
        })
    }

    fn found(&mut self, body: &Body, args: &Args, mine: &[Ref], finds: &[Find]) -> Result<Vec<Ref>, Stop> {
        let found: Result<Vec<_>, _> = finds.iter().map(|find| self.find(body, args, mine, find)).collect();
        Ok(found?.into_iter().flatten().collect())
    }

    fn op(&mut self, me: Handle, body: &Body, args: &Args, mine: &mut Vec<Ref>, op: &Op) -> Result<(), Stop> {
        let has = |native: Native| body.natives.iter().any(|(_, known)| *known == native);
        match op {
            Op::Set { key, to } => self.set(body, key, script::value(*to))?,
            Op::Increment { key } => {
                let old = self.read(body, key)?;
                self.set(body, key, script::incremented(old.as_deref(), body.step))?;
            }
            Op::Delete { key } => drop(self.take(body, key)?),
            Op::Move { key } => {
                if let Some(value) = self.take(body, key)? {
                    self.set(body, key, value)?;
                }
            }
            Op::Keep { key, of } => {
                let found = text(&self.found(body, args, mine, of)?);
                self.set(body, key, found)?;
            }
            Op::Keys { key } => {
                if let Some((memory, slot)) = self.slot(body) {
                    let keys = slot.keys().map(script::keys).map_err(|wanted| Stop::Asks(memory, wanted))?;
                    self.set(body, key, keys)?;
                }
            }
            Op::Clock { key } if has(Native::Clock) => {
                self.clock_used = true;
                self.set(body, key, self.running.delivery.clock_ms.to_string())?;
            }
            Op::Random { key } if has(Native::Random) => {
                self.random_used = true;
                let seed = self.running.delivery.seed;
                self.set(body, key, format!("\"{:02x}{:02x}{:02x}\"", seed[0], seed[15], seed[31]))?;
            }
            Op::Log { line } if has(Native::Log) => {
                if self.log.len() >= self.running.delivery.budget.log_lines as usize {
                    return Err(Stop::Killed(Limit::LogLines, "too many log lines".to_owned()));
                }
                self.log.push(format!("line {line}"));
            }
            Op::Clock { .. } | Op::Random { .. } | Op::Log { .. } => {}
            Op::Send { to, with, script } => {
                let Some(target) = self.find(body, args, mine, to)? else { return Ok(()) };
                if self.sent.len() >= self.running.delivery.budget.messages as usize {
                    return Err(Stop::Killed(Limit::Messages, "too many messages".to_owned()));
                }
                let args = text(&Args { refs: self.found(body, args, mine, with)?, script: script.clone() });
                self.sent.push(Sent { sender: me, target: target.handle, args });
            }
            Op::Call { to, with, script, catch } => {
                let Some(target) = self.find(body, args, mine, to)? else { return Ok(()) };
                let args = Args { refs: self.found(body, args, mine, with)?, script: script.clone() };
                match self.call(target.handle, &args) {
                    Err(Stop::Thrown(_)) if *catch => {}
                    ended => ended?,
                }
            }
            Op::Make { .. } => self.make(me, body, args, mine, op)?,
            Op::Dynasty { levels } => {
                for op in script::dynasty(*levels) {
                    self.op(me, body, args, mine, &op)?;
                }
            }
            Op::Slow => self.slow += 150_000,
            Op::Fail => return Err(throw("Error: failed".to_owned())),
            Op::Spend => return Err(Stop::Killed(Limit::Ticks, "too many ticks".to_owned())),
            Op::Die { once: Some(mark) } => {
                if self.marks.is_new(*mark) {
                    return Err(Stop::Dies(me));
                }
            }
            Op::Die { once: None } => return Err(Stop::Dies(me)),
            Op::Late => return Err(Stop::Late(me)),
        }
        Ok(())
    }

    fn make(&mut self, me: Handle, body: &Body, args: &Args, mine: &mut Vec<Ref>, op: &Op) -> Result<(), Stop> {
        let Op::Make { account, code, memory, with, grant } = op else { return Ok(()) };
        let native = if *account { Native::MakeAccount } else { Native::MakeObject };
        if !body.natives.iter().any(|(_, known)| *known == native) {
            return Ok(());
        }
        if self.made.len() >= self.running.delivery.budget.objects as usize {
            return Err(Stop::Killed(Limit::Objects, "too many objects".to_owned()));
        }
        let refs = self.found(body, args, mine, with)?;
        let memory = match (memory, body.memory) {
            (Share::None, _) | (Share::Makers, None) => MadeMemory::None,
            (Share::Makers, Some(_)) => MadeMemory::Makers,
            (Share::Own, _) => MadeMemory::New(vec![("7".to_owned(), "0".to_owned()), ("a".to_owned(), text(&refs))]),
        };
        let natives = if *grant { body.natives.clone() } else { Vec::new() };
        let power = Power { statics: format!("{{\"refs\":{}}}", text(&refs)), natives };
        mine.push(Ref { handle: FIRST_MADE + self.made.len() as u64 });
        self.made.push(Made { maker: me, account: *account, code: script::code(*code), power, memory });
        Ok(())
    }

    fn slot(&mut self, body: &Body) -> Option<(MemoryHandle, &mut Slot<'a>)> {
        let memory = body.memory?;
        self.slots.get_mut(&memory).map(|slot| (memory, slot))
    }

    fn read(&mut self, body: &Body, key: &str) -> Result<Option<String>, Stop> {
        let Some((memory, slot)) = self.slot(body) else { return Ok(None) };
        slot.get(key).map_err(|wanted| Stop::Asks(memory, wanted))
    }

    fn set(&mut self, body: &Body, key: &str, value: String) -> Result<(), Stop> {
        let Some((memory, slot)) = self.slot(body) else { return Ok(()) };
        slot.set(key, value).map_err(|wanted| Stop::Asks(memory, wanted))
    }

    fn take(&mut self, body: &Body, key: &str) -> Result<Option<String>, Stop> {
        let Some((memory, slot)) = self.slot(body) else { return Ok(None) };
        slot.take(key).map_err(|wanted| Stop::Asks(memory, wanted))
    }
}

/// An error that the running object throws; where, [`Turn::call`] says.
fn throw(message: String) -> Stop {
    Stop::Thrown(CodeError { message, object: None, line: 0, column: 0, excerpt: String::new() })
}
