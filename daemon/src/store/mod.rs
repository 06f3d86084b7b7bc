//! The vat's database: one `SQLite` file, one writer, a few readers.
//!
//! Only this module knows SQL. [`Store`] is the writer: it opens a transaction with the first row
//! of a group of steps, shows the kernel everything written so far ([`view`]), and commits the
//! group whole ([`Store::commit`]), which alone makes the [`Receipt`] that lets effects out.
//! [`read::Reader`] answers questions from people and scripts on connections of its own, so that
//! neither waits for the other. The whole schema, with every table's and column's meaning, is in
//! `schema.sql`.
//!
//! The file is in WAL mode with `synchronous=FULL`: a commit that returned survives power loss. An
//! error at a commit is never retried: the process ends, and the next one goes on from the disk.

mod apply;
pub mod backup;
mod code;
pub mod history;
mod migrate;
mod peers;
pub mod read;
mod source;
mod view;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qrt_shared::id::VatId;
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::protocol::Handle;
use crate::vat::account::Account;
use crate::vat::{Checkpoint, Counters};

/// The database's name in a vat's base directory.
pub const FILE: &str = "vat.db";

/// Its write-ahead log's.
pub const WAL: &str = "vat.db-wal";

/// How long a connection waits for another's lock.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// `QRT1`: what the file is, for `file` and for us.
const APPLICATION_ID: i32 = 0x5152_5431;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said no.
    #[error("the database {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// A file of something else.
    #[error("{} is not a vat's database", .0.display())]
    Foreign(PathBuf),
    /// A file of a later version of this program.
    #[error(
        "{} has schema version {found}, this program knows up to {known}: use a newer qrtd",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A setting of SQLite did not take.
    #[error("the database {}: {setting} is {found}, not {wanted}: is the file system one SQLite can use?", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// Which.
        setting: &'static str,
        /// What was asked for.
        wanted: &'static str,
        /// What is.
        found: String,
    },
    /// A check that it is whole failed.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong.
        what: String,
    },
    /// It is a vat's, and no backup.
    #[error("{} is not a backup: make one with `qrt backup`", .0.display())]
    NoBackup(PathBuf),
    /// The database is another vat's.
    #[error("the database {} belongs to vat {found}, the key to vat {wanted}: put back the file that belongs there", path.display())]
    OtherVat {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: VatId,
    },
}

impl Error {
    /// The same error, told of the name that an operator knows the file `draft` by.
    #[must_use]
    pub fn moved(mut self, draft: &Path, shown: &Path) -> Self {
        let (Self::Sqlite { path, .. }
        | Self::Foreign(path)
        | Self::NoBackup(path)
        | Self::Newer { path, .. }
        | Self::Damaged { path, .. }
        | Self::Setting { path, .. }
        | Self::OtherVat { path, .. }) = &mut self;
        if path == draft {
            shown.clone_into(path);
        }
        self
    }
}

/// Whether SQLite says by this that what is in the file cannot be.
pub fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let code = error.downcast_ref().and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(DatabaseCorrupt | NotADatabase))
}

/// The version of SQLite this was built for, and the one it runs with.
pub fn sqlite_versions() -> (String, String) {
    (rusqlite::ffi::SQLITE_VERSION.to_string_lossy().into_owned(), rusqlite::version().to_owned())
}

/// Whether the SQLite that runs has its WAL-reset race mended, which loses commits: 3.51.3 or later.
pub fn sqlite_keeps_commits() -> bool {
    rusqlite::version_number() >= 3_051_003
}

/// Proof that a commit is on the disk. Only [`Store::commit`] makes one.
#[derive(Debug)]
pub struct Receipt {
    commit: u64,
}

impl Receipt {
    /// The commit's number.
    pub fn commit(&self) -> u64 {
        self.commit
    }
}

/// The writer.
pub struct Store {
    path: PathBuf,
    connection: Connection,
    /// Whether a transaction is open. The kernel's reads open it too: a lock a group, not one a read.
    open: Cell<bool>,
    /// Whether anything was written in it.
    written: bool,
    counters: Counters,
    /// Accounts that were changed since the last commit.
    accounts: BTreeMap<Handle, Account>,
}

impl Store {
    /// Makes the database of a new vat. The file must not exist.
    pub fn create(dir: &Path, vat: VatId, now_ms: u64) -> Result<(), Error> {
        let path = dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = connect(&path, flags)?;
        migrate::create(&mut connection, vat, now_ms).map_err(at(&path))?;
        connection.close().map_err(|(_, source)| Error::Sqlite { path, source })
    }

    /// Opens the database in `dir` for writing. The caller holds the directory's lock.
    pub fn open(dir: &Path, vat: VatId) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = connect(&path, flags)?;
        migrate::migrate(&mut connection, &path)?;
        let found: Vec<u8> = connection.query_row("SELECT vat_id FROM vat", [], |row| row.get(0)).map_err(at(&path))?;
        if found != vat.as_bytes() {
            let found = <[u8; 32]>::try_from(found).ok().and_then(|bytes| VatId::from_bytes(bytes).ok());
            let found = found.map_or_else(|| "(no vat id)".to_owned(), |vat| vat.to_string());
            return Err(Error::OtherVat { path, found, wanted: vat });
        }
        let counters = view::counters(&connection).map_err(at(&path))?;
        Ok(Self { path, connection, open: Cell::new(false), written: false, counters, accounts: BTreeMap::new() })
    }

    /// The counters of the last commit, or of the steps applied since.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Writes a step's rows into the open transaction; its effects stay with the caller.
    pub fn apply(&mut self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        if checkpoint.writes.is_empty() && checkpoint.accounts.is_empty() {
            return Ok(());
        }
        self.begin().map_err(at(&self.path))?;
        self.written = true;
        for write in checkpoint.writes.drain(..) {
            apply::apply(&self.connection, write).map_err(at(&self.path))?;
        }
        self.accounts.extend(checkpoint.accounts.drain(..));
        if let Some(counters) = checkpoint.counters.take() {
            self.counters = Counters { commits: self.counters.commits, ..counters };
        }
        Ok(())
    }

    /// Makes everything applied so far durable: the one place that commits.
    pub fn commit(&mut self) -> Result<Receipt, Error> {
        if self.written {
            for (account, row) in std::mem::take(&mut self.accounts) {
                apply::account(&self.connection, account, &row).map_err(at(&self.path))?;
            }
            self.counters.commits += 1;
            apply::counters(&self.connection, &self.counters).map_err(at(&self.path))?;
        }
        self.end()?;
        Ok(Receipt { commit: self.counters.commits })
    }

    /// Ends a transaction in which nothing was written, before a wait that may be long: it would keep the
    /// write-ahead log from being emptied.
    pub fn rest(&mut self) -> Result<(), Error> {
        if self.written { Ok(()) } else { self.end() }
    }

    fn begin(&self) -> rusqlite::Result<()> {
        if !self.open.get() {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            self.open.set(true);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.open.get() {
            self.connection.execute_batch("COMMIT").map_err(at(&self.path))?;
            self.open.set(false);
            self.written = false;
        }
        Ok(())
    }

    /// Moves everything from the write-ahead log into the database and empties it, as far as nobody reads what is in
    /// it; whether it is empty now. Nothing may be open.
    pub fn checkpoint(&self) -> Result<bool, Error> {
        let busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
        // A reader that takes long is not waited for: the whole vat would wait with it.
        let patience = std::time::Duration::from_millis(100);
        self.connection.busy_timeout(patience).map_err(at(&self.path))?;
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], busy).map_err(at(&self.path))?;
        self.connection.busy_timeout(BUSY).map_err(at(&self.path))?;
        Ok(!busy)
    }

    /// Moves everything from the write-ahead log into the database, at the end of an orderly stop.
    pub fn close(self) -> Result<(), Error> {
        let path = self.path;
        self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(at(&path))?;
        self.connection.close().map_err(|(_, source)| Error::Sqlite { path, source })
    }

    /// The text of a code.
    pub fn code_text(&self, code: u32) -> Result<String, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT text FROM code WHERE code = ?1").map_err(at(&self.path))?;
        statement.query_row([code], |row| row.get(0)).map_err(at(&self.path))
    }
}

fn at(path: &Path) -> impl Fn(rusqlite::Error) -> Error + use<'_> {
    move |source| Error::Sqlite { path: path.to_owned(), source }
}

/// Opens the file with every setting the vat relies on, each read back.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags).map_err(at(path))?;
    let writes = flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE);
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        // Else a statement with a range is planned anew for every value that is bound to it.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ] {
        connection.set_db_config(config, on).map_err(at(path))?;
    }
    connection.set_prepared_statement_cache_capacity(128);
    let mut settings: Vec<(&'static str, &'static str, &'static str)> = vec![
        ("mmap_size", "0", "0"),
        ("cell_size_check", "1", "1"),
        ("foreign_keys", "0", "0"),
        ("busy_timeout", "5000", "5000"),
    ];
    if writes {
        settings.push(("journal_mode", "WAL", "wal"));
        settings.push(("synchronous", "FULL", "2"));
        settings.push(("journal_size_limit", "67108864", "67108864"));
        // Fewer pages read again, and each hot page copied out of the log once where it was four times.
        settings.push(("cache_size", "-65536", "-65536"));
        settings.push(("wal_autocheckpoint", "4000", "4000"));
    }
    for (setting, value, wanted) in settings {
        connection.pragma_update(None, setting, value).map_err(at(path))?;
        let found: String = connection
            .pragma_query_value(None, setting, |row| {
                Ok(match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str().unwrap_or_default().to_owned(),
                })
            })
            .map_err(at(path))?;
        if found != wanted {
            return Err(Error::Setting { path: path.to_owned(), setting, wanted, found });
        }
    }
    Ok(connection)
}
