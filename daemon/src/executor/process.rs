//! One worker process: its start, its two pipes, its end.
//!
//! Two threads serve it: one writes what it is told, so that a worker which does not read cannot
//! hold the kernel up; one reads what it says, and at the end of that reaps it and reports how it
//! went. Everything it said before its end is reported before its end is.

use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::watch::{Deadlines, Watch};
use crate::protocol::{FromWorker, ToWorker, put_frame, read_frame};
use crate::vat::Death;
use crate::worker::EXIT_SPENT;

/// The argument that makes this program a worker.
pub const WORKER_ARG: &str = "worker";

/// Answers that may wait for a worker at one time: the one it waits for, and the one before, which it
/// may have read before this side has noted that it was written.
const UNHEARD_MAX: usize = 2;

/// What a worker does.
#[derive(Debug)]
pub enum Event {
    /// It said something.
    Said(FromWorker),
    /// It is gone; said once, last.
    Gone(Death),
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
}

impl Spares {
    /// Starts the thread that starts workers.
    ///
    /// # Errors
    /// The thread cannot be made.
    pub fn start() -> io::Result<Arc<Self>> {
        // One worker waits in the channel's hand-over; the next is started when it is taken.
        let (sender, ready) = mpsc::sync_channel(0);
        let supply = move |sender: &SyncSender<_>| while sender.send(Spare::spawn()).is_ok() {};
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

impl Spare {
    fn spawn() -> io::Result<Self> {
        // The very program that runs, even when the file has been replaced.
        let mut child = Command::new("/proc/self/exe")
            .arg0("qrtd")
            .arg(WORKER_ARG)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a worker without pipes"));
        };
        let mut stdout = BufReader::with_capacity(64 << 10, stdout);
        match read_frame(&mut stdout) {
            Ok(Some(FromWorker::Ready)) => Ok(Self { child, stdin, stdout }),
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
        let Self { child, stdin, stdout } = self;
        let pid = child.id();
        let (orders, queue) = mpsc::channel();
        let end = Arc::new(End { child: Mutex::new(child), why: Mutex::new(None) });
        let watch = match deadlines {
            Some(deadlines) => {
                let end = Arc::clone(&end);
                Some(Watch::start(pid, deadlines, move |death| end.kill(death))?)
            }
            None => None,
        };
        let unheard = Arc::new(AtomicUsize::new(0));
        let heard = Arc::clone(&unheard);
        let writer = move || write(stdin, &queue, &heard);
        thread::Builder::new().name(format!("to-worker-{pid}")).spawn(writer)?;
        let (reader_end, reader_watch) = (Arc::clone(&end), watch.clone());
        let reader = move || read(stdout, &reader_end, reader_watch.as_deref(), on_event);
        thread::Builder::new().name(format!("of-worker-{pid}")).spawn(reader)?;
        Ok(Process { pid, orders: Some(orders), unheard, end, watch })
    }
}

/// A worker at work. Dropping it kills it.
pub struct Process {
    pid: u32,
    orders: Option<Sender<Vec<ToWorker>>>,
    /// Answers it has not been handed yet.
    unheard: Arc<AtomicUsize>,
    end: Arc<End>,
    watch: Option<Arc<Watch>>,
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

    /// Tells it something; turns are on the clock from then on. A worker that is gone hears nothing;
    /// its end is reported.
    pub fn say(&self, orders: Vec<ToWorker>) {
        let turns = orders.iter().filter(|order| matches!(order, ToWorker::Deliver(_))).count();
        if let Some(watch) = self.watch.as_ref().filter(|_| turns > 0) {
            watch.given(turns as u64);
        }
        if let Some(to_writer) = &self.orders {
            to_writer.send(orders).ok();
        }
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

    /// Tells it that there is nothing more: it finishes and leaves.
    pub fn close(&mut self) {
        if self.orders.take().is_some() {
            self.end.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Death::Replaced);
        }
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

fn write(stdin: ChildStdin, orders: &Receiver<Vec<ToWorker>>, heard: &AtomicUsize) {
    let mut stdin = BufWriter::with_capacity(64 << 10, stdin);
    while let Ok(batch) = orders.recv() {
        let mut next = Some(batch);
        let mut answers = 0;
        while let Some(batch) = next {
            // A broken pipe is a dead worker, which the reader reports.
            if batch.iter().any(|order| put_frame(&mut stdin, order).is_err()) {
                return;
            }
            let is_answer = |order: &&ToWorker| matches!(order, ToWorker::Loaded(_) | ToWorker::Entries(_));
            answers += batch.iter().filter(is_answer).count();
            next = orders.try_recv().ok();
        }
        if stdin.flush().is_err() {
            return;
        }
        heard.fetch_sub(answers, Ordering::AcqRel);
    }
}

fn read(mut stdout: BufReader<ChildStdout>, end: &End, watch: Option<&Watch>, on_event: impl Fn(Event) -> bool) {
    let mut turns = 0_u64;
    let fault = loop {
        match read_frame(&mut stdout) {
            Ok(Some(said)) => {
                if matches!(said, FromWorker::Done { .. }) {
                    turns += 1;
                    if let Some(watch) = watch {
                        watch.done();
                    }
                }
                if !on_event(Event::Said(said)) {
                    break Some("it said what no worker says".to_owned());
                }
            }
            Ok(None) => break None,
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
    on_event(Event::Gone(death));
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
        (None, Some(code)) => format!("it exited with code {code}"),
        (None, None) => "it ended".to_owned(),
    }
}
