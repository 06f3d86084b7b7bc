//! What people and scripts see of a vat: plain structs, serialised as they stand by `--json`.
//!
//! Times are milliseconds since the epoch (`_at`), durations and sizes carry their unit in their
//! name. QJSON stands as it is ([`RawValue`], outside form), so no number loses a digit on the way.
//! Fields are only ever added.

mod dry;
mod event;
mod history;
mod reach;
mod replay;

pub use dry::{DryInstall, DryObject, DryUpgrade};
pub use event::{Event, EventKind, NoEventKind};
pub use history::{KeyBlame, KeyChange, MemoryDiff};
pub use reach::{Empowered, Found, Keeper, Link, Node, Reach, Root, Sweep, Unreachable, Way};
pub use replay::{Did, Difference, Made, Part, Replayed, Sent, Written};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::budget::Budget;
use crate::id::{MessageName, Petname, Qrid, VatId};

/// A member that may be left out, which is not the same as null.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// A page of a list. Pass `next` back as `after` for the following page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` when this was the last.
    pub next: Option<u64>,
    /// The cursor of the page before; `None` when this was the first, or the list has no way back.
    #[serde(default)]
    pub prev: Option<u64>,
    /// Whether more rows would fit than could be looked at: a list by `sort` or `filter` looks at so many only.
    #[serde(default)]
    pub partial: bool,
    /// The commit these rows were read at.
    pub as_of: u64,
}

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

/// A queued message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// Its durable name.
    pub message: MessageName,
    /// The object it is for.
    pub target: Qrid,
    /// That object's petname.
    pub name: Option<Petname>,
    /// Whose budget and share it spends: `operator`, the QRID of an account, or the id of the vat it came
    /// from.
    pub source: String,
    /// Its arguments.
    pub args: Box<RawValue>,
    /// Their size.
    pub bytes: u64,
    /// When it was queued.
    pub queued_at: u64,
    /// Its number on the channel of the vat it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// How often a worker has died on it.
    pub deaths: u32,
    /// How many messages of this vat led to it, itself counted: each was sent by the turn of the one before.
    #[serde(default)]
    pub chain: u64,
}

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

/// A message whose turn failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// Its number, for `qrt fault-retry` and `qrt fault-drop`.
    pub id: u64,
    /// The message as it was queued.
    pub message: MessageName,
    /// The turn that failed.
    pub turn: Option<u64>,
    /// The object it was for; `None` when it named none of this vat.
    pub target: Option<Qrid>,
    /// That object's petname.
    pub name: Option<Petname>,
    /// The message's source.
    pub source: String,
    /// Its arguments; null when only `head` was kept.
    pub args: Box<RawValue>,
    /// The first bytes of a message from another vat that could not be delivered to any object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// `error` or `killed`.
    pub outcome: Outcome,
    /// Why.
    pub error: CodeError,
    /// Compute used until then.
    pub ticks: u64,
    /// What else it had used, all of which was rolled back.
    pub used: Used,
    /// When the turn failed.
    pub at: u64,
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

/// What became of a message that was sent from the command line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Awaited {
    /// Its first turn has ended.
    Ended(Ended),
    /// It is queued still.
    Queued,
    /// The other vat has it.
    Acked,
    /// The vat never heard of it, or its outcome was kept its time and is gone.
    Unknown,
}

/// By hand, because serde reads a tagged enum through a buffer that no [`RawValue`] comes out of.
impl<'de> Deserialize<'de> for Awaited {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Flat {
            state: String,
            turn: Option<u64>,
            outcome: Option<Outcome>,
            result: Option<Box<RawValue>>,
            result_error: Option<String>,
            error: Option<String>,
        }
        let flat = Flat::deserialize(deserializer)?;
        match flat.state.as_str() {
            "ended" => Ok(Self::Ended(Ended {
                turn: flat.turn,
                outcome: flat.outcome.ok_or_else(|| Error::missing_field("outcome"))?,
                result: flat.result.unwrap_or_else(|| RawValue::NULL.to_owned()),
                result_error: flat.result_error,
                error: flat.error,
            })),
            "queued" => Ok(Self::Queued),
            "acked" => Ok(Self::Acked),
            "unknown" => Ok(Self::Unknown),
            state => Err(Error::unknown_variant(state, &["ended", "queued", "acked", "unknown"])),
        }
    }
}

/// How a message's first turn ended; what `qrt send --wait` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// The turn; `None` when the message became a fault without one.
    pub turn: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
    /// What it returned.
    pub result: Box<RawValue>,
    /// Why the result is null although the code returned something else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result_error: Option<String>,
    /// Why it failed, in one line.
    pub error: Option<String>,
}

/// Another vat, and how the channels to and from it stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    pub vat: VatId,
    /// The operator's name for it.
    pub name: Option<Petname>,
    /// Where it may answer, the one that is tried first first.
    pub urls: Vec<String>,
    /// The number of the next message to it.
    pub next_out: u64,
    /// The last of our messages that it has acknowledged.
    pub acked_out: u64,
    /// The last of its messages that we have accepted.
    pub last_in: u64,
    /// Messages to it that are not acknowledged.
    pub pending: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Whether the channel to it can be trusted.
    pub state: PeerState,
    /// When `state` became what it is, unless it is `ok`.
    pub state_since: Option<u64>,
    /// What it said it had from us last, when that did not fit what we know.
    pub theirs: Option<u64>,
    /// Whether an operator holds its queue.
    pub held: bool,
    /// Whether an operator named it, or it came by itself.
    pub named: bool,
    /// Failed attempts in a row.
    pub attempts: u64,
    /// When the next attempt is due; `None` when nothing is to be sent, or nothing may be.
    pub next_attempt_at: Option<u64>,
    /// Why the last attempt failed; `None` when it did not.
    pub last_error: Option<String>,
    /// Since when every attempt has failed.
    pub failing_since: Option<u64>,
    /// When it last acknowledged or sent something.
    pub last_contact_at: Option<u64>,
    /// How long the last attempt took that it answered; `None` when there was none since the daemon started.
    #[serde(default)]
    pub round_trip_us: Option<u64>,
}

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
    /// What the file says by now, when that is something else: the next start takes it.
    pub pending: Option<serde_json::Value>,
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

/// Whether the history of a channel is the same at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerState {
    /// It is.
    Ok,
    /// This end was restored or went back: the other is asked before anything is sent to it.
    Unsure,
    /// It is not: one end was restored from an old copy, or lost a part of its log.
    Diverged,
    /// The other end has gone back behind what it had acknowledged.
    PeerRolledBack,
}

impl PeerState {
    /// The word people and scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unsure => "unsure",
            Self::Diverged => "diverged",
            Self::PeerRolledBack => "peer-rolled-back",
        }
    }
}

/// A message to another vat that is not acknowledged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outgoing {
    /// The vat it is for.
    pub peer: VatId,
    /// The operator's name for that vat.
    pub name: Option<Petname>,
    /// Its number on the channel there.
    pub seq: u64,
    /// The object it is for; `None` of a void.
    pub target: Option<Qrid>,
    /// Its size on the wire.
    pub bytes: u64,
    /// When it was queued.
    pub queued_at: u64,
    /// The turn that sent it; `None` when an operator did.
    pub turn: Option<u64>,
    /// Failed attempts in a row of the requests it was in.
    pub attempts: u64,
    /// When the next attempt is due; `None` when none is: `qrt why` says why not.
    pub next_attempt_at: Option<u64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Why an operator dropped it: it is a void now.
    pub void: Option<String>,
}

/// The first thing that keeps a message, a peer, an object or the vat from going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What was asked about.
    pub subject: String,
    /// Whether anything keeps it from going on.
    pub blocked: bool,
    /// One sentence.
    pub sentence: String,
    /// What shows it, a fact each.
    pub evidence: Vec<String>,
    /// The command that would clear it.
    pub command: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_awaited_outcome_reads_back_as_written() {
        for text in [
            r#"{"state":"queued"}"#,
            r#"{"state":"acked"}"#,
            r#"{"state":"unknown"}"#,
            r#"{"state":"ended","turn":7,"outcome":"ok","result":{"n":1e+21,"deep":[1.0]},"error":null}"#,
            r#"{"state":"ended","turn":null,"outcome":"error","result":null,"error":"queue full"}"#,
        ] {
            let awaited: Awaited = serde_json::from_str(text).expect("written by the daemon");
            assert_eq!(serde_json::to_string(&awaited).expect("JSON"), text);
        }
    }

    #[test]
    fn an_object_keeps_its_values_to_the_letter() {
        let vat = "rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q";
        let qrid = format!("qrt:{vat}/7z2fziy4eazx2seb54ittqs77cr5lfj3");
        let text = format!(
            r#"{{"qrid":"{qrid}","name":null,"turns":1,"faults":0,"memory_bytes":9,"cpu_us":3,"created_at":5,"account":"{qrid}","held":false,"queued":0,"refused":0,"code":{{"sha256":"ab","text":"()=>1","version":1,"history":[]}},"power":{{"statics":{{"rate":1.50}},"natives":{{}}}},"memory":{{"big":1e+21}},"maker":null,"budget":{{"ticks":7}},"account_use":{{"budget":{{}},"objects":1,"memory_bytes":9,"queued_bytes":0,"cpu_us":3,"cpu_left_us":-1}},"held_why":null,"deaths":1,"killed":[{{"at":7,"how":"boom","message":"in:3","turn":null}}],"holds":[],"held_by":[]}}"#
        );
        let object: Object = serde_json::from_str(&text).expect("written by the daemon");
        assert_eq!(serde_json::to_string(&object).expect("JSON"), text);
    }
}
