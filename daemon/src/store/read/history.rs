//! Memories over time: as a turn left one, what changed between two, and which turn changed what last.

use std::collections::HashMap;

use qrt_shared::view::{KeyBlame, KeyChange, MemoryDiff, Page};
use rusqlite::params;
use serde_json::value::RawValue;

use super::list::PAGE_ROWS;
use super::{Asked, Past, Read, ReadError};
use crate::protocol::{Handle, MemoryHandle};
use crate::vat::view::Entry;

impl Asked<'_> {
    /// An object's memory as `turn` left it; null when it has none.
    pub fn memory_at(&self, object: Handle, turn: u64) -> Read<Box<RawValue>> {
        let past = self.left_by(turn, object)?;
        match self.memory_of(object)? {
            Some(memory) => self.entries_outside(&past.content(memory)?),
            None => self.outside(None),
        }
    }

    /// What changed in an object's memory from how the turn `from` left it to how `to` did.
    pub fn memory_diff(&self, object: Handle, from: u64, to: u64) -> Read<MemoryDiff> {
        let (before, after) = (self.left_by(from, object)?, self.left_by(to, object)?);
        let earlier = if from <= to { &before } else { &after };
        let mut changes = Vec::new();
        if let Some(memory) = self.memory_of(object)? {
            let value = |past: &Past<'_>, key: &str| -> Read<Option<String>> {
                Ok(past.property(memory, key)?.map(|entry: Entry| entry.value))
            };
            let shown = |value: Option<String>| value.map(|value| self.outside(Some(&value))).transpose();
            for key in earlier.changed(memory)? {
                let (was, is) = (value(&before, &key)?, value(&after, &key)?);
                if was != is {
                    changes.push(KeyChange { before: shown(was)?, after: shown(is)?, key });
                }
            }
        }
        Ok(MemoryDiff { object: self.qrid(object)?, from, to, changes, as_of: self.as_of })
    }

    /// A page of an object's memory keys in their order, with the turn that last changed each; with `key`, that
    /// one, also when it is not there any more.
    pub fn memory_blame(&self, object: Handle, key: Option<&str>, after: u64) -> Read<Page<KeyBlame>> {
        let mut page = Page { items: Vec::new(), next: None, prev: None, partial: false, as_of: self.as_of };
        let Some(memory) = self.memory_of(object)? else { return Ok(page) };
        let first = self.journal()?.0;
        if let Some(key) = key {
            let sql = "SELECT max(turn) FROM turn_change WHERE memory = ?1 AND key = ?2";
            let turn = self.db.prepare_cached(sql)?.query_row(params![memory, key], |row| row.get(0))?;
            let sql = "SELECT 1 FROM memory_entry WHERE memory = ?1 AND key = ?2";
            let is_there = self.db.prepare_cached(sql)?.exists(params![memory, key])?;
            page.items.push(self.blame(key.to_owned(), is_there, turn, first)?);
            return Ok(page);
        }
        // The cursor is one more than a key's place, as the first place is 0.
        let sql =
            "SELECT key, ordinal + 1 FROM memory_entry WHERE memory = ?1 AND ordinal >= ?2 ORDER BY ordinal LIMIT ?3";
        let keys: Vec<(String, u64)> =
            self.rows(sql, [memory, after, PAGE_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
        page.next = keys.last().map(|(_, next)| *next).filter(|_| keys.len() as u64 == PAGE_ROWS);
        let mut turns = self.last_changes(memory)?;
        for (key, _) in keys {
            let turn = turns.remove(&key);
            page.items.push(self.blame(key, true, turn, first)?);
        }
        Ok(page)
    }

    /// The turn that last changed each key, of all that the journal names: one go through all of it.
    fn last_changes(&self, memory: MemoryHandle) -> Read<HashMap<String, u64>> {
        let sql = "SELECT key, turn FROM turn_change WHERE memory = ?1 ORDER BY turn";
        let rows: Vec<(String, u64)> = self.rows(sql, [memory], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    fn blame(&self, key: String, is_there: bool, turn: Option<u64>, journal_first: u64) -> Read<KeyBlame> {
        let mut blame = KeyBlame { key, is_there, turn, object: None, name: None, edit: None, at: None, journal_first };
        if let Some(turn) = turn {
            let sql = "SELECT object, edit, clock_ms FROM turn WHERE turn = ?1";
            let row = self.db.prepare_cached(sql)?.query_row([turn], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            let (object, edit, at): (Handle, Option<String>, u64) = row?;
            (blame.object, blame.name) = (Some(self.qrid(object)?), self.petname(object)?);
            (blame.edit, blame.at) = (edit, Some(at));
        }
        Ok(blame)
    }

    /// The vat as `turn` left it, when `object` was there.
    fn left_by(&self, turn: u64, object: Handle) -> Read<Past<'_>> {
        let sql = "SELECT born, maker IS NULL FROM object WHERE object = ?1";
        let (born, installed): (u64, bool) =
            self.db.prepare_cached(sql)?.query_row([object], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if turn + u64::from(installed) < born {
            let how = if installed { "installed before" } else { "made in" };
            return Err(ReadError::Nothing(format!("{} was {how} turn {born}", self.qrid(object)?)));
        }
        self.past(turn + 1)
    }
}
