//! The model: what a vat is and does, as plain maps and one step after another.
//!
//! It is told what the operator asked for and which turn ran when, on which clock and seed; all else
//! it works out by itself from the contract. It knows nothing of deliveries, checkpoints or commits.

use std::collections::BTreeMap;
use std::rc::Rc;

use qrt_shared::qjson;
use serde_json::{Value, json};

use super::script;
use crate::protocol::{Handle, MemoryHandle};

pub(super) const OPERATOR: Handle = 0;
pub(super) const HOUR_MS: u64 = 60 * 60 * 1000;

/// An object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) account: Handle,
    pub(super) maker: Option<Handle>,
    pub(super) code: usize,
    /// The codes it had before, and the edits that ended them.
    pub(super) versions: Vec<(usize, u64)>,
    pub(super) statics: String,
    /// All native powers, or none.
    pub(super) natives: bool,
    pub(super) memory: Option<MemoryHandle>,
    pub(super) held: bool,
    pub(super) created_at: u64,
    pub(super) turns: u64,
    pub(super) faults: u64,
    pub(super) cpu_us: u64,
}

/// A Memory's keys and values, in the order in which the keys came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memory(pub(super) Vec<(String, String)>);

impl Memory {
    pub(super) fn of(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn set(&mut self, key: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    pub(super) fn delete(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }

    /// In JavaScript's order: numbers first.
    pub(super) fn ordered(&self) -> Vec<(String, String)> {
        let mut entries = self.0.clone();
        entries.sort_by_key(|(key, _)| qjson::array_index(key).map_or(u64::MAX, u64::from));
        entries
    }
}

/// A Memory's keys and values in order, as they were once.
pub(super) type Content = Rc<Vec<(String, String)>>;

/// A queued message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) source: Handle,
    pub(super) target: Handle,
    pub(super) args: String,
    pub(super) queued_at: u64,
    pub(super) cause: Option<u64>,
    pub(super) deaths: u32,
}

/// A message whose turn failed, or which has no object.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) message: u64,
    pub(super) was: Message,
    pub(super) row: Rc<Value>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) objects: BTreeMap<Handle, Object>,
    pub(super) memories: BTreeMap<MemoryHandle, Memory>,
    pub(super) queue: BTreeMap<u64, Message>,
    pub(super) faults: BTreeMap<u64, Fault>,
    /// Texts; the first has number 1.
    pub(super) codes: Vec<String>,
    pub(super) names: BTreeMap<String, Handle>,
    pub(super) keys: BTreeMap<(String, Handle), (u64, u64)>,
    pub(super) outcomes: BTreeMap<u64, Rc<Value>>,
    pub(super) turns: Vec<Rc<Value>>,
    pub(super) audit: Vec<(&'static str, u64)>,
    /// What each Memory that an entry of the journal changed was before it.
    pub(super) before: Vec<(u64, MemoryHandle, Content)>,
    /// What each Memory was when it was made.
    pub(super) born: BTreeMap<MemoryHandle, Content>,
    pub(super) references: u64,
    pub(super) first_message: u64,
    pub(super) messages: u64,
    pub(super) faults_ever: u64,
    pub(super) clock_ms: u64,
    /// Messages that became faults without a turn and were retried or dropped.
    pub(super) forgotten: Vec<u64>,
}

impl Model {
    /// A new vat whose first message has this number.
    pub(super) fn new(first_message: u64) -> Self {
        Self { first_message, messages: first_message - 1, ..Self::default() }
    }

    pub(super) fn next_reference(&self) -> Handle {
        self.references + 1
    }

    pub(super) fn next_memory(&self) -> MemoryHandle {
        self.born.len() as u64 + 1
    }

    pub(super) fn next_turn(&self) -> u64 {
        self.turns.len() as u64 + 1
    }

    /// The number of a text of code.
    pub(super) fn code(&mut self, text: &str) -> usize {
        let known = self.codes.iter().position(|known| known == text);
        1 + known.unwrap_or_else(|| {
            self.codes.push(text.to_owned());
            self.codes.len() - 1
        })
    }

    pub(super) fn new_memory(&mut self, memory: Memory) -> MemoryHandle {
        let number = self.next_memory();
        self.born.insert(number, Rc::new(memory.ordered()));
        self.memories.insert(number, memory);
        number
    }

    pub(super) fn new_object(&mut self, object: Object) -> Handle {
        self.references += 1;
        self.objects.insert(self.references, object);
        self.references
    }

    pub(super) fn new_message(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }

    /// Changes a Memory in the turn or edit `turn`.
    pub(super) fn changed(&mut self, turn: u64, memory: MemoryHandle, change: impl FnOnce(&mut Memory)) {
        let content = self.memories.get_mut(&memory).expect("a memory of an object");
        let before = content.ordered();
        change(content);
        if content.ordered() != before {
            self.before.push((turn, memory, Rc::new(before)));
        }
    }

    /// A message whose object is not there becomes a fault.
    pub(super) fn undeliverable(&mut self, message: u64, was: Message, now_ms: u64, heard: &mut Vec<String>) {
        let error = "the object was removed";
        let source = was.source;
        let full = script::text(&super::turns::error(error, None, 0));
        self.fault(message, was, json!({ "turn": null, "outcome": "error", "error": full, "ticks": 0 }), now_ms);
        if source == OPERATOR {
            let ended = json!({ "turn": null, "outcome": "error", "result": null, "error": error });
            self.ended(message, ended, now_ms, heard);
        }
    }

    /// Keeps a message as a fault; `row` is what it says of its failure.
    pub(super) fn fault(&mut self, message: u64, was: Message, mut row: Value, now_ms: u64) {
        self.faults_ever += 1;
        row["fault"] = json!(self.faults_ever);
        row["message"] = json!(message);
        row["source"] = json!(was.source);
        row["target"] = json!(was.target);
        row["args"] = json!(was.args);
        row["bytes"] = json!(size(&was.args));
        row["cause"] = json!(was.cause);
        row["at"] = json!(now_ms);
        self.faults.insert(self.faults_ever, Fault { message, was, row: Rc::new(row) });
    }

    /// Notes how a message of the operator ended.
    pub(super) fn ended(&mut self, message: u64, mut row: Value, now_ms: u64, heard: &mut Vec<String>) {
        let keyed = self.keys.values().any(|(known, _)| *known == message);
        row["message"] = json!(message);
        row["result_error"] = json!(null);
        row["keyed"] = json!(u64::from(keyed));
        row["keep_until"] = json!(now_ms + if keyed { 24 * HOUR_MS } else { HOUR_MS });
        self.outcomes.insert(message, Rc::new(row));
        if message.is_multiple_of(1024) {
            self.outcomes.retain(|_, row| row["keep_until"].as_u64() >= Some(now_ms));
            self.keys.retain(|_, (_, at)| *at + 24 * HOUR_MS >= now_ms);
        }
        heard.push(format!("ended {message}"));
    }
}

/// The size of a value: its text, with each reference counted as 128 bytes.
pub(super) fn size(text: &str) -> usize {
    let references = text.match_indices("{\"@qref\":").map(|(at, _)| {
        let length = text[at..].find('}').expect("a reference ends") + 1;
        (1, length)
    });
    references.fold(text.len(), |size, (_, length)| size + 128 - length)
}
