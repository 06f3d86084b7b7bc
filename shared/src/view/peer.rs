//! Other vats, and what is on its way to them.

use serde::{Deserialize, Serialize};

use crate::id::{Petname, Qrid, VatId};

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
