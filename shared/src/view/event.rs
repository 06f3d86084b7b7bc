//! What happens in a vat, as a watcher is told of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Outcome, PeerState, Totals};
use crate::id::{Petname, Qrid, VatId};

/// What happened, as it was committed: a line of `GET /v1/events`.
///
/// [`Event::Commit`] and [`Event::Idle`] are told to every watcher, the others to those that ask for their kind. What a
/// commit brought comes before its line: whoever has heard of a commit has heard of, or knows to be left out, all until
/// then, and resumes from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// Commits, up to this one; several are told as one when they come faster than they are told.
    Commit {
        /// The last of them.
        commit: u64,
        /// What the vat has done by then.
        totals: Totals,
        /// Messages in the inbox then.
        inbox: u64,
        /// Messages in the outbox then.
        outbox: u64,
    },
    /// Nothing happened for a while: the connection is alive.
    Idle,
    /// A turn, or an operator's edit in the order of turns.
    Turn {
        /// Its number.
        turn: u64,
        /// The object it ran.
        object: Qrid,
        /// That object's petname.
        name: Option<Petname>,
        /// What came of it.
        outcome: Outcome,
        /// The verb of an edit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edit: Option<String>,
        /// When.
        at: u64,
    },
    /// An attempt to deliver to another vat has ended.
    Attempt {
        /// That vat.
        peer: VatId,
        /// The operator's name for it.
        name: Option<Petname>,
        /// Why it failed; `None` when it did not.
        error: Option<String>,
        /// When the next is due; `None` when nothing is to be sent, or nothing may be.
        next_attempt_at: Option<u64>,
        /// When it ended.
        at: u64,
    },
    /// Whether the channel to another vat can be trusted has changed.
    Peer {
        /// That vat.
        peer: VatId,
        /// The operator's name for it.
        name: Option<Petname>,
        /// What it is now.
        state: PeerState,
        /// Since when, unless it is `ok`.
        state_since: Option<u64>,
    },
    /// A message failed.
    Fault {
        /// The fault's number.
        fault: u64,
        /// The turn that failed; `None` when it never ran.
        turn: Option<u64>,
        /// The object it was for; `None` when it could not be given to any.
        object: Option<Qrid>,
        /// That object's petname.
        name: Option<Petname>,
        /// Why, in one line.
        error: String,
        /// When.
        at: u64,
    },
    /// Events of a kind that are not told, as there were too many of them: read the list instead.
    LeftOut {
        /// The kind.
        kind: EventKind,
        /// How many; `None` when nobody knows: they were before what the daemon remembers.
        count: Option<u64>,
    },
}

/// A kind of events that is told to those who ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// [`Event::Turn`]
    Turns,
    /// [`Event::Attempt`]
    Attempts,
    /// [`Event::Peer`]
    Peers,
    /// [`Event::Fault`]
    Faults,
}

impl EventKind {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Turns, Self::Attempts, Self::Peers, Self::Faults];

    /// The word people and scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turns => "turns",
            Self::Attempts => "attempts",
            Self::Peers => "peers",
            Self::Faults => "faults",
        }
    }
}

/// A word that is no [`EventKind`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no events are told as {0:?}: it is turns, attempts, peers or faults")]
pub struct NoEventKind(String);

impl FromStr for EventKind {
    type Err = NoEventKind;

    fn from_str(word: &str) -> Result<Self, NoEventKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| NoEventKind(word.to_owned()))
    }
}
