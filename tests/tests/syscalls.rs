//! The system calls of a worker, watched from outside: under every load none but those that its cage lists.
//!
//!     cargo test -p qrt-tests --test syscalls -- --ignored --nocapture
//!
//! It wants `strace`, and Node with the packages' modules (`npm ci` in `tests/packages`), so it is a command of
//! its own. `QRT_LOADS=rules,demo` takes those loads alone, which need no Node and half the time. What it prints is a table: how often each listed call was made, load by load.
#![expect(clippy::print_stdout, reason = "it is run for its table")]

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qrt_tests::{Scratch, programs};
use qrtd::worker::sandbox::{ALLOWED, Allowed};
use serde_json::Value;

/// What a process does once its cage is shut: how often each call was made, and what was not allowed.
#[derive(Default)]
struct Watched {
    workers: u64,
    calls: BTreeMap<String, u64>,
    forbidden: Vec<String>,
}

impl Watched {
    /// Reads what `strace -f -e raw=all` writes: a line a call, with the process before it.
    fn read(trace: impl BufRead) -> Self {
        let mut watched = Self::default();
        let mut caged = HashSet::new();
        for line in trace.lines() {
            let line = line.expect("strace writes text");
            let Some((pid, what)) = line.split_once(' ') else { continue };
            let what = what.trim_start();
            if what.starts_with("+++") {
                if caged.remove(pid) && what.contains("SIGSYS") {
                    watched.forbidden.push(what.to_owned());
                }
            } else if caged.contains(pid) {
                // What comes back was written down when it was called, signals are no calls, and a process that
                // is killed may be gone before strace has seen which call it was in.
                // Such a one may also be written down with a number that is none, `syscall_0x1000(`, and never ends; one
                // that the cage forbids ends by SIGSYS, which is seen above.
                let torn = what.starts_with("syscall_0x") && what.ends_with("<unfinished ...>");
                if !torn && !["<...", "---", "???"].iter().any(|mark| what.starts_with(mark)) {
                    watched.call(what);
                }
            } else if (what.starts_with("seccomp(0x1,") || what.starts_with("<... seccomp")) && what.ends_with("= 0") {
                caged.insert(pid.to_owned());
                watched.workers += 1;
            }
        }
        watched
    }

    /// `read(0, 0x7ffd5e6f1a10, 0x10000) = 0x6f`, or its beginning.
    fn call(&mut self, what: &str) {
        let (name, rest) = what.split_once('(').unwrap_or((what, ""));
        let arguments = rest.split([')', '<']).next().unwrap_or_default();
        let number = |text: &str| u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
        let arguments: Vec<u64> = arguments.split(',').map_while(number).collect();
        if !ALLOWED.iter().any(|allowed| allowed.name == name && allowed.permits(&arguments)) {
            self.forbidden.push(what.to_owned());
        }
        *self.calls.entry(name.to_owned()).or_default() += 1;
    }
}

/// Runs `program` to its good end under strace, and watches all workers among its descendants.
fn watch(program: &Path, args: &[&str], dir: &Path) -> Watched {
    let scratch = Scratch::default();
    let fifo = scratch.path("trace");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a pipe with a name");
    let mut strace = Command::new("strace")
        .args(["-f", "-q", "-e", "raw=all", "-o"])
        .arg(&fifo)
        .arg(program)
        .args(args)
        .current_dir(dir)
        .stdout(Stdio::null())
        .spawn()
        .expect("strace is installed");
    let watched = Watched::read(BufReader::new(File::open(&fifo).expect("what strace writes")));
    let status = strace.wait().expect("strace ends");
    assert!(status.success(), "{} {args:?}: {status}", program.display());
    watched
}

/// The program of one of this package's tests.
fn test_program(name: &str) -> PathBuf {
    let cargo = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--locked", "--no-run", "--message-format=json", "-p", "qrt-tests", "--test", name])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    let text = String::from_utf8(cargo.stdout).expect("cargo writes UTF-8");
    let executable = text.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).expect("a line of JSON");
        (message["target"]["name"] == name).then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    executable.expect("the test is built")
}

/// A line of the table.
fn row(name: &str, cells: impl Iterator<Item = impl Display>) {
    print!("{name:16}");
    cells.for_each(|cell| print!("{cell:>12}"));
    println!();
}

#[test]
#[ignore = "needs strace, and Node with the packages' modules"]
fn a_worker_makes_no_system_call_that_is_not_listed_and_every_one_that_is() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loads = [
        ("attacks", test_program("hostile"), &["--skip", "fuzz"][..], here.to_owned()),
        ("rules", test_program("objects"), &[], here.to_owned()),
        ("demo", programs().qrt.clone(), &["demo"], here.to_owned()),
        ("packages", PathBuf::from("node"), &["run.js"], here.join("packages")),
    ];
    let wanted = std::env::var("QRT_LOADS").ok();
    let is_wanted = |load: &str| wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|name| name == load));
    let loads: Vec<_> = loads.into_iter().filter(|(load, ..)| is_wanted(load)).collect();
    let seen: Vec<_> = loads.iter().map(|(load, program, args, dir)| (load, watch(program, args, dir))).collect();
    let made = |watched: &Watched, name: &str| watched.calls.get(name).copied().unwrap_or(0);
    row("", loads.iter().map(|(load, ..)| load));
    row("workers", seen.iter().map(|(_, watched)| watched.workers));
    for Allowed { name, .. } in ALLOWED {
        row(name, seen.iter().map(|(_, watched)| made(watched, name)));
    }
    for (load, watched) in &seen {
        assert!(watched.workers > 0, "{load}: no worker was seen");
        assert!(watched.forbidden.is_empty(), "{load}: {:#?}", watched.forbidden);
    }
    for Allowed { name, .. } in ALLOWED {
        assert!(seen.iter().any(|(_, watched)| made(watched, name) > 0), "{name} is listed, and nothing needs it");
    }
}
