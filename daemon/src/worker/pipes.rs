//! The worker's loop: frames in on standard input, frames out on standard output.
//!
//! Frames are answered in the order they come. While a turn waits for an image or for properties, what else arrives
//! is kept for later, but for code, which the image may name. While more deliveries wait, answers are
//! kept too, for a moment: the daemon wakes up once for all of them.
//!
//! The process ends with 0 when the daemon closes the pipe, and else with one of the codes below.
//! After [`EXIT_SPENT`] everything it was asked before is answered but what followed the last
//! `Done`: the daemon starts another worker and asks again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};

use super::engine::{Codes, Engine, Loader, STACK_BYTES};
use super::sandbox::{self, Sandbox};
use crate::page::Published;
use crate::protocol::{FromWorker, Handle, Image, MemoryHandle, Page, ToWorker, Wanted, append_frame, read_frame};

/// A turn was killed or the engine holds too much: orderly, and after the last answer.
pub const EXIT_SPENT: i32 = 3;
/// The daemon broke the protocol.
pub const EXIT_PROTOCOL: i32 = 4;
/// A pipe failed.
pub const EXIT_PIPE: i32 = 5;
/// The cage could not be shut, so nothing was run.
pub const EXIT_CAGE: i32 = 6;
/// The engine could not be started.
pub const EXIT_ENGINE: i32 = 7;
/// A defect of the worker itself.
pub const EXIT_PANIC: i32 = 8;

/// What the input is read by.
const READ_BYTES: usize = 64 << 10;

/// How long and how large answers may get while more deliveries wait.
const KEPT: Duration = Duration::from_millis(1);
const KEPT_BYTES: usize = 32 << 10;

/// The command line of a worker after its verb: the daemon's process and what it asks of the cage.
pub fn args(daemon: u32, sandbox: Sandbox) -> [String; 2] {
    [daemon.to_string(), sandbox.as_str().to_owned()]
}

/// Runs the worker until the daemon closes the pipe.
///
/// What goes wrong before the page is mapped is said on standard error, after that by the exit code
/// alone: the cage lets nothing out but frames.
pub fn main(args: impl Iterator<Item = String>) -> ! {
    std::panic::set_hook(Box::new(|_| sandbox::exit(EXIT_PANIC)));
    let args: Vec<_> = args.collect();
    let asked = match args.as_slice() {
        [daemon, sandbox] => daemon.parse().ok().and_then(Pid::from_raw).zip(Sandbox::by_name(sandbox)),
        _ => None,
    };
    let Some((daemon, sandbox)) = asked else { leave(EXIT_CAGE, "only a daemon starts this") };
    if let Err(error) = sandbox::die_with(daemon) {
        leave(EXIT_CAGE, &error.to_string());
    }
    let page = match Published::map(io::stderr().as_fd()) {
        Ok(page) => page,
        Err(error) => leave(EXIT_CAGE, &error.to_string()),
    };
    if let Err(error) = sandbox::silence() {
        leave(EXIT_CAGE, &error.to_string());
    }
    if let Err(error) = raise_stack_limit() {
        leave(EXIT_CAGE, &format!("the stack limit cannot be raised: {error}"));
    }
    // A name to find it by; it only helps people, so its absence is no reason to stop.
    rustix::thread::set_name(c"qrtd-worker").ok();
    sandbox::fix_time_zone();
    let pipes = Rc::new(RefCell::new(Pipes::new()));
    let mut engine = match Engine::new(Box::new(PipeLoader(Rc::clone(&pipes))), page) {
        Ok(engine) => engine,
        Err(error) => leave(EXIT_ENGINE, &error.to_string()),
    };
    let layers = match sandbox::enter(sandbox) {
        Ok(layers) => layers,
        Err(error) => leave(EXIT_CAGE, &error.to_string()),
    };
    // What is answered already need not wait for the end of a long turn.
    let ticking = Rc::clone(&pipes);
    engine.on_tick(move || ticking.borrow_mut().output.let_go(KEPT));
    pipes.borrow_mut().output.say(&FromWorker::Ready(layers));
    loop {
        let Some(frame) = pipes.borrow_mut().next() else { sandbox::exit(0) };
        match frame {
            ToWorker::Code { code, text } => engine.codes().add(code, text),
            ToWorker::Deliver(delivery) => {
                let report = Box::new(engine.run(&delivery));
                let output = &mut pipes.borrow_mut().output;
                output.say(&FromWorker::Done { delivery: delivery.delivery, report });
                output.let_go(KEPT);
            }
            ToWorker::Check { text } => {
                let checked = engine.check(&text);
                pipes.borrow_mut().output.say(&FromWorker::Checked(checked));
            }
            ToWorker::Loaded(_) | ToWorker::Entries(_) => sandbox::exit(EXIT_PROTOCOL),
        }
        if engine.is_spent() {
            pipes.borrow_mut().output.let_go(Duration::ZERO);
            sandbox::exit(EXIT_SPENT);
        }
    }
}

fn leave(code: i32, why: &str) -> ! {
    // Nobody may listen any more; the code says enough.
    let _ = writeln!(io::stderr(), "worker: {why}");
    sandbox::exit(code)
}

/// The main thread's stack grows as far as this limit, which the kernel reads when it grows.
fn raise_stack_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Stack);
    let wanted = 2 * STACK_BYTES as u64;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    Ok(setrlimit(Resource::Stack, Rlimit { current: Some(wanted), maximum: limit.maximum })?)
}

struct Pipes {
    input: BufReader<Input>,
    waiting: VecDeque<ToWorker>,
    output: Output,
}

struct Input;

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
    }
}

/// Frames not yet written, and since when the first of them waits.
#[derive(Default)]
struct Output {
    frames: Vec<u8>,
    since: Option<Instant>,
}

impl Output {
    fn say(&mut self, frame: &FromWorker) {
        self.since.get_or_insert_with(Instant::now);
        if append_frame(&mut self.frames, frame).is_err() {
            sandbox::exit(EXIT_PROTOCOL);
        }
    }

    /// Writes what there is, if the first of it has waited for so long or it has become much.
    fn let_go(&mut self, waited: Duration) {
        if !self.since.is_some_and(|since| self.frames.len() >= KEPT_BYTES || since.elapsed() >= waited) {
            return;
        }
        let mut rest = self.frames.as_slice();
        while !rest.is_empty() {
            match rustix::io::write(rustix::stdio::stdout(), rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => sandbox::exit(EXIT_PIPE),
            }
        }
        self.frames.clear();
        self.frames.shrink_to(KEPT_BYTES);
        self.since = None;
    }
}

impl Pipes {
    fn new() -> Self {
        let input = BufReader::with_capacity(READ_BYTES, Input);
        Self { input, waiting: VecDeque::new(), output: Output::default() }
    }

    /// The next frame to answer, `None` at the end.
    fn next(&mut self) -> Option<ToWorker> {
        self.waiting.pop_front().or_else(|| self.read())
    }

    fn read(&mut self) -> Option<ToWorker> {
        // Whatever comes next may be long in coming.
        if !has_frame(self.input.buffer()) {
            self.output.let_go(Duration::ZERO);
        }
        match read_frame(&mut self.input) {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => sandbox::exit(EXIT_PROTOCOL),
            Err(_) => sandbox::exit(EXIT_PIPE),
        }
    }
}

/// Whether these bytes begin with a whole frame.
fn has_frame(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk() else { return false };
    rest.len() >= u32::from_le_bytes(*length) as usize
}

struct PipeLoader(Rc<RefCell<Pipes>>);

impl Loader for PipeLoader {
    fn load(&mut self, delivery: u64, object: Handle, codes: &Codes) -> Result<Box<Image>, String> {
        let mut pipes = self.0.borrow_mut();
        pipes.output.say(&FromWorker::Load { delivery, object });
        pipes.output.let_go(Duration::ZERO);
        loop {
            match pipes.read() {
                Some(ToWorker::Loaded(answer)) => return answer,
                Some(ToWorker::Code { code, text }) => codes.add(code, text),
                Some(frame) => pipes.waiting.push_back(frame),
                None => sandbox::exit(0),
            }
        }
    }

    fn ask(&mut self, delivery: u64, memory: MemoryHandle, wanted: Wanted, codes: &Codes) -> Page {
        let mut pipes = self.0.borrow_mut();
        pipes.output.say(&FromWorker::Ask { delivery, memory, wanted });
        pipes.output.let_go(Duration::ZERO);
        loop {
            match pipes.read() {
                Some(ToWorker::Entries(page)) => return page,
                // Sent once: an image that is loaded next may name it too.
                Some(ToWorker::Code { code, text }) => codes.add(code, text),
                Some(frame) => pipes.waiting.push_back(frame),
                None => sandbox::exit(0),
            }
        }
    }
}
