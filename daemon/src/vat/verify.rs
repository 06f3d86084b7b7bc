//! What a worker may say.
//!
//! A worker is not trusted: it runs strangers' code on an engine written in C, and may be
//! anybody's by now. Everything in its report is checked here against what the turn was given,
//! before any of it becomes a row: handles it could hold, Memories of the objects it ran, native
//! powers those objects have, texts that are QJSON, sizes within the budget. An honest worker
//! passes every check; one that fails is killed, so a check here needs no kind words.
//!
//! What a captured worker can still do until it is replaced: act as any object that was given to
//! it, on that object's own memory and references, and call objects it can reach from there.

use std::collections::HashSet;

use qrt_shared::control::CODE_BYTES_MAX;
use qrt_shared::qjson::{self, ARGS_BYTES_MAX};

use crate::protocol::{
    Budget, FIRST_MADE, Handle, Made, MadeMemory, MemoryChange, MemoryHandle, Native, Report, Sent, Verdict,
};

/// The longest log line or error message, in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The sizes of the messages in a report, in order.
pub type Sizes = Vec<u64>;

/// What a turn was given, which is all that its report may be about.
pub trait Given {
    /// Whether it may use that handle.
    fn holds(&self, handle: Handle) -> bool;

    /// The object of that handle, if the turn ran it.
    fn object(&self, object: Handle) -> Option<GivenObject<'_>>;

    /// Whether any object that it ran has this power.
    fn grants(&self, native: Native) -> bool;

    /// Which properties that Memory had.
    ///
    /// # Errors
    /// It was not given that Memory, or nobody has looked.
    fn memory(&self, memory: MemoryHandle) -> Result<impl Fn(&str) -> bool, &'static str>;
}

/// An object that a turn ran.
#[derive(Debug, Clone, Copy)]
pub struct GivenObject<'a> {
    /// The native powers it has.
    pub natives: &'a [Native],
    /// Whether it has a Memory.
    pub has_memory: bool,
}

/// Checks a report on `turn`; the sizes of its messages' args.
///
/// # Errors
/// What the worker said that it cannot say.
pub fn report(turn: &impl Given, report: &Report, budget: &Budget) -> Result<Sizes, String> {
    let Report { verdict, memories, made, sent, log, .. } = report;
    ensure(total_bytes(report) <= budget.bytes.saturating_mul(2), "more bytes than its budget")?;
    let count = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    ensure(log.len() <= count(budget.log_lines), "more log lines than its budget")?;
    ensure(log.iter().all(|line| line.len() <= LINE_BYTES_MAX), "a log line that is too long")?;
    if !matches!(verdict, Verdict::Ok { .. }) {
        ensure(memories.is_empty() && made.is_empty() && sent.is_empty(), "effects of a failed turn")?;
    }
    ensure(sent.len() <= count(budget.messages), "more messages than its budget")?;
    ensure(made.len() <= count(budget.objects), "more objects than its budget")?;
    let last_made = FIRST_MADE + made.len() as u64;
    let may_hold = |handle: Handle| turn.holds(handle) || (FIRST_MADE..last_made).contains(&handle);
    for (index, object) in made.iter().enumerate() {
        self::made(turn, &made[..index], object, may_hold)?;
    }
    let mut seen = HashSet::new();
    for change in memories {
        ensure(seen.insert(change.memory), "one memory twice")?;
        memory(turn, change, may_hold)?;
    }
    let sizes = sent.iter().map(|message| self::sent(turn, made, message, may_hold)).collect::<Result<_, _>>()?;
    match verdict {
        Verdict::Ok { result, result_error } => {
            text(result, may_hold)?;
            ensure(result_error.as_ref().is_none_or(|e| e.len() <= LINE_BYTES_MAX), "a long result_error")?;
        }
        Verdict::Error(error) => {
            ensure(error.message.len().max(error.excerpt.len()) <= LINE_BYTES_MAX, "a long error")?;
            ensure(
                error.object.is_none_or(|object| turn.object(object).is_some()),
                "an error in an object that did not run",
            )?;
        }
        Verdict::Killed { message, .. } => ensure(message.len() <= LINE_BYTES_MAX, "a long message")?,
    }
    Ok(sizes)
}

/// Roughly what a turn wrote: a worker that keeps to its budget stays well below twice of it.
fn total_bytes(report: &Report) -> u64 {
    let entries = |entries: &[(String, String)]| entries.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
    let made = |made: &Made| {
        let memory = if let MadeMemory::New(new) = &made.memory { entries(new) } else { 0 };
        made.code.len() + made.power.statics.len() + memory
    };
    let bytes = report.memories.iter().map(|change| entries(&change.set)).sum::<usize>()
        + report.made.iter().map(made).sum::<usize>()
        + report.sent.iter().map(|sent| sent.args.len()).sum::<usize>()
        + report.log.iter().map(String::len).sum::<usize>()
        + if let Verdict::Ok { result, .. } = &report.verdict { result.len() } else { 0 };
    bytes as u64
}

/// One of the objects in `made`, which a turn may call as soon as it has made it.
fn new(made: &[Made], handle: Handle) -> Option<&Made> {
    made.get(usize::try_from(handle.checked_sub(FIRST_MADE)?).ok()?)
}

fn made(
    turn: &impl Given,
    before: &[Made],
    made: &Made,
    may_hold: impl Fn(Handle) -> bool + Copy,
) -> Result<(), String> {
    let native = if made.account { Native::MakeAccount } else { Native::MakeObject };
    let (may_make, has_memory) = match (turn.object(made.maker), new(before, made.maker)) {
        (Some(maker), _) => (maker.natives.contains(&native), maker.has_memory),
        (None, Some(maker)) => {
            (maker.power.natives.iter().any(|(_, known)| *known == native), maker.memory != MadeMemory::None)
        }
        (None, None) => return Err("an object made by one that did not run".to_owned()),
    };
    ensure(may_make, "an object made without the power to")?;
    ensure(made.power.natives.iter().all(|(_, native)| turn.grants(*native)), "a grant of a native power nobody had")?;
    ensure(made.code.len() <= CODE_BYTES_MAX, "code that is too long")?;
    text(&made.power.statics, may_hold)?;
    let statics = qjson::split_object(&made.power.statics).map_err(|error| error.to_string())?;
    let natives = made.power.natives.iter().map(|(key, _)| key);
    let memory = "memory".to_owned();
    unique_keys(statics.iter().map(|(key, _)| key).chain(natives).chain([&memory]))?;
    match &made.memory {
        MadeMemory::None => Ok(()),
        MadeMemory::Makers => ensure(has_memory, "a share of a memory its maker has not got"),
        MadeMemory::New(entries) => {
            unique_keys(entries.iter().map(|(key, _)| key))?;
            entries.iter().try_for_each(|(_, value)| text(value, may_hold))
        }
    }
}

fn memory(turn: &impl Given, change: &MemoryChange, may_hold: impl Fn(Handle) -> bool + Copy) -> Result<(), String> {
    let had = turn.memory(change.memory)?;
    unique_keys(change.deleted.iter())?;
    unique_keys(change.set.iter().map(|(key, _)| key))?;
    ensure(change.deleted.iter().all(|key| had(key)), "a deleted key that was not there")?;
    change.set.iter().try_for_each(|(_, value)| text(value, may_hold))
}

fn sent(turn: &impl Given, made: &[Made], message: &Sent, may_hold: impl Fn(Handle) -> bool) -> Result<u64, String> {
    let ran = turn.object(message.sender).is_some() || new(made, message.sender).is_some();
    ensure(ran, "a message from an object that did not run")?;
    ensure(may_hold(message.target), "a message to an object it has no reference to")?;
    let found = qjson::check(&message.args, "args", may_hold).map_err(|error| error.to_string())?;
    ensure(found.size_bytes <= ARGS_BYTES_MAX, "arguments that are too large")?;
    Ok(found.size_bytes as u64)
}

fn text(text: &str, may_hold: impl Fn(Handle) -> bool) -> Result<(), String> {
    qjson::check(text, "value", may_hold).map(drop).map_err(|error| error.to_string())
}

fn unique_keys<'a>(keys: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = HashSet::new();
    let mut keys = keys;
    ensure(keys.all(|key| seen.insert(key)), "one key twice")
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}
