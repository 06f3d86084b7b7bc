//! The control protocol: HTTP/1.1 and JSON over the Unix socket `DIR/control.sock`.
//!
//! `curl --unix-socket DIR/control.sock http://vat/v1/info` is a complete client. Requests and
//! replies are JSON documents; lists come in pages ([`crate::view::Page`]); every refusal is a
//! [`Problem`]. The routes stand in [`crate::action::ACTIONS`], and `GET /v1/` returns them. Every
//! reply carries the daemon's version in the header [`VERSION_HEADER`].

mod attend;
mod client;
mod listing;

pub use client::{Client, ClientError, Events};
pub use listing::{At, Listed, Listing};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::budget::Budget;
use crate::id::{Location, MessageName, Petname, Qrid, Target, VatId};
use crate::view::present;

/// The socket's name in a vat's base directory.
pub const SOCKET: &str = "control.sock";

/// The longest socket path the system takes, in bytes: `sun_path` less its final zero byte.
pub const SOCKET_PATH_MAX: usize = 107;

/// The reply header with the daemon's version.
pub const VERSION_HEADER: &str = "qrt-version";

/// The longest text of one object's code, in bytes.
pub const CODE_BYTES_MAX: usize = 1 << 20;

/// The longest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// The longest time one request waits for news, in milliseconds; then it is answered as it stands
/// and asked again.
pub const WAIT_MS_MAX: u64 = 30_000;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct Problem {
    /// What is wrong, in one line.
    pub error: String,
    /// What to do about it, in one line; may be empty.
    pub hint: String,
    /// A source line with a caret under the place, when `error` is about code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl Problem {
    /// A problem without an excerpt.
    pub fn new(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { error: error.into(), hint: hint.into(), excerpt: None }
    }
}

/// `POST /v1/objects`: install these objects, all or none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// The objects, at least one.
    pub objects: Vec<InstallObject>,
    /// The first memory of each, an object in outside QJSON; `None` for no memory.
    pub memory: Option<Box<RawValue>>,
    /// Static data and references granted to each, an object in outside QJSON.
    pub power: Box<RawValue>,
    /// Native powers granted: property name to the native's name.
    pub natives: BTreeMap<String, String>,
    /// Figures of [`crate::budget::OBJECT`] that each has instead of the settings'.
    #[serde(default, skip_serializing_if = "Budget::is_empty")]
    pub budget: Budget,
    /// Figures of [`crate::budget::ACCOUNT`] that the account of each has.
    #[serde(default, skip_serializing_if = "Budget::is_empty")]
    pub account_budget: Budget,
}

/// One object to install.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallObject {
    /// What errors call it: a file's name.
    pub label: String,
    /// Its code.
    pub code: String,
    /// A petname for it.
    #[serde(default)]
    pub name: Option<Petname>,
}

/// The reply to [`Install`], in the order asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Installed {
    /// The new objects.
    pub objects: Vec<InstalledObject>,
}

/// An object that was installed.
#[derive(Debug, Serialize, Deserialize)]
pub struct InstalledObject {
    /// Its QRID.
    pub qrid: Qrid,
    /// Its label, as asked.
    pub label: String,
}

/// `POST /v1/messages`: queue a message. Answered when it is durable.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// The object it is for.
    pub target: Target,
    /// Its arguments in outside QJSON.
    pub args: Box<RawValue>,
    /// Queue it once, however often it is sent with this key to this target within 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The reply to [`Send`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Queued {
    /// The message's durable name, for `GET /v1/messages/{message}/outcome`.
    pub message: MessageName,
    /// The object it is for.
    pub target: Qrid,
    /// Whether an earlier request with the same key had queued it.
    pub repeated: bool,
}

/// `PUT /v1/objects/{object}/name`: give it this petname.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The name.
    pub name: Petname,
}

/// The reply to giving or taking a name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Named {
    /// The object.
    pub qrid: Qrid,
    /// Its name now.
    pub name: Option<Petname>,
}

/// `POST /v1/objects/{object}/code`: give it other code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// What errors call the code: a file's name.
    pub label: String,
    /// The code.
    pub code: String,
}

/// The reply to [`Upgrade`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Upgraded {
    /// The object.
    pub qrid: Qrid,
    /// The version of its code now; the first was 1.
    pub version: u64,
    /// The edit's place among turns: those after it ran the new code.
    pub turn: u64,
}

/// The reply to `DELETE /v1/objects/{object}`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Removed {
    /// The objects that are gone.
    pub objects: Vec<Qrid>,
    /// How many queued messages became faults.
    pub faults: u64,
}

/// `PUT /v1/objects/{object}/memory/{key}`: set this key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemorySet {
    /// Its value in outside QJSON.
    pub value: Box<RawValue>,
    /// Only if the key has this value now, in outside QJSON. A key that is not there has none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expect: Option<Box<RawValue>>,
}

/// The reply to [`MemorySet`].
#[derive(Debug, Serialize, Deserialize)]
pub struct MemoryWas {
    /// The object.
    pub qrid: Qrid,
    /// The key.
    pub key: String,
    /// The edit's place among turns; the journal's row there holds the old value.
    pub turn: u64,
}

/// The reply to `POST /v1/objects/{object}/hold` and `/release`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Held {
    /// The object.
    pub qrid: Qrid,
    /// Whether it is held now.
    pub held: bool,
}

/// The reply to `POST /v1/faults/{fault}/retry`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Retried {
    /// The message as it is queued now.
    pub message: MessageName,
}

/// `POST /v1/turns/{turn}/replay`: run a recorded turn again, with these in place of what was recorded.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The code of the object that was sent the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Upgrade>,
    /// The arguments in outside QJSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub args: Option<Box<RawValue>>,
    /// The memory of that object, an object in outside QJSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Box<RawValue>>,
}

/// `POST /v1/peers`: learn where another vat answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerAdd {
    /// The vat.
    pub vat: VatId,
    /// Where it answers.
    pub urls: Vec<Location>,
}

/// The reply to [`PeerAdd`], and to holding or releasing a peer.
#[derive(Debug, Serialize, Deserialize)]
pub struct PeerIs {
    /// The vat.
    pub vat: VatId,
    /// Whether its queue is held.
    pub held: bool,
    /// Messages to it that wait.
    pub pending: u64,
}

/// `POST /v1/retry`: make deliveries due now.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// To this peer alone.
    #[serde(default)]
    pub peer: Option<crate::id::PeerName>,
}

/// The reply to [`Retry`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Due {
    /// How many peers have something due now.
    pub peers: u64,
}

/// `POST /v1/peers/{peer}/outbox/{seq}/drop`: put a void in a message's place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropOut {
    /// Why; the other vat is told.
    pub reason: String,
}

/// The reply to [`DropOut`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Dropped {
    /// The vat.
    pub vat: VatId,
    /// The number that is a void now.
    pub seq: u64,
    /// Whether the message may have arrived before: nobody here can know once it was on its way.
    pub may_have_arrived: bool,
}

/// `POST /v1/peers/{peer}/resync`: take the receiver's number and tip as ours. Without `expect` nothing
/// changes: the reply says what would happen.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resync {
    /// What the reply said before, so that nothing happens if it is not so any more.
    #[serde(default)]
    pub expect: Option<Expect>,
}

/// What a resync is about, for the operator to confirm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// The last of our messages that the other vat has.
    pub last_in: u64,
    /// Its tip there, hexadecimal.
    pub tip: String,
    /// The number of our next message.
    pub next_out: u64,
}

/// The reply to [`Resync`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Resynced {
    /// The vat.
    pub vat: VatId,
    /// Whether it was done.
    pub done: bool,
    /// What it is, or was, about.
    pub expect: Expect,
    /// Messages that were acknowledged and that the other vat has not got any more: they are lost.
    pub may_be_lost: u64,
    /// Messages that are held and may have run there before: they may run again.
    pub may_be_repeated: u64,
    /// The first and the last number that the held messages have afterwards; `None` when none is held.
    pub renumbered: Option<(u64, u64)>,
}

/// `POST /v1/backup`: copy the vat into a file, as of one commit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The file's absolute path; it must not exist. The daemon writes it, with mode 0600.
    pub file: String,
    /// Put the vat's secret key in too.
    #[serde(default)]
    pub with_key: bool,
}

/// The reply to `POST /v1/checkpoint`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpointed {
    /// Whether the write-ahead log is empty: not while somebody reads what is in it.
    pub emptied: bool,
    /// Its size before.
    pub wal_bytes_before: u64,
    /// Its size now.
    pub wal_bytes: u64,
}

/// The reply to `DELETE /v1/faults/{fault}` and `POST /v1/stop`: it is done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {}
