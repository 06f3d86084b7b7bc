//! Turns run in the test's own process, without the cage.

mod budgets;
mod code;
mod effects;
mod inventory;
mod large;
mod memory;
mod realm;
mod values;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::{Codes, Engine, Loader, STACK_BYTES};
use crate::page::Published;
use crate::protocol::{
    Budget, CodeError, Content, Delivery, Handle, Image, Limit, Memory, MemoryChange, MemoryHandle, Native, Page,
    Power, Report, Verdict, Wanted,
};

/// A budget that honest code does not notice.
const ROOMY: Budget = Budget {
    ticks: 1000,
    memory_bytes: 32 << 20,
    messages: 100,
    objects: 100,
    bytes: 4 << 20,
    log_lines: 100,
    jobs: 1000,
    calls: 64,
    cpu_ms: 60_000,
    wall_ms: 60_000,
};

type Images = Arc<Mutex<HashMap<Handle, Result<Image, String>>>>;

struct Shelf(Images, Arc<AtomicUsize>);

fn content(memory: &Memory) -> &Vec<(String, String)> {
    let Content::Whole(entries) = &memory.content else { panic!("the shelf has all of it") };
    entries
}

impl Loader for Shelf {
    fn load(&mut self, _: u64, object: Handle, _: &Codes) -> Result<Box<Image>, String> {
        let images = self.0.lock().expect("one thread");
        images.get(&object).cloned().unwrap_or_else(|| Err("no such object".to_owned())).map(Box::new)
    }

    fn ask(&mut self, _: u64, memory: MemoryHandle, wanted: Wanted, _: &Codes) -> Page {
        self.1.fetch_add(1, Ordering::Relaxed);
        let images = self.0.lock().expect("one thread");
        let memories = images.values().flatten().filter_map(|image| image.memory.as_ref());
        let memory = memories.filter(|known| known.memory == memory).map(content).next().expect("a memory");
        match wanted {
            Wanted::Key(key) => {
                Page { entries: memory.iter().filter(|(known, _)| *known == key).cloned().collect(), next: None }
            }
            Wanted::Page { after } => {
                // Three at a time, in the order the daemon has.
                let from = usize::try_from(after.unwrap_or(0)).expect("a place in the list");
                let entries: Vec<_> = memory.iter().skip(from).take(3).cloned().collect();
                Page { next: (!entries.is_empty()).then_some((from + entries.len()) as u64), entries }
            }
        }
    }
}

/// A vat in a nutshell: objects and their memories, changed by turns that end well.
struct World {
    engine: Engine,
    images: Images,
    budget: Budget,
    turns: u64,
    /// Whether Memories are given by key, as large ones are.
    by_key: bool,
    /// How often turns have asked for properties.
    asked: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        let images = Images::default();
        let asked = Arc::default();
        let engine =
            Engine::new(Box::new(Shelf(Arc::clone(&images), Arc::clone(&asked))), Published::unread().expect("a page"))
                .expect("an engine");
        Self { engine, images, budget: ROOMY, turns: 0, by_key: false, asked }
    }

    /// Installs object `handle` with all native powers, statics `{}` and an empty memory of its own.
    fn install(&mut self, handle: Handle, code: &str) {
        self.install_with(handle, code, "{}", Some((handle, "{}")));
    }

    fn install_with(&mut self, handle: Handle, code: &str, statics: &str, memory: Option<(u64, &str)>) {
        let number = u32::try_from(handle).expect("a small handle");
        self.engine.codes().add(number, code.to_owned());
        let natives = Native::ALL.iter().map(|native| (native.name().to_owned(), *native)).collect();
        let power = Power { statics: statics.to_owned(), natives };
        let memory = memory.map(|(memory, text)| Memory {
            memory,
            content: Content::Whole(qrt_shared::qjson::split_object(text).expect("an object in inside form")),
        });
        let image = Image { object: handle, code: number, power, memory };
        self.images.lock().expect("one thread").insert(handle, Ok(image));
    }

    fn send(&mut self, handle: Handle, args: &str) -> Report {
        let mut target = self.images.lock().expect("one thread")[&handle].clone().expect("installed");
        self.turns += 1;
        if let Some(memory) = target.memory.as_mut().filter(|_| self.by_key) {
            memory.content = Content::ByKey { known: Vec::new(), settled: self.turns };
        }
        let delivery = Delivery {
            delivery: self.turns,
            target,
            args: args.to_owned(),
            clock_ms: 1_700_000_000_000 + self.turns,
            seed: [7; 32],
            first_made: 1000,
            budget: self.budget,
        };
        let report = self.engine.run(&delivery);
        for change in &report.memories {
            self.apply(change);
        }
        report
    }

    fn apply(&mut self, change: &MemoryChange) {
        for image in self.images.lock().expect("one thread").values_mut().flatten() {
            let Some(memory) = image.memory.as_mut().filter(|memory| memory.memory == change.memory) else { continue };
            let Content::Whole(entries) = &mut memory.content else { panic!("content") };
            entries.retain(|(key, _)| !change.deleted.contains(key));
            for (key, text) in &change.set {
                match entries.iter_mut().find(|(known, _)| known == key) {
                    Some(entry) => entry.1.clone_from(text),
                    None => entries.push((key.clone(), text.clone())),
                }
            }
            // As the daemon orders them: integer-like keys first, by number; the sort is stable.
            entries.sort_by_key(|(key, _)| qrt_shared::qjson::array_index(key).map_or(u64::MAX, u64::from));
        }
    }

    fn memory(&self, handle: Handle) -> String {
        let images = self.images.lock().expect("one thread");
        let memory = images[&handle].as_ref().expect("installed").memory.as_ref().expect("a memory");
        qrt_shared::qjson::join_object(content(memory).iter().map(|(key, text)| (key.as_str(), text.as_str())))
    }
}

/// Runs `test` on a thread with the stack an engine needs.
fn in_world(test: impl FnOnce(&mut World) + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 * STACK_BYTES).spawn(|| test(&mut World::new()));
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

/// What `code` returns, as text, in a world of its own.
fn result_of(code: &'static str) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    in_world(move |world| {
        world.install(1, code);
        sender.send(result(&world.send(1, "null"))).expect("the test waits");
    });
    receiver.recv().expect("an answer")
}

fn result(report: &Report) -> String {
    match &report.verdict {
        Verdict::Ok { result, result_error: None } => result.clone(),
        Verdict::Ok { result_error: Some(error), .. } => format!("not QJSON: {error}"),
        Verdict::Error(error) => format!("error: {}", error.message),
        Verdict::Killed { limit, message } => format!("killed ({limit:?}): {message}"),
    }
}

fn error(report: &Report) -> CodeError {
    match &report.verdict {
        Verdict::Error(error) => error.clone(),
        other => panic!("an error was expected, not {other:?}"),
    }
}

fn limit(report: &Report) -> Limit {
    match &report.verdict {
        Verdict::Killed { limit, message } => {
            assert!(!message.is_empty() && !message.contains('\n'), "one sentence: {message:?}");
            *limit
        }
        other => panic!("a killed turn was expected, not {other:?}"),
    }
}
