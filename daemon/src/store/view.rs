//! The kernel's reads, on the writer's own connection: the open transaction is its overlay.

use qrt_shared::id::{Location, ObjectId, Petname, VatId};
use qrt_shared::wire::{MessageId, Sequence};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};

use super::{Store, apply, peers};
use crate::protocol::{Budget, CodeNumber, Handle, MemoryHandle};
use crate::vat::account::{Account, Compute};
use crate::vat::checkpoint::Keyed;
use crate::vat::peer::post::Letter;
use crate::vat::peer::{Origin, Peer};
use crate::vat::source::{PeerNumber, Source};
use crate::vat::view::{Abroad, Entry, Fault, Memories, Memory, Message, Object, Offence, View, ViewError};
use crate::vat::{Counters, Queued};

type Read<T> = Result<T, ViewError>;

impl Store {
    fn prepare(&self, sql: &str) -> Read<CachedStatement<'_>> {
        self.begin().and_then(|()| self.connection.prepare_cached(sql)).map_err(failed)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Read<Option<T>> {
        let mut statement = self.prepare(sql)?;
        statement.query_row(params, map).optional().map_err(failed)
    }

    fn all<T>(&self, sql: &str, params: impl Params, map: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Read<Vec<T>> {
        let mut statement = self.prepare(sql)?;
        let rows = statement.query_map(params, map).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }
}

fn failed(error: rusqlite::Error) -> ViewError {
    ViewError(Box::new(error))
}

impl Memories for Store {
    fn memory(&self, memory: MemoryHandle) -> Read<Memory> {
        let found = self.one("SELECT bytes, next_ordinal, account FROM memory WHERE memory = ?1", [memory], |row| {
            Ok(Memory { bytes: row.get(0)?, next_ordinal: row.get(1)?, account: row.get(2)? })
        })?;
        found.ok_or_else(|| ViewError(format!("memory {memory} is not there").into()))
    }

    fn entries(&self, memory: MemoryHandle) -> Read<Vec<Entry>> {
        // The plus keeps a small memory from being read by its index: its rows lie together.
        let sql = "SELECT key, ordinal, value FROM memory_entry WHERE memory = ?1 ORDER BY +ordinal";
        self.all(sql, [memory], entry)
    }

    fn entry(&self, memory: MemoryHandle, key: &str) -> Read<Option<Entry>> {
        let sql = "SELECT key, ordinal, value FROM memory_entry WHERE memory = ?1 AND key = ?2";
        self.one(sql, params![memory, key], entry)
    }

    fn entries_after(&self, memory: MemoryHandle, after: Option<u64>, bytes: usize) -> Read<Vec<Entry>> {
        // No ordinal is negative, and a number that is none has nothing after it.
        let after = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
        let sql = "SELECT key, ordinal, value FROM memory_entry WHERE memory = ?1 AND ordinal > ?2 ORDER BY ordinal";
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params![memory, after]).map_err(failed)?;
        let (mut entries, mut sum) = (Vec::new(), 0);
        while sum < bytes {
            let Some(row) = rows.next().map_err(failed)? else { break };
            let entry = entry(row).map_err(failed)?;
            sum += entry.key.len() + entry.value.len();
            entries.push(entry);
        }
        Ok(entries)
    }
}

impl View for Store {
    fn object(&self, object: Handle) -> Read<Option<Object>> {
        let sql = "SELECT account, code, statics, natives, memory, held, budget FROM object WHERE object = ?1";
        let row = self.one(sql, [object], |row| {
            let budget: Option<String> = row.get(6)?;
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get(4)?, row.get(5)?, budget))
        })?;
        let Some((account, code, statics, natives, memory, held, budget)) = row else { return Ok(None) };
        let unreadable = || ViewError(format!("object {object} has native powers {natives}").into());
        let natives = apply::natives(&natives).ok_or_else(unreadable)?;
        let unreadable = || ViewError(format!("object {object} has a budget that is none").into());
        let budget = apply::budget(budget.as_deref()).ok_or_else(unreadable)?;
        Ok(Some(Object { account, code, statics, natives, memory, held, budget }))
    }

    fn short_entry(&self, memory: MemoryHandle, key: &str, bytes: usize) -> Read<Option<Entry>> {
        let sql = "SELECT key, ordinal, value FROM memory_entry
            WHERE memory = ?1 AND key = ?2 AND octet_length(value) <= ?3";
        self.one(sql, params![memory, key, bytes], entry)
    }

    fn memory_references(&self, memory: MemoryHandle) -> Read<Vec<Handle>> {
        let sql = "SELECT DISTINCT reference FROM memory_edge WHERE memory = ?1";
        self.all(sql, [memory], |row| row.get(0))
    }

    fn code(&self, sha256: &[u8; 32]) -> Read<Option<CodeNumber>> {
        self.one("SELECT code FROM code WHERE sha256 = ?1", [sha256], |row| row.get(0))
    }

    fn queues(&self) -> Read<Vec<Queued>> {
        let sql = "SELECT source, target, account, object.held, messages, bytes, NOT coalesce(named, 1) FROM
                (SELECT source, target, count(*) AS messages, sum(bytes) AS bytes FROM message GROUP BY source, target)
            JOIN object ON object = target LEFT JOIN peer ON peer = -source";
        self.all(sql, [], |row| {
            Ok(Queued {
                source: row.get(0)?,
                target: row.get(1)?,
                account: row.get(2)?,
                held: row.get(3)?,
                messages: row.get(4)?,
                bytes: row.get(5)?,
                stranger: row.get(6)?,
            })
        })
    }

    fn messages_after(
        &self,
        source: Source,
        target: Handle,
        after: u64,
        count: usize,
        bytes: u64,
    ) -> Read<Vec<Message>> {
        let sql =
            "SELECT message, source, target, args, bytes, queued_at, cause, deaths, seq, abroad, chain FROM message
            WHERE source = ?1 AND target = ?2 AND message > ?3 ORDER BY message";
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params![source, target, after]).map_err(failed)?;
        let (mut messages, mut sum) = (Vec::new(), 0);
        while messages.len() < count && sum < bytes {
            let Some(row) = rows.next().map_err(failed)? else { break };
            let message = message(row).map_err(failed)?;
            sum += message.bytes;
            messages.push(message);
        }
        Ok(messages)
    }

    fn account_row(&self, account: Handle) -> Read<Option<Account>> {
        if let Some(row) = self.accounts.get(&account) {
            return Ok(Some(row.clone()));
        }
        self.one("SELECT * FROM account WHERE account = ?1", [account], account_row)
    }

    fn deaths_since(&self, object: Handle, since_ms: u64) -> Read<u64> {
        let sql = "SELECT count(*) FROM death WHERE object = ?1 AND at >= ?2
            AND death > (SELECT forgiven FROM object WHERE object = ?1)";
        Ok(self.one(sql, [object, since_ms], |row| row.get(0))?.unwrap_or_default())
    }

    fn refused(&self, source: Source, target: Handle, most: u64) -> Read<u64> {
        let sql = "SELECT count(*) FROM
            (SELECT 1 FROM fault WHERE source = ?1 AND target = ?2 AND turn IS NULL LIMIT ?3)";
        Ok(self.one(sql, params![source, target, most], |row| row.get(0))?.unwrap_or_default())
    }

    fn account(&self, account: Handle) -> Read<Vec<Handle>> {
        self.all("SELECT object FROM object WHERE account = ?1 ORDER BY object", [account], |row| row.get(0))
    }

    fn sharers(&self, memory: MemoryHandle) -> Read<u64> {
        Ok(self.one("SELECT count(*) FROM object WHERE memory = ?1", [memory], |row| row.get(0))?.unwrap_or_default())
    }

    fn upgrades(&self, object: Handle) -> Read<u64> {
        let sql = "SELECT count(*) FROM object_code WHERE object = ?1";
        Ok(self.one(sql, [object], |row| row.get(0))?.unwrap_or_default())
    }

    fn fault(&self, fault: u64) -> Read<Option<Fault>> {
        // An operator may name any number; a row has none beyond this.
        let Ok(fault) = i64::try_from(fault) else { return Ok(None) };
        let sql =
            "SELECT message, source, target, args, bytes, at, cause, 0, seq, abroad, 1, target IS NOT NULL FROM fault
            WHERE fault = ?1";
        self.one(sql, [fault], |row| {
            let whole: bool = row.get(11)?;
            Ok(Fault { message: whole.then(|| message(row)).transpose()? })
        })
    }

    fn reference(&self, vat: Option<&VatId>, id: &ObjectId) -> Read<Option<Handle>> {
        let vat = vat.map_or(&[][..], |vat| vat.as_bytes());
        let sql = "SELECT reference FROM reference WHERE id = ?1 AND vat = ?2";
        self.one(sql, params![id.as_bytes(), vat], |row| row.get(0))
    }

    fn referred(&self, reference: Handle) -> Read<Option<(Option<VatId>, ObjectId)>> {
        let sql = "SELECT vat, id FROM reference WHERE reference = ?1";
        let row = self.one(sql, [reference], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        let Some((vat, id)) = row else { return Ok(None) };
        let vat = if vat.is_empty() { None } else { Some(peers::vat(vat).map_err(failed)?) };
        Ok(Some((vat, ObjectId::from_bytes(id))))
    }

    fn peer(&self, peer: PeerNumber) -> Read<Option<Peer>> {
        self.one("SELECT * FROM peer WHERE peer = ?1", [peer], peers::row)
    }

    fn peer_of(&self, vat: &VatId) -> Read<Option<Peer>> {
        self.one("SELECT * FROM peer WHERE vat = ?1", [vat.as_bytes()], peers::row)
    }

    fn peer_named(&self, name: &Petname) -> Read<Option<PeerNumber>> {
        self.one("SELECT peer FROM peer WHERE name = ?1", [name.as_str()], |row| row.get(0))
    }

    fn peers_with_mail(&self) -> Read<Vec<PeerNumber>> {
        let sql = "SELECT peer FROM peer WHERE last_out > acked_out OR state != 'ok' ORDER BY peer";
        self.all(sql, [], |row| row.get(0))
    }

    fn urls(&self, peer: PeerNumber) -> Read<Vec<(Location, Origin)>> {
        self.all(peers::URLS, [peer], peers::url)
    }

    fn letter_ids(&self, peer: PeerNumber, after: Sequence, to: Sequence) -> Read<Vec<MessageId>> {
        let sql = "SELECT id FROM outbox WHERE peer = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";
        self.all(sql, params![peer, after.0, to.0], |row| row.get(0).map(MessageId::from_bytes))
    }

    fn letters(&self, peer: PeerNumber, after: Sequence, to: Sequence) -> Read<(u64, u64)> {
        let sql = "SELECT count(*), coalesce(sum(bytes), 0) FROM outbox WHERE peer = ?1 AND seq > ?2 AND seq <= ?3";
        let sums = self.one(sql, params![peer, after.0, to.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(sums.unwrap_or_default())
    }

    fn letter(&self, peer: PeerNumber, seq: Sequence) -> Read<Option<Letter>> {
        self.one("SELECT * FROM outbox WHERE peer = ?1 AND seq = ?2", params![peer, seq.0], peers::letter_row)
    }

    fn named(&self, name: &Petname) -> Read<Option<Handle>> {
        self.one("SELECT reference FROM petname WHERE name = ?1", [name.as_str()], |row| row.get(0))
    }

    fn keyed(&self, key: &str, target: Handle, since_ms: u64) -> Read<Option<Keyed>> {
        let sql = "SELECT message, peer, seq FROM send_key WHERE key = ?1 AND target = ?2 AND queued_at >= ?3";
        self.one(sql, params![key, target, since_ms], |row| {
            Ok(match row.get(0)? {
                Some(message) => Keyed::In(message),
                None => Keyed::Out(row.get(1)?, Sequence(row.get(2)?)),
            })
        })
    }

    fn offenders(&self) -> Read<Vec<Offence>> {
        let sql = "SELECT account, max(turn), max(at) FROM death WHERE turn IS NOT NULL GROUP BY account";
        self.all(sql, [], |row| Ok(Offence { account: row.get(0)?, turn: row.get(1)?, at: row.get(2)? }))
    }

    fn is_keyed(&self, message: u64) -> Read<bool> {
        Ok(self.one("SELECT 1 FROM send_key WHERE message = ?1", [message], |_| Ok(()))?.is_some())
    }

    fn turn_limits(&self) -> Read<Option<Budget>> {
        let last =
            self.one("SELECT limits FROM turn_limits ORDER BY turn DESC LIMIT 1", [], |row| row.get::<_, String>(0))?;
        last.map(|limits| serde_json::from_str(&limits).map_err(|error| ViewError(error.into()))).transpose()
    }

    fn journal_bytes(&self, first: u64, end: u64) -> Read<u64> {
        let sql = "SELECT coalesce(sum(bytes), 0) FROM turn WHERE turn >= ?1 AND turn < ?2";
        Ok(self.one(sql, [first, end], |row| row.get(0))?.unwrap_or_default())
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { key: row.get(0)?, ordinal: row.get(1)?, value: row.get(2)? })
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
        abroad: match row.get(8)? {
            Some(seq) => Some(Abroad { seq, cause: row.get(9)? }),
            None => None,
        },
        chain: row.get(10)?,
    })
}

/// A row of `account`.
pub(super) fn account_row(row: &Row<'_>) -> rusqlite::Result<Account> {
    let own: Option<String> = row.get("own")?;
    let unreadable = || rusqlite::Error::InvalidColumnName("account.own is no budget".to_owned());
    Ok(Account {
        above: row.get("above")?,
        own: apply::budget(own.as_deref()).ok_or_else(unreadable)?,
        objects: row.get("objects")?,
        memory_bytes: row.get("memory_bytes")?,
        queued_bytes: row.get("queued_bytes")?,
        cpu_us: row.get("cpu_us")?,
        compute: Compute {
            left_us: row.get("left_us")?,
            at_ms: row.get("left_at")?,
            most_us: row.get("most_us")?,
            refill_us: row.get("refill_us")?,
        },
    })
}

/// The row `vat`.
pub(super) fn counters(db: &Connection) -> rusqlite::Result<Counters> {
    db.query_row("SELECT * FROM vat", [], |row| {
        Ok(Counters {
            commits: row.get("commits")?,
            next_reference: row.get("next_reference")?,
            next_memory: row.get("next_memory")?,
            next_code: row.get("next_code")?,
            next_message: row.get("next_message")?,
            next_turn: row.get("next_turn")?,
            next_fault: row.get("next_fault")?,
            next_peer: row.get("next_peer")?,
            next_outbox: row.get("next_outbox")?,
            objects: row.get("objects")?,
            inbox: row.get("inbox")?,
            inbox_bytes: row.get("inbox_bytes")?,
            outbox: row.get("outbox")?,
            outbox_bytes: row.get("outbox_bytes")?,
            faults: row.get("faults")?,
            undeliverable: row.get("undeliverable")?,
            strangers: row.get("strangers")?,
            journal_first: row.get("journal_first")?,
            journal_bytes: row.get("journal_bytes")?,
            clock_ms: row.get("clock_ms")?,
        })
    })
}
