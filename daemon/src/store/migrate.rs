//! The schema's versions: making a new file, and bringing an old one up to date.

use std::path::Path;

use qrt_shared::id::VatId;
use rusqlite::{Connection, params};

use super::{APPLICATION_ID, Error, apply, at};
use crate::vat::Counters;

/// The version this program writes.
const VERSION: i64 = 1;

/// What brings a file of version `n + 1` to version `n + 2`.
const MIGRATIONS: &[&str] = &[];

/// Fills a new, empty file.
pub(super) fn create(connection: &mut Connection, vat: VatId, now_ms: u64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.execute(
        "INSERT INTO vat VALUES (1, ?1, ?2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            randomblob(16))",
        params![vat.as_bytes(), now_ms.cast_signed()],
    )?;
    apply::counters(&transaction, &Counters::default())?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Brings a file up to [`VERSION`], all migrations in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let found = version(connection, path)?;
    // 1, 2, ...: a file of ours is never older than the first version.
    let Ok(done) = usize::try_from(found - 1) else { return Err(Error::Foreign(path.to_owned())) };
    let transaction = connection.transaction().map_err(at(path))?;
    for migration in MIGRATIONS.get(done..).unwrap_or_default() {
        transaction.execute_batch(migration).map_err(at(path))?;
    }
    transaction.pragma_update(None, "user_version", VERSION).map_err(at(path))?;
    transaction.commit().map_err(at(path))
}

/// The version of a file of ours that this program can read.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(at(path));
    if read("application_id")? != i64::from(APPLICATION_ID) {
        return Err(Error::Foreign(path.to_owned()));
    }
    known(connection, path)
}

/// The version of such a file, or of a copy of one.
pub(super) fn known(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(at(path));
    let found = read("user_version")?;
    if found > VERSION {
        return Err(Error::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(found)
}
