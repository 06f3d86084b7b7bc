//! What the daemon and its worker process say to each other over the worker's two pipes.
//!
//! The daemon speaks [`ToWorker`] on the worker's standard input, the worker [`FromWorker`] on its
//! standard output: frames of a length (four bytes, little-endian, at most [`FRAME_BYTES_MAX`])
//! and that many bytes of postcard.
//!
//! ```text
//! daemon                                   worker
//!    | <------------------- Ready            |  the cage is shut
//!    | Code 1, Code 2, Deliver 7, ... -----> |  streamed ahead, handled in order
//!    | <------------------- Load 7 #42       |  only when code uses `call`
//!    | Loaded -----------------------------> |
//!    | <------------------- Ask 7 key "a"     |  only when it uses a large Memory
//!    | Entries ----------------------------> |
//!    | <------------------- Done 7           |
//! ```
//!
//! While more deliveries wait, a worker says several `Done` at a time. What it runs, and for whom, is
//! on its page at any moment ([`crate::page`]).
//!
//! A Memory of at most [`WHOLE_BYTES_MAX`] travels with the delivery, and once: while an unanswered
//! delivery has it, later ones say "as you left it". A larger one is asked for by key. The turn that
//! asks is the oldest unanswered one, so what it is told is what the turns before it left.
//!
//! Object ids, vat ids and keys never appear here. Objects are *handles*: numbers of rows in the
//! daemon's table of references. A handle means nothing outside the vat, code cannot read one,
//! and the kernel checks that each one a worker returns was the worker's to use in that turn.
//! Values travel as QJSON texts in inside form ([`qrt_shared::qjson`]); the daemon checks every
//! text that comes back.

use std::io::{self, BufRead, BufReader, Read, Write};

use qrt_shared::qjson;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The longest frame either side sends or accepts, in bytes without its length.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// Deliveries with the worker at one time.
pub const WINDOW: usize = 64;

/// The bytes of keys and values up to which a Memory travels with a delivery.
pub const WHOLE_BYTES_MAX: u64 = 16 << 10;

/// The longest key and the longest value of a property that is sent along in [`Content::ByKey`].
pub const KNOWN_BYTES_MAX: usize = 1 << 10;

/// An object, as the worker knows it.
pub type Handle = u64;

/// The handle of the first object a turn makes; the kernel gives it its lasting one when the turn
/// commits. Lasting handles stay below.
pub const FIRST_MADE: Handle = 1 << 52;

/// A Memory, as the worker knows it. Objects that share one have the same number.
pub type MemoryHandle = u64;

/// A text of code, numbered by the daemon for one worker process.
pub type CodeNumber = u32;

/// Daemon to worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// A text of code, sent once before the first [`Image`] that names its number.
    Code {
        /// The number images will use.
        code: CodeNumber,
        /// The function's text. The worker checks it again before it evaluates it.
        text: String,
    },
    /// Run a turn.
    Deliver(Box<Delivery>),
    /// The answer to [`FromWorker::Load`]: `None` when the object cannot be called (remote, held
    /// or removed), with the reason for the code's `TypeError`.
    Loaded(Result<Box<Image>, String>),
    /// The answer to [`FromWorker::Ask`].
    Entries(Page),
    /// Say whether this text is code an object can have; answered by [`FromWorker::Checked`].
    Check {
        /// The candidate.
        text: String,
    },
}

/// Worker to daemon.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// The cage is shut and the realm is built; said once, first.
    Ready(Layers),
    /// The running turn calls an object whose image it has not got.
    Load {
        /// The turn.
        delivery: u64,
        /// The object.
        object: Handle,
    },
    /// The running turn uses a Memory that was given to it by key.
    Ask {
        /// The turn.
        delivery: u64,
        /// The Memory.
        memory: MemoryHandle,
        /// What of it.
        wanted: Wanted,
    },
    /// A turn has ended.
    Done {
        /// The turn.
        delivery: u64,
        /// What it did.
        report: Box<Report>,
    },
    /// The answer to [`ToWorker::Check`].
    Checked(Result<(), CodeError>),
}

/// What the worker's cage consists of, besides what every system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// The list of allowed system calls. Missing only where a setting says that it may.
    pub seccomp: bool,
    /// Landlock denies files, TCP, and signals and abstract sockets of others, as far as this
    /// system's kernel knows them.
    pub landlock: bool,
}

/// What a worker publishes of itself on its page ([`crate::page`]): its word, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// The delivery it runs.
    pub delivery: u64,
    /// The object whose code is innermost.
    pub object: Handle,
    /// When the turn began, by the monotonic clock, in nanoseconds.
    pub since_ns: u64,
}

/// One turn to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number, growing; answers name it.
    pub delivery: u64,
    /// The object the message is for.
    pub target: Image,
    /// The message's arguments.
    pub args: String,
    /// What `power.clock()` answers, in milliseconds since the epoch.
    pub clock_ms: u64,
    /// What `power.random` draws from: byte k of the turn's stream is byte k mod 32 of
    /// SHA-256(seed | k / 32 as 8 bytes big-endian). Recorded, so that the turn can be run again.
    pub seed: [u8; 32],
    /// The handle of the first object the turn makes; the second gets the next number, and so on.
    pub first_made: Handle,
    /// What the turn may use.
    pub budget: Budget,
}

/// An object as it is loaded into the worker for one turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// The object.
    pub object: Handle,
    /// Its code, sent before in [`ToWorker::Code`].
    pub code: CodeNumber,
    /// What it was granted.
    pub power: Power,
    /// Its Memory, if it has one.
    pub memory: Option<Memory>,
}

/// A power without its Memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// Static data and references: an object in inside form.
    pub statics: String,
    /// The native powers, by the top-level name they were granted under.
    pub natives: Vec<(String, Native)>,
}

/// A function of the vat that code can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Native {
    /// `make_object(code, newpower)`
    MakeObject,
    /// `make_account(code, newpower)`
    MakeAccount,
    /// `clock()`
    Clock,
    /// `random(n)`
    Random,
    /// `log(...values)`
    Log,
}

impl Native {
    /// Every native power.
    pub const ALL: [Self; 5] = [Self::MakeObject, Self::MakeAccount, Self::Clock, Self::Random, Self::Log];

    /// Its name in documentation, grants and errors, which is also its property's usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::MakeObject => "make_object",
            Self::MakeAccount => "make_account",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Log => "log",
        }
    }

    /// The native power of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|native| native.name() == name)
    }
}

/// A Memory's content at the start of the turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memory {
    /// Which Memory; two images may share it.
    pub memory: MemoryHandle,
    /// What it holds.
    pub content: Content,
}

/// What a Memory holds, or how to know. Properties are keys and values in inside form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Content {
    /// These properties, in order.
    Whole(Vec<(String, String)>),
    /// What the last turn of this worker that had it, at most [`WINDOW`] deliveries ago, left (a
    /// failed turn: found).
    AsLeft,
    /// What [`FromWorker::Ask`] is told.
    ByKey {
        /// Some of its properties as they were when this was sent.
        known: Vec<(String, String)>,
        /// Deliveries below this had ended then; what later ones left counts before `known`.
        settled: u64,
    },
}

/// What a turn wants of a Memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Wanted {
    /// The property of that name, if there is one.
    Key(String),
    /// The properties in order, from where the page before ended.
    Page {
        /// [`Page::next`] of the page before.
        after: Option<u64>,
    },
}

/// Some properties of a Memory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Page {
    /// Keys and values in inside form, in order.
    pub entries: Vec<(String, String)>,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<u64>,
}

/// What one turn may use. Each limit ends the turn as `killed`, whatever the code catches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Ticks of 10,000 branches and calls.
    pub ticks: u64,
    /// Bytes of engine memory beyond what the empty realm takes.
    pub memory_bytes: u64,
    /// Messages sent.
    pub messages: u32,
    /// Objects made.
    pub objects: u32,
    /// Bytes of all values the turn writes, sends, makes, logs and returns.
    pub bytes: u64,
    /// Log lines.
    pub log_lines: u32,
    /// Promise jobs.
    pub jobs: u32,
    /// Levels of `call`.
    pub calls: u32,
    /// CPU time in milliseconds, which the daemon watches.
    pub cpu_ms: u64,
    /// Wall-clock time in milliseconds, likewise.
    pub wall_ms: u64,
}

/// What a turn did. Unless the verdict is [`Verdict::Ok`] the lists of effects are empty, but
/// for `log`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// How it ended.
    pub verdict: Verdict,
    /// The Memories it changed.
    pub memories: Vec<MemoryChange>,
    /// The objects it made, in order; the k-th has handle `first_made + k`.
    pub made: Vec<Made>,
    /// The messages it sent, in order.
    pub sent: Vec<Sent>,
    /// Its log lines, in order.
    pub log: Vec<String>,
    /// Ticks used.
    pub ticks: u64,
    /// CPU time used, in microseconds; for charging, no part of what a replay reproduces.
    pub cpu_us: u64,
    /// What else of its budget it used, also when it was rolled back.
    pub used: Used,
    /// Whether `clock` was asked.
    pub clock_used: bool,
    /// Whether `random` was asked.
    pub random_used: bool,
}

impl Report {
    /// Puts another handle for each that stands in its texts and targets.
    ///
    /// # Errors
    /// A text is no QJSON.
    pub fn renumber(&mut self, lasting: impl Fn(Handle) -> Handle) -> Result<(), qjson::Error> {
        let settle = |text: &mut String| -> Result<(), qjson::Error> {
            *text = qjson::renumber(text, &lasting)?;
            Ok(())
        };
        for made in &mut self.made {
            settle(&mut made.power.statics)?;
            if let MadeMemory::New(entries) = &mut made.memory {
                entries.iter_mut().try_for_each(|(_, value)| settle(value))?;
            }
        }
        for change in &mut self.memories {
            change.set.iter_mut().try_for_each(|(_, value)| settle(value))?;
        }
        for sent in &mut self.sent {
            sent.target = lasting(sent.target);
            settle(&mut sent.args)?;
        }
        if let Verdict::Ok { result, .. } = &mut self.verdict {
            settle(result)?;
        }
        Ok(())
    }
}

/// What a turn used of its budget, besides ticks. Of a failed turn, what was rolled back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// See [`Budget::bytes`].
    pub bytes: u64,
    /// Messages sent.
    pub messages: u32,
    /// Objects made.
    pub objects: u32,
    /// Promise jobs.
    pub jobs: u32,
}

impl Report {
    /// A report of a turn that left nothing but its verdict.
    pub fn empty(verdict: Verdict) -> Self {
        Self {
            verdict,
            memories: Vec::new(),
            made: Vec::new(),
            sent: Vec::new(),
            log: Vec::new(),
            ticks: 0,
            cpu_us: 0,
            used: Used::default(),
            clock_used: false,
            random_used: false,
        }
    }
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It returned.
    Ok {
        /// The result in inside form; `null` when it is not QJSON.
        result: String,
        /// Why the result is not QJSON.
        result_error: Option<String>,
    },
    /// It threw, left a rejection unhandled, or left a Memory that is not QJSON.
    Error(CodeError),
    /// It went over its budget, or reached a depth where nothing can be promised.
    Killed {
        /// What it ran out of.
        limit: Limit,
        /// One sentence that names the limit and its figure.
        message: String,
    },
}

/// What a killed turn ran out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// [`Budget::ticks`]
    Ticks,
    /// [`Budget::memory_bytes`]
    Memory,
    /// [`Budget::messages`]
    Messages,
    /// [`Budget::objects`]
    Objects,
    /// [`Budget::bytes`]
    Bytes,
    /// [`Budget::log_lines`]
    LogLines,
    /// [`Budget::jobs`]
    Jobs,
    /// The stack, or the 65th level of `call`.
    Calls,
    /// CPU or wall-clock time, by the daemon's deadline. A worker never says this.
    Time,
    /// The interpreter died on it twice. A worker never says this.
    Crash,
}

/// An error in an object's code, or thrown by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeError {
    /// `TypeError: x is not a function`
    pub message: String,
    /// The object whose source `line` and `column` are in; `None` while code is checked.
    pub object: Option<Handle>,
    /// Line in the source, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u32,
    /// The source line, cut to what a terminal shows, then a newline and a caret under the place.
    /// Empty when unknown or when the code did not come from the one who is told.
    pub excerpt: String,
}

impl CodeError {
    /// The message and where it happened, on one line.
    pub fn one_line(&self) -> String {
        let Self { message, line, column, .. } = self;
        if *line == 0 { message.clone() } else { format!("{message} (line {line}, column {column})") }
    }
}

/// A change of one Memory. Apply `deleted` first, then `set`: a key that is not there then goes
/// to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryChange {
    /// Which Memory.
    pub memory: MemoryHandle,
    /// Keys removed, or to be moved to the end by their place in `set`.
    pub deleted: Vec<String>,
    /// Keys added or changed, with their values in inside form.
    pub set: Vec<(String, String)>,
}

/// An object made in the turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    /// The object whose `make_object` or `make_account` it was.
    pub maker: Handle,
    /// Whether it opens an account of its own (`make_account`).
    pub account: bool,
    /// Its code.
    pub code: String,
    /// Its power.
    pub power: Power,
    /// Its Memory.
    pub memory: MadeMemory,
}

/// The three cases of a new object's Memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MadeMemory {
    /// It has none.
    None,
    /// It shares its maker's.
    Makers,
    /// It has one of its own with this content: keys and values in inside form.
    New(Vec<(String, String)>),
}

/// A message sent in the turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The object that sent it: the innermost one running then, whose account is the source.
    pub sender: Handle,
    /// The object it goes to.
    pub target: Handle,
    /// Its arguments.
    pub args: String,
}

/// Writes one frame and flushes.
///
/// # Errors
/// The pipe's; `InvalidData` when the frame would be longer than [`FRAME_BYTES_MAX`].
pub fn write_frame(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut frame = Vec::new();
    append_frame(&mut frame, message)?;
    to.write_all(&frame)?;
    to.flush()
}

/// Adds one frame to those in `frames`, to be written together.
///
/// # Errors
/// `InvalidData` when the frame would be longer than [`FRAME_BYTES_MAX`]; `frames` is empty then.
pub fn append_frame(frames: &mut Vec<u8>, message: &impl Serialize) -> io::Result<()> {
    let start = frames.len();
    let mut grown = std::mem::take(frames);
    grown.extend([0; 4]);
    grown = postcard::to_extend(message, grown).map_err(io::Error::other)?;
    let length = grown.len() - start - 4;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    grown[start..start + 4].copy_from_slice(&u32::try_from(length).map_err(io::Error::other)?.to_le_bytes());
    *frames = grown;
    Ok(())
}

/// Reads one frame; `None` at a clean end of the stream.
///
/// # Errors
/// The pipe's; `InvalidData` when the frame is too long, ends early, or is not a `T` to the last
/// byte.
pub fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut frame = vec![0; frame_length(length)?];
    from.read_exact(&mut frame)?;
    message(&frame).map(Some)
}

/// The next frame, if all of it has been read into the buffer already.
///
/// # Errors
/// As for [`read_frame`].
pub fn buffered_frame<T: DeserializeOwned>(from: &mut BufReader<impl Read>) -> io::Result<Option<T>> {
    let Some((length, rest)) = from.buffer().split_first_chunk() else { return Ok(None) };
    let length = frame_length(*length)?;
    let Some(frame) = rest.get(..length) else { return Ok(None) };
    let message = message(frame)?;
    from.consume(4 + length);
    Ok(Some(message))
}

fn frame_length(length: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_BYTES_MAX { Err(invalid(&format!("a frame of {length} bytes"))) } else { Ok(length) }
}

fn message<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    match postcard::take_from_bytes(frame) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(invalid(&format!("{} bytes after a frame's end", rest.len()))),
        Err(error) => Err(invalid(&error.to_string())),
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
