//! Objects: the list, and one whole.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use qrt_shared::control::Listing;
use qrt_shared::id::{MessageName, Petname, Qrid};
use qrt_shared::qjson;
use qrt_shared::view::{Code, Death, Holding, Object, ObjectRow, OldCode, Page, Place, Power};
use rusqlite::{Row, params};
use serde_json::value::RawValue;

use super::list::{Filter, From};
use super::{Asked, Queues, Read, ReadError};
use crate::protocol::{Handle, MemoryHandle};
use crate::store::apply;

/// How many references and holders of an object are shown.
const HOLDINGS: u64 = 1000;

/// How many deaths of workers are shown.
const DEATHS: u64 = 10;

const COLUMNS: &str = "object.object, petname.name, use.turns, use.faults, coalesce(memory.bytes, 0), use.cpu_us,
    object.created_at, object.account, object.held, use.refused
    FROM object JOIN object_use AS use ON use.object = object.object
    LEFT JOIN memory ON memory.memory = object.memory
    LEFT JOIN petname ON petname.reference = object.object";

struct Listed {
    object: Handle,
    name: Option<String>,
    turns: u64,
    faults: u64,
    memory_bytes: u64,
    cpu_us: u64,
    created_at: u64,
    account: Handle,
    held: bool,
    refused: u64,
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        object: row.get(0)?,
        name: row.get(1)?,
        turns: row.get(2)?,
        faults: row.get(3)?,
        memory_bytes: row.get(4)?,
        cpu_us: row.get(5)?,
        created_at: row.get(6)?,
        account: row.get(7)?,
        held: row.get(8)?,
        refused: row.get(9)?,
    })
}

impl Asked<'_> {
    /// A page of objects, oldest first; `filter` is of petname and QRID.
    pub fn objects(&self, listing: &Listing, queues: &Queues) -> Read<Page<ObjectRow>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let account = listing.account.as_ref().map(|target| self.resolve_ever(target)).transpose()?;
        let sql = format!("SELECT {COLUMNS} WHERE {}", from.by("object.object"));
        let keep = |row: &Row<'_>| {
            let row = listed(row)?;
            Ok(account.is_none_or(|account| account == row.account)
                && (filter.is_empty()
                    || filter.some(row.name.as_ref())
                    || filter.text(self.qrid(row.object)?.to_string())))
        };
        self.listed(from, &sql, [from.cursor], keep, |row| Ok((self.row(listed(row)?, queues)?, 0)))
    }

    /// An object's row in the list.
    pub(super) fn object_row(&self, object: Handle, queues: &Queues) -> Read<ObjectRow> {
        let row = self.one(&format!("SELECT {COLUMNS} WHERE object.object = ?1"), [object], listed)?;
        self.row(row.ok_or_else(|| ReadError::Damaged(format!("object {object} has no row")))?, queues)
    }

    fn row(&self, row: Listed, queues: &Queues) -> Read<ObjectRow> {
        Ok(ObjectRow {
            qrid: self.qrid(row.object)?,
            name: row.name.and_then(|name| name.parse::<Petname>().ok()),
            turns: row.turns,
            faults: row.faults,
            memory_bytes: row.memory_bytes,
            cpu_us: row.cpu_us,
            created_at: row.created_at,
            account: self.qrid(row.account)?,
            held: row.held,
            refused: row.refused,
            queued: queues.of(row.object),
        })
    }

    /// One object, with its memory or without.
    pub fn object(&self, object: Handle, with_memory: bool, queues: &Queues) -> Read<Object> {
        let row = self.object_row(object, queues)?;
        let sql = "SELECT code.sha256, code.text, statics, natives, memory, maker, budget, held_why, account
            FROM object JOIN code ON code.code = object.code WHERE object = ?1";
        let more = |row: &Row<'_>| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, Option<MemoryHandle>>(4)?,
                row.get::<_, Option<Handle>>(5)?,
                row.get::<_, Option<String>>(6)?,
                row.get(7)?,
                row.get(8)?,
            ))
        };
        let (sha256, text, statics, natives, memory, maker, budget, held_why, account) =
            self.db.prepare_cached(sql)?.query_row([object], more)?;
        let natives = apply::natives(&natives).ok_or_else(|| ReadError::Damaged(format!("natives {natives}")))?;
        let natives = natives.into_iter().map(|(property, native)| (property, native.name().to_owned()));
        Ok(Object {
            row,
            code: self.code(object, HEXLOWER.encode(&sha256), text)?,
            power: Power { statics: self.outside(Some(&statics))?, natives: natives.collect::<BTreeMap<_, _>>() },
            memory: memory.filter(|_| with_memory).map(|memory| self.memory_text(memory)).transpose()?,
            maker: maker.map(|maker| self.qrid(maker)).transpose()?,
            budget: apply::budget(budget.as_deref())
                .ok_or_else(|| ReadError::Damaged(format!("the budget of object {object}")))?,
            account_use: self.account_use(account)?,
            held_why,
            deaths: self.deaths(object)?,
            killed: self.killed(object)?,
            holds: self.holds(object, memory)?,
            held_by: self.held_by(object)?,
        })
    }

    fn code(&self, object: Handle, sha256: String, text: String) -> Read<Code> {
        let sql = "SELECT version, sha256, text, until FROM object_code JOIN code ON code.code = object_code.code
            WHERE object = ?1 ORDER BY version";
        let history = self.rows(sql, [object], |row| {
            let sha256 = HEXLOWER.encode(row.get_ref(1)?.as_blob()?);
            Ok(OldCode { version: row.get(0)?, sha256, text: row.get(2)?, until: row.get(3)? })
        })?;
        Ok(Code { sha256, text, version: history.len() as u64 + 1, history })
    }

    fn deaths(&self, object: Handle) -> Read<u64> {
        let sql = "SELECT deaths FROM object_use WHERE object = ?1";
        Ok(self.db.prepare_cached(sql)?.query_row([object], |row| row.get(0))?)
    }

    fn killed(&self, object: Handle) -> Read<Vec<Death>> {
        let sql = "SELECT at, how, message, turn FROM death WHERE object = ?1 ORDER BY death DESC LIMIT ?2";
        self.rows(sql, [object, DEATHS], |row| {
            Ok(Death { at: row.get(0)?, how: row.get(1)?, message: MessageName::In(row.get(2)?), turn: row.get(3)? })
        })
    }

    /// One object's memory; null when it has none.
    pub fn memory(&self, object: Handle) -> Read<Box<RawValue>> {
        match self.memory_of(object)? {
            Some(memory) => self.memory_text(memory),
            None => self.outside(None),
        }
    }

    fn memory_text(&self, memory: MemoryHandle) -> Read<Box<RawValue>> {
        let sql = "SELECT key, value FROM memory_entry WHERE memory = ?1 ORDER BY ordinal";
        let entries: Vec<(String, String)> = self.rows(sql, [memory], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let text = qjson::join_object(entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        self.outside(Some(&text))
    }

    fn holds(&self, object: Handle, memory: Option<MemoryHandle>) -> Read<Vec<Holding>> {
        let sql = "SELECT reference, 'power', key FROM power_edge WHERE object = ?1
            UNION ALL SELECT reference, 'memory', key FROM memory_edge WHERE memory = ?2 LIMIT ?3";
        self.holdings(sql, params![object, memory, HOLDINGS])
    }

    fn held_by(&self, object: Handle) -> Read<Vec<Holding>> {
        let sql = "SELECT object, 'power', key FROM power_edge WHERE reference = ?1
            UNION ALL SELECT object.object, 'memory', key FROM memory_edge
                JOIN object ON object.memory = memory_edge.memory WHERE reference = ?1 LIMIT ?2";
        self.holdings(sql, params![object, HOLDINGS])
    }

    fn holdings(&self, sql: &str, params: impl rusqlite::Params) -> Read<Vec<Holding>> {
        let rows: Vec<(Handle, String, String)> =
            self.rows(sql, params, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let holding = |(object, place, key): (Handle, String, String)| {
            let qrid: Qrid = self.qrid(object)?;
            let place = if place == "power" { Place::Power } else { Place::Memory };
            Ok(Holding { object: qrid, name: self.petname(object)?, place, key })
        };
        rows.into_iter().map(holding).collect()
    }
}
