//! A database in which only one message can be seen, so that the kernel gives out that one and the
//! order of turns is the test's.

use qrt_shared::id::{ObjectId, Petname};

use crate::protocol::{CodeNumber, Handle, MemoryHandle};
use crate::store::Store;
use crate::vat::view::{Fault, Memory, Message, Object, View, ViewError};

/// The message that can be seen, and its source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Only {
    pub(super) source: Handle,
    pub(super) message: u64,
}

/// See the module.
pub(super) struct Steered<'a> {
    store: &'a Store,
    only: Only,
}

impl<'a> Steered<'a> {
    pub(super) fn new(store: &'a Store, only: Only) -> Self {
        Self { store, only }
    }
}

type Read<T> = Result<T, ViewError>;

impl View for Steered<'_> {
    fn sources(&self) -> Read<Vec<Handle>> {
        Ok(vec![self.only.source])
    }

    fn message_after(&self, source: Handle, after: u64) -> Read<Option<Message>> {
        let Only { source: its, message } = self.only;
        if source != its || after >= message {
            return Ok(None);
        }
        Ok(self.store.message_after(source, message - 1)?.filter(|found| found.message == message))
    }

    fn object(&self, object: Handle) -> Read<Option<Object>> {
        self.store.object(object)
    }

    fn memory(&self, memory: MemoryHandle) -> Read<Memory> {
        self.store.memory(memory)
    }

    fn code(&self, sha256: &[u8; 32]) -> Read<Option<CodeNumber>> {
        self.store.code(sha256)
    }

    fn queued(&self, target: Handle) -> Read<Vec<Message>> {
        self.store.queued(target)
    }

    fn account(&self, account: Handle) -> Read<Vec<Handle>> {
        self.store.account(account)
    }

    fn sharers(&self, memory: MemoryHandle) -> Read<u64> {
        self.store.sharers(memory)
    }

    fn upgrades(&self, object: Handle) -> Read<u64> {
        self.store.upgrades(object)
    }

    fn fault(&self, fault: u64) -> Read<Option<Fault>> {
        self.store.fault(fault)
    }

    fn handle(&self, id: &ObjectId) -> Read<Option<Handle>> {
        self.store.handle(id)
    }

    fn id(&self, object: Handle) -> Read<Option<ObjectId>> {
        self.store.id(object)
    }

    fn named(&self, name: &Petname) -> Read<Option<Handle>> {
        self.store.named(name)
    }

    fn keyed(&self, key: &str, target: Handle, since_ms: u64) -> Read<Option<u64>> {
        self.store.keyed(key, target, since_ms)
    }

    fn is_keyed(&self, message: u64) -> Read<bool> {
        self.store.is_keyed(message)
    }

    fn journal_bytes(&self, first: u64, end: u64) -> Read<u64> {
        self.store.journal_bytes(first, end)
    }
}
