//! What a screen shows and wants kept fresh. Both question and answer can be written down: a session is recorded by
//! what was read in it.

use qrt_shared::control::Listing;
use qrt_shared::id::{PeerName, Qrid, Subject, VatId};
use qrt_shared::view::{
    AccountRow, Audited, DryInstall, Entry, Fault, Log, Message, Object, ObjectRow, Outgoing, Overview, Page, Peer,
    Setting, Storage, Traced, Turn, Why,
};
use serde::{Deserialize, Serialize};

use super::request::Install;

/// A question that is asked again whenever the vat has changed, as long as it is on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// The vat.
    Overview,
    /// A page of objects.
    Objects(Listing),
    /// A page of accounts.
    Accounts(Listing),
    /// A page of turns.
    Turns(Listing),
    /// A page of queued messages.
    Inbox(Listing),
    /// A page of messages to other vats.
    Outbox(Listing),
    /// A page of other vats.
    Peers(Listing),
    /// A page of faults.
    Faults(Listing),
    /// A page of what operators did.
    Audit(Listing),
    /// One object, without its memory.
    Object(Qrid),
    /// A page of an object's memory.
    Entries(Qrid, Listing),
    /// One key of it.
    Entry(Qrid, String),
    /// One turn.
    Turn(u64),
    /// One peer.
    Peer(PeerName),
    /// A turn or message with its causes and effects.
    Trace(Subject),
    /// What keeps something from going on; of `None`, the vat.
    Why(Option<Subject>),
    /// The log's newest lines.
    Log(u64),
    /// Every setting.
    Settings,
    /// What takes how much room.
    Storage,
    /// What installing this would make.
    DryInstall(Box<Install>),
    /// Files and directories whose paths begin so.
    Files(String),
}

impl Query {
    /// Whether the answer can change from one moment to the next without anything else being asked.
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Turn(_) | Self::Settings | Self::Files(_))
    }
}

/// A turn or message with its causes and effects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tree {
    /// The vat that was asked: steps of others are in it too.
    pub vat: VatId,
    /// The steps, each with its depth, a cause before its effects.
    pub steps: Vec<(usize, Traced)>,
}

/// The answer to a [`Query`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Data {
    /// To [`Query::Overview`].
    Overview(Box<Overview>),
    /// To [`Query::Objects`].
    Objects(Page<ObjectRow>),
    /// To [`Query::Accounts`].
    Accounts(Page<AccountRow>),
    /// To [`Query::Turns`].
    Turns(Page<Turn>),
    /// To [`Query::Inbox`].
    Inbox(Page<Message>),
    /// To [`Query::Outbox`].
    Outbox(Page<Outgoing>),
    /// To [`Query::Peers`].
    Peers(Page<Peer>),
    /// To [`Query::Faults`].
    Faults(Page<Fault>),
    /// To [`Query::Audit`].
    Audit(Page<Audited>),
    /// To [`Query::Object`].
    Object(Box<Object>),
    /// To [`Query::Entries`].
    Entries(Page<Entry>),
    /// To [`Query::Entry`].
    Entry(Entry),
    /// To [`Query::Turn`].
    Turn(Box<Turn>),
    /// To [`Query::Peer`].
    Peer(Box<Peer>),
    /// To [`Query::Trace`].
    Trace(Tree),
    /// To [`Query::Why`].
    Why(Why),
    /// To [`Query::Log`].
    Log(Log),
    /// To [`Query::Settings`].
    Settings(Vec<Setting>),
    /// To [`Query::Storage`].
    Storage(Storage),
    /// To [`Query::DryInstall`].
    DryInstall(Box<DryInstall>),
    /// To [`Query::Files`]: the paths, a directory's with `/` at its end.
    Files(Vec<String>),
}
