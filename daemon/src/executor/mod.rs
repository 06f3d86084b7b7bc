//! The daemon's side of the worker process.
//!
//! Three worker processes are alive: one runs turns, one is a warm spare, one checks code. All are
//! started by one thread, because a worker is set to die with the thread that started it. A worker
//! that dies or is killed is reported once to the kernel ([`Input::Died`]); the kernel's next
//! delivery goes to the spare. Nothing here decides anything about turns.
//!
//! - [`process`]: one worker process, its pipes and its end.
//! - [`watch`]: its deadline.
//! - [`check`]: the worker that checks code.

pub mod check;
pub mod process;
mod watch;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::protocol::{CodeNumber, Delivery, FromWorker, Image, Page, ToWorker};
use crate::vat::{Death, Input};
use process::{Event, Process, Spares};
pub use watch::Deadlines;

/// What the executor is told at the start.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// How long a turn may take.
    pub deadlines: Deadlines,
    /// After how many turns a worker is replaced.
    pub turns: u64,
}

/// What anybody may know of the worker.
#[derive(Debug, Default)]
pub struct Status {
    pid: AtomicU32,
    deaths: AtomicU64,
}

impl Status {
    /// The process that runs turns; 0 before the first.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Workers that ended abnormally since the daemon started.
    pub fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::Relaxed)
    }
}

/// Runs turns in worker processes. Owned by the driver's thread.
pub struct Executor {
    spares: Arc<Spares>,
    config: Config,
    report: Arc<dyn Fn(Input) + Send + Sync>,
    status: Arc<Status>,
    worker: Option<Active>,
    /// Whether [`TRY_AGAIN`] is running.
    trying_later: bool,
}

/// How long to wait when no worker can be started.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The worker that runs turns.
struct Active {
    process: Process,
    /// The codes it was sent.
    codes: HashSet<CodeNumber>,
    /// Turns it may still be given.
    turns_left: u64,
    /// What it is to be told next.
    batch: Vec<ToWorker>,
}

impl Executor {
    /// An executor that tells `report` what workers say; its first worker starts with the first turn.
    pub fn new(spares: Arc<Spares>, config: Config, report: impl Fn(Input) + Send + Sync + 'static) -> Self {
        Self { spares, config, report: Arc::new(report), status: Arc::default(), worker: None, trying_later: false }
    }

    /// What anybody may know of the worker.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Takes a worker now, so that a machine which cannot run one says so at the start.
    ///
    /// # Errors
    /// No worker can be started.
    pub fn warm(&mut self) -> io::Result<()> {
        self.active().map(drop)
    }

    /// Has a delivery for the worker, which hears of it at the next [`Executor::flush`]; `text` gives a code's text. When no worker can be started
    /// now, the delivery is called back a little later, as if its worker had been replaced.
    ///
    /// # Errors
    /// `text` failed.
    pub fn deliver<E>(
        &mut self,
        delivery: Box<Delivery>,
        text: impl Fn(CodeNumber) -> Result<String, E>,
    ) -> Result<(), E> {
        let active = match self.active() {
            Ok(active) => active,
            Err(error) => {
                self.try_later(&error);
                return Ok(());
            }
        };
        if active.turns_left == 0 {
            // The worker finishes what it has and leaves; what is not sent is delivered again.
            active.flush();
            active.process.close();
            return Ok(());
        }
        active.turns_left -= 1;
        active.learn(delivery.target.code, text)?;
        active.batch.push(ToWorker::Deliver(delivery));
        Ok(())
    }

    /// Sends the worker what it was given to do since the last time: one wake-up for all of it.
    pub fn flush(&mut self) {
        if let Some(active) = &mut self.worker {
            active.flush();
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
        let Some(active) = &mut self.worker else { return Ok(()) };
        if let Ok(image) = &image {
            active.learn(image.code, text)?;
        }
        active.answer(ToWorker::Loaded(image));
        Ok(())
    }

    /// Answers the running turn's request for properties of a Memory.
    pub fn entries(&mut self, page: Page) {
        if let Some(active) = &mut self.worker {
            active.answer(ToWorker::Entries(page));
        }
    }

    /// Kills the worker, which will be reported dead for this reason.
    pub fn kill(&mut self, why: String) {
        if let Some(active) = &self.worker {
            active.process.kill(Death::Crashed(why));
        }
    }

    /// Ends the worker, which is nobody's fault.
    pub fn replace(&mut self) {
        if let Some(active) = &self.worker {
            active.process.kill(Death::Replaced);
        }
    }

    /// The worker's death has been handled: the next turn gets another.
    pub fn renew(&mut self) {
        self.worker = None;
        self.trying_later = false;
    }

    /// The system would not start a process; it may have room again soon.
    fn try_later(&mut self, error: &io::Error) {
        tracing::error!(%error, "no worker can be started; trying again");
        if std::mem::replace(&mut self.trying_later, true) {
            return;
        }
        let report = Arc::clone(&self.report);
        let later = move || {
            thread::sleep(TRY_AGAIN);
            report(Input::Died(Death::Replaced));
        };
        if let Err(error) = thread::Builder::new().name("try-later".to_owned()).spawn(later) {
            // Not even a thread: the kernel hears of it at once, and the next try is the next delivery's.
            tracing::error!(%error, "no thread can be started");
            (self.report)(Input::Died(Death::Replaced));
        }
    }

    fn active(&mut self) -> io::Result<&mut Active> {
        if self.worker.is_none() {
            let (report, status) = (Arc::clone(&self.report), Arc::clone(&self.status));
            let process = self.spares.take()?.start(Some(self.config.deadlines), move |event| {
                report(match event {
                    Event::Said(FromWorker::Done { delivery, report }) => Input::Done { delivery, report },
                    Event::Said(FromWorker::Load { delivery, object }) => Input::Load { delivery, object },
                    Event::Said(FromWorker::Ask { delivery, memory, wanted }) => {
                        Input::Ask { delivery, memory, wanted }
                    }
                    Event::Said(FromWorker::Ready | FromWorker::Checked(_)) => return false,
                    Event::Gone(death) => {
                        if death != Death::Replaced {
                            status.deaths.fetch_add(1, Ordering::Relaxed);
                        }
                        Input::Died(death)
                    }
                });
                true
            })?;
            self.status.pid.store(process.pid(), Ordering::Relaxed);
            let turns_left = self.config.turns.max(1);
            self.worker = Some(Active { process, codes: HashSet::new(), turns_left, batch: Vec::new() });
        }
        self.worker.as_mut().ok_or_else(|| io::Error::other("no worker"))
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
