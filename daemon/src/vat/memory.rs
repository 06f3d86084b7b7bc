//! Memories in turns: what a turn is given of one, what it may ask for, what it leaves.
//!
//! A Memory of at most [`WHOLE_BYTES_MAX`] travels with the delivery. A larger one is never read
//! whole here: the turn asks for it by key or in pages, and what it changes is compared with the old
//! values of the keys it names. A turn asks when all before it have ended, so what is read then is
//! what it must see; only the properties that are sent along in advance, because the message names
//! them, can be out of date by then, and the worker knows which turns in flight changed them.

use std::collections::{HashMap, HashSet};

use qrt_shared::qjson;

use super::checkpoint::{Change, Write};
use super::entropy::Entropy;
use super::in_flight::{InFlight, Turn};
use super::install::{edges, ordinal};
use super::turn::{condemn, damaged};
use super::view::{Entry, Memories, Memory, View};
use super::{Halt, Order, Step, account, budget};
use crate::protocol::{Content, Handle, KNOWN_BYTES_MAX, MemoryChange, MemoryHandle, Page, WHOLE_BYTES_MAX, Wanted};

/// What a page holds, beyond which it ends: one property may be larger.
const PAGE_BYTES: usize = 64 << 10;

/// How many of a message's strings are looked up as keys.
const HINTS_MAX: usize = 4;

/// A Memory that a turn was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) memory: MemoryHandle,
    pub(super) how: How,
    /// What it was when the turn began; read then, unless all of it was sent before.
    pub(super) found: Option<Found>,
}

/// How a turn was given a Memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// All of it was sent.
    Whole,
    /// The turns before it leave it with the worker.
    AsLeft,
    /// It asks; these keys were sent along.
    ByKey(Vec<String>),
}

/// What a turn found in a Memory.
#[derive(Debug)]
pub(super) struct Found {
    row: Memory,
    /// The properties as far as they were read, by key.
    entries: HashMap<String, Option<Entry>>,
    /// Whether those are all there are.
    all: bool,
}

impl Found {
    fn of(row: Memory) -> Self {
        Self { row, entries: HashMap::new(), all: false }
    }

    fn whole(row: Memory, entries: Vec<Entry>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.key.clone(), Some(entry))).collect();
        Self { row, entries, all: true }
    }

    /// The bytes of all of it, and the account that pays for it.
    pub(super) fn size(&self) -> (u64, Handle) {
        (self.row.bytes, self.row.account)
    }

    /// The bytes of all of it after a change.
    pub(super) fn size_after(&self, change: &MemoryChange) -> u64 {
        let size = |key: &str| self.entry(key).map_or(0, |entry| (entry.key.len() + entry.value.len()) as u64);
        let deleted: u64 = change.deleted.iter().map(|key| size(key)).sum();
        let gone: HashSet<&String> = change.deleted.iter().collect();
        let replaced: u64 = change.set.iter().filter(|(key, _)| !gone.contains(key)).map(|(key, _)| size(key)).sum();
        (self.row.bytes + budget::entries_bytes(&change.set)).saturating_sub(deleted + replaced)
    }

    /// The property of that name, which was read if it is there.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)?.as_ref()
    }

    /// Reads the properties of those names.
    fn read<'a>(
        &mut self,
        view: &impl Memories,
        memory: MemoryHandle,
        keys: impl Iterator<Item = &'a String>,
    ) -> Result<(), Halt> {
        if self.all {
            return Ok(());
        }
        for key in keys {
            if !self.entries.contains_key(key) {
                self.entries.insert(key.clone(), view.entry(memory, key)?);
            }
        }
        Ok(())
    }
}

/// Gives a Memory to `turn`, which the worker runs now (`None`) or after those in flight.
pub(super) fn give(
    view: &impl View,
    turn: &mut Turn,
    memory: MemoryHandle,
    before: Option<&InFlight>,
) -> Result<Content, Halt> {
    let row = view.memory(memory)?;
    let known = turn.memories.iter().any(|given| given.memory == memory);
    let ahead = before.map(|before| before.given(memory)).unwrap_or_default();
    let settled = before.and_then(InFlight::oldest).unwrap_or(turn.delivery);
    // A turn that asks leaves with the worker only what it asked for.
    if row.bytes > WHOLE_BYTES_MAX || ahead.by_key {
        let hints = if before.is_some() { hints(view, memory, &turn.message.args)? } else { Vec::new() };
        turn.bytes += hints.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if !known {
            let how = How::ByKey(hints.iter().map(|(key, _)| key.clone()).collect());
            let found = before.is_none().then(|| Found::of(row));
            turn.memories.push(Given { memory, how, found });
        }
        return Ok(Content::ByKey { known: hints, settled });
    }
    if ahead.whole && !known {
        turn.memories.push(Given { memory, how: How::AsLeft, found: None });
        return Ok(Content::AsLeft);
    }
    let entries = view.entries(memory)?;
    turn.bytes += usize::try_from(row.bytes).unwrap_or(usize::MAX);
    let content = entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    if !known {
        hold(turn, &entries)?;
        turn.memories.push(Given { memory, how: How::Whole, found: Some(Found::whole(row, entries)) });
    }
    Ok(Content::Whole(content))
}

/// Gives a Memory to `turn`, which runs again, in the way it was given then.
pub(super) fn give_again(
    view: &impl Memories,
    turn: &mut Turn,
    memory: MemoryHandle,
    by_key: bool,
) -> Result<Content, Halt> {
    let row = view.memory(memory)?;
    let (how, found, content) = if by_key {
        let content = Content::ByKey { known: Vec::new(), settled: turn.delivery };
        (How::ByKey(Vec::new()), Found::of(row), content)
    } else {
        let entries = view.entries(memory)?;
        hold(turn, &entries)?;
        let content = entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        (How::Whole, Found::whole(row, entries), Content::Whole(content))
    };
    if !turn.memories.iter().any(|given| given.memory == memory) {
        turn.memories.push(Given { memory, how, found: Some(found) });
    }
    Ok(content)
}

fn hold<'a>(turn: &mut Turn, entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), Halt> {
    for entry in entries {
        turn.held.extend(qjson::references(&entry.value).map_err(damaged)?);
    }
    Ok(())
}

/// The properties of a large Memory that a message names.
fn hints(view: &impl View, memory: MemoryHandle, args: &str) -> Result<Vec<(String, String)>, Halt> {
    let mut hints: Vec<(String, String)> = Vec::new();
    for key in qjson::strings(args).filter(|key| key.len() <= KNOWN_BYTES_MAX).take(HINTS_MAX) {
        let Some(entry) = view.short_entry(memory, &key, KNOWN_BYTES_MAX)? else { continue };
        if hints.iter().all(|(known, _)| *known != key) {
            hints.push((entry.key, entry.value));
        }
    }
    Ok(hints)
}

/// Reads what the oldest turn found in the Memories it was given before: the turns before it have
/// ended, so that is what is there now.
pub(super) fn look_up(view: &impl View, turn: &mut Turn) -> Result<(), Halt> {
    let mut memories = std::mem::take(&mut turn.memories);
    for Given { memory, how, found } in &mut memories {
        if found.is_some() {
            continue;
        }
        let row = view.memory(*memory)?;
        *found = Some(match how {
            How::ByKey(hints) => {
                let mut found = Found::of(row);
                found.read(view, *memory, hints.iter())?;
                hold(turn, found.entries.values().flatten())?;
                found
            }
            How::Whole | How::AsLeft if row.bytes <= WHOLE_BYTES_MAX => {
                let entries = view.entries(*memory)?;
                hold(turn, &entries)?;
                Found::whole(row, entries)
            }
            // It has grown while it was with the worker, which has all of it.
            How::Whole | How::AsLeft => {
                turn.held.extend(view.memory_references(*memory)?);
                Found::of(row)
            }
        });
    }
    turn.memories = memories;
    Ok(())
}

/// Reads the old values of what a report on the oldest turn says it changed.
pub(super) fn look_up_changes(view: &impl Memories, turn: &mut Turn, changes: &[MemoryChange]) -> Result<(), Halt> {
    for change in changes {
        let given = turn.memories.iter_mut().find(|given| given.memory == change.memory);
        if let Some(found) = given.and_then(|given| given.found.as_mut()) {
            found.read(view, change.memory, keys(change))?;
        }
    }
    Ok(())
}

fn keys(change: &MemoryChange) -> impl Iterator<Item = &String> {
    change.deleted.iter().chain(change.set.iter().map(|(key, _)| key))
}

/// The running turn asks for something of a Memory that it was given.
pub(super) fn ask<V: View, E>(
    step: &mut Step<'_, V, E>,
    delivery: u64,
    memory: MemoryHandle,
    wanted: &Wanted,
) -> Result<Option<Order>, Halt> {
    if step.vat.schedule.in_flight.called_back(delivery) {
        return Ok(Some(Order::Entries(Page::default())));
    }
    let Some(turn) = step.vat.schedule.in_flight.front().filter(|turn| turn.delivery == delivery) else {
        return Ok(Some(condemn(step.vat, "asked for a memory in a turn it does not run")));
    };
    if !turn.memories.iter().any(|given| given.memory == memory) {
        return Ok(Some(condemn(step.vat, "asked for a memory that was not given to it")));
    }
    // Whatever it does with the answer counts for nothing.
    if turn.stale {
        return Ok(Some(Order::Entries(Page::default())));
    }
    look_up(step.view, turn)?;
    Ok(Some(Order::Entries(answer(step.view, turn, memory, wanted)?)))
}

/// What a turn is told that asks for something of a Memory.
pub(super) fn answer(
    view: &impl Memories,
    turn: &mut Turn,
    memory: MemoryHandle,
    wanted: &Wanted,
) -> Result<Page, Halt> {
    let (entries, next) = match wanted {
        Wanted::Key(key) => (view.entry(memory, key)?.into_iter().collect(), None),
        Wanted::Page { after } => {
            let entries = view.entries_after(memory, *after, PAGE_BYTES)?;
            let next = entries.last().map(|entry| entry.ordinal);
            (entries, next)
        }
    };
    hold(turn, &entries)?;
    let entries = entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Ok(Page { entries, next })
}

/// What is in a Memory before an operator changes one key of it.
pub(super) fn before_edit(view: &impl View, change: &MemoryChange) -> Result<Found, Halt> {
    let mut found = Found::of(view.memory(change.memory)?);
    found.read(view, change.memory, keys(change))?;
    Ok(found)
}

/// Writes what a turn or an edit changed in one Memory, and what was there before.
pub(super) fn remember<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    before: &Found,
    change: MemoryChange,
    changes: &mut Vec<Change>,
) -> Result<(), Halt> {
    let bytes = before.size_after(&change);
    let MemoryChange { memory, deleted, set } = change;
    let Memory { mut next_ordinal, account, .. } = before.row;
    let writes = &mut step.checkpoint.writes;
    for key in &deleted {
        let Some(entry) = before.entry(key) else { continue };
        changes.push(Change { memory, key: key.clone(), old: Some((entry.value.clone(), entry.ordinal)) });
        writes.push(Write::NoEntry { memory, key: key.clone(), edges: edges(&entry.value, None).is_some() });
    }
    let deleted: HashSet<String> = deleted.into_iter().collect();
    for (key, value) in set {
        let moved = deleted.contains(&key);
        let there = before.entry(&key).filter(|_| !moved);
        let place = match there {
            Some(entry) => entry.ordinal,
            None => ordinal(&key, &mut next_ordinal),
        };
        if !moved {
            let old = there.map(|entry| (entry.value.clone(), entry.ordinal));
            changes.push(Change { memory, key: key.clone(), old });
        }
        let edges = edges(&value, there.map(|entry| entry.value.as_str()));
        writes.push(Write::Entry { memory, entry: Entry { key, ordinal: place, value }, edges });
    }
    if (bytes, next_ordinal) != (before.row.bytes, before.row.next_ordinal) {
        writes.push(Write::MemorySize { memory, bytes, next_ordinal });
    }
    let memory_bytes = account::signed(bytes) - account::signed(before.row.bytes);
    if memory_bytes != 0 {
        step.count(account, account::Change { memory_bytes, ..account::Change::default() })?;
    }
    Ok(())
}
