//! The daemon as a service: backups, checks, settings, log and audit.

use serde::{Deserialize, Serialize};

use crate::id::{Petname, Qrid, VatId};

/// A copy of a vat that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The file.
    pub file: String,
    /// The vat.
    pub vat: VatId,
    /// The last commit it holds.
    pub commit: u64,
    /// The file's size.
    pub bytes: u64,
    /// Whether the vat's secret key is in it.
    pub with_key: bool,
}

/// A vat that was made from a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Its base directory.
    pub dir: String,
    /// Who it is.
    pub vat: VatId,
    /// The vat the copy was of, if it is another now.
    pub fork_of: Option<VatId>,
    /// The last commit the copy holds.
    pub commit: u64,
    /// When it was made.
    pub made_at: u64,
    /// Messages of the outbox that a fork left behind.
    pub outbox_dropped: u64,
    /// Channels that a fork left behind.
    pub channels_dropped: u64,
}

/// A change that an operator made, or the vat by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Audited {
    /// Its number; they stand in the order of turns.
    pub audit: u64,
    /// When.
    pub at: u64,
    /// The user at the other end of the control socket; the vat's own for what it did by itself.
    pub uid: u32,
    /// That process; 0 for what the vat did by itself.
    pub pid: i64,
    /// The verb.
    pub action: String,
    /// What it was done to; objects are QRIDs.
    pub detail: serde_json::Value,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// `section.key`, or `key` where there is no section.
    pub key: String,
    /// What it is.
    pub value: serde_json::Value,
    /// What it would be if nobody had set it.
    pub default: serde_json::Value,
    /// Where it comes from: `default` or `settings.toml`.
    pub from: String,
    /// What the file says by now, when that is something else: the next start takes it, and unless `restart` SIGHUP.
    pub pending: Option<serde_json::Value>,
    /// Whether a running daemon keeps it, whatever the file says.
    pub restart: bool,
}

/// Lines of a vat's log, and where to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Log {
    /// The lines, in the order of their times.
    pub lines: Vec<LogLine>,
    /// How much of the daemon's log was read, in bytes.
    pub offset: u64,
    /// The last turn that was looked at.
    pub turn: u64,
}

/// One line of a vat's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub at: u64,
    /// The turn that logged it; `None` for the daemon's own lines.
    pub turn: Option<u64>,
    /// That turn's object.
    pub object: Option<Qrid>,
    /// Its petname.
    pub name: Option<Petname>,
    /// How grave it is, of the daemon's own lines.
    pub level: Option<String>,
    /// What it says.
    pub text: String,
}

/// What `qrt check` found, in the order it looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Each check.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// What was found, one line.
    pub found: String,
    /// What to do about it, one line; empty when there is nothing to do.
    pub todo: String,
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Not as it should be, and nothing is broken by it; or not looked through to the end.
    Warning,
    /// Broken.
    Failed,
}
