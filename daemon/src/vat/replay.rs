//! A recorded turn, run again: what its worker is told, what it may ask, and what it may say.
//!
//! The same rules hold as for a turn that counts, and nothing here becomes a row. What the turn found is
//! read from a [`Past`]; what nobody can read any more is an error that says so. The worker is nobody
//! else's: whatever it says, only this replay hears it.
//!
//! ```text
//! Replay::new -> a Delivery;  Replay::load, Replay::ask while it runs;  Replay::ended, Replay::died at its end
//! ```

use qrt_shared::qjson;
use qrt_shared::view::Outcome;

use super::in_flight::{Given, Turn};
use super::source::Source;
use super::turn::{damaged, without_place};
use super::view::{Memories, Message, Object, ViewError};
use super::{Death, Halt, budget, death, memory, remove, verify};
use crate::protocol::{
    self, CodeError, CodeNumber, Content, Delivery, FIRST_MADE, Handle, Image, Limit, MemoryHandle, Page, Power,
    Report, Running, Verdict, WHOLE_BYTES_MAX, Wanted,
};

/// The number of a code that an operator gives in place of the recorded one: no code of a vat has it, nor
/// any that a worker makes up, which counts down from the largest.
pub const REPLACED_CODE: CodeNumber = CodeNumber::MAX / 2;

/// The one delivery of a replay.
const DELIVERY: u64 = 0;

/// The vat as it was just before a recorded turn.
pub trait Past: Memories {
    /// The object as it was; `None` if its row is gone by now.
    fn object(&self, object: Handle) -> Result<Option<Object>, ViewError>;
}

/// What the journal holds of a turn that it takes to run it again.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Recorded {
    pub turn: u64,
    pub object: Handle,
    pub code: CodeNumber,
    pub args: String,
    pub clock_ms: u64,
    pub seed: Option<[u8; 32]>,
    pub called: Vec<(Handle, CodeNumber)>,
    pub refused: Vec<(Handle, String)>,
    pub by_key: Vec<MemoryHandle>,
    pub outcome: Outcome,
    pub error: Option<CodeError>,
    pub undone: bool,
    /// What the settings let it use.
    pub limits: protocol::Budget,
}

/// What an operator gives in place of what is recorded.
#[derive(Debug, Clone, Default)]
pub struct Replaced {
    /// Whether the target's code is [`REPLACED_CODE`].
    pub code: bool,
    /// Arguments in inside form.
    pub args: Option<String>,
    /// Whether the target's Memory is another one.
    pub memory: bool,
}

impl Replaced {
    /// Whether anything is.
    pub fn any(&self) -> bool {
        self.code || self.args.is_some() || self.memory
    }
}

/// Why a turn cannot be run again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The past could not be read.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// An object that it ran was removed since, and its power with it.
    #[error("an object that it ran was removed since")]
    Removed(Handle),
    /// The worker said what no honest worker says.
    #[error("the worker said what no honest worker says: {0}")]
    Lie(String),
}

impl From<ViewError> for Error {
    fn from(error: ViewError) -> Self {
        Self::Halt(Halt::View(error))
    }
}

/// What a replay came to.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    pub error: Option<CodeError>,
    /// What it did, in the worker's words: nothing, if it failed.
    pub report: Report,
}

/// A turn that runs again.
pub struct Replay<'a, P> {
    past: &'a P,
    recorded: &'a Recorded,
    turn: Turn,
    is_replaced: bool,
    /// Objects it called which the recorded turn had not.
    strayed: Vec<Handle>,
}

impl<'a, P: Past> Replay<'a, P> {
    /// The replay of a recorded turn, and what a worker of its own is to be told first.
    ///
    /// # Errors
    /// As for [`Error`].
    pub fn new(past: &'a P, recorded: &'a Recorded, replaced: Replaced) -> Result<(Self, Delivery), Error> {
        let is_replaced = replaced.any();
        let args = replaced.args.unwrap_or_else(|| recorded.args.clone());
        let target = past.object(recorded.object)?.ok_or(Error::Removed(recorded.object))?;
        let code = if replaced.code { REPLACED_CODE } else { recorded.code };
        let mut budget = budget::of_turn(&recorded.limits, &target.budget);
        // Where the engine's counter stood when the turn began is not known: it may count one more or less.
        budget.ticks += u64::from(recorded.outcome != Outcome::Killed);
        let message = Message {
            message: 0,
            source: Source::Operator,
            target: recorded.object,
            bytes: args.len() as u64,
            args: args.clone(),
            queued_at: 0,
            cause: None,
            deaths: 0,
            abroad: None,
            chain: 1,
        };
        let turn = Turn {
            delivery: DELIVERY,
            held: qjson::references(&args).map_err(damaged)?.into_iter().collect(),
            bytes: 0,
            message,
            objects: Vec::new(),
            refused: Vec::new(),
            memories: Vec::new(),
            clock_ms: recorded.clock_ms,
            seed: recorded.seed.unwrap_or_default(),
            stale: false,
            budget,
            estimate_us: 0,
        };
        let mut replay = Self { past, recorded, turn, is_replaced, strayed: Vec::new() };
        let target = replay.image(recorded.object, Object { code, ..target }, replaced.memory)?;
        let (clock_ms, seed) = (replay.turn.clock_ms, replay.turn.seed);
        let delivery = Delivery { delivery: DELIVERY, target, args, clock_ms, seed, first_made: FIRST_MADE, budget };
        Ok((replay, delivery))
    }

    /// Gives the turn an object. With `anew` its Memory is not the one that the recorded turn had.
    fn image(&mut self, handle: Handle, object: Object, anew: bool) -> Result<Image, Error> {
        let Object { account, code, statics, natives, memory, budget, held: _ } = object;
        self.turn.held.extend(qjson::references(&statics).map_err(damaged)?);
        let memory = memory.map(|memory| self.memory(memory, anew).map(|content| protocol::Memory { memory, content }));
        let memory = memory.transpose()?;
        let image_memory = memory.as_ref().map(|memory| memory.memory);
        let given_natives = natives.values().copied().collect();
        let given = Given { object: handle, account, code, memory: image_memory, natives: given_natives, budget };
        self.turn.objects.push(given);
        let power = Power { statics, natives: natives.into_iter().collect() };
        Ok(Image { object: handle, code, power, memory })
    }

    fn memory(&mut self, memory: MemoryHandle, anew: bool) -> Result<Content, Error> {
        let strays = anew || !self.strayed.is_empty();
        let by_key =
            self.recorded.by_key.contains(&memory) || strays && self.past.memory(memory)?.bytes > WHOLE_BYTES_MAX;
        Ok(memory::give_again(self.past, &mut self.turn, memory, by_key)?)
    }

    /// The running turn calls an object.
    ///
    /// # Errors
    /// As for [`Error`].
    pub fn load(&mut self, object: Handle) -> Result<Result<Box<Image>, String>, Error> {
        if !self.turn.held.contains(&object) {
            return Err(Error::Lie("it asked for an object it has no reference to".to_owned()));
        }
        if self.turn.objects.iter().any(|given| given.object == object) || self.turn.has_refused(object) {
            return Err(Error::Lie("it asked for an object it has, or was refused".to_owned()));
        }
        let known = self.recorded.refused.iter().find(|(refused, _)| *refused == object);
        if let Some((_, why)) = known {
            self.turn.refused.push((object, why.clone()));
            return Ok(Err(why.clone()));
        }
        let called = self.recorded.called.iter().find(|(called, _)| *called == object).map(|(_, code)| *code);
        let row = self.past.object(object)?;
        match (row, called) {
            (Some(row), Some(code)) => Ok(Ok(Box::new(self.image(object, Object { code, ..row }, false)?))),
            (None, Some(_)) => Err(Error::Removed(object)),
            (Some(row), None) => {
                self.strayed.push(object);
                Ok(Ok(Box::new(self.image(object, row, false)?)))
            }
            (None, None) => {
                self.turn.refused.push((object, remove::GONE.to_owned()));
                Ok(Err(remove::GONE.to_owned()))
            }
        }
    }

    /// The running turn asks for something of a Memory.
    ///
    /// # Errors
    /// As for [`Error`].
    pub fn ask(&mut self, memory: MemoryHandle, wanted: &Wanted) -> Result<Page, Error> {
        if !self.turn.memories.iter().any(|given| given.memory == memory) {
            return Err(Error::Lie("it asked for a memory that was not given to it".to_owned()));
        }
        Ok(memory::answer(self.past, &mut self.turn, memory, wanted)?)
    }

    /// Objects it called which the recorded turn had not: nobody knows whether they were held then.
    pub fn strayed(&self) -> &[Handle] {
        &self.strayed
    }

    /// What the turn came to, when its worker reports this.
    ///
    /// # Errors
    /// As for [`Error`].
    pub fn ended(&mut self, report: Report) -> Result<Ended, Error> {
        memory::look_up_changes(self.past, &mut self.turn, &report.memories)?;
        verify::report(&self.turn, &report, &self.turn.budget).map_err(Error::Lie)?;
        // What the kernel answered is as much an input as what the clock did.
        let undone = self.recorded.undone && !self.is_replaced;
        let (outcome, error) = match &report.verdict {
            Verdict::Ok { .. } if undone => (Outcome::Killed, self.recorded.error.clone()),
            Verdict::Ok { .. } => return Ok(Ended { outcome: Outcome::Ok, error: None, report }),
            Verdict::Error(error) => (Outcome::Error, Some(error.clone())),
            Verdict::Killed { message, .. } => {
                (Outcome::Killed, Some(CodeError { object: Some(self.recorded.object), ..without_place(message) }))
            }
        };
        // Nothing of a failed turn happens, its log lines are no exception.
        let Report { verdict, ticks, cpu_us, .. } = report;
        Ok(Ended { outcome, error, report: Report { ticks, cpu_us, ..Report::empty(verdict) } })
    }

    /// What the turn came to, when its worker died in it, for which once is enough here.
    pub fn died(&self, death: &Death, ran: Option<Running>) -> Ended {
        let (limit, message) = match death {
            Death::Deadline { clock, limit_ms } => {
                (Limit::Time, format!("more than {limit_ms} ms of {clock} time in one turn"))
            }
            Death::Crashed(how) => (Limit::Crash, death::crashed(how)),
            Death::Replaced => (Limit::Crash, death::crashed("it was ended from outside")),
        };
        let object = death::blamed(&self.turn, ran).map(|(object, _)| object);
        let error = Some(CodeError { object, ..without_place(&message) });
        Ended { outcome: Outcome::Killed, error, report: Report::empty(Verdict::Killed { limit, message }) }
    }
}
