//! What one watcher is told beyond commits: the single events that it asked for.
//!
//! They are read from the database once it holds the commit that is about to be told, so the kernel has no part in it.
//! Turns and faults have numbers, and are those between two commits; an attempt or a state is told when a peer's row
//! has changed, so of several between two commits only the last. What is not told is counted.

use std::collections::BTreeSet;
use std::time::Duration;

use qrt_shared::id::Target;
use qrt_shared::view::{Event, EventKind};
use tokio::time::Instant;

use super::Refusal;
use super::router::Asked;
use crate::protocol::Handle;
use crate::store::read::{self, Changed, News, ReadError, Standings};
use crate::totals::{Committed, Stands};

/// Single events of a kind that are told in a second, at most.
const SECOND_MAX: u64 = 100;

/// Which events a watcher asks for.
pub(super) struct Wanted {
    kinds: BTreeSet<EventKind>,
    object: Option<Target>,
}

impl Wanted {
    /// `tell=turns,faults&object=`
    pub(super) fn of(asked: &Asked<'_>) -> Result<Option<Self>, Refusal> {
        let (tell, object): (Option<String>, _) = (asked.parameter("tell")?, asked.parameter("object")?);
        let words = tell.iter().flat_map(|tell| tell.split(','));
        let kinds = words.map(str::parse).collect::<Result<BTreeSet<_>, _>>();
        let kinds = kinds.map_err(|error| Refusal::bad(error, "name the kinds with a comma between them"))?;
        if object.is_some() && !kinds.contains(&EventKind::Turns) && !kinds.contains(&EventKind::Faults) {
            let error = "an object has turns and faults, and none are to be told";
            return Err(Refusal::bad(error, "add `tell=turns,faults`"));
        }
        Ok((!kinds.is_empty()).then_some(Self { kinds, object }))
    }
}

/// A commit that was told of: where whoever has heard of it goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) commit: u64,
    stands: Stands,
    attempts: u64,
}

impl From<&Committed> for Mark {
    fn from(&Committed { commit, totals, stands, .. }: &Committed) -> Self {
        Self { commit, stands, attempts: totals.attempts }
    }
}

/// Tells a watcher.
pub(super) struct Teller {
    kinds: BTreeSet<EventKind>,
    object: Option<Handle>,
    /// All before it is told.
    at: Mark,
    peers: Standings,
    /// What cannot be told any more when the watcher comes.
    missed: Vec<Event>,
    room: Room,
}

impl Teller {
    /// One that tells what is `wanted` of all after `from`, of which peers' attempts and states are gone; `None` is
    /// longer ago than is known. The vat is at `now`.
    pub(super) fn new(db: &read::Asked<'_>, wanted: &Wanted, from: Option<Mark>, now: Mark) -> Result<Self, ReadError> {
        let Wanted { kinds, object } = wanted;
        let object = object.as_ref().map(|object| db.resolve_ever(object)).transpose()?;
        let missed = |kind: &EventKind| {
            let count = match (from, kind) {
                (None, _) => None,
                (Some(from), EventKind::Peers) if from.commit < now.commit => None,
                (Some(from), EventKind::Attempts) if from.attempts < now.attempts => Some(now.attempts - from.attempts),
                (Some(_), _) => return None,
            };
            Some(Event::LeftOut { kind: *kind, count })
        };
        let missed = kinds.iter().filter_map(missed).collect();
        let mut peers = Standings::default();
        db.changed_peers(&mut peers)?;
        Ok(Self { kinds: kinds.clone(), object, at: from.unwrap_or(now), peers, missed, room: Room::new() })
    }

    /// What happened until `now`, which the database holds.
    pub(super) fn news(&mut self, db: &read::Asked<'_>, now: Mark) -> Result<Vec<Event>, ReadError> {
        let mut events = std::mem::take(&mut self.missed);
        let (from, to) = (self.at.stands, now.stands);
        let of_peers = self.kinds.contains(&EventKind::Attempts) || self.kinds.contains(&EventKind::Peers);
        let changed: Vec<Changed> = if of_peers { db.changed_peers(&mut self.peers)? } else { Vec::new() };
        self.room.renew();
        for kind in &self.kinds {
            let room = self.room.of(*kind);
            let News { events: told, left } = match kind {
                EventKind::Turns => db.turn_news(from.next_turn..to.next_turn, self.object, *room)?,
                EventKind::Faults => db.fault_news(from.next_fault..to.next_fault, self.object, *room)?,
                EventKind::Attempts => db.attempt_news(&changed, *room)?,
                EventKind::Peers => db.peer_news(&changed, *room)?,
            };
            *room -= told.len() as u64;
            events.extend(told);
            events.extend((left > 0).then_some(Event::LeftOut { kind: *kind, count: Some(left) }));
        }
        self.at = now;
        Ok(events)
    }
}

/// How many more of each kind may be told in this second.
struct Room {
    since: Instant,
    left: [u64; EventKind::ALL.len()],
}

impl Room {
    fn new() -> Self {
        Self { since: Instant::now(), left: [SECOND_MAX; EventKind::ALL.len()] }
    }

    /// Begins another second when this one is over.
    fn renew(&mut self) {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self::new();
        }
    }

    fn of(&mut self, kind: EventKind) -> &mut u64 {
        &mut self.left[kind as usize]
    }
}
