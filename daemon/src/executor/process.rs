//! One worker process: its start, its two pipes, its end.
//!
//! Two threads serve it: one writes what it is told, so that a worker which does not read cannot
//! hold the kernel up; one reads what it says, and at the end of that reaps it and reports how it
//! went, and what it says on its page that it ran. Everything it said before its end is reported
//! before its end is; what is there at one time is reported at once.

use std::io::{self, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::{mem, thread};

use super::watch::{Deadlines, Watch};
use crate::page::Page;
use crate::protocol::{Budget, FromWorker, Layers, Running, ToWorker, append_frame, buffered_frame, read_frame};
use crate::vat::Death;
use crate::worker::{self, EXIT_CAGE, EXIT_SPENT, Sandbox};

/// The argument that makes this program a worker.
pub const WORKER_ARG: &str = "worker";

/// Answers that may wait for a worker at one time: the one it waits for, and the one before, which it
/// may have read before this side has noted that it was written.
const UNHEARD_MAX: usize = 2;

/// What a worker does.
#[derive(Debug)]
pub enum Event {
    /// It said something: in order, and never nothing.
    Said(Vec<FromWorker>),
    /// It is gone, and this is what it said it ran; said once, last.
    Gone(Death, Option<Running>),
}

/// A supply of worker processes, one always warm.
pub struct Spares {
    ready: Mutex<Receiver<io::Result<Spare>>>,
}

/// A worker that has shut its cage and waits for work.
pub struct Spare {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    page: Page,
    layers: Layers,
}

impl Spares {
    /// Starts the thread that starts workers, in a cage as `sandbox` says.
    ///
    /// # Errors
    /// The thread cannot be made.
    pub fn start(sandbox: Sandbox) -> io::Result<Arc<Self>> {
        // One worker waits in the channel's hand-over; the next is started when it is taken.
        let (sender, ready) = mpsc::sync_channel(0);
        let supply = move |sender: &SyncSender<_>| while sender.send(Spare::spawn(sandbox)).is_ok() {};
        thread::Builder::new().name("spares".to_owned()).spawn(move || supply(&sender))?;
        Ok(Arc::new(Self { ready: Mutex::new(ready) }))
    }

    /// The warm worker.
    ///
    /// # Errors
    /// Why the system would not start one.
    pub fn take(&self) -> io::Result<Spare> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.recv().map_err(|_| io::Error::other("the thread that starts workers is gone"))?
    }
}

/// What a worker's cage consists of on this system: one is started to see, and ended.
///
/// # Errors
/// None can be started.
pub fn cage(sandbox: Sandbox) -> io::Result<Layers> {
    let Spare { mut child, layers, .. } = Spare::spawn(sandbox)?;
    child.kill()?;
    child.wait()?;
    Ok(layers)
}

impl Spare {
    fn spawn(sandbox: Sandbox) -> io::Result<Self> {
        let (page, theirs) = Page::new()?;
        // The very program that runs, even when the file has been replaced.
        let mut child = Command::new("/proc/self/exe")
            .arg0("qrtd")
            .arg(WORKER_ARG)
            .args(worker::args(std::process::id(), sandbox))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(theirs)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a worker without pipes"));
        };
        let mut stdout = BufReader::with_capacity(64 << 10, stdout);
        match read_frame(&mut stdout) {
            Ok(Some(FromWorker::Ready(layers))) => Ok(Self { child, stdin, stdout, page, layers }),
            said => {
                // The reason is in how it ended; it may hang in anything else.
                child.kill().ok();
                let how = child.wait().map_or_else(|error| error.to_string(), describe);
                Err(io::Error::other(format!("a worker would not start: {how}; it said {said:?}")))
            }
        }
    }

    /// Puts it to work: `on_event` hears everything it says and, last, how it went. An answer of
    /// false means that it said what it cannot say, and it is killed.
    ///
    /// # Errors
    /// A thread cannot be made.
    pub fn start(
        self,
        deadlines: Option<Deadlines>,
        on_event: impl Fn(Event) -> bool + Send + 'static,
    ) -> io::Result<Process> {
        let Self { child, stdin, stdout, page, layers } = self;
        let page = Arc::new(page);
        let pid = child.id();
        let (orders, queue) = mpsc::channel();
        let end = Arc::new(End { child: Mutex::new(child), why: Mutex::new(None) });
        let watch = match deadlines {
            Some(deadlines) => {
                let end = Arc::clone(&end);
                Some(Watch::start(pid, Arc::clone(&page), deadlines, move |death| end.kill(death))?)
            }
            None => None,
        };
        let unheard = Arc::new(AtomicUsize::new(0));
        let heard = Arc::clone(&unheard);
        let writer = move || write(stdin, &queue, &heard);
        thread::Builder::new().name(format!("to-worker-{pid}")).spawn(writer)?;
        let (reader_end, reader_watch, reader_page) = (Arc::clone(&end), watch.clone(), Arc::clone(&page));
        let reader = move || read(stdout, &reader_end, reader_watch.as_deref(), &reader_page, on_event);
        thread::Builder::new().name(format!("of-worker-{pid}")).spawn(reader)?;
        Ok(Process { pid, orders, unheard, end, watch, page, layers })
    }
}

/// A worker at work. Dropping it kills it.
pub struct Process {
    pid: u32,
    orders: Sender<Vec<ToWorker>>,
    /// Answers it has not been handed yet.
    unheard: Arc<AtomicUsize>,
    end: Arc<End>,
    watch: Option<Arc<Watch>>,
    page: Arc<Page>,
    layers: Layers,
}

/// How a worker is ended, and why it was.
struct End {
    child: Mutex<Child>,
    why: Mutex<Option<Death>>,
}

impl End {
    fn kill(&self, why: Death) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        // An error means that it is gone already, which is what was wanted.
        self.child.lock().unwrap_or_else(PoisonError::into_inner).kill().ok();
    }
}

impl Process {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The page on which it says what it runs.
    pub fn page(&self) -> Arc<Page> {
        Arc::clone(&self.page)
    }

    /// What its cage consists of.
    pub fn layers(&self) -> Layers {
        self.layers
    }

    /// Tells it something; turns are on the clock from then on. A worker that is gone hears nothing;
    /// its end is reported.
    pub fn say(&self, orders: Vec<ToWorker>) {
        if let Some(watch) = &self.watch {
            let deadlines = |order: &ToWorker| match order {
                ToWorker::Deliver(delivery) => {
                    let Budget { cpu_ms, wall_ms, .. } = delivery.budget;
                    Some(Deadlines { cpu_ms, wall_ms })
                }
                _ => None,
            };
            let turns: Vec<_> = orders.iter().filter_map(deadlines).collect();
            if !turns.is_empty() {
                watch.given(&turns);
            }
        }
        self.orders.send(orders).ok();
    }

    /// Answers what its running turn asked. It waits for each answer, so one that asks on without
    /// listening is no honest worker, and is killed before answers pile up.
    pub fn answer(&self, answer: ToWorker) {
        if self.unheard.fetch_add(1, Ordering::AcqRel) >= UNHEARD_MAX {
            self.end.kill(Death::Crashed("it asks without listening".to_owned()));
            return;
        }
        self.say(vec![answer]);
    }

    /// Whether it was given turns that it has not ended, if its turns have deadlines.
    pub fn is_busy(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| !watch.is_idle())
    }

    /// Kills it, for this reason.
    pub fn kill(&self, why: Death) {
        self.end.kill(why);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill(Death::Replaced);
    }
}

fn write(mut stdin: ChildStdin, orders: &Receiver<Vec<ToWorker>>, heard: &AtomicUsize) {
    let mut frames = Vec::new();
    while let Ok(batch) = orders.recv() {
        let mut next = Some(batch);
        // In `frames` and not let go.
        let mut answers = 0;
        while let Some(batch) = next {
            for order in &batch {
                answers += usize::from(matches!(order, ToWorker::Loaded(_) | ToWorker::Entries(_)));
                // A broken pipe is a dead worker, which the reader reports.
                if append_frame(&mut frames, order).is_err() {
                    return;
                }
                if frames.len() >= PIPE_BYTES {
                    if let_go(&mut stdin, &mut frames).is_err() {
                        return;
                    }
                    heard.fetch_sub(mem::take(&mut answers), Ordering::AcqRel);
                }
            }
            next = orders.try_recv().ok();
        }
        if let_go(&mut stdin, &mut frames).is_err() {
            return;
        }
        heard.fetch_sub(answers, Ordering::AcqRel);
    }
}

/// What a pipe takes at one time.
const PIPE_BYTES: usize = 64 << 10;

fn let_go(stdin: &mut ChildStdin, frames: &mut Vec<u8>) -> io::Result<()> {
    stdin.write_all(frames)?;
    frames.clear();
    frames.shrink_to(2 * PIPE_BYTES);
    Ok(())
}

/// What is there to be heard: at least one thing, unless the worker has closed its pipe.
fn hear(stdout: &mut BufReader<ChildStdout>) -> io::Result<Vec<FromWorker>> {
    let mut said: Vec<_> = read_frame(stdout)?.into_iter().collect();
    while let Some(more) = if said.is_empty() { None } else { buffered_frame(stdout)? } {
        said.push(more);
    }
    Ok(said)
}

fn read(
    mut stdout: BufReader<ChildStdout>,
    end: &End,
    watch: Option<&Watch>,
    page: &Page,
    on_event: impl Fn(Event) -> bool,
) {
    let mut turns = 0;
    let fault = loop {
        match hear(&mut stdout) {
            Ok(said) if said.is_empty() => break None,
            Ok(said) => {
                let done = said.iter().filter(|said| matches!(said, FromWorker::Done { .. })).count() as u64;
                turns += done;
                if let Some(watch) = watch {
                    watch.done(done);
                }
                if !on_event(Event::Said(said)) {
                    break Some("it said what no worker says".to_owned());
                }
            }
            Err(error) => break Some(format!("its answer is malformed: {error}")),
        }
    };
    let mut child = end.child.lock().unwrap_or_else(PoisonError::into_inner);
    // It may have closed its pipe and live on; if it is gone, so much the better.
    if fault.is_some() {
        child.kill().ok();
    }
    let status = wait_or_kill(&mut child);
    drop(child);
    if let Some(watch) = watch {
        watch.over();
    }
    let why = end.why.lock().unwrap_or_else(PoisonError::into_inner).take();
    let death = why.unwrap_or_else(|| match (fault, status) {
        (Some(fault), _) => Death::Crashed(fault),
        (None, Ok(status)) if status.code() == Some(EXIT_SPENT) && turns > 0 => Death::Replaced,
        (None, Ok(status)) => Death::Crashed(describe(status)),
        (None, Err(error)) => Death::Crashed(error.to_string()),
    });
    on_event(Event::Gone(death, page.read()));
}

/// Reaps a worker that has closed its pipe, which it does by ending; one that lives on is killed.
fn wait_or_kill(child: &mut Child) -> io::Result<ExitStatus> {
    for _ in 0..20 {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().ok();
    child.wait()
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(libc::SIGSYS), _) => "killed for a forbidden system call".to_owned(),
        (Some(libc::SIGSEGV), _) => "killed by a segmentation fault".to_owned(),
        (Some(libc::SIGABRT), _) => "it aborted".to_owned(),
        (Some(signal), _) => format!("killed by signal {signal}"),
        (None, Some(EXIT_CAGE)) => "its cage could not be shut: this system cannot confine it, \
            and `[worker] sandbox` in the settings requires that it does"
            .to_owned(),
        (None, Some(code)) => format!("it exited with code {code}"),
        (None, None) => "it ended".to_owned(),
    }
}
