//! What steps changed: rows to write, and effects that wait for them to be on the disk.

use std::collections::{BTreeMap, HashMap};

use qrt_shared::budget::Budget;
use qrt_shared::control::{
    Done, Dropped, Due, Held, Installed, MemoryWas, Named, PeerIs, Problem, Queued, Removed, Resynced, Retried,
    Upgraded,
};
use qrt_shared::id::{Location, ObjectId, Petname, VatId};
use qrt_shared::view::{Outcome, Used};
use qrt_shared::wire::{Ack, Sequence};

use serde::Serialize;

use super::account::Account;
use super::peer::post::Letter;
use super::peer::receive::Busy;
use super::peer::{Changed, Origin, Peer};
use super::request::{Ticket, Who};
use super::source::PeerNumber;
use super::view::{Entry, Message};
use crate::protocol::{CodeError, CodeNumber, Handle, MemoryHandle, Native};
use crate::store::Receipt;

/// Everything some steps changed, to be written in one transaction or not at all.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// Rows, in the order they must be written.
    pub writes: Vec<Write>,
    /// The counters after the last of these steps.
    pub counters: Option<Counters>,
    /// What follows once this is on the disk.
    pub effects: Embargo<Effect>,
    /// Messages of other vats that the step has accepted.
    pub received: u64,
    /// The rows of accounts that the last step changed.
    pub accounts: Vec<(Handle, Account)>,
    /// Peers whose rows a step has changed and not yet written.
    pub(super) peers: Changed,
    /// References that a step has made, which the view does not know yet.
    pub(super) references: HashMap<(Option<VatId>, ObjectId), Handle>,
}

/// What is kept of a message that can be given to no object.
pub const HEAD_BYTES: usize = 256;

/// Things that must not happen before the commit that covers them. Only a [`Receipt`] lifts the
/// embargo, and only the store's commit makes receipts.
#[derive(Debug)]
pub struct Embargo<T>(Vec<T>);

impl<T> Default for Embargo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Embargo<T> {
    /// Adds one.
    pub fn push(&mut self, effect: T) {
        self.0.push(effect);
    }

    /// Adds all of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The effects, free to happen: the commit that `receipt` stands for is on the disk.
    pub fn release(self, _receipt: &Receipt) -> Vec<T> {
        self.0
    }
}

/// Something the world may see once a commit is durable.
#[derive(Debug)]
pub enum Effect {
    /// A request is answered.
    Answer(Ticket, Result<Answer, Problem>),
    /// The first turn of one of the operator's messages has ended.
    Ended(u64),
    /// A request of another vat is answered.
    Received(Ticket, Result<Ack, Busy>),
    /// Another vat has our messages up to this one.
    Acked(VatId, Sequence),
    /// Something may be due for delivery.
    Due,
    /// A line for the daemon's log.
    Log(String),
}

/// The answer to a request that changed something; serialised as what it holds.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To [`super::request::Action::Install`].
    Installed(Installed),
    /// To [`super::request::Action::Send`].
    Queued(Queued),
    /// To [`super::request::Action::Name`].
    Named(Named),
    /// To [`super::request::Action::Upgrade`].
    Upgraded(Upgraded),
    /// To [`super::request::Action::Remove`].
    Removed(Removed),
    /// To [`super::request::Action::MemorySet`].
    MemoryWas(MemoryWas),
    /// To [`super::request::Action::Hold`].
    Held(Held),
    /// To [`super::request::Action::PeerAdd`], [`super::request::Action::HoldPeer`] and
    /// [`super::request::Action::NamePeer`].
    Peer(PeerIs),
    /// To [`super::request::Action::Retry`].
    Due(Due),
    /// To [`super::request::Action::DropOut`].
    Dropped(Dropped),
    /// To [`super::request::Action::Resync`].
    Resynced(Resynced),
    /// To [`super::request::Action::FaultRetry`].
    Retried(Retried),
    /// To [`super::request::Action::FaultDrop`].
    Done(Done),
}

/// The row `vat`: numbers to give out next, and how many rows there are. See `store/schema.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Counters {
    pub commits: u64,
    pub next_reference: Handle,
    pub next_memory: MemoryHandle,
    pub next_code: CodeNumber,
    pub next_message: u64,
    pub next_turn: u64,
    pub next_fault: u64,
    pub next_peer: PeerNumber,
    pub next_outbox: u64,
    pub objects: u64,
    pub inbox: u64,
    pub inbox_bytes: u64,
    pub outbox: u64,
    pub outbox_bytes: u64,
    pub faults: u64,
    pub undeliverable: u64,
    pub strangers: u64,
    pub journal_first: u64,
    pub journal_bytes: u64,
    pub clock_ms: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            commits: 0,
            next_reference: 1,
            next_memory: 1,
            next_code: 1,
            next_message: 1,
            next_turn: 1,
            next_fault: 1,
            next_peer: 1,
            next_outbox: 1,
            objects: 0,
            inbox: 0,
            inbox_bytes: 0,
            outbox: 0,
            outbox_bytes: 0,
            faults: 0,
            undeliverable: 0,
            strangers: 0,
            journal_first: 1,
            journal_bytes: 0,
            clock_ms: 0,
        }
    }
}

/// One change of the database.
#[derive(Debug)]
pub enum Write {
    /// A new text of code.
    Code {
        /// Its number.
        code: CodeNumber,
        /// Its hash.
        sha256: [u8; 32],
        /// The text.
        text: String,
    },
    /// A new object.
    Object(Box<NewObject>),
    /// An object of this vat or another has a number from now on, and no row of its own here.
    Reference {
        /// The number.
        reference: Handle,
        /// The vat that hosts it; `None`: this one, which has no such object.
        vat: Option<VatId>,
        /// Its id.
        id: ObjectId,
    },
    /// Something about a peer.
    Peer(PeerWrite),
    /// A new, empty Memory.
    Memory {
        /// The Memory.
        memory: MemoryHandle,
        /// The account that has it first.
        account: Handle,
    },
    /// An object is gone, with its petname, edges, use and history.
    NoObject(Handle),
    /// An object is held, or no longer.
    Held {
        /// The object.
        object: Handle,
        /// Whether.
        held: bool,
        /// Why, when the vat itself holds it.
        why: Option<String>,
    },
    /// An object has another code now.
    Upgrade {
        /// The object.
        object: Handle,
        /// The version that ends.
        version: u64,
        /// Its code.
        old: CodeNumber,
        /// The code from now on.
        new: CodeNumber,
        /// The place in the order of turns.
        turn: u64,
    },
    /// A Memory is gone, with all its keys.
    NoMemory(MemoryHandle),
    /// A key of a Memory has this value and ordinal now; `edges` are the references in it, `None`
    /// when there are none and were none.
    Entry {
        /// The Memory.
        memory: MemoryHandle,
        /// The property.
        entry: Entry,
        /// References in the new value, when the old or the new one holds any.
        edges: Option<Vec<Handle>>,
    },
    /// A key of a Memory is gone.
    NoEntry {
        /// The Memory.
        memory: MemoryHandle,
        /// Its name.
        key: String,
        /// Whether the old value held references.
        edges: bool,
    },
    /// A Memory's size and next ordinal changed.
    MemorySize {
        /// The Memory.
        memory: MemoryHandle,
        /// Bytes of all keys and values.
        bytes: u64,
        /// The next key's ordinal.
        next_ordinal: u64,
    },
    /// A message is queued.
    Message(Message),
    /// A message is no longer queued.
    NoMessage(u64),
    /// A worker died on a message, which stays queued.
    DiedOn(u64),
    /// A worker died, and an object is to blame.
    Death {
        /// The row.
        row: Box<Death>,
        /// How many such rows stay, the newest.
        remembered: u64,
    },
    /// A turn ended.
    Turn(Box<Turn>),
    /// An operator changed an object by hand.
    Edit(Box<Edit>),
    /// Each turn from this one on may use this much.
    TurnLimits {
        /// The turn.
        turn: u64,
        /// What the settings say.
        limits: crate::protocol::Budget,
    },
    /// The journal ends at `first` now.
    Prune {
        /// The oldest turn to keep.
        first: u64,
    },
    /// A turn of an object was charged.
    Use {
        /// The object.
        object: Handle,
        /// Whether it failed.
        fault: bool,
        /// CPU time.
        cpu_us: u64,
    },
    /// A message became a fault.
    Fault(Box<Fault>),
    /// Another vat is told of an object, if that is of this vat.
    Export {
        /// The object.
        reference: Handle,
        /// The vat.
        peer: PeerNumber,
    },
    /// A message for an object had no room in its queue nor among its faults.
    Refused(Handle),
    /// A fault was retried or dropped.
    NoFault(u64),
    /// How one of the operator's messages ended.
    Outcome(Box<Ended>),
    /// A key stands for a message.
    Key {
        /// The key.
        key: String,
        /// The target it was used with.
        target: Handle,
        /// The message.
        message: Keyed,
        /// When.
        queued_at: u64,
    },
    /// Forget outcomes and keys whose time is over.
    Forget {
        /// Now.
        now_ms: u64,
        /// Keys queued before this are gone.
        keys_before_ms: u64,
        /// How many unkeyed outcomes stay, the newest.
        unkeyed_max: u64,
    },
    /// An object's petname is this, or none.
    Petname {
        /// The object.
        object: Handle,
        /// Its name.
        name: Option<Petname>,
    },
    /// An operator changed something.
    Audit {
        /// When.
        at: u64,
        /// Who.
        who: Who,
        /// The verb.
        action: &'static str,
        /// What it was done to: JSON.
        detail: String,
    },
}

/// One change of what the database knows of peers.
#[derive(Debug)]
pub enum PeerWrite {
    /// Its row is this.
    Row(Box<Peer>),
    /// URLs of a peer were heard of.
    Urls {
        /// The peer.
        peer: PeerNumber,
        /// The URLs.
        urls: Vec<Location>,
        /// From whom: what the peer says of itself takes the place of what it said before.
        origin: Origin,
    },
    /// A peer answered at this URL: it is tried first from now on.
    GoodUrl {
        /// The peer.
        peer: PeerNumber,
        /// Where.
        url: Location,
    },
    /// A message to another vat is this.
    Letter(Box<Letter>),
    /// A peer's outbox is empty, for what follows in the same commit.
    NoLetters(PeerNumber),
    /// A peer has all messages up to this number.
    Delivered {
        /// The peer.
        peer: PeerNumber,
        /// The last that goes.
        to: Sequence,
    },
    /// Every peer that was sent something once, and whose turn no clock says, is asked where it stands.
    Ask {
        /// Now.
        now_ms: u64,
        /// Over which time that is spread.
        spread_ms: u64,
    },
    /// The clock was set: what is due moves with it.
    ShiftDue {
        /// By how much.
        by_ms: i64,
    },
}

/// A row of `object`, and of `reference`.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct NewObject {
    pub object: Handle,
    pub id: ObjectId,
    pub account: Handle,
    pub maker: Option<Handle>,
    pub code: CodeNumber,
    pub statics: String,
    pub natives: BTreeMap<String, Native>,
    pub memory: Option<MemoryHandle>,
    pub created_at: u64,
    pub budget: Budget,
    /// References in `statics` by top-level key.
    pub edges: Vec<(String, Vec<Handle>)>,
    pub born: u64,
}

/// A row of `turn`, and its rows of `turn_change`.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Turn {
    pub turn: u64,
    pub message: Message,
    pub code: CodeNumber,
    pub outcome: Outcome,
    pub result: Option<String>,
    pub result_error: Option<String>,
    pub error: Option<CodeError>,
    pub called: Vec<(Handle, CodeNumber)>,
    pub made: Vec<Handle>,
    pub sent: Vec<u64>,
    pub posted: Vec<(PeerNumber, Sequence)>,
    pub log: Vec<String>,
    pub ticks: u64,
    pub cpu_us: u64,
    pub clock_ms: u64,
    pub seed: Option<[u8; 32]>,
    pub changes: Vec<Change>,
    pub bytes: u64,
    pub refused: Vec<(Handle, String)>,
    pub by_key: Vec<MemoryHandle>,
    pub digest: Option<[u8; 32]>,
    pub undone: bool,
}

/// The message that a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// One of the inbox.
    In(u64),
    /// One to another vat.
    Out(PeerNumber, Sequence),
}

/// A row of `turn` that is no turn: what an operator did, in its place among turns.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Edit {
    pub turn: u64,
    pub verb: &'static str,
    pub object: Handle,
    pub code: CodeNumber,
    pub args: String,
    pub clock_ms: u64,
    pub changes: Vec<Change>,
    pub bytes: u64,
}

/// A row of `turn_change`.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Change {
    pub memory: MemoryHandle,
    pub key: String,
    pub old: Option<(String, u64)>,
}

/// A row of `death`.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Death {
    pub at: u64,
    pub object: Handle,
    pub account: Handle,
    pub message: u64,
    pub turn: Option<u64>,
    pub how: String,
}

/// A row of `fault`.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Fault {
    pub fault: u64,
    pub message: Message,
    /// Of a message that can be given to no object: this is all of it that is kept.
    pub head: Option<Vec<u8>>,
    pub turn: Option<u64>,
    pub outcome: Outcome,
    pub error: CodeError,
    pub ticks: u64,
    pub used: Used,
    pub at: u64,
}

/// A row of `outcome`.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Ended {
    pub message: u64,
    pub turn: Option<u64>,
    pub outcome: Outcome,
    pub result: Option<String>,
    pub result_error: Option<String>,
    pub error: Option<String>,
    pub keyed: bool,
    pub keep_until: u64,
}
