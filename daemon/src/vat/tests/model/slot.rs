//! A Memory as a turn of the test's worker has it: all of it, or what it has asked for so far.

use std::collections::{BTreeMap, BTreeSet};

use qrt_shared::qjson::array_index;

use super::worker::{Entries, Given};
use crate::protocol::{MemoryChange, MemoryHandle, Page, Wanted};
use crate::worker::kept::Left;

/// See the module. An `Err` is what it must be told to go on.
pub(super) struct Slot<'a> {
    /// What it was told, unless it was given all of it.
    told: Option<Told<'a>>,
    /// What the keys that it has looked at held before.
    found: BTreeMap<String, Option<String>>,
    /// Keys that were taken away: one that is there again is not in its old place.
    moved: BTreeSet<String>,
    now: Entries,
    complete: bool,
}

struct Told<'a> {
    known: &'a Entries,
    keys: &'a BTreeMap<String, Option<String>>,
    pages: &'a [Page],
}

impl<'a> Slot<'a> {
    pub(super) fn of(given: &'a Given) -> Self {
        match given {
            Given::Whole(entries) => Self::new(entries.clone()),
            Given::ByKey { known, keys, pages } => {
                Self { told: Some(Told { known, keys, pages }), complete: false, ..Self::new(Entries::new()) }
            }
        }
    }

    /// One that had these entries when the turn began.
    pub(super) fn new(now: Entries) -> Self {
        let found = now.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        Self { told: None, found, moved: BTreeSet::new(), now, complete: true }
    }

    pub(super) fn into_entries(self) -> Entries {
        self.now
    }

    /// Looks at one key.
    fn fetch(&mut self, key: &str) -> Result<(), Wanted> {
        let Some(Told { known, keys, .. }) = self.told.as_ref().filter(|_| !self.complete) else { return Ok(()) };
        if self.found.contains_key(key) {
            return Ok(());
        }
        let sent = known.iter().find(|(known, _)| known == key).map(|(_, value)| Some(value.clone()));
        let told = sent.or_else(|| keys.get(key).cloned());
        let value = told.ok_or_else(|| Wanted::Key(key.to_owned()))?;
        self.found.insert(key.to_owned(), value.clone());
        if let Some(value) = value {
            put(&mut self.now, key, value);
        }
        Ok(())
    }

    /// Looks at all of them.
    fn fetch_all(&mut self) -> Result<(), Wanted> {
        let Some(Told { pages, .. }) = self.told.as_ref().filter(|_| !self.complete) else { return Ok(()) };
        let mut after = None;
        let mut pages = pages.iter();
        let mut all = Entries::new();
        loop {
            let page = pages.next().ok_or(Wanted::Page { after })?;
            all.extend(page.entries.iter().cloned());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let old = std::mem::take(&mut self.now);
        for (key, value) in all {
            if !self.found.contains_key(&key) {
                self.found.insert(key.clone(), Some(value.clone()));
                self.now.push((key, value));
            } else if !self.moved.contains(&key) {
                // As code has it now, unless it took it away and perhaps put it elsewhere.
                self.now.extend(old.iter().find(|(known, _)| *known == key).cloned());
            }
        }
        for (key, value) in old {
            if self.now.iter().all(|(known, _)| *known != key) {
                put(&mut self.now, &key, value);
            }
        }
        self.complete = true;
        Ok(())
    }

    pub(super) fn get(&mut self, key: &str) -> Result<Option<String>, Wanted> {
        self.fetch(key)?;
        Ok(self.now.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone()))
    }

    pub(super) fn set(&mut self, key: &str, value: String) -> Result<(), Wanted> {
        self.fetch(key)?;
        put(&mut self.now, key, value);
        Ok(())
    }

    pub(super) fn take(&mut self, key: &str) -> Result<Option<String>, Wanted> {
        self.fetch(key)?;
        let Some(at) = self.now.iter().position(|(known, _)| known == key) else { return Ok(None) };
        let (_, value) = self.now.remove(at);
        self.moved.insert(key.to_owned());
        Ok(Some(value))
    }

    /// All keys, in order.
    pub(super) fn keys(&mut self) -> Result<impl Iterator<Item = &str>, Wanted> {
        self.fetch_all()?;
        Ok(self.now.iter().map(|(key, _)| key.as_str()))
    }

    /// What the turn changed, and what it leaves with the worker. The change is the same however the
    /// memory was given, so that a run in which that was otherwise leaves the same.
    pub(super) fn change(self, memory: MemoryHandle) -> (Option<MemoryChange>, Option<Left>) {
        let Self { told, found, moved, now, .. } = self;
        let there = |key: &str| now.iter().any(|(known, _)| known == key);
        let was = |key: &str| found.get(key).and_then(Option::as_ref);
        let gone = |key: &&String| was(key).is_some() && (moved.contains(*key) || !there(key));
        let deleted: Vec<String> = found.keys().filter(gone).cloned().collect();
        let changed = |(key, value): &&(String, String)| moved.contains(key) || was(key) != Some(value);
        let set: Vec<_> = now.iter().filter(changed).cloned().collect();
        let change = (!deleted.is_empty() || !set.is_empty()).then_some(MemoryChange { memory, deleted, set });
        let left = if told.is_some() { change.clone().map(Left::Changed) } else { Some(Left::Whole(memory, now)) };
        (change, left)
    }
}

/// Sets a key as JavaScript does: numbers stand first, in order.
fn put(entries: &mut Entries, key: &str, value: String) {
    if let Some(entry) = entries.iter_mut().find(|(known, _)| known == key) {
        entry.1 = value;
        return;
    }
    let index = array_index(key);
    let before = |other: &str| match (index, array_index(other)) {
        (Some(index), Some(other)) => other < index,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let at = entries.iter().take_while(|(other, _)| before(other)).count();
    entries.insert(at, (key.to_owned(), value));
}
