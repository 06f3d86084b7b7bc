//! What is selected.

use qrt_shared::id::{MessageName, PeerName, Petname, Qrid, Subject, Target, VatId};

use crate::format;

/// What a command acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// Nothing but the vat itself.
    Vat,
    /// An object of this vat, or of another.
    Object {
        /// Which.
        qrid: Qrid,
        /// Its petname.
        name: Option<Petname>,
        /// Whether it is held.
        held: bool,
    },
    /// A key of an object's memory.
    Key {
        /// The object.
        object: Qrid,
        /// The key.
        key: String,
    },
    /// A queued message.
    Message {
        /// Its name.
        message: MessageName,
        /// The object it is for.
        target: Qrid,
    },
    /// A message to another vat.
    Outgoing {
        /// The vat.
        peer: VatId,
        /// Its petname.
        name: Option<Petname>,
        /// Its number on the channel.
        seq: u64,
    },
    /// Another vat.
    Peer {
        /// Which.
        vat: VatId,
        /// Its petname.
        name: Option<Petname>,
        /// Whether its queue is held.
        held: bool,
    },
    /// A turn.
    Turn {
        /// Its number.
        turn: u64,
        /// The object it ran.
        object: Qrid,
    },
    /// A message whose turn failed.
    Fault {
        /// Its number.
        id: u64,
        /// The object it was for.
        object: Option<Qrid>,
        /// The turn that failed.
        turn: Option<u64>,
    },
}

impl Thing {
    /// The object that it is or is about.
    pub fn object(&self) -> Option<&Qrid> {
        match self {
            Self::Object { qrid: object, .. }
            | Self::Key { object, .. }
            | Self::Turn { object, .. }
            | Self::Message { target: object, .. } => Some(object),
            Self::Fault { object, .. } => object.as_ref(),
            Self::Vat | Self::Outgoing { .. } | Self::Peer { .. } => None,
        }
    }

    /// Whether both are the same thing, whatever is known about it.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object { qrid, .. }, Self::Object { qrid: other, .. }) => qrid == other,
            (Self::Peer { vat, .. }, Self::Peer { vat: other, .. }) => vat == other,
            _ => self == other,
        }
    }

    /// The object, as what a request names it by.
    pub fn target(&self) -> Option<Target> {
        self.object().cloned().map(Target::Qrid)
    }

    /// The other vat that it is or is for.
    pub fn peer(&self) -> Option<PeerName> {
        match self {
            Self::Outgoing { peer: vat, .. } | Self::Peer { vat, .. } => Some(PeerName::Vat(*vat)),
            _ => None,
        }
    }

    /// What can be asked why it does not go on.
    pub fn subject(&self) -> Option<Subject> {
        Some(match self {
            Self::Message { message: MessageName::In(number), .. } => Subject::In(*number),
            Self::Message { message: MessageName::Out(peer, seq), .. } => Subject::Out(PeerName::Vat(*peer), *seq),
            Self::Outgoing { peer, name, seq } => {
                let peer = name.clone().map_or(PeerName::Vat(*peer), PeerName::Petname);
                Subject::Out(peer, *seq)
            }
            Self::Peer { vat, .. } => Subject::Peer(*vat),
            _ => Subject::Object(self.object()?.clone()),
        })
    }

    /// What can be asked what led to it and what came of it.
    pub fn traced(&self) -> Option<Subject> {
        match self {
            Self::Turn { turn, .. } | Self::Fault { turn: Some(turn), .. } => Some(Subject::Turn(*turn)),
            Self::Message { .. } | Self::Outgoing { .. } => self.subject(),
            _ => None,
        }
    }

    /// What `y` copies.
    pub fn copied(&self) -> Option<String> {
        match self {
            Self::Vat => None,
            Self::Outgoing { peer, seq, .. } => Some(MessageName::Out(*peer, *seq).to_string()),
            Self::Peer { vat, .. } => Some(vat.to_string()),
            _ => self.object().map(ToString::to_string),
        }
    }

    /// What it is called, in few characters.
    pub fn called(&self) -> String {
        match self {
            Self::Vat => "the vat".to_owned(),
            Self::Object { qrid, name, .. } => format::object(name.as_ref(), qrid),
            Self::Key { object, key } => format!("{} of {}", format::key(key, 40), format::object(None, object)),
            Self::Message { message, .. } => message.to_string(),
            Self::Outgoing { peer, name, seq } => format!("{}#{seq}", format::vat(name.as_ref(), peer)),
            Self::Peer { vat, name, .. } => format::vat(name.as_ref(), vat),
            Self::Turn { turn, .. } => format!("turn {turn}"),
            Self::Fault { id, .. } => format!("fault {id}"),
        }
    }
}
