//! The turn journal.

use data_encoding::HEXLOWER;
use qrt_shared::id::MessageName;
use qrt_shared::view::{Change, From, Page, Turn};
use rusqlite::{OptionalExtension, Row};

use super::{Asked, PAGE_ROWS, Read, list, outcome};
use crate::protocol::{Handle, MemoryHandle};
use crate::vat::source::{PeerNumber, Source};

/// Which turns to read.
#[derive(Debug, Clone, Copy)]
pub enum Turns {
    /// Those after this one, oldest first.
    After(u64),
    /// So many of the newest, oldest first.
    Newest(u64),
}

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

impl Asked<'_> {
    /// A page of the journal, oldest first, of one object or of all.
    pub fn turns(&self, which: Turns, object: Option<Handle>) -> Read<Page<Turn>> {
        let rows = match (which, object) {
            (Turns::After(after), None) => {
                let sql = format!("SELECT {COLUMNS} WHERE turn > ?1 ORDER BY turn LIMIT ?2");
                self.rows(&sql, [after, PAGE_ROWS], stored)?
            }
            (Turns::After(after), Some(object)) => {
                let sql = format!("SELECT {COLUMNS} WHERE turn > ?1 AND object = ?3 ORDER BY turn LIMIT ?2");
                self.rows(&sql, [after, PAGE_ROWS, object], stored)?
            }
            (Turns::Newest(count), None) => {
                let sql = format!("SELECT {COLUMNS} ORDER BY turn DESC LIMIT ?1");
                self.newest(&sql, &[count.min(PAGE_ROWS)])?
            }
            (Turns::Newest(count), Some(object)) => {
                let sql = format!("SELECT {COLUMNS} WHERE object = ?2 ORDER BY turn DESC LIMIT ?1");
                self.newest(&sql, &[count.min(PAGE_ROWS), object])?
            }
        };
        let bytes = |row: &Stored| {
            let texts = [&row.result, &row.error, &row.log, &row.made, &row.sent];
            row.args.len() + texts.into_iter().flatten().map(String::len).sum::<usize>()
        };
        self.page(rows, |row| Ok((row.turn, self.turn(row)?)), bytes)
    }

    fn newest(&self, sql: &str, params: &[u64]) -> Read<Vec<Stored>> {
        let mut rows = self.rows(sql, rusqlite::params_from_iter(params), stored)?;
        rows.reverse();
        Ok(rows)
    }

    /// The names of what a turn sent, in this vat and to others.
    pub(super) fn sent(&self, sent: Option<&String>, posted: Option<&String>) -> Read<Vec<MessageName>> {
        let sent: Vec<u64> = list(sent)?;
        let posted: Vec<(PeerNumber, u64)> = list(posted)?;
        let out = |(peer, seq)| Ok(MessageName::Out(self.peer_row(peer)?.vat, seq));
        sent.into_iter().map(|message| Ok(MessageName::In(message))).chain(posted.into_iter().map(out)).collect()
    }

    /// Where a message came from, if it was from another vat.
    pub(super) fn from(&self, source: Source, seq: Option<u64>, cause: Option<String>) -> Read<Option<From>> {
        let (Source::Peer(peer), Some(seq)) = (source, seq) else { return Ok(None) };
        Ok(Some(From { vat: self.peer_row(peer)?.vat, seq, cause }))
    }

    fn turn(&self, row: Stored) -> Read<Turn> {
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

    fn changes(&self, turn: u64, ran: Handle) -> Read<Vec<Change>> {
        let sql = "SELECT memory, key, old FROM turn_change WHERE turn = ?1";
        let rows: Vec<(MemoryHandle, String, Option<String>)> =
            self.rows(sql, [turn], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let change = |(memory, key, old): (MemoryHandle, String, Option<String>)| {
            let object = self.qrid(self.sharer(memory, ran)?)?;
            let old = old.map(|old| self.outside(Some(&old))).transpose()?;
            Ok(Change { object, key, added: old.is_none(), old, new: None, deleted: false })
        };
        rows.into_iter().map(change).collect()
    }

    /// An object with this Memory: `ran` if it is one.
    pub(super) fn sharer(&self, memory: MemoryHandle, ran: Handle) -> Read<Handle> {
        let sql = "SELECT object FROM object WHERE memory = ?1 ORDER BY object <> ?2, object LIMIT 1";
        let found = self.db.prepare_cached(sql)?.query_row([memory, ran], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(ran))
    }
}
