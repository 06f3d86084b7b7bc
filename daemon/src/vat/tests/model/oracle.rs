//! The model: what a vat is and does, as plain maps and one step after another.
//!
//! It is told what the operator asked for and which turn ran when, on which clock and seed; all else
//! it works out by itself from the contract. It knows nothing of deliveries, checkpoints or commits.

use std::collections::BTreeMap;
use std::rc::Rc;

use qrt_shared::qjson;
use serde_json::{Value, json};

use super::program::Ask;
use super::script;
use crate::protocol::{Handle, MemoryHandle};

pub(super) const OPERATOR: Handle = 0;
const HOUR_MS: u64 = 60 * 60 * 1000;

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
    pub(super) messages: u64,
    pub(super) faults_ever: u64,
    pub(super) clock_ms: u64,
    /// Messages that became faults without a turn and were retried or dropped.
    pub(super) forgotten: Vec<u64>,
}

impl Model {
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

    /// The operator asks for something: the answer, then what else he hears.
    pub(super) fn ask(&mut self, ask: &Ask, now_ms: u64) -> Vec<String> {
        let mut heard = Vec::new();
        let answer = match ask {
            Ask::Install { objects, memory, statics, natives } => {
                self.install(objects, memory.as_deref(), statics, *natives, now_ms)
            }
            Ask::Send { to, args, key } => self.send(*to, args, key.as_deref(), now_ms),
            Ask::Name { object, name } => self.name(*object, name.as_deref(), now_ms),
            Ask::Upgrade { object, code } => self.upgrade(*object, code, now_ms),
            Ask::Remove { object, account } => self.remove(*object, *account, now_ms, &mut heard),
            Ask::MemorySet { object, key, value } => self.memory_set(*object, key, value, now_ms),
            Ask::Hold { object, held } => self.hold(*object, *held, now_ms),
            Ask::Retry(fault) => self.retry(*fault, now_ms),
            Ask::Drop(fault) => self.drop(*fault, now_ms),
        };
        heard.push(answer.unwrap_or_else(|| "refused".to_owned()));
        heard
    }

    fn install(
        &mut self,
        objects: &[(String, Option<String>)],
        memory: Option<&str>,
        statics: &str,
        natives: bool,
        now_ms: u64,
    ) -> Option<String> {
        let mut names: Vec<&String> = objects.iter().filter_map(|(_, name)| name.as_ref()).collect();
        let wanted = names.len();
        names.sort();
        names.dedup();
        if names.len() < wanted || names.iter().any(|name| self.names.contains_key(*name)) {
            return None;
        }
        let mut installed = "installed".to_owned();
        for (code, name) in objects {
            let code = self.code(code);
            let memory = memory.map(|text| self.new_memory(Memory(qjson::split_object(text).expect("an object"))));
            let object = self.next_reference();
            let (account, maker, versions, statics) = (object, None, Vec::new(), statics.to_owned());
            let (created_at, held, turns, faults, cpu_us) = (now_ms, false, 0, 0, 0);
            let (code, natives) = (code, natives);
            self.new_object(Object {
                account,
                maker,
                code,
                versions,
                statics,
                natives,
                memory,
                held,
                created_at,
                turns,
                faults,
                cpu_us,
            });
            if let Some(name) = name {
                self.names.insert(name.clone(), object);
            }
            self.audit.push(("install", now_ms));
            installed = format!("{installed} {object}");
        }
        Some(installed)
    }

    fn send(&mut self, to: Handle, args: &str, key: Option<&str>, now_ms: u64) -> Option<String> {
        self.objects.get(&to)?;
        if let Some(key) = key
            && let Some((message, at)) = self.keys.get(&(key.to_owned(), to))
            && *at + 24 * HOUR_MS >= now_ms
        {
            return Some(format!("queued {message} true"));
        }
        let message = self.new_message();
        let args = args.to_owned();
        self.queue
            .insert(message, Message { source: OPERATOR, target: to, args, queued_at: now_ms, cause: None, deaths: 0 });
        if let Some(key) = key {
            self.keys.insert((key.to_owned(), to), (message, now_ms));
        }
        Some(format!("queued {message} false"))
    }

    fn name(&mut self, object: Handle, name: Option<&str>, now_ms: u64) -> Option<String> {
        self.objects.get(&object)?;
        if name.is_some_and(|name| self.names.get(name).is_some_and(|holder| *holder != object)) {
            return None;
        }
        self.names.retain(|_, holder| *holder != object);
        self.names.extend(name.map(|name| (name.to_owned(), object)));
        self.audit.push(("name", now_ms));
        Some(format!("named {object}"))
    }

    fn upgrade(&mut self, object: Handle, code: &str, now_ms: u64) -> Option<String> {
        self.objects.get(&object)?;
        let code = self.code(code);
        let turn = self.next_turn();
        let row = self.objects.get_mut(&object)?;
        let old = std::mem::replace(&mut row.code, code);
        row.versions.push((old, turn));
        let version = row.versions.len() + 1;
        self.edit("upgrade", object, old, "null");
        self.audit.push(("upgrade", now_ms));
        Some(format!("upgraded {version} {turn}"))
    }

    fn memory_set(&mut self, object: Handle, key: &str, value: &str, now_ms: u64) -> Option<String> {
        let Object { memory, code, .. } = *self.objects.get(&object)?;
        let memory = memory?;
        let turn = self.next_turn();
        self.changed(turn, memory, |memory| memory.set(key, value.to_owned()));
        self.edit("memory-set", object, code, &qjson::join_object([(key, value)]));
        self.audit.push(("memory-set", now_ms));
        Some(format!("set {turn}"))
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

    fn edit(&mut self, verb: &str, object: Handle, code: usize, args: &str) {
        let turn = self.next_turn();
        self.turns.push(Rc::new(json!({
            "turn": turn, "message": null, "edit": verb, "source": OPERATOR, "object": object, "code": code,
            "args": args, "cause": null, "outcome": "ok", "result": null, "result_error": null, "error": null,
            "called": null, "made": null, "sent": null, "log": null, "ticks": 0, "cpu_us": 0, "seed": null,
        })));
    }

    fn hold(&mut self, object: Handle, held: bool, now_ms: u64) -> Option<String> {
        let row = self.objects.get_mut(&object)?;
        if std::mem::replace(&mut row.held, held) != held {
            self.audit.push((if held { "hold" } else { "release" }, now_ms));
        }
        Some(format!("held {held}"))
    }

    fn remove(&mut self, object: Handle, account: bool, now_ms: u64, heard: &mut Vec<String>) -> Option<String> {
        let payer = self.objects.get(&object)?.account;
        let mut doomed: Vec<Handle> = self.objects.keys().copied().collect();
        doomed.retain(|other| if account { self.objects[other].account == payer } else { *other == object });
        let mut faults = 0;
        for object in &doomed {
            let queued = self.queue.iter().filter(|(_, message)| message.target == *object);
            let queued: Vec<u64> = queued.map(|(message, _)| *message).collect();
            for message in queued {
                faults += 1;
                let was = self.queue.remove(&message).expect("it was found there");
                self.undeliverable(message, was, now_ms, heard);
            }
            self.objects.remove(object);
            self.names.retain(|_, holder| holder != object);
            self.audit.push(("remove", now_ms));
        }
        let objects = &self.objects;
        self.memories.retain(|memory, _| objects.values().any(|object| object.memory == Some(*memory)));
        let doomed: Vec<String> = doomed.iter().map(ToString::to_string).collect();
        Some(format!("removed {} {faults}", doomed.join(" ")))
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
        heard.push(format!("ended {message}"));
    }

    fn retry(&mut self, fault: u64, now_ms: u64) -> Option<String> {
        let target = self.faults.get(&fault)?.was.target;
        self.objects.get(&target)?;
        let Fault { message, was, row } = self.faults.remove(&fault)?;
        self.gone(message, &row);
        let again = self.new_message();
        self.queue.insert(again, Message { queued_at: now_ms, deaths: 0, ..was });
        self.audit.push(("fault-retry", now_ms));
        Some(format!("retried {again}"))
    }

    fn drop(&mut self, fault: u64, now_ms: u64) -> Option<String> {
        let Fault { message, row, .. } = self.faults.remove(&fault)?;
        self.gone(message, &row);
        self.audit.push(("fault-drop", now_ms));
        Some("dropped".to_owned())
    }

    fn gone(&mut self, message: u64, row: &Value) {
        if row["turn"].is_null() {
            self.forgotten.push(message);
        }
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
