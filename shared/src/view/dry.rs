//! What an operator's change would do, without doing it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Found, Power};
use crate::id::{Petname, Qrid};

/// What installing would make. The code is good.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DryInstall {
    /// The objects.
    pub objects: Vec<DryObject>,
    /// The power of each.
    pub power: Power,
    /// Bytes of the first memory of each, a reference counted as 128; `None` for no memory.
    pub memory_bytes: Option<u64>,
    /// What each could reach through its power and its first memory, nearest first.
    pub reaches: Found,
    /// How many of what it could reach hold each native power: it may use those by calling them.
    pub natives_reached: BTreeMap<String, u64>,
    /// The commit this was read at.
    pub as_of: u64,
}

/// An object that would be installed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DryObject {
    /// What errors call it: a file's name.
    pub label: String,
    /// The petname it would have.
    pub name: Option<Petname>,
    /// SHA-256 of its code, hexadecimal.
    pub sha256: String,
    /// The code's length.
    pub code_bytes: u64,
}

/// What giving an object other code would change. The code is good.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DryUpgrade {
    /// The object.
    pub object: Qrid,
    /// Its petname.
    pub name: Option<Petname>,
    /// The version its code would be.
    pub version: u64,
    /// SHA-256 of its code now, hexadecimal.
    pub sha256: String,
    /// SHA-256 of the new code, hexadecimal.
    pub new_sha256: String,
    /// Whether the two are the same text.
    pub same: bool,
    /// What changes, as a unified diff; empty when nothing does.
    pub diff: String,
    /// Messages queued for it, which would run on the new code.
    pub queued: u64,
    /// Other objects with the same memory, whose code would stay as it is: the first 1,000.
    pub sharers: Vec<Qrid>,
    /// The commit this was read at.
    pub as_of: u64,
}
