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
use crate::vat::Limits;
use crate::vat::lane::{Isolation, Lane};
use crate::vat::source::Source;
use crate::vat::view::Abroad;

pub(super) const HOUR_MS: u64 = 60 * 60 * 1000;

/// Accounts above an account, at most.
pub(super) const LEVELS_MAX: usize = 32;

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
    pub(super) deaths: u64,
    pub(super) refused: u64,
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
    pub(super) source: Source,
    pub(super) target: Handle,
    pub(super) args: String,
    pub(super) queued_at: u64,
    pub(super) cause: Option<u64>,
    pub(super) deaths: u32,
    /// Of one from another vat.
    pub(super) abroad: Option<Abroad>,
}

impl Message {
    /// Its queue.
    pub(super) fn way(&self) -> (Source, Handle) {
        (self.source, self.target)
    }
}

/// A message whose turn failed, or which has no object.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) message: u64,
    pub(super) was: Message,
    pub(super) row: Rc<Value>,
}

impl Fault {
    /// Whether it is of a message that had no room.
    pub(super) fn is_refused(&self) -> bool {
        self.row["error"].as_str().is_some_and(|error| error.contains("queue full"))
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) limits: Limits,
    /// Each account with the one above it.
    pub(super) accounts: BTreeMap<Handle, Option<Handle>>,
    pub(super) deaths: Vec<Rc<Value>>,
    /// The last turn that each account had killed for the death of a worker, and when.
    pub(super) offences: BTreeMap<Handle, (u64, u64)>,
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
    /// Messages that became faults without a turn and were retried or dropped, or were only counted.
    pub(super) forgotten: Vec<u64>,
    forgets_at: Option<u64>,
}

impl Model {
    /// A new vat whose first message has this number.
    #[expect(clippy::large_types_passed_by_value, reason = "each model has its own")]
    pub(super) fn new(first_message: u64, limits: Limits) -> Self {
        Self {
            limits,
            accounts: BTreeMap::new(),
            deaths: Vec::new(),
            offences: BTreeMap::new(),
            objects: BTreeMap::new(),
            memories: BTreeMap::new(),
            queue: BTreeMap::new(),
            faults: BTreeMap::new(),
            codes: Vec::new(),
            names: BTreeMap::new(),
            keys: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            turns: Vec::new(),
            audit: Vec::new(),
            before: Vec::new(),
            born: BTreeMap::new(),
            references: 0,
            first_message,
            messages: first_message - 1,
            faults_ever: 0,
            clock_ms: 0,
            forgotten: Vec::new(),
            forgets_at: None,
        }
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

    /// `maker`: the account of the object that makes it.
    pub(super) fn new_object(&mut self, object: Object, maker: Option<Handle>) -> Handle {
        self.references += 1;
        if object.account == self.references {
            let above = maker.and_then(|maker| {
                let makers = self.above(maker);
                if makers.len() >= LEVELS_MAX { makers.first().copied() } else { Some(maker) }
            });
            self.accounts.insert(object.account, above);
        }
        self.objects.insert(self.references, object);
        self.references
    }

    pub(super) fn new_message(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }

    /// The accounts above one, the nearest first.
    pub(super) fn above(&self, account: Handle) -> Vec<Handle> {
        std::iter::successors(self.accounts[&account], |above| self.accounts[above]).collect()
    }

    /// The lane of an account's turns now.
    pub(super) fn lane(&self, account: Handle, now_ms: u64) -> Lane {
        let Limits { isolation, quarantine_turns, .. } = self.limits;
        let offends = self
            .offences
            .get(&account)
            .is_some_and(|(turn, at)| now_ms < at + 24 * HOUR_MS || self.next_turn() <= turn + quarantine_turns);
        if isolation == Isolation::Account || offends { Lane::Account(account) } else { Lane::Shared }
    }

    /// Why a message has no room, if it has none.
    pub(super) fn full(&self, way: (Source, Handle), args: &str) -> Option<&'static str> {
        let limits = &self.limits.queue;
        let bytes = size(args) as u64;
        let is_full = |messages: Vec<&Message>, messages_max: u64, bytes_max: u64| {
            let sum: u64 = messages.iter().map(|message| size(&message.args) as u64).sum();
            messages.len() as u64 >= messages_max || sum > 0 && sum + bytes > bytes_max
        };
        let here = self.queue.values().filter(|message| message.way() == way);
        if is_full(here.collect(), limits.messages, limits.bytes) {
            return Some("queue full: its source has too much queued for this object");
        }
        let all = is_full(self.queue.values().collect(), limits.all_messages, limits.all_bytes);
        all.then_some("queue full: the vat's inbox is full")
    }

    /// How many messages had no room: those that are kept as faults, and those that are only counted.
    pub(super) fn refusals(&self) -> (u64, u64) {
        let kept = self.faults.values().filter(|fault| fault.is_refused()).count() as u64;
        (kept, self.objects.values().map(|object| object.refused).sum())
    }

    /// A message that has no room: a fault while its queue has few of those, else a number.
    pub(super) fn refuse(&mut self, message: u64, was: Message, why: &str, now_ms: u64, heard: &mut Vec<String>) {
        let of_queue = |fault: &&Fault| fault.was.way() == was.way() && fault.row["turn"].is_null();
        if (self.faults.values().filter(of_queue).count() as u64) < self.limits.queue.faults {
            self.undeliverable(message, was, why, now_ms, heard);
            return;
        }
        if let Some(object) = self.objects.get_mut(&was.target) {
            object.refused += 1;
        }
        self.forgotten.push(message);
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

    /// A message that can be given to nobody becomes a fault.
    pub(super) fn undeliverable(
        &mut self,
        message: u64,
        was: Message,
        error: &str,
        now_ms: u64,
        heard: &mut Vec<String>,
    ) {
        let source = was.source;
        let full = script::text(&super::turns::error(error, None, 0));
        self.fault(message, was, json!({ "turn": null, "outcome": "error", "error": full, "ticks": 0 }), now_ms);
        if source == Source::Operator {
            let ended = json!({ "turn": null, "outcome": "error", "result": null, "error": error });
            self.ended(message, ended, now_ms, heard);
        }
    }

    /// Keeps a message as a fault; `row` is what it says of its failure.
    pub(super) fn fault(&mut self, message: u64, was: Message, mut row: Value, now_ms: u64) {
        self.faults_ever += 1;
        row["fault"] = json!(self.faults_ever);
        row["message"] = json!(message);
        row["source"] = json!(was.source.number());
        row["target"] = json!(was.target);
        row["args"] = json!(was.args);
        row["bytes"] = json!(size(&was.args));
        row["cause"] = json!(was.cause);
        row["at"] = json!(now_ms);
        (row["seq"], row["abroad"]) = abroad(&was);
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
            self.forgets_at = Some(now_ms);
        }
        heard.push(format!("ended {message}"));
    }

    /// The step is over: what has had its time is forgotten, if it was time to look.
    pub(super) fn step_ends(&mut self) {
        if let Some(now_ms) = self.forgets_at.take() {
            self.outcomes.retain(|_, row| row["keep_until"].as_u64() >= Some(now_ms));
            self.keys.retain(|_, (_, at)| *at + 24 * HOUR_MS >= now_ms);
        }
    }
}

/// What the error of a message says whose object is not there.
pub(super) const GONE: &str = "the object was removed";

/// Two columns of a message, of a turn and of a fault.
pub(super) fn abroad(message: &Message) -> (Value, Value) {
    message.abroad.as_ref().map_or((json!(null), json!(null)), |abroad| (json!(abroad.seq), json!(abroad.cause)))
}

/// The size of a value: its text, with each reference counted as 128 bytes.
pub(super) fn size(text: &str) -> usize {
    let references = text.match_indices("{\"@qref\":").map(|(at, _)| {
        let length = text[at..].find('}').expect("a reference ends") + 1;
        (1, length)
    });
    references.fold(text.len(), |size, (_, length)| size + 128 - length)
}
