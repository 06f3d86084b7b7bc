//! New objects: installed by an operator, or made by another object.

use std::collections::BTreeMap;

use qrt_shared::budget::Budget;
use qrt_shared::control::{Installed, InstalledObject};
use qrt_shared::id::{ObjectId, Qrid};
use qrt_shared::qjson;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::account::{Change, signed};
use super::checkpoint::{NewObject, Write};
use super::entropy::Entropy;
use super::request::{Install, Refusal, Who};
use super::turn::damaged;
use super::view::{Entry, View};
use super::{Halt, Step, budget, name};
use crate::protocol::{CodeNumber, Handle, MemoryHandle, Native};

/// The ordinal of a Memory's first key that is not integer-like.
const FIRST_ORDINAL: u64 = 1 << 32;

/// Accounts above an account. One that is made by an account that has so many stands beside its maker,
/// so that what a message costs to schedule is bounded.
const LEVELS_MAX: usize = 32;

/// Installs objects for an operator, all or none.
pub(super) fn install<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    install: Install,
) -> Result<Installed, Refusal> {
    let statics = step.localise(&install.statics)?;
    let memory = install.memory.as_ref().map(|memory| step.localise(memory)).transpose()?;
    if let Some(text) = &memory {
        budget::fits(&step.vat.limits, &install, budget::entries_bytes(&split(text)?))?;
    }
    let mut objects = Vec::new();
    for (label, code, petname) in install.objects {
        let code = step.code(&code)?;
        let object = step.vat.counters.next_reference;
        // The account comes first: everything else is counted on it.
        step.vat.accounts.open(object, None, install.account.clone(), step.now_ms);
        let memory = match &memory {
            Some(text) => {
                let entries = split(text)?;
                Some(step.new_memory(&entries, object)?)
            }
            None => None,
        };
        let spec = NewSpec {
            account: object,
            maker: None,
            code,
            statics: statics.clone(),
            natives: install.natives.clone(),
            memory,
            budget: install.budget.clone(),
            born: step.vat.counters.next_turn,
        };
        let id = step.new_object(spec)?;
        if let Some(petname) = petname {
            name::claim(step, object, petname)?;
        }
        let qrid = Qrid::new(step.vat.id, id);
        step.audit(who, "install", &json!({ "object": object, "label": label, "code": code }));
        objects.push(InstalledObject { qrid, label });
    }
    Ok(Installed { objects })
}

/// What a new object is made of.
pub(super) struct NewSpec {
    pub(super) account: Handle,
    pub(super) maker: Option<Handle>,
    pub(super) code: CodeNumber,
    pub(super) statics: String,
    pub(super) natives: BTreeMap<String, Native>,
    pub(super) memory: Option<MemoryHandle>,
    pub(super) budget: Budget,
    pub(super) born: u64,
}

impl<V: View, E: Entropy> Step<'_, V, E> {
    /// The number of this text of code, which is written if it is new.
    pub(super) fn code(&mut self, text: &str) -> Result<CodeNumber, Halt> {
        let sha256: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        // One checkpoint may hold the same new code twice, before it can be seen in the view.
        let written = self.checkpoint.writes.iter().find_map(|write| match write {
            Write::Code { code, sha256: known, .. } if *known == sha256 => Some(*code),
            _ => None,
        });
        if let Some(code) = written.map_or_else(|| self.view.code(&sha256), |code| Ok(Some(code)))? {
            return Ok(code);
        }
        let code = self.vat.counters.next_code;
        self.vat.counters.next_code += 1;
        self.checkpoint.writes.push(Write::Code { code, sha256, text: text.to_owned() });
        Ok(code)
    }

    /// A new Memory with these properties, which `account` has first.
    pub(super) fn new_memory(&mut self, entries: &[(String, String)], account: Handle) -> Result<MemoryHandle, Halt> {
        let memory = self.vat.counters.next_memory;
        self.vat.counters.next_memory += 1;
        self.checkpoint.writes.push(Write::Memory { memory, account });
        let mut next_ordinal = FIRST_ORDINAL;
        for (key, value) in entries {
            let entry = Entry { key: key.clone(), ordinal: ordinal(key, &mut next_ordinal), value: value.clone() };
            self.checkpoint.writes.push(Write::Entry { memory, entry, edges: edges(value, None) });
        }
        let bytes = budget::entries_bytes(entries);
        self.checkpoint.writes.push(Write::MemorySize { memory, bytes, next_ordinal });
        self.count(account, Change { memory_bytes: signed(bytes), ..Change::default() })?;
        Ok(memory)
    }

    /// An account that an object of `maker`'s makes.
    pub(super) fn new_account(&mut self, account: Handle, maker: Handle) -> Result<(), Halt> {
        let chain = self.vat.accounts.chain(self.view, maker)?;
        let above = if chain.len() > LEVELS_MAX { chain.get(1) } else { chain.first() };
        self.vat.accounts.open(account, above.copied(), Budget::default(), self.now_ms);
        Ok(())
    }

    /// Counts something on an account and all above it.
    pub(super) fn count(&mut self, account: Handle, change: Change) -> Result<(), Halt> {
        let chain = self.vat.accounts.chain(self.view, account)?;
        self.vat.accounts.add(self.view, &chain, change, self.now_ms)
    }

    /// A new object with the next handle and a fresh id.
    pub(super) fn new_object(&mut self, spec: NewSpec) -> Result<ObjectId, Halt> {
        let object = self.vat.counters.next_reference;
        self.vat.counters.next_reference += 1;
        self.vat.counters.objects += 1;
        let id = ObjectId::from_bytes(self.entropy.draw());
        let mut held = Vec::new();
        for (key, value) in split(&spec.statics)? {
            if let Some(edges) = edges(&value, None) {
                held.push((key, edges));
            }
        }
        let NewSpec { account, maker, code, statics, natives, memory, budget, born } = spec;
        self.count(account, Change { objects: 1, ..Change::default() })?;
        let created_at = self.now_ms;
        let edges = held;
        let new =
            NewObject { object, id, account, maker, code, statics, natives, memory, created_at, budget, edges, born };
        self.checkpoint.writes.push(Write::Object(Box::new(new)));
        Ok(id)
    }
}

/// The ordinal of a key that is added: its own number when it is integer-like, as JavaScript
/// orders keys, else the next one.
pub(super) fn ordinal(key: &str, next: &mut u64) -> u64 {
    qjson::array_index(key).map_or_else(
        || {
            *next += 1;
            *next - 1
        },
        u64::from,
    )
}

/// The references of a new value, or `None` when neither it nor the old one holds any.
pub(super) fn edges(value: &str, old: Option<&str>) -> Option<Vec<Handle>> {
    let held = |text| qjson::references(text).expect("values were checked when they came in");
    let new = held(value);
    (!new.is_empty() || old.is_some_and(|old| !held(old).is_empty())).then_some(new)
}

fn split(object: &str) -> Result<Vec<(String, String)>, Halt> {
    qjson::split_object(object).map_err(damaged)
}
