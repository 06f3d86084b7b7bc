//! What a recorded turn does when it runs again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CodeError, Outcome, Power, present};
use crate::id::{Petname, Qrid};

/// A recorded turn and what it did when it ran again, which changed nothing and sent nothing.
///
/// An object that only the replay made has no id: it is shown as a QRID of this vat whose object id is
/// `aaaa...` and a number, which is nobody's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replayed {
    /// The turn.
    pub turn: u64,
    /// The object it ran.
    pub object: Qrid,
    /// That object's petname.
    pub name: Option<Petname>,
    /// What was given in place of what the journal holds: some of `code`, `args` and `memory`.
    pub replaced: Vec<String>,
    /// Whether it did again all it did; ticks and CPU time are no part of that.
    pub equal: bool,
    /// What came out otherwise.
    pub differences: Vec<Difference>,
    /// What it did this time.
    pub replayed: Did,
    /// Ticks of the recorded turn. Small turns may count none.
    pub ticks_recorded: u64,
    /// What could not be compared or had to be made up, a sentence each.
    pub notes: Vec<String>,
    /// The commit the journal and the present were read at.
    pub as_of: u64,
}

/// One thing in which a replay is not what was recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Difference {
    /// In which part of what a turn does.
    pub part: Part,
    /// Which of those: a memory key as `OBJECT key`, the number of a message, an object or a line (from 1);
    /// empty where there is only one.
    pub which: String,
    /// What was recorded; `None` when there was no such thing, or it is not known any more.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Box<RawValue>>,
    /// What it is now; `None` when there is no such thing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Box<RawValue>>,
}

/// A part of what a turn does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// How it ended: its outcome, and why it failed.
    Outcome,
    /// What it returned.
    Result,
    /// A key of a memory.
    Memory,
    /// A message it sent.
    Message,
    /// An object it made.
    Object,
    /// A line of its log.
    Log,
}

impl Part {
    /// The word people and scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Result => "result",
            Self::Memory => "memory",
            Self::Message => "message",
            Self::Object => "object",
            Self::Log => "log",
        }
    }
}

/// What a turn did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Did {
    /// How it ended.
    pub outcome: Outcome,
    /// What it returned.
    pub result: Box<RawValue>,
    /// Why the result is null although the code returned something else.
    pub result_error: Option<String>,
    /// Why it failed.
    pub error: Option<CodeError>,
    /// The memory keys it set or deleted.
    pub memory: Vec<Written>,
    /// The messages it sent, in order.
    pub sent: Vec<Sent>,
    /// The objects it made, in order.
    pub made: Vec<Made>,
    /// Its log lines.
    pub log: Vec<String>,
    /// Compute used, in ticks of 10,000 branches and calls.
    pub ticks: u64,
    /// CPU time used.
    pub cpu_us: u64,
}

/// A memory key that a turn wrote.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Written {
    /// The object whose memory it is; of several sharers, the one that ran.
    pub object: Qrid,
    /// The top-level key.
    pub key: String,
    /// The value after the turn; `None` when the key is gone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
}

/// A message that a turn sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sent {
    /// The object it is for.
    pub target: Qrid,
    /// Its arguments.
    pub args: Box<RawValue>,
}

/// An object that a turn made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    /// The object.
    pub object: Qrid,
    /// The object that made it.
    pub maker: Qrid,
    /// Whether it has an account of its own.
    pub account: bool,
    /// Its code.
    pub code: String,
    /// Its power.
    pub power: Power,
    /// Its first memory; `None` when it has none, or shares its maker's.
    pub memory: Option<Box<RawValue>>,
    /// Whether it shares its maker's memory.
    pub shares_memory: bool,
}
