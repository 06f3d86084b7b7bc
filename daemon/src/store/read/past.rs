//! The vat as it was: the present, with what the journal says was changed since undone.
//!
//! The journal holds the old value of each key that a turn or an edit changed, so a key is now what the
//! oldest change since then says it was before, and what it is if there is none. Code is found by
//! the versions of each object; power, budget and account of an object never change. Everything is of one
//! transaction.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use rusqlite::{Row, params};

use super::{Asked, Read, ReadError};
use crate::protocol::{Handle, MemoryHandle};
use crate::store::apply;
use crate::vat::replay;
use crate::vat::view::{Entry, Memories, Memory, Object, ViewError};

/// The vat just before a turn.
pub struct Past<'a> {
    asked: &'a Asked<'a>,
    /// The first turn that is undone.
    before: u64,
    memories: RefCell<HashMap<MemoryHandle, Rc<Undone>>>,
}

/// How a Memory was.
enum Undone {
    /// As it is, but for these keys.
    But { changed: BTreeMap<String, Option<Entry>>, row: Memory },
    /// This.
    Is(Vec<Entry>),
}

impl Undone {
    /// The properties that are not as they are now, in order.
    fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<_> = match self {
            Self::But { changed, .. } => changed.values().flatten().cloned().collect(),
            Self::Is(entries) => entries.clone(),
        };
        entries.sort_by_key(|entry| entry.ordinal);
        entries
    }

    fn bytes(entries: &[Entry]) -> u64 {
        entries.iter().map(|entry| entry.key.len() + entry.value.len()).sum::<usize>() as u64
    }
}

impl Asked<'_> {
    /// The vat before turn `before`, which may be the next there will be.
    ///
    /// # Errors
    /// The journal does not go back so far, or there is no such turn yet.
    pub fn past(&self, before: u64) -> Read<Past<'_>> {
        let (first, next) = self.journal()?;
        if before < first {
            let turn = before.saturating_sub(1);
            return Err(ReadError::Lost(format!(
                "the journal begins with turn {first}: what was before it, and so after turn {turn}, nobody knows any more"
            )));
        }
        if before > next {
            return Err(ReadError::Nothing(format!("there is no turn {} yet: the last is {}", before - 1, next - 1)));
        }
        Ok(Past { asked: self, before, memories: RefCell::default() })
    }

    /// The oldest turn in the journal, and the number of the next one.
    pub(super) fn journal(&self) -> Read<(u64, u64)> {
        Ok(self.db.query_row("SELECT journal_first, next_turn FROM vat", [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }
}

impl Past<'_> {
    /// Has `memory` be what it was not: these properties.
    pub fn replace(&self, memory: MemoryHandle, entries: Vec<Entry>) {
        self.memories.borrow_mut().insert(memory, Rc::new(Undone::Is(entries)));
    }

    /// Looks these Memories up, in one go through the journal.
    pub fn undo(&self, memories: &[MemoryHandle]) -> Read<()> {
        let known = self.memories.borrow();
        let wanted: HashSet<_> = memories.iter().filter(|memory| !known.contains_key(memory)).copied().collect();
        drop(known);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut changed: HashMap<MemoryHandle, BTreeMap<String, Option<Entry>>> = HashMap::new();
        let sql = "SELECT memory, key, old, old_ordinal FROM turn_change WHERE turn >= ?1 ORDER BY turn";
        let mut statement = self.asked.db.prepare_cached(sql)?;
        let mut rows = statement.query([self.before])?;
        while let Some(row) = rows.next()? {
            let memory = row.get(0)?;
            if wanted.contains(&memory) {
                let key: String = row.get(1)?;
                let changed = changed.entry(memory).or_default();
                if !changed.contains_key(&key) {
                    changed.insert(key.clone(), old(row, key)?);
                }
            }
        }
        for memory in wanted {
            let changed = changed.remove(&memory).unwrap_or_default();
            let undone = self.undone(memory, changed)?;
            self.memories.borrow_mut().insert(memory, Rc::new(undone));
        }
        Ok(())
    }

    fn undone(&self, memory: MemoryHandle, changed: BTreeMap<String, Option<Entry>>) -> Read<Undone> {
        let sql = "SELECT bytes, next_ordinal, account FROM memory WHERE memory = ?1";
        let row = |row: &Row<'_>| Ok(Memory { bytes: row.get(0)?, next_ordinal: row.get(1)?, account: row.get(2)? });
        let row = self.asked.one(sql, [memory], row)?;
        let row = row.ok_or_else(|| ReadError::Damaged(format!("memory {memory} is not there")))?;
        let mut now = 0;
        for key in changed.keys() {
            now += self.present(memory, key)?.map_or(0, |entry| Undone::bytes(&[entry]));
        }
        let then: u64 = changed.values().flatten().map(|entry| (entry.key.len() + entry.value.len()) as u64).sum();
        Ok(Undone::But { row: Memory { bytes: (row.bytes + then).saturating_sub(now), ..row }, changed })
    }

    fn of(&self, memory: MemoryHandle) -> Read<Rc<Undone>> {
        self.undo(&[memory])?;
        let known = self.memories.borrow().get(&memory).map(Rc::clone);
        known.ok_or_else(|| ReadError::Damaged(format!("memory {memory} was looked up and is not there")))
    }

    fn present(&self, memory: MemoryHandle, key: &str) -> Read<Option<Entry>> {
        let sql = "SELECT key, ordinal, value FROM memory_entry WHERE memory = ?1 AND key = ?2";
        self.asked.one(sql, params![memory, key], entry)
    }

    /// The properties after the place `after`, in order, until `enough` says so of their bytes.
    fn walk(&self, memory: MemoryHandle, after: Option<u64>, enough: usize) -> Read<Vec<Entry>> {
        let undone = self.of(memory)?;
        let is_after = |entry: &Entry| after.is_none_or(|after| entry.ordinal > after);
        let mut others = undone.entries().into_iter().filter(is_after).peekable();
        let (mut entries, mut sum) = (Vec::new(), 0);
        let mut add = |entry: Entry, entries: &mut Vec<Entry>| {
            sum += entry.key.len() + entry.value.len();
            entries.push(entry);
            sum >= enough
        };
        if let Undone::But { changed, .. } = &*undone {
            // No ordinal is negative, and a number that is none has nothing after it.
            let bound = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
            let sql =
                "SELECT key, ordinal, value FROM memory_entry WHERE memory = ?1 AND ordinal > ?2 ORDER BY ordinal";
            let mut statement = self.asked.db.prepare_cached(sql)?;
            let mut rows = statement.query(params![memory, bound])?;
            while let Some(row) = rows.next()? {
                let here = entry(row)?;
                if changed.contains_key(&here.key) {
                    continue;
                }
                while let Some(other) = others.next_if(|other| other.ordinal < here.ordinal) {
                    if add(other, &mut entries) {
                        return Ok(entries);
                    }
                }
                if add(here, &mut entries) {
                    return Ok(entries);
                }
            }
        }
        for other in others {
            if add(other, &mut entries) {
                break;
            }
        }
        Ok(entries)
    }

    /// Every property of a Memory, in order.
    pub fn content(&self, memory: MemoryHandle) -> Read<Vec<Entry>> {
        self.walk(memory, None, usize::MAX)
    }

    /// The property of a Memory.
    pub fn property(&self, memory: MemoryHandle, key: &str) -> Read<Option<Entry>> {
        match &*self.of(memory)? {
            Undone::But { changed, .. } => {
                changed.get(key).map_or_else(|| self.present(memory, key), |then| Ok(then.clone()))
            }
            Undone::Is(entries) => Ok(entries.iter().find(|entry| entry.key == key).cloned()),
        }
    }

    /// The names of the keys that a turn or an edit changed since.
    pub(super) fn changed(&self, memory: MemoryHandle) -> Read<Vec<String>> {
        match &*self.of(memory)? {
            Undone::But { changed, .. } => Ok(changed.keys().cloned().collect()),
            Undone::Is(_) => Ok(Vec::new()),
        }
    }

    /// The object as it was.
    pub fn object_then(&self, object: Handle) -> Read<Option<Object>> {
        let sql = "SELECT account, coalesce((SELECT code FROM object_code WHERE object = ?1 AND until >= ?2
                ORDER BY version LIMIT 1), code), statics, natives, memory, budget FROM object WHERE object = ?1";
        let row = |row: &Row<'_>| {
            let texts: (String, Option<String>) = (row.get(3)?, row.get(5)?);
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?, texts))
        };
        let found = self.asked.one(sql, params![object, self.before], row)?;
        let Some((account, code, statics, memory, (natives, budget))) = found else { return Ok(None) };
        let unreadable = |what: &str| ReadError::Damaged(format!("object {object} has {what} that nobody can read"));
        let natives = apply::natives(&natives).ok_or_else(|| unreadable("native powers"))?;
        let budget = apply::budget(budget.as_deref()).ok_or_else(|| unreadable("a budget"))?;
        Ok(Some(Object { account, code, statics, natives, memory, held: false, budget }))
    }
}

fn old(row: &Row<'_>, key: String) -> rusqlite::Result<Option<Entry>> {
    let value: Option<String> = row.get(2)?;
    let ordinal: Option<u64> = row.get(3)?;
    Ok(value.zip(ordinal).map(|(value, ordinal)| Entry { key, ordinal, value }))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { key: row.get(0)?, ordinal: row.get(1)?, value: row.get(2)? })
}

fn failed(error: ReadError) -> ViewError {
    ViewError(error.into())
}

impl Memories for Past<'_> {
    fn memory(&self, memory: MemoryHandle) -> Result<Memory, ViewError> {
        Ok(match &*self.of(memory).map_err(failed)? {
            Undone::But { row, .. } => *row,
            // Nobody else has it, so nothing asks where the next key goes nor who pays.
            Undone::Is(entries) => Memory { bytes: Undone::bytes(entries), next_ordinal: 0, account: 0 },
        })
    }

    fn entries(&self, memory: MemoryHandle) -> Result<Vec<Entry>, ViewError> {
        self.content(memory).map_err(failed)
    }

    fn entry(&self, memory: MemoryHandle, key: &str) -> Result<Option<Entry>, ViewError> {
        self.property(memory, key).map_err(failed)
    }

    fn entries_after(&self, memory: MemoryHandle, after: Option<u64>, bytes: usize) -> Result<Vec<Entry>, ViewError> {
        self.walk(memory, after, bytes).map_err(failed)
    }
}

impl replay::Past for Past<'_> {
    fn object(&self, object: Handle) -> Result<Option<Object>, ViewError> {
        self.object_then(object).map_err(failed)
    }
}
