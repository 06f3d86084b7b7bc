//! The test's worker: honest, on one thread, and as far behind as the test likes.
//!
//! It is handed deliveries ahead of time and handles them in order, one step at a time. Like the
//! real one it keeps the texts that its turns left in their memories, and takes memories as it left
//! them. A turn that calls is run again from its start with each image that comes, which a turn
//! that depends on what it is given alone allows.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::player::{Stop, Turn};
use super::script;
use crate::protocol::{CodeNumber, Delivery, Handle, Image, MemoryHandle, Report, Verdict};
use crate::vat::Death;

/// A Memory's properties in order.
pub(super) type Entries = Vec<(String, String)>;

/// What a worker says.
#[derive(Debug)]
pub(super) enum Said {
    Load { delivery: u64, object: Handle },
    Done { delivery: u64, report: Box<Report> },
    Gone(Death),
}

/// The marks on which a worker has died once, or all there are.
pub(super) enum Marks {
    These(HashSet<u32>),
    All,
}

impl Marks {
    pub(super) fn is_new(&mut self, mark: u32) -> bool {
        match self {
            Self::These(marks) => marks.insert(mark),
            Self::All => false,
        }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Worker {
    inbox: VecDeque<Delivery>,
    said: VecDeque<Said>,
    running: Option<Running>,
    kept: BTreeMap<MemoryHandle, Entries>,
    codes: BTreeMap<CodeNumber, u64>,
    /// It takes nothing new, and goes when it has done what it has.
    leaving: bool,
    gone: bool,
}

/// A turn under way.
pub(super) struct Running {
    pub(super) delivery: Delivery,
    pub(super) images: BTreeMap<Handle, Result<Image, String>>,
    /// The memories it was given, as they were, in that order.
    pub(super) memories: Vec<(MemoryHandle, Entries)>,
    waiting: bool,
}

impl Worker {
    /// Hands it a delivery and the text of its target's code; one that is going does not hear.
    pub(super) fn deliver(&mut self, delivery: Delivery, code: &str) {
        if !self.leaving && !self.gone {
            self.codes.insert(delivery.target.code, script::code_number(code));
            self.inbox.push_back(delivery);
        }
    }

    /// The image it asked for, and the text of its code.
    pub(super) fn loaded(&mut self, object: Handle, image: Result<(Image, String), String>) {
        let Some(running) = self.running.as_mut().filter(|running| running.waiting) else { return };
        running.waiting = false;
        let image = image.map(|(image, code)| {
            self.codes.insert(image.code, script::code_number(&code));
            take_in(&mut self.kept, running, &image);
            image
        });
        running.images.insert(object, image);
    }

    /// The next thing it said.
    pub(super) fn hear(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    pub(super) fn has_said(&self) -> bool {
        !self.said.is_empty()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Ends it now; what it has said is heard first.
    pub(super) fn end(&mut self, death: Death) {
        if !self.gone {
            self.gone = true;
            self.said.push_back(Said::Gone(death));
        }
    }

    /// Lets it go in good order.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// Handles one frame, if it can; `marks` are those on which somebody has died once.
    pub(super) fn step(&mut self, marks: &mut Marks) -> bool {
        if self.gone {
            return false;
        }
        if self.running.is_none() {
            let Some(delivery) = self.inbox.pop_front() else {
                if self.leaving {
                    self.end(Death::Replaced);
                }
                return self.leaving;
            };
            let target = delivery.target.clone();
            let mut running = Running { delivery, images: BTreeMap::new(), memories: Vec::new(), waiting: false };
            take_in(&mut self.kept, &mut running, &target);
            self.running = Some(running);
        }
        let Some(running) = self.running.as_mut().filter(|running| !running.waiting) else { return false };
        let delivery = running.delivery.delivery;
        let mut turn = Turn::new(running, &self.codes, marks);
        match turn.run() {
            Err(Stop::Needs(object)) => {
                running.waiting = true;
                self.said.push_back(Said::Load { delivery, object });
            }
            Err(Stop::Dies) => self.end(Death::Crashed("boom".to_owned())),
            Err(Stop::Late) => self.end(Death::Deadline { clock: "CPU", limit_ms: 2000 }),
            stopped => {
                let (report, left) = turn.finish(stopped.map_err(|stop| match stop {
                    Stop::Thrown(error) => Verdict::Error(error),
                    Stop::Killed(limit, message) => Verdict::Killed { limit, message },
                    Stop::Needs(_) | Stop::Dies | Stop::Late => unreachable!("handled above"),
                }));
                let killed = matches!(report.verdict, Verdict::Killed { .. });
                self.running = None;
                self.kept.extend(left);
                self.said.push_back(Said::Done { delivery, report: Box::new(report) });
                if killed {
                    self.end(Death::Replaced);
                }
            }
        }
        true
    }
}

/// Notes the content that an image's memory came with, or what was kept of it.
fn take_in(kept: &mut BTreeMap<MemoryHandle, Entries>, running: &mut Running, image: &Image) {
    let Some(memory) = &image.memory else { return };
    if let Some(entries) = &memory.entries {
        kept.insert(memory.memory, entries.clone());
    }
    if running.memories.iter().all(|(known, _)| *known != memory.memory) {
        let entries = kept.get(&memory.memory).cloned().unwrap_or_default();
        running.memories.push((memory.memory, entries));
    }
}
