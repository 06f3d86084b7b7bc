//! Objects, and the accounts that pay for them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::budget::Budget;
use crate::id::{MessageName, Petname, Qrid};

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its first object.
    pub account: Qrid,
    /// The operator's name for that.
    pub name: Option<Petname>,
    /// The account it was made under.
    pub above: Option<Qrid>,
    /// What it has used, with every account made under it.
    #[serde(flatten)]
    pub used: AccountUse,
}

/// A key of an object's memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The top-level key.
    pub key: String,
    /// Size of key and value as stored.
    pub bytes: u64,
    /// The value, when it is whole.
    pub value: Option<Box<RawValue>>,
    /// The first bytes of its text, when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The last turn of the journal that changed it.
    pub turn: Option<u64>,
}

/// A row of the list of objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ObjectRow {
    /// The object.
    pub qrid: Qrid,
    /// The operator's name for it.
    pub name: Option<Petname>,
    /// Turns it has executed, committed ones only.
    pub turns: u64,
    /// Turns of it that failed.
    pub faults: u64,
    /// Size of its memory: keys and values as stored. A shared memory counts for each sharer.
    pub memory_bytes: u64,
    /// CPU time its turns used.
    pub cpu_us: u64,
    /// When it was installed or made.
    pub created_at: u64,
    /// The installed object whose account pays for it.
    pub account: Qrid,
    /// Whether it is held: it takes no turns.
    pub held: bool,
    /// Messages queued for it.
    #[serde(default)]
    pub queued: u64,
    /// Messages for it that had no room in their queue and were only counted: no fault was left to keep them.
    #[serde(default)]
    pub refused: u64,
}

/// One object whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Object {
    /// What the list says of it.
    #[serde(flatten)]
    pub row: ObjectRow,
    /// Its code.
    pub code: Code,
    /// Its power.
    pub power: Power,
    /// Its memory; `None` when it has none.
    pub memory: Option<Box<RawValue>>,
    /// The object that made it; `None` for an installed one.
    pub maker: Option<Qrid>,
    /// The figures it has instead of the settings', which whatever it makes inherits.
    #[serde(default)]
    pub budget: Budget,
    /// What its account has used.
    #[serde(default)]
    pub account_use: AccountUse,
    /// Why the vat itself holds it; `None` when an operator does, or nobody.
    #[serde(default)]
    pub held_why: Option<String>,
    /// Worker processes that its code killed.
    pub deaths: u64,
    /// The newest of those deaths, newest first, as far as they are remembered.
    pub killed: Vec<Death>,
    /// References it holds, the first 1,000.
    pub holds: Vec<Holding>,
    /// Who holds references to it, the first 1,000. Other vats may hold more: nobody can know.
    pub held_by: Vec<Holding>,
}

/// What an account has used, with every account made under it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AccountUse {
    /// The figures it has instead of the settings'.
    pub budget: Budget,
    /// Objects.
    pub objects: u64,
    /// Bytes of their memories; a shared one counts for the account that first had it.
    pub memory_bytes: u64,
    /// Bytes of queued messages whose turns it pays for.
    pub queued_bytes: u64,
    /// CPU time of the turns it has paid for.
    pub cpu_us: u64,
    /// CPU time it has left, in microseconds; less than nothing when it owes some; `None`: no limit.
    pub cpu_left_us: Option<i64>,
}

/// A worker process that an object's code killed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Death {
    /// When.
    pub at: u64,
    /// How it died.
    pub how: String,
    /// The message whose turn it was.
    pub message: MessageName,
    /// The turn that was killed for it; `None` when the message ran once more.
    pub turn: Option<u64>,
}

/// The code of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    /// SHA-256 of the text, hexadecimal.
    pub sha256: String,
    /// The text.
    pub text: String,
    /// Which version it is: 1 is what the object was made with.
    pub version: u64,
    /// The versions before it, oldest first.
    pub history: Vec<OldCode>,
}

/// A code an object had.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OldCode {
    /// Its version.
    pub version: u64,
    /// SHA-256 of its text, hexadecimal.
    pub sha256: String,
    /// Its text.
    pub text: String,
    /// The edit that replaced it: turns before it ran this code.
    pub until: u64,
}

/// The power of an object, without its memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Power {
    /// Static data and references.
    pub statics: Box<RawValue>,
    /// Native powers by the property they are granted under.
    pub natives: std::collections::BTreeMap<String, String>,
}

/// A place where a reference is held.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Holding {
    /// The other end: what is held (`holds`), or the holder (`held_by`).
    pub object: Qrid,
    /// The operator's name for it.
    pub name: Option<Petname>,
    /// `power` or `memory`.
    pub place: Place,
    /// The top-level key there.
    pub key: String,
}

/// Where in an object a reference is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In its static power.
    Power,
    /// In its memory.
    Memory,
}
