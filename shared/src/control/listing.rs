//! Which rows of a list: the query every list of the control interface understands.
//!
//! Lists go by a cursor on a number that never changes, so a page costs the same wherever it is. A list
//! in the order of what changes every turn (`sort`) is the head of that order and has no cursors.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::client::segment;
use crate::id::{PeerName, Target};
use crate::view::{AccountRow, Audited, Fault, Message, ObjectRow, Outcome, Outgoing, Peer, Turn};

/// A row of a list, and where the list is.
pub trait Listed {
    /// Its path.
    const PATH: &'static str;
}

macro_rules! listed {
    ($($row:ty => $path:literal),* $(,)?) => {
        $(impl Listed for $row {
            const PATH: &'static str = $path;
        })*
    };
}

listed! {
    ObjectRow => "/v1/objects",
    AccountRow => "/v1/accounts",
    Message => "/v1/inbox",
    Turn => "/v1/turns",
    Fault => "/v1/faults",
    Peer => "/v1/peers",
    Outgoing => "/v1/outbox",
    Audited => "/v1/audit",
}

/// Where a page stands in its list. Cursors are those of another page: its `next` and `prev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum At {
    /// The list's first rows.
    #[default]
    First,
    /// Its last rows.
    Last,
    /// The rows right after that cursor.
    After(u64),
    /// The rows right before that cursor.
    Before(u64),
}

/// What a list is asked for. Parameters that a list does not know are refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Listing {
    /// Which page.
    pub at: At,
    /// How many rows; the daemon gives fewer where they are large, and never more than it wants to.
    pub limit: Option<u64>,
    /// Only rows with this text in their names and ids: petname, QRID, vat id, error.
    pub filter: String,
    /// By this instead of the list's own order, the greatest first: `name`, `turns`, `faults`, `memory`, `cpu`,
    /// `queue`; with a `-` before it the least first.
    pub sort: Option<String>,
    /// Only what concerns this object.
    pub object: Option<Target>,
    /// Only what concerns this peer.
    pub peer: Option<PeerName>,
    /// Only turns with this outcome.
    pub outcome: Option<Outcome>,
    /// Only turns that spent this account's share, or objects in it.
    pub account: Option<Target>,
}

impl Listing {
    /// The rows after a cursor.
    pub fn after(cursor: u64) -> Self {
        Self { at: At::After(cursor), ..Self::default() }
    }

    /// The last `count` rows.
    pub fn last(count: u64) -> Self {
        Self { at: At::Last, limit: Some(count), ..Self::default() }
    }

    /// The path and query to ask for a list of `T`.
    pub fn path<T: Listed>(&self) -> String {
        self.path_at(T::PATH)
    }

    /// The path and query to ask for the list at `path`.
    pub fn path_at(&self, path: &str) -> String {
        let mut text = path.to_owned();
        let mut add = |name: &str, value: &dyn std::fmt::Display| {
            let start = if text.contains('?') { '&' } else { '?' };
            write!(text, "{start}{name}={}", segment(value)).expect("a string takes all");
        };
        match self.at {
            At::First => {}
            At::Last => add("before", &i64::MAX),
            At::After(cursor) => add("after", &cursor),
            At::Before(cursor) => add("before", &cursor),
        }
        if let Some(limit) = self.limit {
            add("limit", &limit);
        }
        if !self.filter.is_empty() {
            add("filter", &self.filter);
        }
        if let Some(sort) = &self.sort {
            add("sort", sort);
        }
        if let Some(object) = &self.object {
            add("object", object);
        }
        if let Some(peer) = &self.peer {
            add("peer", peer);
        }
        if let Some(outcome) = self.outcome {
            add("outcome", &outcome.as_str());
        }
        if let Some(account) = &self.account {
            add("account", account);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_asks_only_for_what_it_names() {
        assert_eq!(Listing::default().path::<ObjectRow>(), "/v1/objects");
        let listing =
            Listing { at: At::Before(7), filter: "a b".into(), outcome: Some(Outcome::Error), ..Listing::default() };
        assert_eq!(listing.path::<Turn>(), "/v1/turns?before=7&filter=a%20b&outcome=error");
    }
}
