//! `qrt check`: whether a vat is as it should be, in all that can be looked at.
//!
//! First what is around the database (files, key, settings, disk, clock), then what is in it. Nothing is changed.
//! Each check is a line; the first that failed does not keep the others from being made.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use qrt_shared::control::SOCKET;
use qrt_shared::view::{Check, Health, Report};

use crate::directory::{LOCK, LOG, PID};
use crate::executor::process;
use crate::key::{self, Key};
use crate::mark::{self, Mark};
use crate::protocol::Layers;
use crate::settings::{self, Settings};
use crate::store::read::{Found, Reader};
use crate::store::{self, FILE, WAL};
use crate::worker::{self, Sandbox};

/// A disk with less room than this is about to stop the vat.
const ROOM_BYTES_MIN: u64 = 64 << 20;

/// A clock that far behind what turns were told was set.
const CLOCK_BEHIND_MS: u64 = 60_000;

/// What the daemon knows beside the files, when it runs.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// The cage of the worker that was started last, if one is there.
    pub cage: Option<Layers>,
}

/// Looks at the vat in `dir`; with `full` at all of it, however long that takes.
pub fn check(dir: &Path, running: Option<Running>, full: bool, now_ms: u64) -> Report {
    let mut report = Draft(Vec::new());
    report.files(dir, running.is_some());
    let settings = report.settings(dir);
    report.key(dir);
    report.disk(dir);
    report.sandbox(running, settings.as_ref());
    report.versions();
    report.database(dir, full, now_ms);
    Report { checks: report.0 }
}

struct Draft(Vec<Check>);

impl Draft {
    fn add(&mut self, name: &str, health: Health, found: impl Into<String>, todo: impl Into<String>) {
        self.0.push(Check { name: name.to_owned(), health, found: found.into(), todo: todo.into() });
    }

    fn ok(&mut self, name: &str, found: impl Into<String>) {
        self.add(name, Health::Ok, found, "");
    }

    /// Each file is its owner's alone, and of one owner.
    fn files(&mut self, dir: &Path, running: bool) {
        let Ok(of) = fs::metadata(dir) else {
            return self.add(
                "files",
                Health::Failed,
                format!("{} cannot be read", dir.display()),
                "run as the vat's user",
            );
        };
        let needed: &[&str] = if running { &[FILE, key::FILE, SOCKET] } else { &[FILE, key::FILE] };
        let mut looked = 1;
        let all = [FILE, WAL, "vat.db-shm", key::FILE, settings::FILE, mark::FILE, LOCK, PID, LOG, SOCKET];
        let paths = std::iter::once(dir.to_owned()).chain(all.iter().map(|name| dir.join(name)));
        for path in paths {
            let shown = path.display();
            let Ok(metadata) = path.symlink_metadata() else {
                if needed.iter().any(|name| path.ends_with(name)) {
                    return self.add("files", Health::Failed, format!("{shown} is missing"), "put it back from a copy");
                }
                continue;
            };
            looked += 1;
            if metadata.is_symlink() {
                let todo = "put the file itself there: SQLite and locks do not follow links safely";
                return self.add("files", Health::Failed, format!("{shown} is a link"), todo);
            }
            // Inside a directory that is closed to others, only what is secret must be closed itself.
            let secret = path == dir || [FILE, key::FILE, SOCKET].iter().any(|name| path.ends_with(name));
            if secret && metadata.mode() & 0o077 != 0 {
                let found =
                    format!("{shown} can be used by others than its owner (mode {:03o})", metadata.mode() & 0o777);
                return self.add("files", Health::Failed, found, format!("run `chmod go-rwx {shown}`"));
            }
            if metadata.uid() != of.uid() {
                let found = format!("{shown} belongs to user {}, the directory to {}", metadata.uid(), of.uid());
                return self.add("files", Health::Failed, found, format!("run `chown {} {shown}`", of.uid()));
            }
        }
        self.ok("files", format!("{looked} files are their owner's alone"));
    }

    fn settings(&mut self, dir: &Path) -> Option<Settings> {
        match Settings::read(dir) {
            Ok(settings) if !dir.join(settings::FILE).exists() => {
                let found = format!("{} is missing: all are the defaults, the port any free one", settings::FILE);
                self.add("settings", Health::Warning, found, "put it back, or other vats look for this one in vain");
                Some(settings)
            }
            Ok(settings) => {
                self.ok("settings", "they can be read");
                Some(settings)
            }
            Err(error) => {
                self.add(
                    "settings",
                    Health::Failed,
                    error.to_string(),
                    "mend the file: the daemon does not start with it",
                );
                None
            }
        }
    }

    fn key(&mut self, dir: &Path) {
        let todo = "put the vat's own key file back";
        let vat = match Key::read(dir) {
            Ok(key) => key.vat(),
            Err(error) => return self.add("key", Health::Failed, error.to_string(), todo),
        };
        match Reader::open(dir).map(|reader| reader.vat()) {
            Ok(of) if of == vat => self.ok("key", format!("it is vat {vat}'s, as the database is")),
            Ok(of) => {
                self.add("key", Health::Failed, format!("it is vat {vat}'s, the database vat {of}'s"), todo);
            }
            // The database has a check of its own.
            Err(_) => self.ok("key", format!("it is vat {vat}'s")),
        }
    }

    fn disk(&mut self, dir: &Path) {
        const NFS: i64 = 0x6969;
        const SMB2: i64 = 0xfe53_4d42;
        let stat = match rustix::fs::statfs(dir) {
            Ok(stat) => stat,
            Err(error) => return self.add("disk", Health::Warning, error.to_string(), "look at the file system"),
        };
        let free = stat.f_bavail.saturating_mul(stat.f_bsize.unsigned_abs());
        let found = format!("{} MiB are free", free >> 20);
        let kind = stat.f_type;
        if free < ROOM_BYTES_MIN {
            self.add("disk", Health::Failed, found, "make room: a vat that cannot write stops");
        } else if [NFS, SMB2].contains(&kind) {
            let found = format!("{found}; it is a network file system");
            self.add("disk", Health::Warning, found, "move the vat to a local disk: locks and syncs of others lie");
        } else {
            self.ok("disk", found);
        }
    }

    fn sandbox(&mut self, running: Option<Running>, settings: Option<&Settings>) {
        let asked = settings.map_or(Sandbox::Required, |settings| settings.worker.sandbox);
        if asked == Sandbox::UnsafeNone {
            let todo = "set `[worker] sandbox` to \"required\"";
            return self.add(
                "sandbox",
                Health::Failed,
                "object code that breaks the engine has all the daemon has",
                todo,
            );
        }
        let cage = running.and_then(|running| running.cage).map_or_else(|| process::cage(asked), Ok);
        match cage {
            Err(error) => {
                let todo = "run the vat on a system with seccomp, and room for a process";
                self.add("sandbox", Health::Failed, error.to_string(), todo);
            }
            Ok(Layers { seccomp: false, .. }) => {
                let todo = "restart the vat on a system with seccomp";
                self.add("sandbox", Health::Failed, "the worker's system calls are not listed", todo);
            }
            Ok(Layers { landlock: false, .. }) => {
                let found = "system calls are listed (seccomp); this system has no landlock";
                self.add("sandbox", Health::Warning, found, "a newer kernel adds a second layer");
            }
            Ok(_) => self.ok("sandbox", "system calls are listed (seccomp), and landlock is on"),
        }
    }

    fn versions(&mut self) {
        let (built, linked) = store::sqlite_versions();
        let todo = "build qrtd again: it brings its own SQLite";
        if built != linked {
            let found = format!("qrtd was built for SQLite {built} and runs with {linked}");
            self.add("versions", Health::Failed, found, todo);
        } else if !store::sqlite_keeps_commits() {
            let found = format!("SQLite {linked} can lose commits; 3.51.3 and later do not");
            self.add("versions", Health::Failed, found, todo);
        } else if worker::version() != worker::KNOWN_VERSION {
            let found =
                format!("QuickJS {} runs here; {} was looked through", worker::version(), worker::KNOWN_VERSION);
            self.add("versions", Health::Failed, found, "build qrtd again with its own lock file");
        } else {
            let (qrtd, engine) = (qrt_shared::VERSION, worker::version());
            self.ok("versions", format!("qrtd {qrtd}, SQLite {linked}, QuickJS {engine}"));
        }
    }

    fn database(&mut self, dir: &Path, full: bool, now_ms: u64) {
        let todo = "restore a backup with `qrt restore`; keep this directory for whoever looks into it";
        let mut reader = match Reader::open(dir) {
            Ok(reader) => reader,
            Err(error) => return self.add("database", Health::Failed, error.to_string(), todo),
        };
        match reader.stands() {
            Ok((mark, clock_ms)) => {
                self.mark(dir, mark);
                self.clock(clock_ms, now_ms);
            }
            Err(error) => self.add("mark", Health::Failed, error.to_string(), todo),
        }
        let found = match reader.check(full) {
            Ok(found) => found,
            Err(error) => return self.add("database", Health::Failed, error.to_string(), todo),
        };
        for (name, found) in found {
            match found {
                Found::Well(found) => self.ok(name, found),
                Found::Unfinished => {
                    let found = "well as far as there was time to look";
                    self.add(name, Health::Warning, found, "`qrt check --full` takes the time it needs");
                }
                Found::Wrong(found) => self.add(name, Health::Failed, found, todo),
            }
        }
    }

    fn mark(&mut self, dir: &Path, mark: Mark) {
        match mark.check(dir) {
            Ok(()) if !dir.join(mark::FILE).exists() => {
                let found = format!("{} is missing: a database that went back would not be noticed", mark::FILE);
                let todo = "the daemon writes it anew; if vat.db is an old copy, start with --after-rollback";
                self.add("mark", Health::Warning, found, todo);
            }
            Ok(()) => self.ok("mark", format!("the database is not behind it: commit {}", mark.commit)),
            // The error says what to do.
            Err(error) => self.add("mark", Health::Failed, error.to_string(), ""),
        }
    }

    fn clock(&mut self, clock_ms: u64, now_ms: u64) {
        let behind_ms = clock_ms.saturating_sub(now_ms);
        if behind_ms > CLOCK_BEHIND_MS {
            let found = format!("it is {} s behind what a turn was told", behind_ms / 1000);
            self.add("clock", Health::Warning, found, "set it: for objects time stands still until then");
        } else {
            self.ok("clock", "it is not behind what turns were told");
        }
    }
}
