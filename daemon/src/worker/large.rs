//! A large Memory: the properties of one are fetched from the daemon when object code wants them.
//!
//! To code it is the plain object that a small Memory is. What stands for it is an object of a class
//! of its own (`js::exotic`), and behind that a *shadow* that holds the properties fetched so far.
//! What has been fetched, with the text it came with, is written down here, so that at the end only
//! that is compared: a turn that touches one property of a million pays for one. Whoever wants
//! to see all keys fetches all properties, in pages; the shadow is then made anew in the right order.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::change;
use super::js::{ErrorKind, Js, Key, KeyKind, Val};
use super::turn::{self, Turn};
use crate::protocol::{Limit, MemoryChange, MemoryHandle, Page, Wanted};

/// What writing down a fetched property takes besides its texts, in bytes.
const ENTRY_BYTES: usize = 64;

/// See the module.
pub(super) struct Large {
    memory: MemoryHandle,
    shadow: RefCell<Val>,
    /// The keys asked for, with what they held when the turn began.
    found: RefCell<HashMap<String, Option<String>>>,
    /// Properties that the daemon sent along and nobody has wanted yet.
    sent: RefCell<HashMap<String, String>>,
    /// Keys that were deleted: one that is there again is not in its old place.
    moved: RefCell<HashSet<String>>,
    /// Every property has been fetched.
    complete: Cell<bool>,
    bytes: Cell<usize>,
}

/// The large Memory that `object`, of the class of such objects, stands for.
pub(super) fn of(object: &Val) -> Js<Rc<Large>> {
    let turn = turn::current(object.ctx())?;
    turn.large(object).ok_or_else(|| object.ctx().throw(ErrorKind::Internal, "a memory of another turn"))
}

impl Large {
    /// The large Memory `memory`, with an empty `shadow`.
    pub(super) fn new(memory: MemoryHandle, shadow: Val, sent: Vec<(String, String)>) -> Self {
        Self {
            memory,
            shadow: RefCell::new(shadow),
            found: RefCell::default(),
            sent: RefCell::new(sent.into_iter().collect()),
            moved: RefCell::default(),
            complete: Cell::new(false),
            bytes: Cell::new(0),
        }
    }

    /// The object that holds the properties fetched so far.
    pub(super) fn shadow(&self) -> Val {
        self.shadow.borrow().clone()
    }

    /// Puts the property at `key` into the shadow, if there is one that was not fetched before.
    pub(super) fn fetch(&self, key: &Key) -> Js<bool> {
        if self.complete.get() || key.is_symbol() {
            return Ok(false);
        }
        // No stored key has a lone surrogate.
        let Ok(name) = key.text()? else { return Ok(false) };
        if self.found.borrow().contains_key(&name) {
            return Ok(false);
        }
        let turn = turn::current(key.ctx())?;
        let sent = self.sent.borrow_mut().remove(&name);
        let text = if sent.is_some() {
            sent
        } else {
            let Page { entries, .. } = turn.ask(self.memory, Wanted::Key(name.clone()))?;
            entries.into_iter().next().map(|(_, text)| text)
        };
        self.weigh(&turn, &name, text.as_deref())?;
        if let Some(text) = &text {
            self.shadow().define(key, turn.unpack(text)?)?;
        }
        let is_there = text.is_some();
        self.found.borrow_mut().insert(name, text);
        Ok(is_there)
    }

    /// Puts every property into the shadow, in order.
    pub(super) fn fetch_all(&self) -> Js<()> {
        if self.complete.get() {
            return Ok(());
        }
        let old = self.shadow();
        let ctx = old.ctx();
        let turn = turn::current(ctx)?;
        let shadow = ctx.object()?;
        let mut new = Vec::new();
        let mut after = None;
        loop {
            let Page { entries, next } = turn.ask(self.memory, Wanted::Page { after })?;
            for (name, text) in entries {
                let key = ctx.key(&name)?;
                if self.found.borrow().contains_key(&name) {
                    // As code has it now, unless it took it away and perhaps put it elsewhere.
                    if !self.moved.borrow().contains(&name) {
                        shadow.copy_property(&old, &key)?;
                    }
                    continue;
                }
                self.weigh(&turn, &name, Some(&text))?;
                shadow.define(&key, turn.unpack(&text)?)?;
                new.push((name, Some(text)));
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        for kind in [KeyKind::Strings, KeyKind::Symbols] {
            for key in old.own_keys(kind)?.iter() {
                if !shadow.has_own(&key)? {
                    shadow.copy_property(&old, &key)?;
                }
            }
        }
        self.found.borrow_mut().extend(new);
        *self.shadow.borrow_mut() = shadow;
        self.complete.set(true);
        Ok(())
    }

    /// The property at `key` is gone from the shadow.
    pub(super) fn deleted(&self, key: &Key) -> Js<()> {
        if let (false, Ok(name)) = (key.is_symbol(), key.text()?) {
            self.moved.borrow_mut().insert(name);
        }
        Ok(())
    }

    /// Counts what is written down here against the turn's memory, which the engine's does not include.
    fn weigh(&self, turn: &Turn, name: &str, text: Option<&str>) -> Js<()> {
        let bytes = self.bytes.get() + 2 * name.len() + text.map_or(0, str::len) + ENTRY_BYTES;
        self.bytes.set(bytes);
        if bytes as u64 > turn.budget.memory_bytes {
            let most = turn.budget.memory_bytes;
            return Err(turn.kill(Limit::Memory, &format!("more than {most} bytes of memory in one turn")));
        }
        turn.alive()
    }

    /// Bytes of the texts that were fetched.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// What the turn changed, when the shadow's properties are `now`.
    pub(super) fn change(&self, now: Vec<(String, String)>) -> Option<MemoryChange> {
        change::of_found(self.memory, &self.found.borrow(), &self.moved.borrow(), now)
    }
}
