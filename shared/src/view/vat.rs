//! A vat as a whole.

use serde::{Deserialize, Serialize};

use super::{AccountRow, ObjectRow, Why};
use crate::id::{Qrid, VatId};

/// A vat as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Info {
    /// Its id.
    pub vat: VatId,
    /// The URL it tells other vats, once it has one.
    pub url: Option<String>,
    /// Its daemon's process; `None` when stopped.
    pub pid: Option<u32>,
    /// `running` or `stopped`.
    pub state: State,
    /// The daemon's version.
    pub version: String,
    /// Objects hosted.
    pub objects: u64,
    /// Messages queued and not yet executed.
    pub inbox: u64,
    /// Messages sent to other vats and not yet acknowledged.
    pub outbox: u64,
    /// Messages whose turn failed, kept for the operator.
    pub faults: u64,
    /// Turns executed since the vat was made.
    pub turns: u64,
    /// The number of the last commit.
    pub commit: u64,
    /// When the daemon started.
    pub started_at: Option<u64>,
    /// The processes that run object code, and their confinement.
    pub worker: Option<Worker>,
}

/// A vat as a whole, with what is going on in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Overview {
    /// What it is, and how much it holds.
    pub info: Info,
    /// What it has done since its daemon started.
    pub totals: Totals,
    /// When the oldest message of the inbox was queued.
    pub oldest_inbox_at: Option<u64>,
    /// When the oldest message of the outbox was queued.
    pub oldest_outbox_at: Option<u64>,
    /// Accounts that have used the most CPU time, the greatest first.
    pub accounts: Vec<AccountRow>,
    /// What is wrong, the gravest first: at most 20.
    pub wrong: Vec<Why>,
    /// Size of the database's file.
    pub database_bytes: u64,
    /// Size of its write-ahead log.
    pub wal_bytes: u64,
    /// What the daemon's clock said.
    pub at: u64,
}

/// What a vat has done since its daemon started. Each only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Turns that were committed, whatever came of them.
    pub turns: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Compute they used.
    pub ticks: u64,
    /// CPU time they used.
    pub cpu_us: u64,
    /// Commits.
    pub commits: u64,
    /// Messages accepted from other vats.
    pub received: u64,
    /// Messages numbered for other vats.
    pub sent: u64,
    /// Messages that other vats acknowledged.
    pub acknowledged: u64,
    /// Delivery attempts that ended.
    pub attempts: u64,
    /// Those of them that failed.
    pub attempts_failed: u64,
}

/// What takes how much room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Storage {
    /// Size of the database's file.
    pub database_bytes: u64,
    /// Size of its write-ahead log.
    pub wal_bytes: u64,
    /// What of the file is free and will be used again.
    pub free_bytes: u64,
    /// Each table with its indexes, the largest first.
    pub tables: Vec<TableSize>,
    /// The objects with the largest memories, the largest first.
    pub objects: Vec<ObjectRow>,
}

/// The room a table takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSize {
    /// Its name.
    pub table: String,
    /// Its rows, where that is known without counting them.
    pub rows: Option<u64>,
    /// Bytes of rows and indexes.
    pub bytes: u64,
    /// Whether that is an estimate: it is too large to be counted each time somebody asks.
    #[serde(default)]
    pub estimated: bool,
}

/// Whether a vat's daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It serves.
    Running,
    /// It does not.
    Stopped,
}

/// The processes that run object code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Worker {
    /// The one that was given a turn last.
    pub pid: u32,
    /// Workers that ended abnormally or were killed since the daemon started.
    pub deaths: u64,
    /// What confines that process, besides what every system has.
    pub sandbox: Sandbox,
    /// All of them; the last is the one that was given a turn last.
    pub processes: Vec<WorkerProcess>,
}

/// What confines a worker process, besides what every system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// It is killed for any system call but the few it needs. False only under `sandbox = "unsafe-none"`.
    pub seccomp: bool,
    /// Landlock denies it files, TCP and other processes, as far as this system knows how.
    pub landlock: bool,
}

/// A worker process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkerProcess {
    /// Its process.
    pub pid: u32,
    /// The account whose turns alone it runs; `None` for the one that accounts share.
    pub account: Option<Qrid>,
    /// The object whose code runs there now, by the process's own word.
    pub running: Option<Qrid>,
}
