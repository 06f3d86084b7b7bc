//! Which history a database tells. A file that was put back tells an older one than the world remembers, and
//! what it sends goes on from there, so each peer is asked before anything is sent to it.

use rusqlite::{Connection, Result, params};

use super::{Error, Store, at};

/// A random name that a database has until it goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History(pub [u8; 16]);

impl Store {
    /// The history this database tells.
    pub fn history(&self) -> std::result::Result<History, Error> {
        let read = self.connection.query_row("SELECT history FROM vat", [], |row| row.get(0));
        read.map(History).map_err(at(&self.path))
    }

    /// Begins another history, because the database went back: peers are asked before anything is sent to
    /// them. The caller has not given the store to a kernel yet.
    pub fn went_back(&mut self, now_ms: u64, detail: &serde_json::Value) -> std::result::Result<(), Error> {
        let path = &self.path;
        let transaction = self.connection.transaction().map_err(at(path))?;
        begin_anew(&transaction, true).and_then(|()| note(&transaction, now_ms, "start", detail)).map_err(at(path))?;
        transaction.commit().map_err(at(path))
    }
}

/// The database tells a new history; with `ask`, no channel is believed to stand where it says.
pub(super) fn begin_anew(db: &Connection, ask: bool) -> Result<()> {
    db.execute_batch("UPDATE vat SET history = randomblob(16)")?;
    if ask {
        db.execute_batch("UPDATE peer SET state = 'unsure' WHERE state = 'ok'")?;
    }
    Ok(())
}

/// Writes into the audit what this program did by itself.
pub(super) fn note(db: &Connection, now_ms: u64, action: &str, detail: &serde_json::Value) -> Result<()> {
    db.execute(
        "INSERT INTO audit (at, uid, pid, action, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![now_ms, rustix::process::getuid().as_raw(), std::process::id(), action, detail.to_string()],
    )?;
    Ok(())
}
