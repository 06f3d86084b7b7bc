//! A vat's base directory: what is in it, who may use it, how one is made.
//!
//! ```text
//! DIR/             0700
//!   key            0600  the secret key
//!   vat.db         0600  everything else that lasts (and `vat.db-wal`, `vat.db-shm`)
//!   settings.toml  0600  see `settings`
//!   qrtd.lock            held by flock for the daemon's life; never removed
//!   qrtd.pid             the daemon's process id, for people
//!   qrtd.log             its log
//!   control.sock   0600  its control socket
//!   vat.db.mark    0600  how far the database had come: see `mark`
//! ```
//!
//! The lock, not the pid file and not SQLite, decides who may open the database.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use qrt_shared::control::{SOCKET, SOCKET_PATH_MAX};
use qrt_shared::hint;
use rustix::fs::FlockOperation;

use crate::key::{self, Key};
use crate::settings;
use crate::store::{self, Store};

pub(crate) const LOCK: &str = "qrtd.lock";
pub(crate) const PID: &str = "qrtd.pid";

/// The log's name in a vat's base directory.
pub const LOG: &str = "qrtd.log";

/// Why a directory cannot be a vat's, or not now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is none.
    #[error("{} is not a vat's directory: {}", .0.display(), hint::make_a_vat(.0))]
    NotAVat(PathBuf),
    /// A part of it is gone.
    #[error("{} is missing: the rest of a vat is there; put the file back from a copy", .0.display())]
    Missing(PathBuf),
    /// Something is there already.
    #[error("{} is there already and not empty: choose another directory", .0.display())]
    Taken(PathBuf),
    /// There, or above it, is something that is no directory, or a link that leads nowhere.
    #[error("{} is no directory: choose another name", .0.display())]
    NoDirectory(PathBuf),
    /// Its parent is not there.
    #[error("{} does not exist: make it first", .0.display())]
    NoParent(PathBuf),
    /// A daemon runs on it.
    #[error("{} is in use by the daemon with pid {pid}: stop it with `qrt stop {}`", dir.display(), hint::path(dir))]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The daemon's process, as the pid file says.
        pid: String,
    },
    /// Others can read it.
    #[error("{} can be used by others than its owner (mode {mode:03o}): run `chmod go-rwx {}`", path.display(), hint::path(path))]
    Loose {
        /// What.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The control socket's path would be too long.
    #[error("the control socket's path {} is longer than {SOCKET_PATH_MAX} bytes: use a shorter directory", .0.display())]
    PathTooLong(PathBuf),
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
    /// The key file is not usable.
    #[error(transparent)]
    Key(#[from] key::Error),
    /// The settings file is not usable.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// The database is not usable.
    #[error(transparent)]
    Store(#[from] store::Error),
}

pub(crate) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { what, path, source }
}

/// A base directory that this process has locked.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

/// Makes a vat in `dir`, which must not exist or be empty: all of it or nothing.
pub fn create(dir: &Path, settings: &str, now_ms: u64) -> Result<Key, Error> {
    build(dir, |draft| {
        let key = Key::generate();
        fill(draft, &key, settings)?;
        // SQLite gives its files the mode of the database, so that is made first and empty.
        write_new(&draft.join(store::FILE), "")?;
        Store::create(draft, key.vat(), now_ms)?;
        Ok(key)
    })
}

/// Makes a vat's directory of what `build` leaves in the one it is given: all of it or nothing.
pub fn build<T, E: From<Error>>(dir: &Path, build: impl FnOnce(&Path) -> Result<T, E>) -> Result<T, E> {
    let dir = free(dir)?;
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return Err(Error::Taken(dir).into()) };
    if !parent.is_dir() {
        return Err(Error::NoParent(parent.to_owned()).into());
    }
    // Built beside its place and moved there whole, so that a crash leaves no half of a vat.
    let mut draft = OsStr::from_bytes(b".").to_owned();
    draft.push(name);
    draft.push(format!(".new-{}", std::process::id()));
    let draft = parent.join(draft);
    let make = || {
        fs::DirBuilder::new().mode(0o700).create(&draft).map_err(io_error("make", &dir))?;
        let built = build(&draft)?;
        File::open(&draft).and_then(|dir| dir.sync_all()).map_err(io_error("sync", &draft))?;
        fs::rename(&draft, &dir).map_err(io_error("make", &dir))?;
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error("sync", parent))?;
        Ok(built)
    };
    let made = make();
    if made.is_err() {
        // What stands there is ours: the name holds our process id. The first error is the one to tell.
        fs::remove_dir_all(&draft).ok();
    }
    made
}

/// The absolute path of a directory that does not exist or is empty.
fn free(dir: &Path) -> Result<PathBuf, Error> {
    let dir = std::path::absolute(dir).map_err(io_error("find", dir))?;
    check_socket_path(&dir)?;
    match fs::read_dir(&dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(Error::Taken(dir));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound && dir.symlink_metadata().is_err() => {}
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            let there = dir.ancestors().find(|there| there.symlink_metadata().is_ok()).unwrap_or(&dir);
            return Err(Error::NoDirectory(there.to_owned()));
        }
        Err(error) => return Err(io_error("read", &dir)(error)),
    }
    Ok(dir)
}

/// Writes what lies beside the database.
pub(crate) fn fill(draft: &Path, key: &Key, settings: &str) -> Result<(), Error> {
    write_new(&draft.join(key::FILE), &key.file_text())?;
    write_new(&draft.join(settings::FILE), settings)
}

fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })
    .map_err(io_error("write", path))
}

fn check_socket_path(dir: &Path) -> Result<(), Error> {
    let socket = dir.join(SOCKET);
    if socket.as_os_str().len() > SOCKET_PATH_MAX { Err(Error::PathTooLong(socket)) } else { Ok(()) }
}

/// Checks that a vat is in `dir` and that only its owner can use it.
pub fn check(dir: &Path) -> Result<(), Error> {
    check_socket_path(dir)?;
    let mut missing = Vec::new();
    for name in [store::FILE, key::FILE] {
        match dir.join(name).try_exists() {
            Ok(true) => {}
            Ok(false) => missing.push(dir.join(name)),
            Err(error) => return Err(io_error("read", dir)(error)),
        }
    }
    match missing.as_slice() {
        [] => {}
        [one] => return Err(Error::Missing(one.clone())),
        _ => return Err(Error::NotAVat(dir.to_owned())),
    }
    for path in [dir.to_owned(), dir.join(key::FILE)] {
        let mode = fs::metadata(&path).map_err(io_error("read", &path))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::Loose { path, mode });
        }
    }
    Ok(())
}

/// The daemon that holds the vat in `dir`, as its pid file says.
pub fn daemon(dir: &Path) -> Option<u32> {
    let lock = File::open(dir.join(LOCK)).ok()?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => fs::read_to_string(dir.join(PID)).ok()?.trim().parse().ok(),
        _ => None,
    }
}

/// How long the lock of a dead daemon may outlive it, and how often that is looked at.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Whether the process of that number runs. One that has ended and was not reaped does not.
fn is_alive(pid: &str) -> bool {
    let Ok(pid) = pid.parse::<u32>() else { return false };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which is in parentheses and may hold any.
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
    !matches!(state, None | Some('Z' | 'X'))
}

impl Directory {
    /// Locks the vat in `dir` for this process and writes the pid file.
    pub fn lock(dir: &Path) -> Result<Self, Error> {
        check(dir)?;
        let lock = dir.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = file.map_err(io_error("write", &lock))?;
        let since = Instant::now();
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let pid = fs::read_to_string(dir.join(PID)).unwrap_or_default();
                    let pid = pid.trim();
                    if is_alive(pid) || since.elapsed() > LOCK_PATIENCE {
                        let pid = if pid.is_empty() { "unknown" } else { pid }.to_owned();
                        return Err(Error::InUse { dir: dir.to_owned(), pid });
                    }
                    // Its daemon is dead: what a killed one was about to start holds its lock until it has
                    // become another program, and who only asks holds it for a moment.
                    thread::sleep(LOCK_PAUSE);
                }
                Err(error) => return Err(io_error("lock", &lock)(error.into())),
            }
        }
        let directory = Self { path: dir.to_owned(), _lock: file };
        directory.write_pid()?;
        Ok(directory)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write_pid(&self) -> Result<(), Error> {
        let (pid, draft) = (self.path.join(PID), self.path.join("qrtd.pid.new"));
        fs::write(&draft, format!("{}\n", std::process::id())).map_err(io_error("write", &draft))?;
        fs::rename(&draft, &pid).map_err(io_error("write", &pid))
    }
}

impl Drop for Directory {
    /// The pid file goes before the lock does.
    fn drop(&mut self) {
        fs::remove_file(self.path.join(PID)).ok();
    }
}
