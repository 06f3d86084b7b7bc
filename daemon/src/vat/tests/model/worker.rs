//! The test's worker: honest, on one thread, and as far behind as the test likes.
//!
//! It is handed deliveries ahead of time and handles them in order, one step at a time. What turns leave
//! in memories it keeps as the real one does, by the real one's own [`Kept`]. A turn that calls, or asks
//! for a property, is run again from its start with each answer that comes, which a turn that depends on
//! what it is given alone allows.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::player::{Stop, Turn};
use super::script;
use crate::protocol::{CodeNumber, Content, Delivery, Handle, Image, MemoryHandle, Page, Report, Verdict, Wanted};
use crate::vat::Death;
use crate::worker::kept::Kept;

/// A Memory's properties in order.
pub(super) type Entries = Vec<(String, String)>;

/// What a worker says.
#[derive(Debug)]
pub(super) enum Said {
    Load { delivery: u64, object: Handle },
    Ask { delivery: u64, memory: MemoryHandle, wanted: Wanted },
    Done { delivery: u64, report: Box<Report> },
    Gone { death: Death, page: Option<(u64, Handle)> },
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
    kept: Kept,
    codes: BTreeMap<CodeNumber, u64>,
    /// It takes nothing new, and goes when it has done what it has.
    leaving: bool,
    gone: bool,
    /// Whether it was given anything.
    pub(super) used: bool,
    /// The first turn in which it ran another account's code than that of its lane.
    pub(super) spoilt_in: Option<u64>,
}

/// A turn under way.
pub(super) struct Running {
    pub(super) delivery: Delivery,
    pub(super) images: BTreeMap<Handle, Result<Image, String>>,
    /// The memories it was given, as they were, in that order.
    pub(super) memories: Vec<(MemoryHandle, Given)>,
    waiting: bool,
}

/// What a turn has of a Memory.
pub(super) enum Given {
    Whole(Entries),
    /// What it was told and has asked for.
    ByKey {
        known: Entries,
        keys: BTreeMap<String, Option<String>>,
        pages: Vec<Page>,
    },
}

impl Worker {
    /// Hands it a delivery and the text of its target's code; one that is going does not hear.
    pub(super) fn deliver(&mut self, delivery: Delivery, code: &str) {
        self.used = true;
        if !self.leaving && !self.gone {
            self.codes.insert(delivery.target.code, script::code_number(code));
            self.inbox.push_back(delivery);
        }
    }

    /// The image it asked for, and the text of its code.
    pub(super) fn loaded(&mut self, object: Handle, image: Result<(Image, String), String>) {
        let Some(running) = self.running.as_mut().filter(|running| running.waiting) else { return };
        running.waiting = false;
        let image = image.map(|(mut image, code)| {
            self.codes.insert(image.code, script::code_number(&code));
            take_in(&mut self.kept, running, &mut image);
            image
        });
        running.images.insert(object, image);
    }

    /// What it asked for of a memory.
    pub(super) fn told(&mut self, memory: MemoryHandle, wanted: Wanted, page: Page) {
        let Some(running) = self.running.as_mut().filter(|running| running.waiting) else { return };
        running.waiting = false;
        let given = running.memories.iter_mut().find(|(known, _)| *known == memory);
        let Some((_, Given::ByKey { keys, pages, .. })) = given else { panic!("an answer nobody asked for") };
        match wanted {
            Wanted::Key(key) => drop(keys.insert(key, page.entries.into_iter().next().map(|(_, value)| value))),
            Wanted::Page { .. } => pages.push(page),
        }
    }

    /// The next thing it said.
    pub(super) fn hear(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    pub(super) fn has_said(&self) -> bool {
        !self.said.is_empty()
    }

    /// Whether it waits for a delivery.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.inbox.is_empty() && self.said.is_empty() && !self.leaving && !self.gone
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Ends it now; what it has said is heard first.
    pub(super) fn end(&mut self, death: Death) {
        if !self.gone {
            self.gone = true;
            let page = self.running.as_ref().map(|running| (running.delivery.delivery, running.delivery.target.object));
            self.said.push_back(Said::Gone { death, page });
        }
    }

    fn dies(&mut self, death: Death, delivery: u64, innermost: Handle) {
        self.gone = true;
        self.said.push_back(Said::Gone { death, page: Some((delivery, innermost)) });
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
            let mut target = delivery.target.clone();
            let mut running = Running { delivery, images: BTreeMap::new(), memories: Vec::new(), waiting: false };
            take_in(&mut self.kept, &mut running, &mut target);
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
            Err(Stop::Asks(memory, wanted)) => {
                running.waiting = true;
                self.said.push_back(Said::Ask { delivery, memory, wanted });
            }
            Err(Stop::Dies(innermost)) => self.dies(Death::Crashed("boom".to_owned()), delivery, innermost),
            Err(Stop::Late(innermost)) => {
                self.dies(Death::Deadline { clock: "CPU", limit_ms: 2000 }, delivery, innermost);
            }
            stopped => {
                let (report, left) = turn.finish(stopped.map_err(|stop| match stop {
                    Stop::Thrown(error) => Verdict::Error(error),
                    Stop::Killed(limit, message) => Verdict::Killed { limit, message },
                    Stop::Needs(_) | Stop::Asks(..) | Stop::Dies(_) | Stop::Late(_) => unreachable!("handled above"),
                }));
                let killed = matches!(report.verdict, Verdict::Killed { .. });
                self.running = None;
                for left in left {
                    self.kept.leave(delivery, left);
                }
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
fn take_in(kept: &mut Kept, running: &mut Running, image: &mut Image) {
    let Some(memory) = &mut image.memory else { return };
    kept.take_in(running.delivery.delivery, memory);
    if running.memories.iter().any(|(known, _)| *known == memory.memory) {
        return;
    }
    let given = match &memory.content {
        Content::Whole(entries) => Given::Whole(entries.clone()),
        Content::ByKey { known, .. } => Given::ByKey { known: known.clone(), keys: BTreeMap::new(), pages: Vec::new() },
        Content::AsLeft => panic!("a memory that nobody filled in"),
    };
    running.memories.push((memory.memory, given));
}
