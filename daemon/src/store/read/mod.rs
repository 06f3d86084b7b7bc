//! What people and scripts read, on connections of their own.
//!
//! A [`Reader`] answers one question in one transaction, so every answer is of one commit, which it
//! names. It never waits for the writer nor the writer for it. What a question may cost is bounded: [`mod@list`] has the
//! pages of lists, [`sorted`] those in the order of what changes with every turn.

mod accounts;
mod audit;
mod check;
mod dry;
mod entries;
mod faults;
mod history;
mod list;
mod log;
mod messages;
mod news;
mod objects;
mod past;
mod peers;
mod post;
mod reach;
mod replay;
mod sorted;
mod storage;
mod trace;
mod turns;
mod vat;
mod why;

use std::path::{Path, PathBuf};

use qrt_shared::control::Problem;
use qrt_shared::id::{ObjectId, PeerName, Petname, Qrid, Target, VatId};
use qrt_shared::qjson;
use qrt_shared::view::{CodeError, Outcome};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row};
use serde_json::value::RawValue;

use super::{Error, FILE, connect, migrate};
use crate::protocol::{self, FIRST_MADE, Handle};
use crate::vat::source::Source;
use list::Filter;

pub use check::Found;
pub use news::{Changed, News, Standings};
pub use past::Past;
pub use post::{Parcel, Standing};
pub use sorted::{By, NoOrder, Order, Queues};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such object.
    #[error("no object {0} in this vat")]
    NoObject(Target),
    /// There is no such peer.
    #[error("no peer {0} of this vat")]
    NoPeer(PeerName),
    /// Neither an object nor a peer is called so.
    #[error("nothing is named {0}")]
    NoName(Petname),
    /// There is no such message or turn.
    #[error("{0}")]
    Nothing(String),
    /// It was known once.
    #[error("{0}")]
    Lost(String),
    /// A change would be refused.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The database could not be read.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] Error),
    /// It holds what it cannot hold.
    #[error("the vat's database is damaged: {0}")]
    Damaged(String),
}

type Read<T> = Result<T, ReadError>;

/// A read-only connection.
pub struct Reader {
    connection: Connection,
    vat: VatId,
}

impl Reader {
    /// Opens the database in `dir` for reading.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let path: PathBuf = dir.join(FILE);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        migrate::version(&connection, &path)?;
        let vat: Vec<u8> =
            connection.query_row("SELECT vat_id FROM vat", [], |row| row.get(0)).map_err(super::at(&path))?;
        let vat = <[u8; 32]>::try_from(vat).ok().and_then(|bytes| VatId::from_bytes(bytes).ok());
        Ok(Self { connection, vat: vat.ok_or(Error::Foreign(path))? })
    }

    /// Answers one question in one transaction.
    ///
    /// # Errors
    /// What `question` fails with.
    pub fn ask<T>(&mut self, question: impl FnOnce(&Asked<'_>) -> Read<T>) -> Read<T> {
        let transaction = self.connection.transaction()?;
        let as_of = transaction.query_row("SELECT commits FROM vat", [], |row| row.get(0))?;
        question(&Asked { db: &transaction, vat: self.vat, as_of })
    }
}

/// One transaction of a reader: what it sees does not change.
pub struct Asked<'a> {
    db: &'a Connection,
    vat: VatId,
    /// The commit it sees.
    pub as_of: u64,
}

impl Asked<'_> {
    /// The QRID behind a handle; of an object that only a replay made, one that is nobody's.
    fn qrid(&self, object: Handle) -> Read<Qrid> {
        if let Some(made) = object.checked_sub(FIRST_MADE) {
            let mut id = [0; 20];
            id[12..].copy_from_slice(&made.to_be_bytes());
            return Ok(Qrid::new(self.vat, ObjectId::from_bytes(id)));
        }
        let sql = "SELECT vat, id FROM reference WHERE reference = ?1";
        let row = self.one(sql, [object], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        let (vat, id) = row.ok_or_else(|| ReadError::Damaged(format!("reference {object} has no row")))?;
        let vat = if vat.is_empty() {
            Some(self.vat)
        } else {
            <[u8; 32]>::try_from(vat).ok().and_then(|bytes| VatId::from_bytes(bytes).ok())
        };
        let vat = vat.ok_or_else(|| ReadError::Damaged(format!("reference {object} is to no vat")))?;
        Ok(Qrid::new(vat, ObjectId::from_bytes(id)))
    }

    /// The QRID behind a number that may be no handle at all.
    pub fn known(&self, number: Handle) -> Option<Qrid> {
        self.qrid(number).ok().filter(|_| number < FIRST_MADE)
    }

    /// The object an operator means.
    pub fn resolve(&self, target: &Target) -> Read<Handle> {
        let found = match target {
            Target::Qrid(qrid) if qrid.vat == self.vat => {
                let sql = "SELECT object FROM reference JOIN object ON object = reference WHERE id = ?1 AND vat = x''";
                self.one(sql, [qrid.object.as_bytes()], |row| row.get(0))?
            }
            Target::Qrid(_) => None,
            Target::Petname(name) => {
                let sql = "SELECT reference FROM petname WHERE name = ?1";
                self.one(sql, [name.as_str()], |row| row.get(0))?
            }
        };
        found.ok_or_else(|| ReadError::NoObject(target.clone()))
    }

    /// The object an operator means, which may have been removed: the journal still tells of it.
    pub fn resolve_ever(&self, target: &Target) -> Read<Handle> {
        let Target::Qrid(qrid) = target else { return self.resolve(target) };
        let sql = "SELECT reference FROM reference WHERE id = ?1 AND vat = x''";
        let found = self.one(sql, [qrid.object.as_bytes()], |row| row.get(0))?;
        found.filter(|_| qrid.vat == self.vat).ok_or_else(|| ReadError::NoObject(target.clone()))
    }

    /// The number of an object of any vat, if this one has heard of it.
    fn heard(&self, qrid: &Qrid) -> Read<Option<Handle>> {
        let vat = if qrid.vat == self.vat { &[][..] } else { qrid.vat.as_bytes() };
        let sql = "SELECT reference FROM reference WHERE id = ?1 AND vat = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row(rusqlite::params![qrid.object.as_bytes(), vat], |row| row.get(0)).optional()?)
    }

    /// The object of any vat that an operator means.
    pub fn resolve_any(&self, target: &Target) -> Read<Handle> {
        match target {
            Target::Qrid(qrid) => self.heard(qrid)?.ok_or_else(|| ReadError::NoObject(target.clone())),
            Target::Petname(_) => self.resolve(target),
        }
    }

    /// The operator's name for an object.
    fn petname(&self, object: Handle) -> Read<Option<Petname>> {
        let sql = "SELECT name FROM petname WHERE reference = ?1";
        let name = self.one(sql, [object], |row| row.get::<_, String>(0))?;
        Ok(name.and_then(|name| name.parse().ok()))
    }

    /// Whether an object's petname or QRID has the text of `filter`.
    fn named_by(&self, filter: &Filter<'_>, object: Handle) -> Read<bool> {
        Ok(filter.some(self.petname(object)?.as_ref().map(Petname::as_str))
            || filter.text(self.qrid(object)?.to_string()))
    }

    /// A message's source as people see it.
    fn source(&self, source: Source) -> Read<String> {
        match source {
            Source::Operator => Ok("operator".to_owned()),
            Source::Account(account) => Ok(self.qrid(account)?.to_string()),
            Source::Peer(peer) => Ok(self.peer_row(peer)?.vat.to_string()),
        }
    }

    /// The petname of a source.
    fn source_name(&self, source: Source) -> Read<Option<Petname>> {
        match source {
            Source::Operator => Ok(None),
            Source::Account(account) => self.petname(account),
            Source::Peer(peer) => Ok(self.peer_row(peer)?.name),
        }
    }

    /// Whether a source's petname or id has the text of `filter`.
    fn source_by(&self, filter: &Filter<'_>, source: Source) -> Read<bool> {
        Ok(filter.text(self.source(source)?) || filter.some(self.source_name(source)?.as_ref().map(Petname::as_str)))
    }

    /// A stored value in outside form; NULL is null.
    fn outside(&self, text: Option<&str>) -> Read<Box<RawValue>> {
        let mut failed = None;
        let text = qjson::export(text.unwrap_or("null"), |object| match self.qrid(object) {
            Ok(qrid) => Some(qrid),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        match (failed, text) {
            (Some(error), _) => Err(error),
            (None, Ok(text)) => RawValue::from_string(text).map_err(|error| ReadError::Damaged(error.to_string())),
            (None, Err(error)) => Err(ReadError::Damaged(error.to_string())),
        }
    }

    /// A stored error as people see it.
    fn error(&self, json: &str) -> Read<CodeError> {
        self.code_error(&from_json(json)?)
    }

    /// An error as people see it.
    fn code_error(&self, error: &protocol::CodeError) -> Read<CodeError> {
        let known = |number: u32| (number > 0).then_some(number);
        Ok(CodeError {
            object: error.object.map(|object| self.qrid(object)).transpose()?,
            line: known(error.line),
            column: known(error.column),
            excerpt: Some(error.excerpt.clone()).filter(|excerpt| !excerpt.is_empty()),
            message: error.message.clone(),
        })
    }

    /// The one row of a query, if there is one.
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Read<Option<T>> {
        Ok(self.db.prepare_cached(sql)?.query_row(params, map).optional()?)
    }

    fn rows<R>(&self, sql: &str, params: impl Params, map: impl Fn(&Row<'_>) -> rusqlite::Result<R>) -> Read<Vec<R>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params, map)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn from_json<T: serde::de::DeserializeOwned>(json: &str) -> Read<T> {
    serde_json::from_str(json).map_err(|error| ReadError::Damaged(error.to_string()))
}

/// A JSON array that is NULL when empty.
fn list<T: serde::de::DeserializeOwned>(json: Option<&String>) -> Read<Vec<T>> {
    json.map_or_else(|| Ok(Vec::new()), |json| from_json(json))
}

fn outcome(word: &str) -> Read<Outcome> {
    match word {
        "ok" => Ok(Outcome::Ok),
        "error" => Ok(Outcome::Error),
        "killed" => Ok(Outcome::Killed),
        other => Err(ReadError::Damaged(format!("an outcome {other}"))),
    }
}
