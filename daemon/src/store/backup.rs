//! Copies of a vat's database, and databases from copies.
//!
//! A copy is one SQLite file: every table as of one commit, without the room that deleted rows left, and one
//! more, `backup`, with what lies beside the database: the settings, and the key if the operator wants it there.
//! Its application id is another than a vat's, so that nobody serves it by mistake.

use std::path::Path;

use qrt_shared::id::VatId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde_json::json;
use zeroize::Zeroizing;

use super::code::{self, Texts};
use super::{APPLICATION_ID, Error, FILE, at, connect, history, migrate};

/// `QRTB`: a copy.
const BACKUP_ID: i32 = 0x5152_5442;

/// What a copy holds beside the database.
const TABLE: &str = "CREATE TABLE backup (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    made_at  INTEGER NOT NULL,
    settings TEXT    NOT NULL, -- settings.toml
    key      TEXT              -- the file `key`; NULL: it is kept elsewhere
) STRICT;";

/// What lies beside the database.
pub struct Beside {
    /// The text of the settings file.
    pub settings: String,
    /// The text of the key file, if it is there.
    pub key: Option<Zeroizing<String>>,
}

/// What a copy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The vat.
    pub vat: VatId,
    /// The last commit it holds.
    pub commit: u64,
    /// When it was made.
    pub made_at: u64,
}

/// Whose the database becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// It stays the vat it was.
    Same,
    /// It is another vat from now on.
    New(VatId),
}

/// What a fork leaves behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Messages in the outbox that are gone.
    pub outbox: u64,
    /// Peers whose channels begin anew.
    pub peers: u64,
}

/// Copies the database in `dir` into `file`, which is empty. The vat may run: this reads one commit, on a
/// connection of its own, and never keeps the writer waiting. Only the write-ahead log grows meanwhile.
///
/// # Errors
/// SQLite's, or [`Error::Damaged`]. What is in `file` then is nothing.
pub fn copy(dir: &Path, file: &Path, beside: &Beside, now_ms: u64) -> Result<Made, Error> {
    let path = dir.join(FILE);
    let source = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    migrate::version(&source, &path)?;
    source.execute("VACUUM INTO ?1", [file.to_string_lossy()]).map_err(at(file))?;
    let copy = open_plain(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let fill = || {
        // One file: no log beside it. What is half done is thrown away.
        copy.pragma_update(None, "journal_mode", "MEMORY")?;
        copy.pragma_update(None, "synchronous", "OFF")?;
        copy.execute_batch(TABLE)?;
        let key = beside.key.as_ref().map(|key| key.as_str());
        copy.execute("INSERT INTO backup VALUES (1, ?1, ?2, ?3)", params![now_ms, beside.settings, key])?;
        copy.pragma_update(None, "application_id", BACKUP_ID)
    };
    fill().map_err(at(file))?;
    whole(&copy, file, "quick_check")?;
    let made = made(&copy, file)?;
    copy.close().map_err(|(_, source)| at(file)(source))?;
    Ok(made)
}

/// Checks that `file`, which is a private copy of a backup, is whole, and reads what it holds beside the
/// database.
///
/// # Errors
/// [`Error::NoBackup`], [`Error::Newer`], [`Error::Damaged`] or SQLite's.
pub fn open(file: &Path) -> Result<(Made, Beside), Error> {
    let db = open_plain(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let id: Result<i32, _> = db.pragma_query_value(None, "application_id", |row| row.get(0));
    match id {
        Ok(BACKUP_ID) => {}
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            return Err(damaged(file, &error));
        }
        _ => return Err(Error::NoBackup(file.to_owned())),
    }
    migrate::known(&db, file)?;
    whole(&db, file, "integrity_check")?;
    // A file may come from anywhere; ours has neither.
    let made_by_others = "SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view')";
    let foreign = db.query_row(made_by_others, [], |row| row.get::<_, String>(0)).optional();
    if let Some(name) = foreign.map_err(|error| damaged(file, &error))? {
        return Err(damaged(file, &format!("its {name} is no part of a vat")));
    }
    let broken = db
        .query_row("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1", [], |row| row.get::<_, String>(0))
        .optional()
        .map_err(|error| damaged(file, &error))?;
    if let Some(table) = broken {
        return Err(damaged(file, &format!("a row of {table} belongs to one that is not there")));
    }
    if let Texts::Altered(code) = code::look(&db).map_err(|error| damaged(file, &error))? {
        return Err(damaged(file, &format!("code {code} in it is not what was installed")));
    }
    let beside = db.query_row("SELECT settings, key FROM backup", [], |row| {
        Ok(Beside { settings: row.get(0)?, key: row.get::<_, Option<String>>(1)?.map(Zeroizing::new) })
    });
    Ok((made(&db, file)?, beside.map_err(|error| damaged(file, &error))?))
}

/// Makes a vat's database of `file`, which is a private copy of a backup that [`open`] found whole.
///
/// # Errors
/// SQLite's.
pub fn restore(file: &Path, made: &Made, identity: Identity, now_ms: u64) -> Result<Left, Error> {
    let mut db = open_plain(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut change = || {
        // The key must not stay behind in a page that is free.
        db.pragma_update(None, "secure_delete", "ON")?;
        let transaction = db.transaction()?;
        transaction.execute_batch("UPDATE backup SET key = NULL; DROP TABLE backup;")?;
        let left = match identity {
            Identity::Same => Left::default(),
            Identity::New(vat) => become_another(&transaction, vat)?,
        };
        history::begin_anew(&transaction, identity == Identity::Same)?;
        let fork = matches!(identity, Identity::New(_)).then_some(made.vat);
        let detail = json!({ "commit": made.commit, "made_at": made.made_at, "fork_of": fork, "dropped": left.outbox });
        history::note(&transaction, now_ms, "restore", &detail)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
        Ok(left)
    };
    let left = change().map_err(at(file))?;
    db.close().map_err(|(_, source)| at(file)(source))?;
    // As the daemon opens it, so that it is in that mode, with nothing beside it.
    let db = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.close().map_err(|(_, source)| at(file)(source))?;
    Ok(left)
}

/// The database is another vat's. Its peers never heard of it: what was addressed under the old identity
/// cannot be sent under the new one, and every channel begins with its first message.
fn become_another(db: &Connection, vat: VatId) -> rusqlite::Result<Left> {
    let left = db.query_row(
        "SELECT outbox, (SELECT count(*) FROM peer WHERE last_out > 0 OR last_in > 0) FROM vat",
        [],
        |row| Ok(Left { outbox: row.get(0)?, peers: row.get(1)? }),
    )?;
    db.execute("UPDATE vat SET vat_id = ?1, outbox = 0, outbox_bytes = 0", [vat.as_bytes()])?;
    db.execute_batch(
        "DELETE FROM outbox;
         DELETE FROM export;
         DELETE FROM send_key WHERE message IS NULL;
         UPDATE peer SET last_out = 0, last_out_tip = zeroblob(32), acked_out = 0, acked_out_tip = zeroblob(32),
            last_in = 0, last_in_tip = zeroblob(32), state = 'ok', theirs = NULL, theirs_tip = NULL,
            noticed_at = NULL, stopped_at = NULL, pending_bytes = 0, failures = 0, tried_at = NULL, due_at = NULL,
            last_error = NULL, failing_since = NULL, last_contact_at = NULL;",
    )?;
    Ok(left)
}

/// A copy is opened with few settings: it is not in use.
fn open_plain(file: &Path, mode: OpenFlags) -> Result<Connection, Error> {
    let db = Connection::open_with_flags(file, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(at(file))?;
    // A file from anywhere may hold a schema that runs functions of its maker's choice.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(at(file))?;
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).map_err(at(file))?;
    Ok(db)
}

fn made(db: &Connection, file: &Path) -> Result<Made, Error> {
    let row = db.query_row("SELECT vat_id, commits, made_at FROM vat, backup", [], |row| {
        Ok((row.get::<_, [u8; 32]>(0)?, row.get(1)?, row.get(2)?))
    });
    let (vat, commit, made_at) = row.map_err(|error| damaged(file, &error))?;
    let vat = VatId::from_bytes(vat).map_err(|error| damaged(file, &error))?;
    Ok(Made { vat, commit, made_at })
}

/// Runs one of SQLite's own checks; the first complaint is the error.
fn whole(db: &Connection, file: &Path, check: &str) -> Result<(), Error> {
    let said: String = db.pragma_query_value(None, check, |row| row.get(0)).map_err(|error| damaged(file, &error))?;
    if said == "ok" { Ok(()) } else { Err(damaged(file, &said.replace('\n', " "))) }
}

fn damaged(file: &Path, what: &impl ToString) -> Error {
    Error::Damaged { path: file.to_owned(), what: what.to_string() }
}
