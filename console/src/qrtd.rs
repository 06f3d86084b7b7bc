//! Finding and running `qrtd`, which alone touches a vat's files.

use std::env;
use std::ffi::OsString;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use qrt_shared::VERSION;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// The program's name.
const NAME: &str = "qrtd";

/// A `qrtd` of this version.
pub struct Qrtd {
    path: PathBuf,
    /// Whether it runs in a process group of its own.
    apart: bool,
}

/// What a finished `qrtd` left behind.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Qrtd {
    /// The `qrtd` beside this program, or else the first in `PATH`.
    ///
    /// # Errors
    /// There is none, it cannot be run, or it is of another version.
    pub fn find() -> Result<Self, Failure> {
        let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(NAME)));
        let path = env::var_os("PATH").unwrap_or_default();
        let in_path = env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(NAME));
        let Some(path) = beside.into_iter().chain(in_path).find(|path| path.is_file()) else {
            return Err(Failure::new(
                "qrtd is neither beside qrt nor in PATH: build it with `cargo build`, or put it there",
            ));
        };
        let qrtd = Self { path, apart: false };
        let ended = qrtd.run(&["--version".into()])?;
        let version = ended.stdout.trim();
        if version != format!("{NAME} {VERSION}") {
            let version = if version.is_empty() { "of no known version" } else { version };
            return Err(Failure::new(format!(
                "{} is {version}, this is qrt {VERSION}: use the two of one version",
                qrtd.path.display()
            )));
        }
        Ok(qrtd)
    }

    /// The same, but out of reach of the terminal's Ctrl-C: for a caller that handles it and must
    /// know how each run ended.
    #[must_use]
    pub fn apart(self) -> Self {
        Self { apart: true, ..self }
    }

    /// Runs `qrtd` with `args` and reads the one JSON document it prints.
    ///
    /// # Errors
    /// The line it printed on standard error when it failed.
    pub fn ask<T: DeserializeOwned>(&self, args: &[OsString]) -> Result<T, Failure> {
        let ended = self.run(args)?;
        if ended.status.success() {
            return serde_json::from_str(&ended.stdout)
                .map_err(|error| Failure::new(format!("{}'s answer makes no sense: {error}", self.path.display())));
        }
        let line = ended.stderr.lines().find(|line| !line.trim().is_empty());
        let Some(line) = line else {
            return Err(Failure::new(format!("{} failed without a word: {}", self.path.display(), ended.status)));
        };
        let line = line.strip_prefix("qrtd: ").unwrap_or(line);
        Err(Failure::new(line.strip_prefix("error: ").unwrap_or(line)))
    }

    /// Replaces this process by `qrtd` with `args`; returns only when that fails.
    pub fn become_it(&self, args: &[OsString]) -> Failure {
        let error = Command::new(&self.path).args(args).exec();
        self.cannot_run(&error)
    }

    /// Its output goes through files, not pipes: a daemon that it leaves behind may hold on to
    /// them without holding us up.
    fn run(&self, args: &[OsString]) -> Result<Ended, Failure> {
        let cannot_run = |error: std::io::Error| self.cannot_run(&error);
        let mut stdout = tempfile::tempfile().map_err(cannot_run)?;
        let mut stderr = tempfile::tempfile().map_err(cannot_run)?;
        let mut command = Command::new(&self.path);
        if self.apart {
            command.process_group(0);
        }
        let status = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().map_err(cannot_run)?)
            .stderr(stderr.try_clone().map_err(cannot_run)?)
            .status()
            .map_err(cannot_run)?;
        let text = |file: &mut std::fs::File| {
            let mut bytes = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Ended {
            status,
            stdout: text(&mut stdout).map_err(cannot_run)?,
            stderr: text(&mut stderr).map_err(cannot_run)?,
        })
    }

    fn cannot_run(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("cannot run {}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell stands in for the program.
    fn ask(script: &str) -> Result<serde_json::Value, Failure> {
        Qrtd { path: "/bin/sh".into(), apart: false }.ask(&["-c".into(), script.into()])
    }

    #[test]
    fn a_document_is_read_although_a_child_keeps_the_output_open() {
        let since = std::time::Instant::now();
        let answer = ask("sleep 20 & echo '{\"pid\":'$!'}'").expect("a document");
        assert!(since.elapsed() < std::time::Duration::from_secs(10));
        let pid = answer["pid"].as_i64().expect("a process");
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a process")).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("our own process");
    }

    #[test]
    fn a_failure_is_its_one_line() {
        let failure = ask("echo 'qrtd: /x is in use: stop it' >&2; exit 1").expect_err("it failed");
        assert_eq!((failure.to_string().as_str(), failure.code()), ("qrt: /x is in use: stop it", 1));
        let failure = ask("kill -9 $$").expect_err("it failed");
        assert!(failure.to_string().contains("failed without a word: signal: 9"), "{failure}");
    }
}
