//! The turn journal.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use data_encoding::HEXLOWER;
use qrt_shared::control::Listing;
use qrt_shared::id::{MessageName, Target};
use qrt_shared::view::{self, Change, Page, Turn};
use rusqlite::{Row, params};

use super::list::{Filter, From, LOOK};
use super::{Asked, Read, ReadError, list, outcome};
use crate::protocol::{Handle, MemoryHandle};
use crate::vat::source::{PeerNumber, Source};

const COLUMNS: &str = "turn, message, source, object, code.sha256, args, outcome, result, result_error, error, made,
    sent, log, ticks, cpu_us, clock_ms, edit, seq, abroad, posted FROM turn JOIN code ON code.code = turn.code";

struct Stored {
    turn: u64,
    message: Option<u64>,
    source: Source,
    object: Handle,
    code: Vec<u8>,
    args: String,
    outcome: String,
    result: Option<String>,
    result_error: Option<String>,
    error: Option<String>,
    made: Option<String>,
    sent: Option<String>,
    log: Option<String>,
    ticks: u64,
    cpu_us: u64,
    at: u64,
    edit: Option<String>,
    seq: Option<u64>,
    abroad: Option<String>,
    posted: Option<String>,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        turn: row.get(0)?,
        message: row.get(1)?,
        source: row.get(2)?,
        object: row.get(3)?,
        code: row.get(4)?,
        args: row.get(5)?,
        outcome: row.get(6)?,
        result: row.get(7)?,
        result_error: row.get(8)?,
        error: row.get(9)?,
        made: row.get(10)?,
        sent: row.get(11)?,
        log: row.get(12)?,
        ticks: row.get(13)?,
        cpu_us: row.get(14)?,
        at: row.get(15)?,
        edit: row.get(16)?,
        seq: row.get(17)?,
        abroad: row.get(18)?,
        posted: row.get(19)?,
    })
}

/// What a key became by a turn.
enum Became {
    Value(String),
    Deleted,
    /// It was not found in time, or the memory is gone.
    Unknown,
}

impl Became {
    fn of(value: Option<String>) -> Self {
        value.map_or(Self::Deleted, Self::Value)
    }
}

impl Asked<'_> {
    /// A page of the journal, oldest first; `filter` is of names and ids of the object and the source, of the verb
    /// of an edit, and of the error.
    pub fn turns(&self, listing: &Listing) -> Read<Page<Turn>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let resolve = |target: &Option<Target>| target.as_ref().map(|target| self.resolve_ever(target)).transpose();
        let (object, account) = (resolve(&listing.object)?, resolve(&listing.account)?);
        let keep = |row: &Row<'_>| {
            let source = row.get(2)?;
            if account.is_some_and(|account| source != Source::Account(account))
                || listing
                    .outcome
                    .is_some_and(|outcome| row.get_ref(6).is_ok_and(|word| word != outcome.as_str().into()))
            {
                return Ok(false);
            }
            let error: Option<String> = if filter.is_empty() { return Ok(true) } else { row.get(9)? };
            Ok(self.named_by(&filter, row.get(3)?)?
                || self.source_by(&filter, source)?
                || filter.some(row.get::<_, Option<String>>(16)?)
                || filter.some(error.map(|error| self.error(&error)).transpose()?.map(|error| error.message)))
        };
        let item = |row: &Row<'_>| {
            let row = stored(row)?;
            let texts = [&row.result, &row.error, &row.log, &row.made, &row.sent];
            let size = row.args.len() + texts.into_iter().flatten().map(String::len).sum::<usize>();
            Ok((self.turn_row(row)?, size))
        };
        match object {
            None => {
                self.listed(from, &format!("SELECT {COLUMNS} WHERE {}", from.by("turn")), [from.cursor], keep, item)
            }
            Some(object) => {
                let sql = format!("SELECT {COLUMNS} WHERE object = ?2 AND {}", from.by("turn"));
                self.listed(from, &sql, params![from.cursor, object], keep, item)
            }
        }
    }

    /// The names of what a turn sent, in this vat and to others.
    pub(super) fn sent(&self, sent: Option<&String>, posted: Option<&String>) -> Read<Vec<MessageName>> {
        let sent: Vec<u64> = list(sent)?;
        let posted: Vec<(PeerNumber, u64)> = list(posted)?;
        let out = |(peer, seq)| Ok(MessageName::Out(self.peer_row(peer)?.vat, seq));
        sent.into_iter().map(|message| Ok(MessageName::In(message))).chain(posted.into_iter().map(out)).collect()
    }

    /// Where a message came from, if it was from another vat.
    pub(super) fn from(&self, source: Source, seq: Option<u64>, cause: Option<String>) -> Read<Option<view::From>> {
        let (Source::Peer(peer), Some(seq)) = (source, seq) else { return Ok(None) };
        Ok(Some(view::From { vat: self.peer_row(peer)?.vat, seq, cause }))
    }

    fn turn_row(&self, row: Stored) -> Read<Turn> {
        let made: Vec<Handle> = list(row.made.as_ref())?;
        let sent = self.sent(row.sent.as_ref(), row.posted.as_ref())?;
        let from = self.from(row.source, row.seq, row.abroad)?;
        Ok(Turn {
            turn: row.turn,
            message: row.message.map(MessageName::In),
            edit: row.edit,
            object: self.qrid(row.object)?,
            name: self.petname(row.object)?,
            source: self.source(row.source)?,
            source_name: self.source_name(row.source)?,
            code: HEXLOWER.encode(&row.code),
            args: self.outside(Some(&row.args))?,
            outcome: outcome(&row.outcome)?,
            result: self.outside(row.result.as_deref())?,
            result_error: row.result_error,
            error: row.error.map(|error| self.error(&error)).transpose()?,
            changes: self.changes(row.turn, row.object)?,
            made: made.into_iter().map(|object| self.qrid(object)).collect::<Read<_>>()?,
            sent,
            from,
            log: list(row.log.as_ref())?,
            ticks: row.ticks,
            cpu_us: row.cpu_us,
            at: row.at,
        })
    }

    /// One turn; its changes say what each key became.
    pub fn turn(&self, turn: u64) -> Read<Turn> {
        let bound = i64::try_from(turn).unwrap_or(i64::MAX);
        let row = self.one(&format!("SELECT {COLUMNS} WHERE turn = ?1"), [bound], stored)?;
        let row = row.ok_or_else(|| ReadError::Nothing(format!("the journal has no turn {turn}")))?;
        let mut found = self.turn_row(row)?;
        let became = self.became(turn)?;
        for (change, became) in found.changes.iter_mut().zip(became) {
            match became {
                Became::Value(new) => change.new = Some(self.outside(Some(&new))?),
                Became::Deleted => change.deleted = true,
                Became::Unknown => change.unknown = true,
            }
        }
        Ok(found)
    }

    /// What a turn's changes became, in their order: the next change of the same key holds it, or the present does.
    fn became(&self, turn: u64) -> Read<Vec<Became>> {
        let keys: Vec<(MemoryHandle, String)> =
            self.change_rows(turn)?.into_iter().map(|(memory, key, _)| (memory, key)).collect();
        let mut found: HashMap<&(MemoryHandle, String), Option<String>> = HashMap::new();
        let sql = "SELECT memory, key, old FROM turn_change WHERE turn > ?1 ORDER BY turn";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut later = statement.query([turn])?;
        let wanted: HashSet<&(MemoryHandle, String)> = keys.iter().collect();
        let started = Instant::now();
        let mut known = true;
        while found.len() < wanted.len()
            && let Some(row) = later.next()?
        {
            if let Some(key) = wanted.get(&(row.get(0)?, row.get(1)?))
                && !found.contains_key(*key)
            {
                found.insert(*key, row.get(2)?);
            }
            if started.elapsed() > LOOK {
                known = false;
                break;
            }
        }
        let became = |key: &(MemoryHandle, String)| {
            if let Some(old) = found.get(key) {
                return Ok(Became::of(old.clone()));
            }
            let there = self.one("SELECT 1 FROM memory WHERE memory = ?1", [key.0], |_| Ok(()))?;
            if !known || there.is_none() {
                return Ok(Became::Unknown);
            }
            let sql = "SELECT value FROM memory_entry WHERE memory = ?1 AND key = ?2";
            self.one(sql, params![key.0, key.1], |row| row.get(0)).map(Became::of)
        };
        keys.iter().map(became).collect()
    }

    fn change_rows(&self, turn: u64) -> Read<Vec<(MemoryHandle, String, Option<String>)>> {
        let sql = "SELECT memory, key, old FROM turn_change WHERE turn = ?1";
        self.rows(sql, [turn], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    fn changes(&self, turn: u64, ran: Handle) -> Read<Vec<Change>> {
        let change = |(memory, key, old): (MemoryHandle, String, Option<String>)| {
            let object = self.qrid(self.sharer(memory, ran)?)?;
            let old = old.map(|old| self.outside(Some(&old))).transpose()?;
            Ok(Change { object, key, added: old.is_none(), old, new: None, deleted: false, unknown: false })
        };
        self.change_rows(turn)?.into_iter().map(change).collect()
    }

    /// An object with this Memory: `ran` if it is one.
    pub(super) fn sharer(&self, memory: MemoryHandle, ran: Handle) -> Read<Handle> {
        let sql = "SELECT object FROM object WHERE memory = ?1 ORDER BY object <> ?2, object LIMIT 1";
        let found = self.one(sql, [memory, ran], |row| row.get(0))?;
        Ok(found.unwrap_or(ran))
    }
}
