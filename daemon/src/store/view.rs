//! The kernel's reads, on the writer's own connection: the open transaction is its overlay.

use qrt_shared::id::{ObjectId, Petname};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::{Store, apply};
use crate::protocol::{CodeNumber, Handle, MemoryHandle};
use crate::vat::Counters;
use crate::vat::view::{Entry, Fault, Memory, Message, Object, View, ViewError};

type Read<T> = Result<T, ViewError>;

impl Store {
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Read<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        statement.query_row(params, map).optional().map_err(failed)
    }
}

fn failed(error: rusqlite::Error) -> ViewError {
    ViewError(Box::new(error))
}

impl View for Store {
    fn object(&self, object: Handle) -> Read<Option<Object>> {
        let sql = "SELECT account, code, statics, natives, memory FROM object WHERE object = ?1";
        let row = self.one(sql, [object], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get(4)?))
        })?;
        let Some((account, code, statics, natives, memory)) = row else { return Ok(None) };
        let unreadable = || ViewError(format!("object {object} has native powers {natives}").into());
        let natives = apply::natives(&natives).ok_or_else(unreadable)?;
        Ok(Some(Object { account, code, statics, natives, memory }))
    }

    fn memory(&self, memory: MemoryHandle) -> Read<Memory> {
        let sizes = self.one("SELECT bytes, next_ordinal FROM memory WHERE memory = ?1", [memory], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let (bytes, next_ordinal) = sizes.ok_or_else(|| ViewError(format!("memory {memory} is not there").into()))?;
        let sql = "SELECT key, ordinal, value FROM memory_entry WHERE memory = ?1 ORDER BY ordinal";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let entry = |row: &Row<'_>| Ok(Entry { key: row.get(0)?, ordinal: row.get(1)?, value: row.get(2)? });
        let entries = statement.query_map([memory], entry).map_err(failed)?;
        Ok(Memory { bytes, next_ordinal, entries: entries.collect::<Result<_, _>>().map_err(failed)? })
    }

    fn code(&self, sha256: &[u8; 32]) -> Read<Option<CodeNumber>> {
        self.one("SELECT code FROM code WHERE sha256 = ?1", [sha256], |row| row.get(0))
    }

    fn message_after(&self, after: u64) -> Read<Option<Message>> {
        let sql = "SELECT message, source, target, args, bytes, queued_at, cause, deaths FROM message
            WHERE message > ?1 ORDER BY message LIMIT 1";
        self.one(sql, [after], message)
    }

    fn fault(&self, fault: u64) -> Read<Option<Fault>> {
        let sql = "SELECT message, source, target, args, bytes, at, cause, 0 FROM fault WHERE fault = ?1";
        self.one(sql, [fault], |row| Ok(Fault { message: message(row)? }))
    }

    fn handle(&self, id: &ObjectId) -> Read<Option<Handle>> {
        self.one("SELECT reference FROM reference WHERE id = ?1 AND vat = x''", [id.as_bytes()], |row| row.get(0))
    }

    fn id(&self, object: Handle) -> Read<Option<ObjectId>> {
        self.one("SELECT id FROM reference WHERE reference = ?1 AND vat = x''", [object], |row| {
            row.get(0).map(ObjectId::from_bytes)
        })
    }

    fn named(&self, name: &Petname) -> Read<Option<Handle>> {
        self.one("SELECT reference FROM petname WHERE name = ?1", [name.as_str()], |row| row.get(0))
    }

    fn keyed(&self, key: &str, target: Handle, since_ms: u64) -> Read<Option<u64>> {
        let sql = "SELECT message FROM send_key WHERE key = ?1 AND target = ?2 AND queued_at >= ?3";
        self.one(sql, params![key, target, since_ms], |row| row.get(0))
    }

    fn is_keyed(&self, message: u64) -> Read<bool> {
        Ok(self.one("SELECT 1 FROM send_key WHERE message = ?1", [message], |_| Ok(()))?.is_some())
    }

    fn journal_bytes(&self, first: u64, end: u64) -> Read<u64> {
        let sql = "SELECT coalesce(sum(bytes), 0) FROM turn WHERE turn >= ?1 AND turn < ?2";
        Ok(self.one(sql, [first, end], |row| row.get(0))?.unwrap_or_default())
    }
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        message: row.get(0)?,
        source: row.get(1)?,
        target: row.get(2)?,
        args: row.get(3)?,
        bytes: row.get(4)?,
        queued_at: row.get(5)?,
        cause: row.get(6)?,
        deaths: row.get(7)?,
    })
}

/// The row `vat`.
pub(super) fn counters(db: &Connection) -> rusqlite::Result<Counters> {
    let sql = "SELECT commits, next_reference, next_memory, next_code, next_message, next_turn, next_fault, objects,
        inbox, faults, journal_first, journal_bytes, clock_ms FROM vat";
    db.query_row(sql, [], |row| {
        Ok(Counters {
            commits: row.get(0)?,
            next_reference: row.get(1)?,
            next_memory: row.get(2)?,
            next_code: row.get(3)?,
            next_message: row.get(4)?,
            next_turn: row.get(5)?,
            next_fault: row.get(6)?,
            objects: row.get(7)?,
            inbox: row.get(8)?,
            faults: row.get(9)?,
            journal_first: row.get(10)?,
            journal_bytes: row.get(11)?,
            clock_ms: row.get(12)?,
        })
    })
}
