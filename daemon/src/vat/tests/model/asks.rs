//! What the operator's asks do to the model, and the answers, in the words of [`super::machine`].

use std::rc::Rc;

use qrt_shared::qjson;
use serde_json::{Value, json};

use super::oracle::{Fault, GONE, HOUR_MS, Memory, Message, Model, Object};
use super::program::Ask;
use crate::protocol::Handle;
use crate::vat::source::Source;

impl Model {
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
            let new = Object {
                account: object,
                maker: None,
                code,
                versions: Vec::new(),
                statics: statics.to_owned(),
                natives,
                memory,
                held: false,
                created_at: now_ms,
                turns: 0,
                faults: 0,
                cpu_us: 0,
                deaths: 0,
                refused: 0,
            };
            self.new_object(new, None);
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
        let source = Source::Operator;
        if self.full((source, to), args).is_some() {
            return None;
        }
        let message = self.new_message();
        let args = args.to_owned();
        let queued = Message { source, target: to, args, queued_at: now_ms, cause: None, deaths: 0, abroad: None };
        self.queue.insert(message, queued);
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

    fn edit(&mut self, verb: &str, object: Handle, code: usize, args: &str) {
        let turn = self.next_turn();
        self.turns.push(Rc::new(json!({
            "turn": turn, "message": null, "edit": verb, "source": 0, "object": object, "code": code,
            "args": args, "cause": null, "outcome": "ok", "result": null, "result_error": null, "error": null,
            "called": null, "made": null, "sent": null, "log": null, "ticks": 0, "cpu_us": 0, "seed": null,
            "seq": null, "abroad": null, "posted": null,
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
            let mut queued: Vec<(Source, u64)> = queued.map(|(message, was)| (was.source, *message)).collect();
            queued.sort_unstable();
            for (_, message) in queued {
                faults += 1;
                let was = self.queue.remove(&message).expect("it was found there");
                self.undeliverable(message, was, GONE, now_ms, heard);
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

    fn retry(&mut self, fault: u64, now_ms: u64) -> Option<String> {
        let was = &self.faults.get(&fault)?.was;
        self.objects.get(&was.target)?;
        if self.full(was.way(), &was.args).is_some() {
            return None;
        }
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
