//! A database in which all queues but one are held, and that one starts with a certain message, so that
//! the kernel gives out that one and the order of turns is the test's.

use qrt_shared::id::{Location, ObjectId, Petname, VatId};
use qrt_shared::wire::{MessageId, Sequence};

use crate::protocol::{Budget, CodeNumber, Handle, MemoryHandle};
use crate::store::Store;
use crate::vat::Queued;
use crate::vat::account::Account;
use crate::vat::checkpoint::Keyed;
use crate::vat::peer::post::Letter;
use crate::vat::peer::{Origin, Peer};
use crate::vat::source::{PeerNumber, Source};
use crate::vat::view::{Entry, Fault, Memories, Memory, Message, Object, Offence, View, ViewError};

/// See the module. A kernel that is new sees only here which queues there are.
pub(super) struct Steered<'a> {
    store: &'a Store,
    only: Only,
}

/// The message that may go, and its queue: source and target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Only {
    pub(super) way: (Source, Handle),
    pub(super) message: u64,
}

impl<'a> Steered<'a> {
    pub(super) fn new(store: &'a Store, only: Only) -> Self {
        Self { store, only }
    }
}

type Read<T> = Result<T, ViewError>;

/// Reads that go to the database as they are.
macro_rules! as_they_are {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $read:ty;)*) => {
        $(fn $name(&self $(, $arg: $type)*) -> Read<$read> {
            self.store.$name($($arg),*)
        })*
    };
}

impl Memories for Steered<'_> {
    as_they_are! {
        fn memory(memory: MemoryHandle) -> Memory;
        fn entries(memory: MemoryHandle) -> Vec<Entry>;
        fn entry(memory: MemoryHandle, key: &str) -> Option<Entry>;
        fn entries_after(memory: MemoryHandle, after: Option<u64>, bytes: usize) -> Vec<Entry>;
    }
}

impl View for Steered<'_> {
    fn queues(&self) -> Read<Vec<Queued>> {
        let held = |queued: &Queued| (queued.source, queued.target) != self.only.way;
        let queues = self.store.queues()?.into_iter();
        Ok(queues.map(|queued| Queued { held: held(&queued), ..queued }).collect())
    }

    fn messages_after(&self, source: Source, target: Handle, after: u64, _: usize, _: u64) -> Read<Vec<Message>> {
        let Only { way, message } = self.only;
        assert_eq!((source, target), way, "the only queue that is not held");
        let found = self.store.messages_after(source, target, after.max(message - 1), 1, u64::MAX)?;
        Ok(found.into_iter().filter(|found| found.message == message).collect())
    }

    as_they_are! {
        fn object(object: Handle) -> Option<Object>;
        fn short_entry(memory: MemoryHandle, key: &str, bytes: usize) -> Option<Entry>;
        fn memory_references(memory: MemoryHandle) -> Vec<Handle>;
        fn code(sha256: &[u8; 32]) -> Option<CodeNumber>;
        fn account_row(account: Handle) -> Option<Account>;
        fn deaths_since(object: Handle, since_ms: u64) -> u64;
        fn refused(source: Source, target: Handle, most: u64) -> u64;
        fn account(account: Handle) -> Vec<Handle>;
        fn sharers(memory: MemoryHandle) -> u64;
        fn upgrades(object: Handle) -> u64;
        fn fault(fault: u64) -> Option<Fault>;
        fn reference(vat: Option<&VatId>, id: &ObjectId) -> Option<Handle>;
        fn referred(reference: Handle) -> Option<(Option<VatId>, ObjectId)>;
        fn peer(peer: PeerNumber) -> Option<Peer>;
        fn peer_of(vat: &VatId) -> Option<Peer>;
        fn peer_named(name: &Petname) -> Option<PeerNumber>;
        fn peers_with_mail() -> Vec<PeerNumber>;
        fn urls(peer: PeerNumber) -> Vec<(Location, Origin)>;
        fn letter_ids(peer: PeerNumber, after: Sequence, to: Sequence) -> Vec<MessageId>;
        fn letters(peer: PeerNumber, after: Sequence, to: Sequence) -> (u64, u64);
        fn letter(peer: PeerNumber, seq: Sequence) -> Option<Letter>;
        fn named(name: &Petname) -> Option<Handle>;
        fn keyed(key: &str, target: Handle, since_ms: u64) -> Option<Keyed>;
        fn journal_bytes(first: u64, end: u64) -> u64;
        fn turn_limits() -> Option<Budget>;
        fn offenders() -> Vec<Offence>;
        fn is_keyed(message: u64) -> bool;
    }
}
