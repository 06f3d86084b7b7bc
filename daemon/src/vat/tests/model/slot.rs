//! A Memory as a turn of the test's worker has it: all of it, or what it has asked for so far.

use std::collections::{BTreeMap, BTreeSet};

use qrt_shared::qjson::array_index;

use super::worker::{Entries, Given};
use crate::protocol::{MemoryChange, MemoryHandle, Page, Wanted};
use crate::worker::kept::Left;

/// See the module. An `Err` is what it must be told to go on.
pub(super) enum Slot<'a> {
    Whole {
        before: Entries,
        now: Entries,
    },
    ByKey {
        known: &'a Entries,
        keys: &'a BTreeMap<String, Option<String>>,
        pages: &'a [Page],
        /// What the keys that it has looked at held before.
        found: BTreeMap<String, Option<String>>,
        /// Those that were taken away: one that is there again is not in its old place.
        moved: BTreeSet<String>,
        now: Entries,
        complete: bool,
    },
}

impl<'a> Slot<'a> {
    pub(super) fn of(given: &'a Given) -> Self {
        match given {
            Given::Whole(entries) => Self::new(entries.clone()),
            Given::ByKey { known, keys, pages } => Self::ByKey {
                known,
                keys,
                pages,
                found: BTreeMap::new(),
                moved: BTreeSet::new(),
                now: Entries::new(),
                complete: false,
            },
        }
    }

    /// One that had these entries when the turn began.
    pub(super) fn new(entries: Entries) -> Self {
        Self::Whole { before: entries.clone(), now: entries }
    }

    fn now(&mut self) -> &mut Entries {
        match self {
            Self::Whole { now, .. } | Self::ByKey { now, .. } => now,
        }
    }

    pub(super) fn into_entries(self) -> Entries {
        match self {
            Self::Whole { now, .. } | Self::ByKey { now, .. } => now,
        }
    }

    /// Looks at one key.
    fn fetch(&mut self, key: &str) -> Result<(), Wanted> {
        let Self::ByKey { known, keys, found, now, complete, .. } = self else { return Ok(()) };
        if *complete || found.contains_key(key) {
            return Ok(());
        }
        let sent = known.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
        let value = match (sent, keys.get(key)) {
            (Some(sent), _) => Some(sent),
            (None, Some(told)) => told.clone(),
            (None, None) => return Err(Wanted::Key(key.to_owned())),
        };
        found.insert(key.to_owned(), value.clone());
        if let Some(value) = value {
            put(now, key, value);
        }
        Ok(())
    }

    /// Looks at all of them.
    fn fetch_all(&mut self) -> Result<(), Wanted> {
        let Self::ByKey { pages, found, moved, now, complete, .. } = self else { return Ok(()) };
        if *complete {
            return Ok(());
        }
        let mut after = None;
        let mut told = Vec::new();
        let mut pages = pages.iter();
        loop {
            let Some(page) = pages.next() else { return Err(Wanted::Page { after }) };
            told.extend(page.entries.iter().cloned());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let old = std::mem::take(now);
        for (key, value) in told {
            match found.get(&key) {
                None => {
                    found.insert(key.clone(), Some(value.clone()));
                    now.push((key, value));
                }
                // As code has it now, unless it took it away and perhaps put it elsewhere.
                Some(_) if moved.contains(&key) => {}
                Some(_) => now.extend(old.iter().find(|(known, _)| *known == key).cloned()),
            }
        }
        for (key, value) in old {
            if now.iter().all(|(known, _)| *known != key) {
                put(now, &key, value);
            }
        }
        *complete = true;
        Ok(())
    }

    pub(super) fn get(&mut self, key: &str) -> Result<Option<String>, Wanted> {
        self.fetch(key)?;
        Ok(self.now().iter().find(|(known, _)| known == key).map(|(_, value)| value.clone()))
    }

    pub(super) fn set(&mut self, key: &str, value: String) -> Result<(), Wanted> {
        self.fetch(key)?;
        put(self.now(), key, value);
        Ok(())
    }

    pub(super) fn take(&mut self, key: &str) -> Result<Option<String>, Wanted> {
        self.fetch(key)?;
        let now = self.now();
        let Some(at) = now.iter().position(|(known, _)| known == key) else { return Ok(None) };
        let (_, value) = now.remove(at);
        if let Self::ByKey { moved, .. } = self {
            moved.insert(key.to_owned());
        }
        Ok(Some(value))
    }

    /// All keys, in order.
    pub(super) fn keys(&mut self) -> Result<impl Iterator<Item = &str>, Wanted> {
        self.fetch_all()?;
        Ok(self.now().iter().map(|(key, _)| key.as_str()))
    }

    /// What the turn changed, and what it leaves with the worker.
    pub(super) fn change(self, memory: MemoryHandle) -> (Option<MemoryChange>, Option<Left>) {
        match self {
            Self::Whole { before, now } => (difference(memory, &before, &now), Some(Left::Whole(memory, now))),
            Self::ByKey { found, moved, now, .. } => {
                let there = |key: &str| now.iter().any(|(known, _)| known == key);
                let was = |key: &str| found.get(key).cloned().flatten();
                let gone = |key: &&String| was(key).is_some() && (moved.contains(*key) || !there(key));
                let deleted: Vec<String> = found.keys().filter(gone).cloned().collect();
                let changed =
                    |(key, value): &&(String, String)| moved.contains(key) || was(key).as_ref() != Some(value);
                let set: Vec<_> = now.iter().filter(changed).cloned().collect();
                let change = (!deleted.is_empty() || !set.is_empty()).then_some(MemoryChange { memory, deleted, set });
                (change.clone(), change.map(Left::Changed))
            }
        }
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

/// What turns `before` into `after`: from the first key that is out of place on, all go to the end.
fn difference(memory: MemoryHandle, before: &Entries, after: &Entries) -> Option<MemoryChange> {
    let there: BTreeSet<&str> = after.iter().map(|(key, _)| key.as_str()).collect();
    let mut deleted: Vec<String> =
        before.iter().map(|(key, _)| key).filter(|key| !there.contains(key.as_str())).cloned().collect();
    let named = |entries: &'_ Entries| -> Vec<String> {
        let keys = entries.iter().map(|(key, _)| key);
        keys.filter(|key| array_index(key).is_none() && there.contains(key.as_str())).cloned().collect()
    };
    let (old, new) = (named(before), named(after));
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let moved: BTreeSet<&String> = old[same..].iter().collect();
    deleted.extend(old[same..].iter().cloned());
    let value = |key: &String| before.iter().find(|(known, _)| known == key).map(|(_, value)| value);
    let set = after.iter().filter(|(key, now)| moved.contains(key) || value(key) != Some(now));
    let set: Vec<_> = set.cloned().collect();
    (!deleted.is_empty() || !set.is_empty()).then_some(MemoryChange { memory, deleted, set })
}
