//! The daemon's side of the worker processes.
//!
//! Turns run in one worker at a time, that of their lane ([`crate::vat::lane`]). The workers of lanes
//! that ran lately are kept, a few; beside them are a warm spare and one that checks code. All are
//! started by one thread, because a worker is set to die with the thread that started it.
//!
//! Each worker has a *generation*, a number that no other has, and everything it says comes with it.
//! The kernel hears only the generation that was given the turns in flight
//! ([`Executor::hears`]), so nothing that a replaced or an idle worker still says can pass for an
//! answer. That worker's end is reported to the kernel once ([`Input::Died`]); any other's only makes
//! room. Nothing here decides anything about turns.
//!
//! - [`process`]: one worker process, its pipes and its end.
//! - [`watch`]: its deadline.
//! - [`alone`]: one turn in a worker that nothing else runs in.
//! - [`check`]: the worker that checks code.

pub mod alone;
pub mod check;
pub mod process;
mod watch;

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::page::Page;
use crate::protocol::{self, CodeNumber, FromWorker, Handle, Image, Layers, ToWorker};
use crate::vat::lane::Lane;
use crate::vat::{Death, Input, Start};
use process::{Event, Process, Spares};
pub use watch::Deadlines;

/// What the executor is told at the start.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// How long a turn may take.
    pub deadlines: Deadlines,
    /// After how many turns a worker is replaced.
    pub turns: u64,
    /// How many lanes' workers are kept.
    pub workers: usize,
}

/// Which worker something is of: the first is 1, and none has another's.
pub type Generation = u64;

/// Where it is told what a worker of some generation did, in order.
pub type Report = dyn Fn(Generation, Vec<Input>) + Send + Sync;

/// What anybody may know of the workers that run turns.
#[derive(Debug, Default)]
pub struct Status {
    deaths: AtomicU64,
    /// The one that was given a turn last is the last.
    alive: Mutex<Vec<Seen>>,
}

/// A worker as others see it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its process.
    pub pid: u32,
    /// Whose turns it runs.
    pub lane: Lane,
    /// What its cage consists of.
    pub layers: Layers,
    page: Arc<Page>,
}

impl Seen {
    /// The object whose code runs there now, by the worker's own word.
    pub fn running(&self) -> Option<Handle> {
        self.page.read().map(|running| running.object)
    }
}

impl Status {
    /// Workers that ended abnormally since the daemon started.
    pub fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::Relaxed)
    }

    /// The workers that are alive; the last is the one that was given a turn last.
    pub fn alive(&self) -> Vec<Seen> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs turns in worker processes. Owned by the driver's thread.
pub struct Executor {
    spares: Arc<Spares>,
    config: Config,
    report: Arc<Report>,
    status: Arc<Status>,
    /// One a lane; the one that was given a turn last is the last.
    workers: Vec<Active>,
    /// Whose word counts: the worker that has the turns in flight, or the want of one.
    heard: Generation,
    generations: Generation,
    /// Whether [`TRY_AGAIN`] is running.
    trying_later: bool,
}

/// How long to wait when no worker can be started.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A worker that runs turns.
struct Active {
    lane: Lane,
    generation: Generation,
    process: Process,
    /// The codes it was sent.
    codes: HashSet<CodeNumber>,
    /// Turns it may still be given.
    turns_left: u64,
    /// Whether it was given any.
    is_fresh: bool,
    /// What it is to be told next.
    batch: Vec<ToWorker>,
}

impl Executor {
    /// An executor that tells `report` what workers say; its first worker starts with the first turn.
    pub fn new(
        spares: Arc<Spares>,
        config: Config,
        report: impl Fn(Generation, Vec<Input>) + Send + Sync + 'static,
    ) -> Self {
        let report = Arc::new(report);
        let (workers, status) = (Vec::new(), Arc::default());
        Self { spares, config, report, status, workers, heard: 0, generations: 0, trying_later: false }
    }

    /// What anybody may know of the workers.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Takes a worker now, so that a machine which cannot run one says so at the start.
    ///
    /// # Errors
    /// No worker can be started.
    pub fn warm(&mut self) -> io::Result<()> {
        self.start(Lane::Shared)
    }

    /// Whether another turn may be given now, when so many are in flight. A worker that has had its
    /// number of turns ends the last of them before its lane gets another.
    pub fn takes_more(&self, in_flight: usize) -> bool {
        in_flight == 0 || self.heard().is_none_or(|worker| worker.turns_left > 0)
    }

    /// Has a delivery for the worker of its lane, which hears of it at the next [`Executor::flush`];
    /// `text` gives a code's text. When no worker can be started now, the delivery is called back a
    /// little later, as if its worker had been replaced.
    ///
    /// # Errors
    /// `text` failed.
    pub fn deliver<E>(&mut self, start: Start, text: impl Fn(CodeNumber) -> Result<String, E>) -> Result<(), E> {
        let Start { lane, fresh, delivery } = start;
        if self.trying_later {
            return Ok(());
        }
        if let Err(error) = self.turn_to(lane, fresh) {
            self.try_later(&error);
            return Ok(());
        }
        let Some(worker) = self.heard_mut() else { return Ok(()) };
        worker.turns_left = worker.turns_left.saturating_sub(1);
        worker.is_fresh = false;
        worker.learn(delivery.target.code, text)?;
        worker.batch.push(ToWorker::Deliver(delivery));
        Ok(())
    }

    /// Sends the worker what it was given to do since the last time: one wake-up for all of it.
    pub fn flush(&mut self) {
        if let Some(worker) = self.heard_mut() {
            worker.flush();
        }
    }

    /// Answers the running turn's request for an image.
    ///
    /// # Errors
    /// As for [`Executor::deliver`].
    pub fn loaded<E>(
        &mut self,
        image: Result<Box<Image>, String>,
        text: impl Fn(CodeNumber) -> Result<String, E>,
    ) -> Result<(), E> {
        // Without a worker nobody waits for it.
        let Some(worker) = self.heard_mut() else { return Ok(()) };
        if let Ok(image) = &image {
            worker.learn(image.code, text)?;
        }
        worker.answer(ToWorker::Loaded(image));
        Ok(())
    }

    /// Answers the running turn's request for properties of a Memory.
    pub fn entries(&mut self, page: protocol::Page) {
        if let Some(worker) = self.heard_mut() {
            worker.answer(ToWorker::Entries(page));
        }
    }

    /// Kills the worker that has the turns in flight, which will be reported dead for this reason.
    pub fn kill(&mut self, why: String) {
        if let Some(worker) = self.heard() {
            worker.process.kill(Death::Crashed(why));
        }
    }

    /// Ends the worker that has the turns in flight, which is nobody's fault.
    pub fn replace(&mut self) {
        if let Some(worker) = self.heard() {
            worker.process.kill(Death::Replaced);
        }
    }

    /// Whether the kernel is to hear what a worker of that generation says.
    pub fn hears(&self, generation: Generation) -> bool {
        generation == self.heard
    }

    /// The worker of that generation is gone: its lane's next turn gets another.
    pub fn gone(&mut self, generation: Generation) {
        self.workers.retain(|worker| worker.generation != generation);
        if self.hears(generation) {
            self.trying_later = false;
        }
        self.show();
    }

    /// The worker whose word counts is the last, if it is there.
    fn heard(&self) -> Option<&Active> {
        self.workers.last().filter(|worker| worker.generation == self.heard)
    }

    fn heard_mut(&mut self) -> Option<&mut Active> {
        self.workers.last_mut().filter(|worker| worker.generation == self.heard)
    }

    /// Has the worker of `lane` be the last: a new one if there is none, if it has had its number of
    /// turns, or if it must be `fresh` and is not. Nothing is in flight when another than the last is wanted.
    fn turn_to(&mut self, lane: Lane, fresh: bool) -> io::Result<()> {
        // What the last still runs was called back. What that asks from now on nobody hears, so it would wait
        // until its deadline, and a turn it is given meanwhile would be blamed.
        if self.heard().is_some_and(|last| last.lane != lane && last.process.is_busy()) {
            self.workers.pop();
        }
        if let Some(at) = self.workers.iter().position(|worker| worker.lane == lane) {
            let worker = &self.workers[at];
            if worker.turns_left > 0 && (worker.is_fresh || !fresh) {
                if (at + 1, worker.generation) != (self.workers.len(), self.heard) {
                    let worker = self.workers.remove(at);
                    self.heard = worker.generation;
                    self.workers.push(worker);
                    self.show();
                }
                return Ok(());
            }
            self.workers.remove(at);
        }
        self.start(lane)
    }

    /// Starts a worker for `lane`, in the room of the one that ran longest ago.
    fn start(&mut self, lane: Lane) -> io::Result<()> {
        self.generations += 1;
        let generation = self.generations;
        // Also when there is no worker: nothing that others still say is about what is given now.
        self.heard = generation;
        let (report, status) = (Arc::clone(&self.report), Arc::clone(&self.status));
        let process = self.spares.take()?.start(Some(self.config.deadlines), move |event| {
            let Some(inputs) = inputs(event) else { return false };
            if matches!(inputs.as_slice(), [Input::Died { death, .. }] if *death != Death::Replaced) {
                status.deaths.fetch_add(1, Ordering::Relaxed);
            }
            report(generation, inputs);
            true
        })?;
        let turns_left = self.config.turns.max(1);
        let (codes, batch) = (HashSet::new(), Vec::new());
        self.workers.push(Active { lane, generation, process, codes, turns_left, is_fresh: true, batch });
        while self.workers.len() > self.config.workers.max(1) {
            self.workers.remove(0);
        }
        self.show();
        Ok(())
    }

    /// The system would not start a process; it may have room again soon.
    fn try_later(&mut self, error: &io::Error) {
        tracing::error!(%error, "no worker can be started; trying again");
        self.trying_later = true;
        let (report, generation) = (Arc::clone(&self.report), self.heard);
        let replaced = || vec![Input::Died { death: Death::Replaced, ran: None }];
        let later = move || {
            thread::sleep(TRY_AGAIN);
            report(generation, replaced());
        };
        if let Err(error) = thread::Builder::new().name("try-later".to_owned()).spawn(later) {
            // Not even a thread: the kernel hears of it at once, and the next try is the next delivery's.
            tracing::error!(%error, "no thread can be started");
            (self.report)(generation, replaced());
        }
    }

    fn show(&self) {
        let seen = |worker: &Active| {
            let Active { lane, process, .. } = worker;
            Seen { pid: process.pid(), lane: *lane, layers: process.layers(), page: process.page() }
        };
        *self.status.alive.lock().unwrap_or_else(PoisonError::into_inner) = self.workers.iter().map(seen).collect();
    }
}

/// What the kernel is to hear of an event; `None` if no worker that runs turns says such a thing.
fn inputs(event: Event) -> Option<Vec<Input>> {
    let input = |said| match said {
        FromWorker::Done { delivery, report } => Some(Input::Done { delivery, report }),
        FromWorker::Load { delivery, object } => Some(Input::Load { delivery, object }),
        FromWorker::Ask { delivery, memory, wanted } => Some(Input::Ask { delivery, memory, wanted }),
        FromWorker::Ready(_) | FromWorker::Checked(_) => None,
    };
    match event {
        Event::Said(said) => said.into_iter().map(input).collect(),
        Event::Gone(death, ran) => Some(vec![Input::Died { death, ran }]),
    }
}

impl Active {
    fn learn<E>(&mut self, code: CodeNumber, text: impl Fn(CodeNumber) -> Result<String, E>) -> Result<(), E> {
        if !self.codes.contains(&code) {
            self.batch.push(ToWorker::Code { code, text: text(code)? });
            self.codes.insert(code);
        }
        Ok(())
    }

    /// Tells it what its running turn waits for.
    fn answer(&mut self, answer: ToWorker) {
        self.flush();
        self.process.answer(answer);
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.process.say(std::mem::take(&mut self.batch));
        }
    }
}
