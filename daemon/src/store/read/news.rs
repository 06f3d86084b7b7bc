//! What has happened, for those who watch: rows by number, and peers by what has changed of them.

use std::collections::HashMap;
use std::ops::Range;

use qrt_shared::view::{Event, PeerState};
use rusqlite::{Row, params};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::peers::state;
use super::{Asked, Read, ReadError, outcome};
use crate::protocol::Handle;
use crate::vat::source::PeerNumber;

/// Events of one kind.
#[derive(Debug, Default)]
pub struct News {
    /// The oldest of them.
    pub events: Vec<Event>,
    /// How many more there are.
    pub left: u64,
}

/// How a peer stood.
#[derive(Debug, Clone, Copy)]
struct Standing {
    tries: u64,
    state: PeerState,
}

/// How every peer stood when it was last looked at.
#[derive(Debug, Default)]
pub struct Standings(HashMap<PeerNumber, Standing>);

/// What has happened to a peer since.
#[derive(Debug)]
pub struct Changed {
    peer: PeerNumber,
    /// Attempts that ended; of the last of them there is a row.
    pub attempts: u64,
    /// Its state is another.
    pub state: bool,
}

impl Asked<'_> {
    /// The turns with these numbers, of one object or of all: at most `room`.
    pub fn turn_news(&self, turns: Range<u64>, object: Option<Handle>, room: u64) -> Read<News> {
        // Not as one condition: by that SQLite would not take the index.
        let of = if object.is_some() { "object = ?4 AND" } else { "?4 IS NULL AND" };
        let sql = format!(
            "SELECT turn, object, outcome, edit, clock_ms FROM turn WHERE {of} turn >= ?1 AND turn < ?2
                ORDER BY turn LIMIT ?3"
        );
        let told = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?, row.get(4)?));
        let rows: Vec<(u64, Handle, _, _, _)> = self.rows(&sql, params![turns.start, turns.end, room, object], told)?;
        let on = rows.last().map_or(turns.start, |row| row.0 + 1);
        let left = match object {
            // The journal has no hole, but its beginning goes.
            None => turns.end.saturating_sub(turns.start) - rows.len() as u64,
            Some(_) if (rows.len() as u64) < room => 0,
            Some(object) => {
                let sql = "SELECT count(*) FROM turn WHERE object = ?1 AND turn >= ?2 AND turn < ?3";
                self.one(sql, params![object, on, turns.end], |row| row.get(0))?.unwrap_or_default()
            }
        };
        let event = |(turn, object, word, edit, at): (_, _, String, _, _)| {
            let (outcome, name) = (outcome(&word)?, self.petname(object)?);
            Ok(Event::Turn { turn, object: self.qrid(object)?, name, outcome, edit, at })
        };
        Ok(News { events: rows.into_iter().map(event).collect::<Read<_>>()?, left })
    }

    /// The faults with these numbers that are still there, of one object or of all: at most `room`.
    pub fn fault_news(&self, faults: Range<u64>, object: Option<Handle>, room: u64) -> Read<News> {
        const OF: &str = "FROM fault WHERE fault >= ?1 AND fault < ?2 AND (?3 IS NULL OR target = ?3)";
        let sql = format!("SELECT fault, turn, target, error, at {OF} ORDER BY fault LIMIT ?4");
        let told = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get(4)?));
        let rows: Vec<(u64, _, Option<Handle>, _, _)> =
            self.rows(&sql, params![faults.start, faults.end, object, room], told)?;
        let on = rows.last().map_or(faults.start, |row| row.0 + 1);
        let sql = format!("SELECT count(*) {OF}");
        let left = self.one(&sql, params![on, faults.end, object], |row| row.get(0))?.unwrap_or_default();
        let event = |(fault, turn, target, error, at): (_, _, Option<Handle>, String, _)| {
            let object = target.map(|target| self.qrid(target)).transpose()?;
            let name = target.map(|target| self.petname(target)).transpose()?.flatten();
            let error = self.error(&error)?.message.lines().next().unwrap_or_default().to_owned();
            Ok(Event::Fault { fault, turn, object, name, error, at })
        };
        Ok(News { events: rows.into_iter().map(event).collect::<Read<_>>()?, left })
    }

    /// The peers that do not stand as they did; from now on they do.
    pub fn changed_peers(&self, Standings(known): &mut Standings) -> Read<Vec<Changed>> {
        let mut statement = self.db.prepare_cached("SELECT peer, tries, state FROM peer")?;
        let mut rows = statement.query([])?;
        let mut changed = Vec::new();
        while let Some(row) = rows.next()? {
            let word: StrDeserializer<'_, Error> =
                row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?.into_deserializer();
            let state = PeerState::deserialize(word).map_err(|error| ReadError::Damaged(error.to_string()))?;
            let (peer, is) = (row.get(0)?, Standing { tries: row.get(1)?, state });
            let was = known.insert(peer, is).unwrap_or(Standing { tries: 0, state: PeerState::Ok });
            let attempts = is.tries.saturating_sub(was.tries);
            if attempts > 0 || is.state != was.state {
                changed.push(Changed { peer, attempts, state: is.state != was.state });
            }
        }
        Ok(changed)
    }

    /// The last attempts to deliver to those of `changed` that were tried: at most `room`.
    pub fn attempt_news(&self, changed: &[Changed], room: u64) -> Read<News> {
        let mut news = News::default();
        for Changed { peer, attempts, .. } in changed.iter().filter(|changed| changed.attempts > 0) {
            if news.events.len() as u64 == room {
                news.left += attempts;
                continue;
            }
            let peer = self.peer_row(*peer)?;
            news.left += attempts - 1;
            news.events.push(Event::Attempt {
                peer: peer.vat,
                name: peer.name,
                error: peer.last_error,
                next_attempt_at: peer.due_at,
                at: peer.tried_at.unwrap_or_default(),
            });
        }
        Ok(news)
    }

    /// The states of those of `changed` that have another: at most `room`.
    pub fn peer_news(&self, changed: &[Changed], room: u64) -> Read<News> {
        let mut news = News::default();
        for Changed { peer, .. } in changed.iter().filter(|changed| changed.state) {
            if news.events.len() as u64 == room {
                news.left += 1;
                continue;
            }
            let peer = self.peer_row(*peer)?;
            news.events.push(Event::Peer {
                peer: peer.vat,
                name: peer.name,
                state: state(&peer.outbound.state),
                state_since: peer.stopped_at,
            });
        }
        Ok(news)
    }
}
