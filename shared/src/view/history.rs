//! Memories over time.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::present;
use crate::id::{Petname, Qrid};

/// What changed in an object's memory between two turns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemoryDiff {
    /// The object.
    pub object: Qrid,
    /// As this turn left it,
    pub from: u64,
    /// and as this one did.
    pub to: u64,
    /// The keys that are not the same, by name.
    pub changes: Vec<KeyChange>,
    /// The commit this was read at.
    pub as_of: u64,
}

/// A memory key with two values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyChange {
    /// The top-level key.
    pub key: String,
    /// Its value before; `None` when it was not there.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<RawValue>>,
    /// Its value after; `None` when it is not there.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub after: Option<Box<RawValue>>,
}

/// Which turn last changed a memory key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyBlame {
    /// The top-level key.
    pub key: String,
    /// Whether it is there now.
    pub is_there: bool,
    /// That turn, or an operator's edit in the order of turns; `None` when the journal, which begins at
    /// `journal_first`, has none.
    pub turn: Option<u64>,
    /// The object that ran.
    pub object: Option<Qrid>,
    /// Its petname.
    pub name: Option<Petname>,
    /// The verb of an operator's edit.
    pub edit: Option<String>,
    /// When.
    pub at: Option<u64>,
    /// The oldest turn in the journal.
    pub journal_first: u64,
}
