//! A recorded turn, for running it again, and what came out against what was recorded.
//!
//! Messages and objects are compared by the journal's digest of them, which outlives both. Only when that
//! differs they are looked for one by one, to show how.

use std::collections::BTreeMap;

use qrt_shared::qjson::{self, Document};
use qrt_shared::view::{self, Did, Difference, Made, Outcome, Part, Power, Replayed, Written};
use rusqlite::Row;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Asked, Past, Read, ReadError, from_json, list, outcome};
use crate::protocol::{
    self, CodeError, CodeNumber, FIRST_MADE, Handle, MadeMemory, MemoryHandle, Native, Report, Verdict,
};
use crate::vat::digest;
use crate::vat::replay::{Ended, Recorded};
use crate::vat::source::PeerNumber;
use crate::vat::view::Entry;

/// What else the journal holds of a turn.
struct Came {
    result: Option<String>,
    result_error: Option<String>,
    made: Vec<Handle>,
    sent: Vec<u64>,
    posted: Vec<(PeerNumber, u64)>,
    log: Vec<String>,
    ticks: u64,
    digest: Option<[u8; 32]>,
}

/// What the keys of Memories are after a turn that wrote them; `None` where one is gone.
type After = BTreeMap<(MemoryHandle, String), Option<String>>;

impl Asked<'_> {
    /// A turn, as the journal holds it.
    pub fn recorded(&self, turn: u64) -> Read<Recorded> {
        let first = self.journal()?.0;
        if turn < first {
            return Err(ReadError::Lost(format!(
                "turn {turn} is older than the journal, which begins with turn {first}"
            )));
        }
        let bound = i64::try_from(turn).unwrap_or(i64::MAX);
        let sql = "SELECT edit, object, code, args, clock_ms, seed, called, refused, by_key, outcome, error, undone,
            (SELECT limits FROM turn_limits WHERE turn_limits.turn <= ?1 ORDER BY turn_limits.turn DESC LIMIT 1)
            FROM turn WHERE turn = ?1";
        let row = |row: &Row<'_>| {
            let texts: [Option<String>; 5] = [row.get(6)?, row.get(7)?, row.get(8)?, row.get(10)?, row.get(12)?];
            let edit: Option<String> = row.get(0)?;
            let (object, code, args): (Handle, CodeNumber, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let outcome: String = row.get(9)?;
            Ok((edit, object, code, args, row.get(4)?, row.get(5)?, texts, outcome, row.get(11)?))
        };
        let found = self.one(sql, [bound], row)?;
        let missing = || ReadError::Nothing(format!("the journal has no turn {turn}"));
        let (edit, object, code, args, clock_ms, seed, texts, word, undone) = found.ok_or_else(missing)?;
        if let Some(edit) = edit {
            return Err(ReadError::Nothing(format!("turn {turn} is an operator's {edit}: no code ran in it")));
        }
        let [called, refused, by_key, error, limits] = texts;
        let unknown = || ReadError::Damaged(format!("nothing says what turn {turn} could use"));
        Ok(Recorded {
            turn,
            object,
            code,
            args,
            clock_ms,
            seed,
            called: list(called.as_ref())?,
            refused: list(refused.as_ref())?,
            by_key: list(by_key.as_ref())?,
            outcome: outcome(&word)?,
            error: error.as_deref().map(from_json).transpose()?,
            undone,
            limits: from_json(&limits.ok_or_else(unknown)?)?,
        })
    }

    /// The text of a code.
    pub fn code_text(&self, code: CodeNumber) -> Read<String> {
        Ok(self.db.prepare_cached("SELECT text FROM code WHERE code = ?1")?.query_row([code], |row| row.get(0))?)
    }

    /// `document`'s text with this vat's handles in place of its References.
    pub fn inside(&self, document: &Document) -> Read<String> {
        let unknown = |qrid| ReadError::Nothing(format!("{qrid} is no object this vat has heard of"));
        let handles = document.references.iter().map(|qrid| self.heard(qrid)?.ok_or_else(|| unknown(qrid)));
        let handles = handles.collect::<Read<Vec<_>>>()?;
        let index = |number: u64| usize::try_from(number).ok().and_then(|n| handles.get(n).copied());
        qjson::renumber(&document.text, |number| index(number).unwrap_or_default())
            .map_err(|error| ReadError::Damaged(error.to_string()))
    }

    /// What a replay came to, against what was recorded; `before` is how the vat was before the turn.
    pub fn replayed(
        &self,
        recorded: &Recorded,
        before: &Past<'_>,
        ended: Ended,
        replaced: Vec<String>,
        mut notes: Vec<String>,
    ) -> Read<Replayed> {
        let came = self.came(recorded.turn)?;
        let Ended { outcome, error, mut report } = ended;
        let now = digest(&report);
        settle(&mut report, &came.made)?;
        let after = self.past(recorded.turn + 1)?;
        let mut differences = Vec::new();
        if (recorded.outcome, &recorded.error) != (outcome, &error) {
            let how = |outcome, error: Option<&CodeError>| -> Read<_> { raw(&(self.how(outcome, error)?)) };
            let (was, is) = (how(recorded.outcome, recorded.error.as_ref())?, how(outcome, error.as_ref())?);
            differences.push(difference(Part::Outcome, "", Some(was), Some(is)));
        }
        let (result, result_error) = match &report.verdict {
            Verdict::Ok { result, result_error } if outcome == Outcome::Ok => (result.clone(), result_error.clone()),
            _ => ("null".to_owned(), None),
        };
        let was = came.result.as_deref().unwrap_or("null");
        if was != result {
            let (was, is) = (self.outside(Some(was))?, self.outside(Some(&result))?);
            differences.push(difference(Part::Result, "", Some(was), Some(is)));
        }
        if came.result_error != result_error {
            let (was, is) = (raw(&came.result_error)?, raw(&result_error)?);
            differences.push(difference(Part::Result, "error", Some(was), Some(is)));
        }
        self.memories(recorded, (before, &after), &report, &mut differences, &mut notes)?;
        if came.digest != now {
            let known = differences.len();
            self.messages(&came, &report, &mut differences)?;
            self.made_objects(&came, &after, &report, &mut differences)?;
            if differences.len() == known {
                notes.push("its messages or the objects it made are others, in what nobody knows any more".to_owned());
                differences.push(difference(Part::Message, "", None, None));
            }
        }
        each(&came.log, &report.log, |index, was, is| {
            let (was, is) = (was.map(raw).transpose()?, is.map(raw).transpose()?);
            differences.push(difference(Part::Log, &index, was, is));
            Ok(())
        })?;
        if report.random_used && recorded.seed.is_none() {
            notes.push("it asked for random bytes, as the recorded turn had not: they are made up".to_owned());
        }
        let did = Did {
            outcome,
            result: self.outside(Some(&result))?,
            result_error,
            error: error.as_ref().map(|error| self.code_error(error)).transpose()?,
            memory: self.written(recorded.object, &report)?,
            sent: report.sent.iter().map(|sent| self.message_sent(sent.target, &sent.args)).collect::<Read<_>>()?,
            made: report
                .made
                .iter()
                .zip(0..)
                .map(|(made, index)| self.made_now(&came, made, index))
                .collect::<Read<_>>()?,
            log: report.log,
            ticks: report.ticks,
            cpu_us: report.cpu_us,
        };
        Ok(Replayed {
            turn: recorded.turn,
            object: self.qrid(recorded.object)?,
            name: self.petname(recorded.object)?,
            replaced,
            equal: differences.is_empty(),
            differences,
            replayed: did,
            ticks_recorded: came.ticks,
            notes,
            as_of: self.as_of,
        })
    }

    fn came(&self, turn: u64) -> Read<Came> {
        let sql = "SELECT result, result_error, made, sent, posted, log, ticks, digest FROM turn WHERE turn = ?1";
        let row = |row: &Row<'_>| {
            let lists: [Option<String>; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            Ok((row.get(0)?, row.get(1)?, lists, row.get(6)?, row.get(7)?))
        };
        let (result, result_error, lists, ticks, digest) = self.db.prepare_cached(sql)?.query_row([turn], row)?;
        let [made, sent, posted, log] = lists.each_ref().map(Option::as_ref);
        let (made, sent, posted, log) = (list(made)?, list(sent)?, list(posted)?, list(log)?);
        Ok(Came { result, result_error, made, sent, posted, log, ticks, digest })
    }

    fn how(&self, outcome: Outcome, error: Option<&CodeError>) -> Read<impl Serialize> {
        #[derive(Serialize)]
        struct How {
            outcome: Outcome,
            error: Option<view::CodeError>,
        }
        Ok(How { outcome, error: error.map(|error| self.code_error(error)).transpose()? })
    }

    /// Compares what the turn left in Memories: keys, values and the places of new keys.
    fn memories(
        &self,
        recorded: &Recorded,
        (before, after): (&Past<'_>, &Past<'_>),
        report: &Report,
        differences: &mut Vec<Difference>,
        notes: &mut Vec<String>,
    ) -> Read<()> {
        let sql = "SELECT memory, key, old_ordinal FROM turn_change WHERE turn = ?1";
        let changes: Vec<(MemoryHandle, String, Option<u64>)> =
            self.rows(sql, [recorded.turn], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut memories: Vec<_> = changes.iter().map(|(memory, ..)| *memory).collect();
        memories.dedup();
        let mut gone = Vec::new();
        for memory in &memories {
            if !self.has_memory(*memory)? {
                gone.push(*memory);
            }
        }
        memories.retain(|memory| !gone.contains(memory));
        if !gone.is_empty() {
            notes.push("a memory that it changed is gone by now: what it left there is not compared".to_owned());
        }
        after.undo(&memories)?;
        let mut was = After::new();
        // New keys and those that moved, by where they were put.
        let mut placed: BTreeMap<MemoryHandle, BTreeMap<u64, String>> = BTreeMap::new();
        for (memory, key, old_ordinal) in changes.into_iter().filter(|(memory, ..)| !gone.contains(memory)) {
            let entry = after.property(memory, &key)?;
            if let Some(Entry { ordinal, .. }) = entry.as_ref().filter(|entry| Some(entry.ordinal) != old_ordinal) {
                placed.entry(memory).or_default().insert(*ordinal, key.clone());
            }
            was.insert((memory, key), entry.map(|entry| entry.value));
        }
        let mut is = After::new();
        for change in report.memories.iter().filter(|change| !gone.contains(&change.memory)) {
            is.extend(change.deleted.iter().map(|key| ((change.memory, key.clone()), None)));
            is.extend(change.set.iter().map(|(key, value)| ((change.memory, key.clone()), Some(value.clone()))));
        }
        let mut keys: Vec<_> = was.keys().chain(is.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut differs = false;
        for key in keys {
            if was.get(key) == is.get(key) {
                continue;
            }
            differs = true;
            let which = self.which(key.0, &key.1, recorded.object)?;
            let shown = |value: Option<&Option<String>>| {
                value.and_then(Option::as_deref).map(|value| self.outside(Some(value)))
            };
            let (was, is) = (shown(was.get(key)).transpose()?, shown(is.get(key)).transpose()?);
            differences.push(difference(Part::Memory, &which, was, is));
        }
        for change in report.memories.iter().filter(|change| !differs && !gone.contains(&change.memory)) {
            let placed = placed.remove(&change.memory).into_iter().flat_map(BTreeMap::into_values);
            let placed: Vec<_> = placed.filter(|key| qjson::array_index(key).is_none()).collect();
            let mut now = Vec::new();
            for (key, _) in change.set.iter().filter(|(key, _)| qjson::array_index(key).is_none()) {
                if change.deleted.contains(key) || before.property(change.memory, key)?.is_none() {
                    now.push(key.clone());
                }
            }
            if placed != now {
                let which = self.which(change.memory, "(order of keys)", recorded.object)?;
                differences.push(difference(Part::Memory, &which, Some(raw(&placed)?), Some(raw(&now)?)));
            }
        }
        Ok(())
    }

    fn has_memory(&self, memory: MemoryHandle) -> Read<bool> {
        Ok(self.db.prepare_cached("SELECT 1 FROM memory WHERE memory = ?1")?.exists([memory])?)
    }

    fn which(&self, memory: MemoryHandle, key: &str, ran: Handle) -> Read<String> {
        Ok(format!("{} {key}", self.qrid(self.sharer(memory, ran)?)?))
    }

    fn written(&self, ran: Handle, report: &Report) -> Read<Vec<Written>> {
        let mut written = Vec::new();
        for change in &report.memories {
            let object = self.qrid(self.sharer(change.memory, ran)?)?;
            let set = |key: &String| change.set.iter().any(|(known, _)| known == key);
            for key in change.deleted.iter().filter(|key| !set(key)) {
                written.push(Written { object: object.clone(), key: key.clone(), value: None });
            }
            for (key, value) in &change.set {
                let value = Some(self.outside(Some(value))?);
                written.push(Written { object: object.clone(), key: key.clone(), value });
            }
        }
        Ok(written)
    }

    fn message_sent(&self, target: Handle, args: &str) -> Read<view::Sent> {
        Ok(view::Sent { target: self.qrid(target)?, args: self.outside(Some(args))? })
    }

    /// Compares the messages that were sent, as far as they are still known.
    fn messages(&self, came: &Came, report: &Report, differences: &mut Vec<Difference>) -> Read<()> {
        let mut was = came.sent.iter().map(|message| self.sent_then(*message)).collect::<Read<Vec<_>>>()?;
        was.extend(came.posted.iter().map(|_| None));
        let is: Vec<_> = report.sent.iter().map(|sent| Some((sent.target, sent.args.clone()))).collect();
        each(&was, &is, |index, was, is| {
            // Of one that is not known any more nobody can say that it is another.
            if was == Some(&None) && is.is_some() {
                return Ok(());
            }
            let shown = |sent: Option<&Option<(Handle, String)>>| -> Read<Option<Box<RawValue>>> {
                let Some((target, args)) = sent.and_then(Option::as_ref) else { return Ok(None) };
                Ok(Some(raw(&self.message_sent(*target, args)?)?))
            };
            differences.push(difference(Part::Message, &index, shown(was)?, shown(is)?));
            Ok(())
        })
    }

    /// What a message was, if that is still known: its target and arguments.
    fn sent_then(&self, message: u64) -> Read<Option<(Handle, String)>> {
        let sql = "SELECT target, args FROM message WHERE message = ?1
            UNION ALL SELECT object, args FROM turn WHERE message = ?1
            UNION ALL SELECT target, args FROM fault WHERE message = ?1 AND target IS NOT NULL LIMIT 1";
        self.one(sql, [message], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Compares the objects that were made, as far as they are still there.
    fn made_objects(
        &self,
        came: &Came,
        after: &Past<'_>,
        report: &Report,
        differences: &mut Vec<Difference>,
    ) -> Read<()> {
        let was = came.made.iter().map(|object| self.made_then(*object, after)).collect::<Read<Vec<_>>>()?;
        let is = report.made.iter().zip(0..).map(|(made, index)| self.made_now(came, made, index));
        let is = is.map(|made| Ok(Some(raw(&made?)?.get().to_owned()))).collect::<Read<Vec<_>>>()?;
        each(&was, &is, |index, was, is| {
            if was == Some(&None) && is.is_some() {
                return Ok(());
            }
            let shown = |made: Option<&Option<String>>| {
                made.and_then(Option::as_ref).map(|made| RawValue::from_string(made.clone())).transpose()
            };
            let damaged = |error: serde_json::Error| ReadError::Damaged(error.to_string());
            let (was, is) = (shown(was).map_err(damaged)?, shown(is).map_err(damaged)?);
            differences.push(difference(Part::Object, &index, was, is));
            Ok(())
        })
    }

    /// An object as it was made, if it is still there.
    fn made_then(&self, object: Handle, after: &Past<'_>) -> Read<Option<String>> {
        let Some(row) = after.object_then(object)? else { return Ok(None) };
        let sql = "SELECT maker FROM object WHERE object = ?1";
        let maker: Handle = self.db.prepare_cached(sql)?.query_row([object], |row| row.get(0))?;
        let shares_memory =
            after.object_then(maker)?.is_some_and(|maker| maker.memory == row.memory && row.memory.is_some());
        let memory = match row.memory.filter(|_| !shares_memory) {
            Some(memory) => Some(self.entries_outside(&after.content(memory)?)?),
            None => None,
        };
        let made = Made {
            object: self.qrid(object)?,
            maker: self.qrid(maker)?,
            account: row.account == object,
            code: self.code_text(row.code)?,
            power: self.power(&row.statics, row.natives.into_iter())?,
            memory,
            shares_memory,
        };
        Ok(Some(raw(&made)?.get().to_owned()))
    }

    fn made_now(&self, came: &Came, made: &protocol::Made, index: u64) -> Read<Made> {
        let memory = match &made.memory {
            MadeMemory::New(entries) => {
                let text = qjson::join_object(entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                Some(self.outside(Some(&text))?)
            }
            MadeMemory::None | MadeMemory::Makers => None,
        };
        Ok(Made {
            object: self.qrid(lasting(&came.made, FIRST_MADE + index))?,
            maker: self.qrid(lasting(&came.made, made.maker))?,
            account: made.account,
            code: made.code.clone(),
            power: self.power(&made.power.statics, made.power.natives.iter().cloned())?,
            memory,
            shares_memory: made.memory == MadeMemory::Makers,
        })
    }

    fn power(&self, statics: &str, natives: impl Iterator<Item = (String, Native)>) -> Read<Power> {
        let natives = natives.map(|(property, native)| (property, native.name().to_owned())).collect();
        Ok(Power { statics: self.outside(Some(statics))?, natives })
    }

    /// A Memory's properties as one object.
    pub(super) fn entries_outside(&self, entries: &[Entry]) -> Read<Box<RawValue>> {
        let text = qjson::join_object(entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())));
        self.outside(Some(&text))
    }
}

/// The lasting handle of an object of the turn: of one it made, the one that the recorded turn gave it.
fn lasting(made: &[Handle], handle: Handle) -> Handle {
    let index = handle.checked_sub(FIRST_MADE).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| made.get(index)).copied().unwrap_or(handle)
}

/// Gives the objects that a replay made the handles of those that the recorded turn made.
fn settle(report: &mut Report, made: &[Handle]) -> Read<()> {
    report.renumber(|handle| lasting(made, handle)).map_err(|error| ReadError::Damaged(error.to_string()))
}

/// Calls `differ` for each place, counted from 1, where the two lists are not the same.
fn each<T: PartialEq>(
    was: &[T],
    is: &[T],
    mut differ: impl FnMut(String, Option<&T>, Option<&T>) -> Read<()>,
) -> Read<()> {
    for index in 0..was.len().max(is.len()) {
        let (was, is) = (was.get(index), is.get(index));
        if was != is {
            differ((index + 1).to_string(), was, is)?;
        }
    }
    Ok(())
}

fn difference(part: Part, which: &str, recorded: Option<Box<RawValue>>, replayed: Option<Box<RawValue>>) -> Difference {
    Difference { part, which: which.to_owned(), recorded, replayed }
}

fn raw(value: &(impl Serialize + ?Sized)) -> Read<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|error| ReadError::Damaged(error.to_string()))
}
