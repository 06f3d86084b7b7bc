//! `DIR/vat.db.mark`: how far the database had come, so that one which went back is noticed at start.
//!
//! A write-ahead log that was cut short, or a file that was put back, is a perfectly good database: only it has
//! forgotten what other vats and people were told. The mark is a second witness. It names the database's history
//! and its last commit; it is written about once a second while the vat commits, and at the end of an orderly
//! stop, always after that commit is on the disk. So the database is never behind it unless it went back. A whole
//! directory that was put back takes its mark along: there, only what peers answer tells.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use qrt_shared::hint;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::store::history::History;
use crate::totals::Committed;

/// The file's name in a vat's base directory.
pub const FILE: &str = "vat.db.mark";

/// How often it is written while the vat is busy.
const PAUSE: Duration = Duration::from_secs(1);

/// A history and the last commit of it that is known to be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which history.
    pub history: History,
    /// The commit's number.
    pub commit: u64,
}

/// Why the database is not the one that was there last.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It has forgotten commits.
    #[error(
        "the database in {} went back: its last commit is {found}, but commit {marked} had been made; put the right \
         vat.db and vat.db-wal back, or go on with this one by `qrt start --after-rollback {}`: every peer is then \
         asked where it stands before anything is sent to it", dir.display(), hint::path(dir)
    )]
    Behind {
        /// The directory.
        dir: PathBuf,
        /// The database's last commit.
        found: u64,
        /// The mark's.
        marked: u64,
    },
    /// It is a copy from elsewhere.
    #[error(
        "the database in {} is not the one that was there before: put the right vat.db back, or go on with this one \
         by `qrt start --after-rollback {}`: every peer is then asked where it stands before anything is sent to it",
        dir.display(), hint::path(dir)
    )]
    Another {
        /// The directory.
        dir: PathBuf,
    },
    /// The mark is none.
    #[error(
        "{} is damaged, so nobody can tell whether the database went back: if you know that it did not, remove the \
         file; if not, use `qrt start --after-rollback`", .0.display()
    )]
    Malformed(PathBuf),
    /// The file system said no.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// Do what.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Mark {
    /// The mark in `dir`; `None` in a directory whose vat has never run.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { what: "read", path, source }),
        };
        let parse = || {
            let (history, commit) = std::str::from_utf8(&text).ok()?.strip_suffix('\n')?.split_once(' ')?;
            let history = HEXLOWER.decode(history.as_bytes()).ok()?.try_into().ok()?;
            Some(Self { history: History(history), commit: commit.parse().ok()? })
        };
        parse().map(Some).ok_or(Error::Malformed(path))
    }

    /// Writes it, in one piece.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let (path, draft) = (dir.join(FILE), dir.join(".vat.db.mark.new"));
        let text = format!("{} {}\n", HEXLOWER.encode(&self.history.0), self.commit);
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            fs::rename(&draft, &path)
        };
        write().map_err(|source| Error::Io { what: "write", path: path.clone(), source })
    }

    /// Checks that the database, which stands at this mark, is where the one in `dir` was, or further.
    pub fn check(&self, dir: &Path) -> Result<(), Error> {
        let Some(last) = Self::read(dir)? else { return Ok(()) };
        if last.history != self.history {
            return Err(Error::Another { dir: dir.to_owned() });
        }
        if last.commit > self.commit {
            return Err(Error::Behind { dir: dir.to_owned(), found: self.commit, marked: last.commit });
        }
        Ok(())
    }

    /// Keeps the mark in `dir` up with `commits`, about a second behind, until nobody commits any more.
    pub async fn follow(self, dir: PathBuf, mut commits: watch::Receiver<Committed>) {
        while commits.changed().await.is_ok() {
            let mark = Self { commit: commits.borrow_and_update().commit, ..self };
            let to = dir.clone();
            match spawn_blocking(move || mark.write(&to)).await {
                Ok(Ok(())) => {}
                // The old mark still stands, and a vat whose disk is full has worse to tell.
                Ok(Err(error)) => tracing::warn!(%error, "the mark stays behind"),
                Err(error) => tracing::error!(%error, "the mark stays behind"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { history: History([7; 16]), commit: 5 };

    #[test]
    fn a_database_may_be_ahead_of_its_mark_and_never_behind() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        MARK.check(dir.path()).expect("there is none yet");
        MARK.write(dir.path()).expect("written");
        assert_eq!(Mark::read(dir.path()).expect("read"), Some(MARK));
        Mark { commit: 6, ..MARK }.check(dir.path()).expect("ahead");
        let behind = Mark { commit: 4, ..MARK }.check(dir.path());
        assert!(matches!(behind, Err(Error::Behind { found: 4, marked: 5, .. })), "{behind:?}");
        let other = Mark { history: History([8; 16]), commit: 9 }.check(dir.path());
        assert!(matches!(other, Err(Error::Another { .. })), "{other:?}");
    }

    #[test]
    fn what_is_no_mark_is_refused_at_every_cut_and_flip() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        MARK.write(dir.path()).expect("written");
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).expect("the mark");
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).expect("a cut mark");
            assert!(matches!(MARK.check(dir.path()), Err(Error::Malformed(_))), "{cut}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x80;
            fs::write(&path, flipped).expect("a flipped mark");
            assert!(MARK.check(dir.path()).is_err(), "{at}");
        }
    }
}
