//! `qrt backup` and `qrt restore`: a vat in one file, and a vat from one.
//!
//! A copy is made whole or not at all: it is written beside its place, checked, synced and moved there, and it
//! never takes the place of anything. It holds the database and the settings. The key is another matter: who has
//! it *is* the vat, so it is in the copy only when the operator says so, and otherwise kept elsewhere.
//!
//! What was restored has forgotten whatever came after the copy, and the other vats have not. So each of its
//! channels waits until the peer has said where it stands. A *fork* is another vat with the same objects: it has a
//! key of its own, nobody knows it, and what was addressed under the old one is gone.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use qrt_shared::id::VatId;
use qrt_shared::view::{BackedUp, Restored};
use rustix::fs::{CWD, RenameFlags};

use crate::directory::{self, io_error};
use crate::key::{self, Key};
use crate::settings;
use crate::store::backup::{self, Beside, Identity};
use crate::store::{self, FILE};

/// Why there is no copy, or no vat from one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is there already.
    #[error("{} is there already, and a backup overwrites nothing: choose another name", .0.display())]
    Taken(PathBuf),
    /// Its directory is not there.
    #[error("{} does not exist: make it first", .0.display())]
    NoParent(PathBuf),
    /// There is nothing to restore.
    #[error("there is no file {}: give a file that `qrt backup` made", .0.display())]
    NoFile(PathBuf),
    /// A vat without its key is nobody.
    #[error("{} holds no key: give the vat's own with --key FILE, or make another vat of it with --fork", .0.display())]
    NoKey(PathBuf),
    /// The key is another vat's.
    #[error("the key in {} is vat {found}'s, the backup vat {wanted}'s: give the key that belongs to it", path.display())]
    OtherKey {
        /// Where the key is.
        path: PathBuf,
        /// Whose it is.
        found: VatId,
        /// Whose it should be.
        wanted: VatId,
    },
    /// The directory or a file in it.
    #[error(transparent)]
    Directory(#[from] directory::Error),
    /// The key.
    #[error(transparent)]
    Key(#[from] key::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A file that is gone again unless it is moved to its place.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Copies the vat in `dir`, which may run, into the new file `file`.
///
/// # Errors
/// [`Error`]; there is no file then.
pub fn write(dir: &Path, file: &Path, with_key: bool, now_ms: u64) -> Result<BackedUp, Error> {
    directory::check(dir)?;
    let file = std::path::absolute(file).map_err(io_error("find", file))?;
    if file.symlink_metadata().is_ok() {
        return Err(Error::Taken(file));
    }
    let (Some(parent), Some(name)) = (file.parent(), file.file_name()) else { return Err(Error::Taken(file)) };
    if !parent.is_dir() {
        return Err(Error::NoParent(parent.to_owned()));
    }
    let settings = match fs::read_to_string(dir.join(settings::FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(io_error("read", &dir.join(settings::FILE))(error).into()),
    };
    let key = with_key.then(|| Key::read(dir)).transpose()?;
    let beside = Beside { settings, key: key.as_ref().map(Key::file_text) };
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".new-{}", std::process::id()));
    let path = parent.join(draft);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    made.map_err(io_error("write", &path))?;
    let draft = Draft(path);
    // Errors are about the file that the operator named.
    let made = backup::copy(dir, &draft.0, &beside, now_ms).map_err(|error| error.moved(&draft.0, &file))?;
    if let Some(key) = key.filter(|key| key.vat() != made.vat) {
        return Err(Error::OtherKey { path: dir.join(key::FILE), found: key.vat(), wanted: made.vat });
    }
    let copy = File::open(&draft.0).map_err(io_error("read", &draft.0))?;
    copy.sync_all().map_err(io_error("sync", &draft.0))?;
    let bytes = copy.metadata().map_err(io_error("read", &draft.0))?.len();
    if let Err(error) = rustix::fs::renameat_with(CWD, &draft.0, CWD, &file, RenameFlags::NOREPLACE) {
        let taken = error == rustix::io::Errno::EXIST;
        return Err(if taken { Error::Taken(file) } else { io_error("write", &file)(error.into()).into() });
    }
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error("sync", parent))?;
    Ok(BackedUp { file: file.display().to_string(), vat: made.vat, commit: made.commit, bytes, with_key })
}

/// Makes a vat in `dir`, which must not exist or be empty, from the copy `file`: the same vat, with the key
/// that is in the copy or in the file `key`; or, with `fork`, another one.
///
/// # Errors
/// [`Error`]; there is nothing in `dir` then.
pub fn restore(file: &Path, dir: &Path, key: Option<&Path>, fork: bool, now_ms: u64) -> Result<Restored, Error> {
    if !file.is_file() {
        return Err(Error::NoFile(file.to_owned()));
    }
    let shown = std::path::absolute(dir).map_err(io_error("find", dir))?;
    directory::build(dir, |draft| {
        let database = draft.join(FILE);
        copy(file, &database)?;
        let of = |error: store::Error| error.moved(&database, file);
        let (made, beside) = backup::open(&database).map_err(of)?;
        let (key, settings) = if fork {
            (Key::generate(), settings::elsewhere(&beside.settings))
        } else {
            (the_key(file, key, beside.key.as_ref().map(|text| text.as_str()), made.vat)?, beside.settings)
        };
        let identity = if fork { Identity::New(key.vat()) } else { Identity::Same };
        let left = backup::restore(&database, &made, identity, now_ms).map_err(of)?;
        directory::fill(draft, &key, &settings)?;
        let synced = File::open(&database).and_then(|file| file.sync_all());
        synced.map_err(io_error("sync", &database))?;
        Ok(Restored {
            dir: shown.display().to_string(),
            vat: key.vat(),
            fork_of: fork.then_some(made.vat),
            commit: made.commit,
            made_at: made.made_at,
            outbox_dropped: left.outbox,
            channels_dropped: left.peers,
        })
    })
}

/// The key of the vat `wanted`: the one in `path`, or the one that came in the copy.
fn the_key(file: &Path, path: Option<&Path>, inside: Option<&str>, wanted: VatId) -> Result<Key, Error> {
    let (key, path) = match (path, inside) {
        (Some(path), _) => (Key::read_file(path)?, path),
        (None, Some(text)) => (Key::from_text(text).ok_or_else(|| key::Error::Malformed(file.to_owned()))?, file),
        (None, None) => return Err(Error::NoKey(file.to_owned())),
    };
    if key.vat() == wanted { Ok(key) } else { Err(Error::OtherKey { path: path.to_owned(), found: key.vat(), wanted }) }
}

/// A private copy to work on: the backup itself is only read.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let mut source = File::open(from).map_err(io_error("read", from))?;
    let copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut copy = copy.map_err(io_error("write", to))?;
    io::copy(&mut source, &mut copy).map_err(io_error("write", to))?;
    Ok(())
}
