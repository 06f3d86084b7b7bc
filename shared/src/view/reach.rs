//! The graph of authority: who holds a reference to whom, and what follows from that.
//!
//! It is what this vat knows: powers and memories of its own objects. Whoever runs another vat may hold any
//! reference that ever left this one, so nothing here says that nobody else can reach an object.

use serde::{Deserialize, Serialize};

use super::Place;
use crate::id::{MessageName, Petname, Qrid, VatId};

/// What an object can reach, and what can reach it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reach {
    /// The object.
    pub object: Qrid,
    /// Its petname.
    pub name: Option<Petname>,
    /// Its native powers, by their own names.
    pub natives: Vec<String>,
    /// What it can reach, nearest first.
    pub reaches: Found,
    /// What can reach it, nearest first.
    pub reached_by: Found,
    /// What keeps it reachable, as far as this vat knows, by the shortest way to each kind.
    pub kept_by: Vec<Keeper>,
    /// Whether more can reach it, or more messages wait, than was looked through.
    pub kept_by_more: bool,
    /// The commit this was read at.
    pub as_of: u64,
}

/// Objects that were found on the way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Found {
    /// The objects.
    pub nodes: Vec<Node>,
    /// Whether there are more than were asked for: ask with a larger limit.
    pub more: bool,
}

/// An object, and the last link of a shortest way to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// The object.
    pub object: Qrid,
    /// Its petname.
    pub name: Option<Petname>,
    /// Whether this vat hosts it; what an object of another vat can reach is unknown.
    pub local: bool,
    /// Its native powers, by their own names.
    pub natives: Vec<String>,
    /// How many links it is away; 0 of what an object would hold itself that is not there yet.
    pub distance: u64,
    /// The link that leads to it; `None` when it is no link away.
    pub link: Option<Link>,
}

/// One object holds a reference to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who holds it.
    pub holder: Qrid,
    /// The holder's petname.
    pub name: Option<Petname>,
    /// Where.
    pub place: Place,
    /// Under which top-level key.
    pub key: String,
    /// What is held.
    pub held: Qrid,
}

/// Something outside all objects that an object can be reached from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keeper {
    /// What it is.
    pub root: Root,
    /// The object it is about.
    pub object: Qrid,
    /// The links from there, in order; empty when it is the object itself.
    pub path: Vec<Link>,
}

/// What an object can be reached from that is no object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Root {
    /// The operator named it.
    Petname {
        /// So.
        name: Petname,
    },
    /// The operator installed it, and was told its QRID.
    Operator,
    /// A message for it is queued, or holds a reference to it.
    Message {
        /// The message.
        message: MessageName,
    },
    /// Another vat was told of it, or sent something to it.
    Peer {
        /// The vat.
        vat: VatId,
        /// Its petname.
        name: Option<Petname>,
    },
}

/// The shortest way from one object to another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Way {
    /// From here.
    pub from: Qrid,
    /// To there.
    pub to: Qrid,
    /// The links in order; `None` when no way was found.
    pub links: Option<Vec<Link>>,
    /// Whether all that can be reached was looked at, so that `None` means that there is no way in this vat.
    pub complete: bool,
    /// The commit this was read at.
    pub as_of: u64,
}

/// An object with a native power.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Empowered {
    /// The object.
    pub object: Qrid,
    /// Its petname.
    pub name: Option<Petname>,
    /// The properties of its power that are that native power.
    pub properties: Vec<String>,
}

/// A page of the search for objects that nothing known can reach.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sweep {
    /// Those that were found.
    pub unreachable: Vec<Unreachable>,
    /// Objects that were looked at.
    pub looked_at: u64,
    /// Of those, how many would have taken too long to decide.
    pub undecided: u64,
    /// The cursor of the next page; `None` when this was the last.
    pub next: Option<u64>,
    /// The commit this was read at.
    pub as_of: u64,
}

/// An object that nothing known can reach. A vat that holds its QRID still can.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unreachable {
    /// The object.
    pub object: Qrid,
    /// The account that pays for it.
    pub account: Qrid,
    /// When it was made.
    pub created_at: u64,
    /// The size of its memory.
    pub memory_bytes: u64,
}
