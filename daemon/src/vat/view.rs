//! What the kernel can read: the database as of the steps so far, committed or not.

use std::collections::BTreeMap;
use std::error::Error;

use qrt_shared::budget;
use qrt_shared::id::{Location, ObjectId, Petname, VatId};
use qrt_shared::wire::{MessageId, Sequence};

use super::account::Account;
use super::checkpoint::Keyed;
use super::peer::post::Letter;
use super::peer::{Origin, Peer};
use super::schedule::Queued;
use super::source::{PeerNumber, Source};
use crate::protocol::{Budget, CodeNumber, Handle, MemoryHandle, Native};

/// The database could not be read, or holds what it cannot hold. Nothing sensible can follow.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ViewError(#[from] pub Box<dyn Error + Send + Sync>);

/// Reads of Memories: as they are, or as they were before a recorded turn.
pub trait Memories {
    /// The Memory of that handle, which an object or the journal named.
    fn memory(&self, memory: MemoryHandle) -> Result<Memory, ViewError>;
    /// Every property of a Memory, in order: only for a small one.
    fn entries(&self, memory: MemoryHandle) -> Result<Vec<Entry>, ViewError>;
    /// One property of a Memory.
    fn entry(&self, memory: MemoryHandle, key: &str) -> Result<Option<Entry>, ViewError>;
    /// The properties of a Memory whose ordinals are above `after`, in order: as many as make up `bytes`.
    fn entries_after(&self, memory: MemoryHandle, after: Option<u64>, bytes: usize) -> Result<Vec<Entry>, ViewError>;
}

/// Reads of the vat's state. Every row written by a step so far is visible.
pub trait View: Memories {
    /// The object of that handle, if this vat hosts it.
    fn object(&self, object: Handle) -> Result<Option<Object>, ViewError>;
    /// One property of a Memory, if its value has at most so many bytes.
    fn short_entry(&self, memory: MemoryHandle, key: &str, bytes: usize) -> Result<Option<Entry>, ViewError>;
    /// The references in a Memory.
    fn memory_references(&self, memory: MemoryHandle) -> Result<Vec<Handle>, ViewError>;
    /// The number of the code with this SHA-256.
    fn code(&self, sha256: &[u8; 32]) -> Result<Option<CodeNumber>, ViewError>;
    /// Every queue that has messages.
    fn queues(&self) -> Result<Vec<Queued>, ViewError>;
    /// The first messages of `source` for `target` whose numbers are above `after`, in order: at most
    /// `count`, and no more once they have `bytes` together.
    fn messages_after(
        &self,
        source: Source,
        target: Handle,
        after: u64,
        count: usize,
        bytes: u64,
    ) -> Result<Vec<Message>, ViewError>;
    /// An account's row.
    fn account_row(&self, account: Handle) -> Result<Option<Account>, ViewError>;
    /// How many workers an object's code killed at or after `since_ms`, but for those it was released after.
    fn deaths_since(&self, object: Handle, since_ms: u64) -> Result<u64, ViewError>;
    /// How many of the faults of `source` and `target` are of messages that never ran, counted up to `most`.
    fn refused(&self, source: Source, target: Handle, most: u64) -> Result<u64, ViewError>;
    /// The objects of an account, its own first.
    fn account(&self, account: Handle) -> Result<Vec<Handle>, ViewError>;
    /// How many objects have this Memory.
    fn sharers(&self, memory: MemoryHandle) -> Result<u64, ViewError>;
    /// How many codes an object had before the present one.
    fn upgrades(&self, object: Handle) -> Result<u64, ViewError>;
    /// That fault.
    fn fault(&self, fault: u64) -> Result<Option<Fault>, ViewError>;
    /// The number of an object of another vat, or of this one.
    fn reference(&self, vat: Option<&VatId>, id: &ObjectId) -> Result<Option<Handle>, ViewError>;
    /// The object behind a number, and its vat unless that is this one.
    fn referred(&self, reference: Handle) -> Result<Option<(Option<VatId>, ObjectId)>, ViewError>;
    /// That peer.
    fn peer(&self, peer: PeerNumber) -> Result<Option<Peer>, ViewError>;
    /// The peer that is that vat.
    fn peer_of(&self, vat: &VatId) -> Result<Option<Peer>, ViewError>;
    /// The peer of that petname.
    fn peer_named(&self, name: &Petname) -> Result<Option<PeerNumber>, ViewError>;
    /// The peers that have something in the outbox, or are stopped.
    fn peers_with_mail(&self) -> Result<Vec<PeerNumber>, ViewError>;
    /// Where a peer may answer, in the order to try.
    fn urls(&self, peer: PeerNumber) -> Result<Vec<(Location, Origin)>, ViewError>;
    /// The ids of a peer's messages in the outbox after `after` up to `to`, in order.
    fn letter_ids(&self, peer: PeerNumber, after: Sequence, to: Sequence) -> Result<Vec<MessageId>, ViewError>;
    /// How many those are, and their bytes.
    fn letters(&self, peer: PeerNumber, after: Sequence, to: Sequence) -> Result<(u64, u64), ViewError>;
    /// A message of the outbox.
    fn letter(&self, peer: PeerNumber, seq: Sequence) -> Result<Option<Letter>, ViewError>;
    /// The object of that petname.
    fn named(&self, name: &Petname) -> Result<Option<Handle>, ViewError>;
    /// The message a key stands for, if it was queued at or after `since_ms`.
    fn keyed(&self, key: &str, target: Handle, since_ms: u64) -> Result<Option<Keyed>, ViewError>;
    /// What the settings let the last turn use, as the journal has it.
    fn turn_limits(&self) -> Result<Option<Budget>, ViewError>;
    /// The bytes of the journal's turns from `first` up to, not including, `end`.
    fn journal_bytes(&self, first: u64, end: u64) -> Result<u64, ViewError>;
    /// When each account last had a turn killed for the death of a worker that its code was to blame for.
    fn offenders(&self) -> Result<Vec<Offence>, ViewError>;
    /// Whether a key stands for this message.
    fn is_keyed(&self, message: u64) -> Result<bool, ViewError>;
}

/// An object's row.
#[derive(Debug, Clone)]
pub struct Object {
    /// The object whose account pays.
    pub account: Handle,
    /// Its code.
    pub code: CodeNumber,
    /// Static power, a QJSON object in inside form.
    pub statics: String,
    /// Native powers by property.
    pub natives: BTreeMap<String, Native>,
    /// Its Memory.
    pub memory: Option<MemoryHandle>,
    /// Whether it takes no turns.
    pub held: bool,
    /// The figures it has instead of the settings'.
    pub budget: budget::Budget,
}

/// A Memory's row.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Bytes of all keys and values.
    pub bytes: u64,
    /// The next key's ordinal.
    pub next_ordinal: u64,
    /// The account that had it first, and pays for it.
    pub account: Handle,
}

/// One top-level property of a Memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// Its place.
    pub ordinal: u64,
    /// Its value in inside form.
    pub value: String,
}

/// A queued message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number.
    pub message: u64,
    /// Who pays.
    pub source: Source,
    /// The object it is for.
    pub target: Handle,
    /// Its arguments in inside form.
    pub args: String,
    /// Their size.
    pub bytes: u64,
    /// When it was queued.
    pub queued_at: u64,
    /// The turn that sent it.
    pub cause: Option<u64>,
    /// How often a worker died on it.
    pub deaths: u32,
    /// Of a message from a peer: where it stands there.
    pub abroad: Option<Abroad>,
    /// How many messages of this vat led to it, itself counted: each was sent by the turn of the one before.
    pub chain: u64,
}

/// What a message from another vat is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abroad {
    /// Its number on the channel.
    pub seq: u64,
    /// What that vat calls the turn that sent it; for display, believed by nobody.
    pub cause: Option<String>,
}

/// A worker's death that ended a turn, and the account to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offence {
    /// The account.
    pub account: Handle,
    /// The turn.
    pub turn: u64,
    /// When.
    pub at: u64,
}

/// A message whose turn failed.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The message as it was; `None` when only the head of one that was for no object is kept.
    pub message: Option<Message>,
}
