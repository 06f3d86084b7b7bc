//! The harness of the end-to-end tests: it builds both programs itself, once a run, and runs real
//! daemons in scratch directories.
//!
//! One helper touches each interface: [`Scratch::qrt`] the command line, [`Vat::ask`] the control
//! socket. A test names a claim and asserts what could fail; nothing here sleeps: everything that
//! takes time is waited for by the event that ends it, within [`PATIENCE`].

mod console;
pub mod fuzz;
mod lone;
mod object;

pub use console::Console;
pub use lone::{Lone, on_engine_stack};
pub use object::{Grant, Object};

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use qrt_shared::control::{Client, ClientError, Listed, Listing};
use qrt_shared::view::Turn;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long anything may take before the test that waits for it fails. A busy machine is slow.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// The two programs under test.
#[derive(Debug)]
pub struct Programs {
    /// The command line.
    pub qrt: PathBuf,
    /// The daemon.
    pub qrtd: PathBuf,
}

/// Builds both programs, once a process, and says where they are.
pub fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--message-format=json", "-p", "qrt", "-p", "qrtd"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let mut build = cargo
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo runs");
        let (mut qrt, mut qrtd) = (None, None);
        for line in BufReader::new(build.stdout.take().expect("a pipe")).lines() {
            let message: Value = serde_json::from_str(&line.expect("a line of text")).expect("a line of JSON");
            let Some(executable) = message["executable"].as_str() else { continue };
            match message["target"]["name"].as_str() {
                Some("qrt") => qrt = Some(PathBuf::from(executable)),
                Some("qrtd") => qrtd = Some(PathBuf::from(executable)),
                _ => {}
            }
        }
        assert!(build.wait().expect("cargo ends").success(), "the programs build");
        Programs { qrt: qrt.expect("qrt is built"), qrtd: qrtd.expect("qrtd is built") }
    })
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("programs print UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Standard output, of a program that must have succeeded.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Standard output as the one JSON document it must be.
    ///
    /// # Panics
    /// The program failed, or printed something else.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("one JSON document")
    }

    /// The one line on standard error of a program that must have failed with `code` and printed
    /// nothing on standard output.
    ///
    /// # Panics
    /// It did otherwise.
    #[track_caller]
    pub fn refusal(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "a failed command prints no result");
        assert_eq!(self.stderr.lines().count(), 1, "one line: {}", self.stderr);
        self.stderr.trim_end().to_owned()
    }
}

/// A scratch directory.
pub struct Scratch {
    dir: TempDir,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { dir: tempfile::Builder::new().prefix("qrt-").tempdir().expect("a scratch directory") }
    }
}

impl Scratch {
    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file in it.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a scratch file");
        path
    }

    /// Runs `qrt` with these arguments.
    pub fn qrt(&self, args: &[impl AsRef<OsStr>]) -> Ran {
        self.qrt_with(args, "", &[])
    }

    /// Runs `qrt` with this standard input and environment.
    pub fn qrt_with(&self, args: &[impl AsRef<OsStr>], stdin: &str, env: &[(&str, &OsStr)]) -> Ran {
        let input = self.file("stdin", stdin);
        let output = Command::new(&programs().qrt)
            .args(args)
            .env_remove("QRT_DIR")
            .envs(env.iter().copied())
            .current_dir(self.dir.path())
            .stdin(std::fs::File::open(input).expect("the input file"))
            .output()
            .expect("qrt runs");
        Ran::of(output)
    }

    /// A vat in it, made and started.
    pub fn vat(self) -> Vat {
        self.vat_with::<&str>(&[])
    }

    /// A vat in it, made and started with these keys of its settings changed: `("turns", "10")`. Of
    /// keys with the same name in several sections the last is.
    pub fn vat_with<T: AsRef<str>>(self, settings: &[(&str, T)]) -> Vat {
        let dir = self.path("vat");
        self.qrt(&["create-node".as_ref(), dir.as_os_str()]).ok();
        let file = dir.join("settings.toml");
        let mut text = std::fs::read_to_string(&file).expect("the settings");
        for (key, value) in settings {
            // `section.key`, where several sections have a key of that name.
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            let from = if section.is_empty() { 0 } else { text.find(&format!("[{section}]")).expect("a section") };
            let at = text[from..].find(&format!("\n{name} = ")).unwrap_or_else(|| panic!("no setting is called {key}"));
            let at = from + at + 1;
            let end = at + text[at..].find('\n').expect("a line");
            text.replace_range(at..end, &format!("{name} = {}", value.as_ref()));
        }
        std::fs::write(&file, text).expect("the settings");
        let vat = self.there();
        vat.start();
        vat
    }

    /// The vat that something else has made in it, at `vat`; not started.
    pub fn there(self) -> Vat {
        let dir = self.path("vat");
        Vat { scratch: self, dir, runtime: Runtime::new().expect("a runtime") }
    }
}

/// Settings under which one turn may send `turns` messages, they have room, and the journal keeps what they do.
pub fn roomy(turns: u64) -> Vec<(&'static str, String)> {
    vec![
        ("turn.messages", turns.to_string()),
        ("turn.bytes", (64 << 20).to_string()),
        ("turn.cpu_ms", 60_000.to_string()),
        ("turn.wall_ms", 600_000.to_string()),
        ("queue.messages", (2 * turns).to_string()),
        ("journal.turns", (2 * turns + 1000).to_string()),
    ]
}

/// A running vat. Dropping it ends its daemon.
pub struct Vat {
    /// The directory its directory is in.
    pub scratch: Scratch,
    dir: PathBuf,
    runtime: Runtime,
}

impl Vat {
    /// Its base directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts its daemon.
    pub fn start(&self) {
        self.scratch.qrt(&["start".as_ref(), self.dir.as_os_str()]).ok();
    }

    /// Its daemon's process, as the pid file says.
    pub fn pid(&self) -> Option<rustix::process::Pid> {
        let text = std::fs::read_to_string(self.dir.join("qrtd.pid")).ok()?;
        rustix::process::Pid::from_raw(text.trim().parse().ok()?)
    }

    /// Kills its daemon with SIGKILL, and waits until it is gone.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&self) {
        let pid = self.pid().expect("a running daemon");
        let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("its process");
        rustix::process::pidfd_send_signal(&handle, rustix::process::Signal::KILL).expect("it can be killed");
        let mut gone = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
        let patience = rustix::event::Timespec::try_from(PATIENCE).expect("a time");
        let ended = rustix::event::poll(&mut gone, Some(&patience)).expect("poll");
        assert_eq!(ended, 1, "the daemon ends when it is killed");
    }

    /// Runs `qrt VERB DIR ARGS...`.
    pub fn qrt(&self, verb: &str, args: &[&str]) -> Ran {
        let mut all = vec![OsStr::new(verb), self.dir.as_os_str()];
        all.extend(args.iter().map(OsStr::new));
        self.scratch.qrt(&all)
    }

    /// Installs code under a petname; its QRID.
    pub fn install(&self, name: &str, code: &str, args: &[&str]) -> String {
        let file = self.scratch.file(&format!("{name}.js"), code);
        let mut all = vec![file.to_str().expect("UTF-8"), "--name", name];
        all.extend(args);
        self.qrt("install", &all).ok().trim().to_owned()
    }

    /// Sends a message and waits for its turn; what `qrt send --wait` prints.
    pub fn send(&self, target: &str, args: &str) -> Value {
        let dir = self.dir.to_str().expect("UTF-8");
        let ran = self.scratch.qrt(&["send", "-d", dir, "--wait", target, args]);
        assert_eq!(ran.stdout.lines().count(), 1, "one line: {}{}", ran.stdout, ran.stderr);
        let answer: Value = serde_json::from_str(&ran.stdout).expect("one JSON document");
        assert_eq!(ran.code, Some(i32::from(answer["outcome"] != "ok")), "the exit code says whether it is ok");
        answer
    }

    /// The result of a message whose turn must be ok.
    #[track_caller]
    pub fn result(&self, target: &str, args: &str) -> Value {
        let answer = self.send(target, args);
        assert_eq!(answer["outcome"], "ok", "{answer}");
        answer["result"].clone()
    }

    /// Asks the daemon over the control socket, on a connection of its own.
    #[track_caller]
    pub fn ask<T>(&self, question: impl AsyncFnOnce(&mut Client) -> Result<T, ClientError>) -> T {
        self.runtime.block_on(async {
            let asked = async { question(&mut Client::open(&self.dir).await?).await };
            tokio::time::timeout(PATIENCE, asked).await.expect("an answer in time").expect("an answer")
        })
    }

    /// A page of a list.
    #[track_caller]
    pub fn list<T: Listed + DeserializeOwned>(&self, listing: &Listing) -> Vec<T> {
        self.ask(async |client| client.list(listing).await).items
    }

    /// Waits until the journal holds turn number `turn`.
    #[track_caller]
    pub fn wait_for_turn(&self, turn: u64) {
        self.ask(async |client| {
            while client.turns(None, turn - 1, Duration::from_secs(10)).await?.items.is_empty() {}
            Ok(())
        });
    }

    /// The whole journal, oldest turn first.
    #[track_caller]
    pub fn journal(&self) -> Vec<Turn> {
        self.ask(async |client| {
            let (mut turns, mut after) = (Vec::new(), Some(0));
            while let Some(cursor) = after {
                let page = client.turns(None, cursor, Duration::ZERO).await?;
                turns.extend(page.items);
                after = page.next;
            }
            Ok(turns)
        })
    }
}

impl Drop for Vat {
    fn drop(&mut self) {
        if self.pid().is_some() {
            // Its worker dies with it, and whatever it had not said no test waits for.
            let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.kill()));
            drop(killed);
        }
    }
}
