//! `qrtd`: the daemon of a vat, and the verbs that need its files but no daemon.
//!
//! People use `qrt`, which runs this program. What it prints on standard output is one JSON
//! document; an error is one line on standard error and exit code 1.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use qrt_shared::id::Location;
use qrt_shared::view::State;
use qrtd::driver::now_ms;
use qrtd::settings::{self, Settings};
use qrtd::store::read::Reader;
use qrtd::{backup, check, directory, executor, serve, worker};
use serde_json::json;
use tracing_subscriber::EnvFilter;

/// The daemon of a vat. `qrt` is the program for people.
#[derive(Parser)]
#[command(name = "qrtd", version)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a vat
    CreateNode {
        /// The base directory; it must not exist, or be empty
        dir: PathBuf,
        /// Where other vats reach it
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0", value_parser = settings::address)]
        listen: SocketAddr,
        /// The URL it tells them
        #[arg(long)]
        url: Option<Location>,
    },
    /// Start a daemon in the background; return when it serves
    Start {
        /// The base directory
        dir: PathBuf,
        /// Go on with a database that went back
        #[arg(long)]
        after_rollback: bool,
    },
    /// Be the daemon
    Serve {
        /// The base directory
        dir: PathBuf,
        /// Leave the terminal's session and log to the base directory
        #[arg(long)]
        detached: bool,
        /// Go on with a database that went back
        #[arg(long)]
        after_rollback: bool,
    },
    /// Show a stopped vat
    Info {
        /// The base directory
        dir: PathBuf,
    },
    /// Copy a vat into a file
    Backup {
        /// The base directory
        dir: PathBuf,
        /// The copy; it must not exist
        file: PathBuf,
        /// Put the secret key in too
        #[arg(long)]
        with_key: bool,
    },
    /// Say whether a stopped vat is well
    Check {
        /// The base directory
        dir: PathBuf,
        /// Read all there is
        #[arg(long)]
        full: bool,
    },
    /// Show the settings of a stopped vat
    Settings {
        /// The base directory
        dir: PathBuf,
    },
    /// Show the log of a stopped vat
    Log {
        /// The base directory
        dir: PathBuf,
        /// How many of the newest lines
        #[arg(long)]
        newest: u64,
    },
    /// Make a vat from a copy
    Restore {
        /// The copy
        file: PathBuf,
        /// The base directory; it must not exist, or be empty
        dir: PathBuf,
        /// The vat's key file, when it is not in the copy
        #[arg(long, conflicts_with = "fork")]
        key: Option<PathBuf>,
        /// Make another vat of it, with a key of its own
        #[arg(long)]
        fork: bool,
    },
}

/// What sysexits.h calls an internal error: the daemon ended because it could not go on.
const EXIT_CANNOT_GO_ON: u8 = 70;

fn main() -> ExitCode {
    // Before anything else: a worker has no business with arguments, logs or settings.
    if std::env::args_os().nth(1).is_some_and(|arg| arg == executor::process::WORKER_ARG) {
        worker::main(std::env::args().skip(2))
    }
    // It may have been started as /proc/self/exe, which is no name to find it by.
    rustix::thread::set_name(c"qrtd").ok();
    let serving = matches!(Args::parse().verb, Verb::Serve { .. });
    match run(Args::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "qrtd: {}", one_line(&error)).ok();
            let halted = serving && error.is::<qrtd::driver::Error>();
            ExitCode::from(if halted { EXIT_CANNOT_GO_ON } else { 1 })
        }
    }
}

/// An error and its causes on one line. Most errors of ours tell their cause themselves.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string().replace('\n', " ");
        if !line.contains(&cause) {
            line += if line.is_empty() { "" } else { ": " };
            line += &cause;
        }
    }
    if error.chain().any(qrtd::store::is_damage) {
        line += ": restore a backup with `qrt restore`, and keep this directory for whoever looks into it";
    }
    line
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::CreateNode { dir, listen, url } => create_node(&dir, listen, url.as_ref()),
        Verb::Start { dir, after_rollback } => start(&dir, after_rollback),
        Verb::Serve { dir, detached, after_rollback } => {
            log(&dir, detached)?;
            serve::serve(&dir, after_rollback)
        }
        Verb::Info { dir } => info(&dir),
        Verb::Backup { dir, file, with_key } => print(&backup::write(&dir, &file, with_key, now_ms())?),
        Verb::Check { dir, full } => print(&check::check(&dir, None, full, now_ms())),
        Verb::Settings { dir } => {
            directory::check(&dir)?;
            print(&settings::list(&dir)?)
        }
        Verb::Log { dir, newest } => {
            directory::check(&dir)?;
            print(&qrtd::log::read_stopped(&dir, qrtd::log::Begin::Newest(newest))?)
        }
        Verb::Restore { file, dir, key, fork } => print(&backup::restore(&file, &dir, key.as_deref(), fork, now_ms())?),
    }
}

fn print(document: &impl serde::Serialize) -> Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(document)?).context("writing to standard output")
}

fn create_node(dir: &Path, listen: SocketAddr, url: Option<&Location>) -> Result<()> {
    let key = directory::create(dir, &settings::template(listen, url), now_ms())?;
    let settings = Settings::read(dir)?;
    print(&json!({ "vat": key.vat(), "dir": std::path::absolute(dir)?, "url": settings.url() }))
}

fn info(dir: &Path) -> Result<()> {
    directory::check(dir)?;
    let mut info = Reader::open(dir)?.info()?;
    info.url = Settings::read(dir)?.url();
    if let Some(pid) = directory::daemon(dir) {
        (info.state, info.pid) = (State::Running, Some(pid));
    }
    print(&info)
}

/// Starts a daemon in a session of its own and waits until it serves or says why not.
fn start(dir: &Path, after_rollback: bool) -> Result<()> {
    directory::check(dir)?;
    let dir = std::path::absolute(dir)?;
    let mut daemon = Command::new("/proc/self/exe")
        .arg0("qrtd")
        .arg("serve")
        .arg("--detached")
        .args(after_rollback.then_some("--after-rollback"))
        .arg(&dir)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting the daemon")?;
    let mut line = String::new();
    if let Some(stdout) = daemon.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).context("waiting for the daemon")?;
    }
    if line.ends_with('\n') {
        return writeln!(std::io::stdout(), "{}", line.trim_end()).context("writing to standard output");
    }
    let mut why = String::new();
    if let Some(mut stderr) = daemon.stderr.take() {
        stderr.read_to_string(&mut why).context("waiting for the daemon")?;
    }
    let status = daemon.wait().context("waiting for the daemon")?;
    let why = why.trim().trim_start_matches("qrtd: ");
    if why.is_empty() {
        bail!("the daemon ended at once ({status}); its log is {}", dir.join(directory::LOG).display());
    }
    bail!("{why}")
}

/// Sends the log to the terminal, or, detached, to `DIR/qrtd.log`.
fn log(dir: &Path, detached: bool) -> Result<()> {
    let filter = EnvFilter::try_from_env("QRTD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    if detached {
        directory::check(dir)?;
        rustix::process::setsid().context("leaving the terminal's session")?;
        let path = dir.join(directory::LOG);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("opening the log {}", path.display()))?;
        log.with_ansi(false).with_writer(file).init();
    } else {
        let is_watched = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
        log.with_ansi(is_watched).with_writer(std::io::stderr).init();
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}
