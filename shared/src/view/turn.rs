//! Turns.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{MessageName, Petname, Qrid, VatId};

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Committed.
    Ok,
    /// The code threw, or its memory was not QJSON: rolled back, a fault.
    Error,
    /// Over a budget, or the worker died on it twice: rolled back, a fault.
    Killed,
}

impl Outcome {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Error, Self::Killed];

    /// The word people and scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Killed => "killed",
        }
    }
}

/// An error in an object's code, or thrown by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeError {
    /// `TypeError: x is not a function`, or the limit that ended the turn.
    pub message: String,
    /// The object whose source `line` and `column` are in.
    pub object: Option<Qrid>,
    /// Line in the source, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// The source line, a newline, and a caret under the place.
    pub excerpt: Option<String>,
}

/// A row of the turn journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Turn {
    /// Its number: 1, 2, 3, ... in the order turns were committed.
    pub turn: u64,
    /// The message it handled; `None` for an edit.
    pub message: Option<MessageName>,
    /// The verb of an edit: what an operator did by hand has its place among turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<String>,
    /// The object it ran.
    pub object: Qrid,
    /// That object's petname.
    pub name: Option<Petname>,
    /// The message's source.
    pub source: String,
    /// The petname of that account or vat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<Petname>,
    /// SHA-256 of the object's code, hexadecimal.
    pub code: String,
    /// The message's arguments.
    pub args: Box<RawValue>,
    /// What came of it.
    pub outcome: Outcome,
    /// What it returned; null unless the outcome is ok.
    pub result: Box<RawValue>,
    /// Why the result is null although the code returned something else.
    pub result_error: Option<String>,
    /// Why it failed.
    pub error: Option<CodeError>,
    /// The memory keys it changed.
    pub changes: Vec<Change>,
    /// The objects it made.
    pub made: Vec<Qrid>,
    /// The messages it sent.
    pub sent: Vec<MessageName>,
    /// Of a message from another vat: its number on the channel from there, and what that vat calls the
    /// turn that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// Its log lines.
    pub log: Vec<String>,
    /// Compute used, in ticks of 10,000 branches and calls.
    pub ticks: u64,
    /// CPU time used.
    pub cpu_us: u64,
    /// What the clock said.
    pub at: u64,
}

/// Where a message from another vat came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct From {
    /// The vat.
    pub vat: VatId,
    /// Its number on the channel from there.
    pub seq: u64,
    /// What that vat calls the turn that sent it; for display, believed by nobody.
    pub cause: Option<String>,
}

/// A memory key that a turn changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The object whose memory it is; of several sharers, the one that ran.
    pub object: Qrid,
    /// The top-level key.
    pub key: String,
    /// Whether the key was not there before.
    pub added: bool,
    /// The value before the turn; `None` when there was none, or it was null.
    pub old: Option<Box<RawValue>>,
    /// The value after the turn, where one turn was asked for; `None` when there was none, or it was null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Box<RawValue>>,
    /// Whether the turn deleted the key, where one turn was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Whether what the key became could not be found: the memory is gone, or looking took too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

/// What a failed turn had used of its budget, besides ticks, when it was rolled back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// CPU time.
    pub cpu_us: u64,
    /// Bytes of values written, sent, made, logged.
    pub bytes: u64,
    /// Messages sent: they never left.
    pub messages: u32,
    /// Objects made: they never were.
    pub objects: u32,
    /// Promise jobs run.
    pub jobs: u32,
}

/// One step in a tree of causes and effects: a turn, or a message that had none yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Traced {
    /// The vat.
    pub vat: VatId,
    /// The turn that handled the message, if it has.
    pub turn: Option<u64>,
    /// The message that was handled; `None` of an operator's edit.
    pub message: Option<MessageName>,
    /// What became of it: `queued`, `ok`, `error`, `killed`, `fault` (it never ran), `unacknowledged` or
    /// `acknowledged` (on its way to another vat), `unknown` (the journal no longer has it).
    pub state: String,
    /// The object it was for.
    pub object: Option<Qrid>,
    /// That object's petname.
    pub name: Option<Petname>,
    /// The error, in one line.
    pub error: Option<String>,
    /// When the turn ran, or the message was queued.
    pub at: Option<u64>,
    /// The turn that sent the message: in this vat.
    pub cause: Option<u64>,
    /// Of a message from another vat: which of its messages it was.
    pub from: Option<From>,
    /// The messages it sent.
    pub sent: Vec<MessageName>,
}

impl Traced {
    /// A step of which only its state is known.
    pub fn nothing_but(vat: VatId, state: &str) -> Self {
        Self {
            vat,
            turn: None,
            message: None,
            state: state.to_owned(),
            object: None,
            name: None,
            error: None,
            at: None,
            cause: None,
            from: None,
            sent: Vec::new(),
        }
    }
}
