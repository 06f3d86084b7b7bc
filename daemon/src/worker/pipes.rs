//! The worker's loop: frames in on standard input, frames out on standard output.
//!
//! Frames are answered in the order they come. While a turn waits for an image or for
//! properties, what else arrives
//! is kept for later, but for code, which the image may name.
//!
//! The process ends with 0 when the daemon closes the pipe, and else with one of the codes below.
//! After [`EXIT_SPENT`] everything it was asked before is answered but what followed the last
//! `Done`: the daemon starts another worker and asks again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::rc::Rc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::engine::{Codes, Engine, Loader, STACK_BYTES};
use super::sandbox;
use crate::protocol::{FromWorker, Handle, Image, MemoryHandle, Page, ToWorker, Wanted, read_frame, write_frame};

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

/// Runs the worker until the daemon closes the pipe.
///
/// What goes wrong before the cage is shut is said on standard error, after that by the exit code
/// alone: the cage lets nothing out but frames.
pub fn main() -> ! {
    std::panic::set_hook(Box::new(|_| sandbox::exit(EXIT_PANIC)));
    if let Err(error) = raise_stack_limit() {
        leave(EXIT_CAGE, &format!("the stack limit cannot be raised: {error}"));
    }
    // A name to find it by; it only helps people, so its absence is no reason to stop.
    rustix::thread::set_name(c"qrtd-worker").ok();
    sandbox::fix_time_zone();
    let pipes = Rc::new(RefCell::new(Pipes::new()));
    let mut engine = match Engine::new(Box::new(PipeLoader(Rc::clone(&pipes)))) {
        Ok(engine) => engine,
        Err(error) => leave(EXIT_ENGINE, &error.to_string()),
    };
    if let Err(error) = sandbox::enter() {
        leave(EXIT_CAGE, &error.to_string());
    }
    write(&FromWorker::Ready);
    loop {
        let Some(frame) = pipes.borrow_mut().next() else { sandbox::exit(0) };
        match frame {
            ToWorker::Code { code, text } => engine.codes().add(code, text),
            ToWorker::Deliver(delivery) => {
                let report = Box::new(engine.run(&delivery));
                write(&FromWorker::Done { delivery: delivery.delivery, report });
            }
            ToWorker::Check { text } => {
                let checked = engine.check(&text);
                write(&FromWorker::Checked(checked));
            }
            ToWorker::Loaded(_) | ToWorker::Entries(_) => sandbox::exit(EXIT_PROTOCOL),
        }
        if engine.is_spent() {
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
}

struct Input;

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
    }
}

struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pipes {
    fn new() -> Self {
        Self { input: BufReader::with_capacity(READ_BYTES, Input), waiting: VecDeque::new() }
    }

    /// The next frame to answer, `None` at the end.
    fn next(&mut self) -> Option<ToWorker> {
        self.waiting.pop_front().or_else(|| self.read())
    }

    fn read(&mut self) -> Option<ToWorker> {
        match read_frame(&mut self.input) {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => sandbox::exit(EXIT_PROTOCOL),
            Err(_) => sandbox::exit(EXIT_PIPE),
        }
    }
}

fn write(frame: &FromWorker) {
    match write_frame(&mut Output, frame) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => sandbox::exit(EXIT_PROTOCOL),
        Err(_) => sandbox::exit(EXIT_PIPE),
    }
}

struct PipeLoader(Rc<RefCell<Pipes>>);

impl Loader for PipeLoader {
    fn load(&mut self, delivery: u64, object: Handle, codes: &Codes) -> Result<Box<Image>, String> {
        let mut pipes = self.0.borrow_mut();
        write(&FromWorker::Load { delivery, object });
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
        write(&FromWorker::Ask { delivery, memory, wanted });
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
