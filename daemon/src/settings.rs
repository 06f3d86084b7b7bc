//! `DIR/settings.toml`: what an operator can set, each with its default and what it means.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use qrt_shared::id::Location;
use qrt_shared::view::Setting;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::peer::retry::Policy;
use crate::protocol::Budget;
use crate::vat::account::Totals;
use crate::vat::lane::Isolation;
use crate::vat::{Limits, QueueLimits, Strangers};
use crate::worker::Sandbox;

/// The settings file's name in a vat's base directory.
pub const FILE: &str = "settings.toml";

/// What cannot change while the daemon runs.
pub const LASTING: [&str; 10] = [
    "listen",
    "url",
    "metrics",
    "turn.cpu_ms",
    "turn.wall_ms",
    "peers.private_addresses",
    "worker.turns",
    "worker.isolation",
    "worker.processes",
    "worker.sandbox",
];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the settings {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It says something it cannot say.
    #[error("{} line {line}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What.
        message: String,
    },
}

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where other vats reach this one.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// The URL it tells them; empty: made from `listen`.
    pub url: String,
    /// Where a monitoring system may read its figures; `None`: on the control socket alone.
    #[serde(deserialize_with = "address_or_none")]
    pub metrics: Option<SocketAddr>,
    /// What one turn may use.
    pub turn: Turn,
    /// What an object may keep.
    pub object: Object,
    /// What an account may use in all.
    pub account: Account,
    /// What may be queued.
    pub queue: Queue,
    /// What may wait for other vats.
    pub outbox: Outbox,
    /// How other vats are dealt with.
    pub peers: Peers,
    /// What the journal keeps.
    pub journal: Journal,
    /// The processes that run object code.
    pub worker: Worker,
}

/// What one turn may use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Turn {
    pub ticks: u64,
    pub memory_bytes: u64,
    pub messages: u32,
    pub objects: u32,
    pub bytes: u64,
    pub log_lines: u32,
    pub jobs: u32,
    pub calls: u32,
    pub cpu_ms: u64,
    pub wall_ms: u64,
}

/// What an object may keep.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Object {
    pub stored_bytes: u64,
}

/// What an account may use in all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Account {
    pub compute_ms: u64,
    pub refill_ms: u64,
    pub total_objects: u64,
    pub total_memory_bytes: u64,
    pub total_queued_bytes: u64,
}

/// What may be queued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Queue {
    pub messages: u64,
    pub bytes: u64,
    pub all_messages: u64,
    pub all_bytes: u64,
    pub faults: u64,
}

/// What may wait for other vats.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Outbox {
    pub messages: u64,
    pub bytes: u64,
    pub all_messages: u64,
    pub all_bytes: u64,
    pub retry_ms: u64,
    pub retry_ms_max: u64,
}

/// How other vats are dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Peers {
    pub strangers: u64,
    pub strangers_bytes: u64,
    pub undeliverable: u64,
    pub private_addresses: bool,
}

/// What the journal keeps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Journal {
    pub turns: u64,
    pub bytes: u64,
}

/// The processes that run object code.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the template below explains each key")]
pub struct Worker {
    pub turns: u64,
    pub isolation: Isolation,
    pub processes: usize,
    pub quarantine_turns: u64,
    pub deaths_per_hour: u64,
    pub sandbox: Sandbox,
}

/// An address to listen on, as people write it.
///
/// # Errors
/// What is wrong, and how to write one.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address: write one such as 127.0.0.1:9464, port 0 for a free one"))
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    address(&text).map_err(|error| D::Error::custom(format!("`listen`: {error}")))
}

fn address_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let address = (!text.is_empty()).then(|| address(&text)).transpose();
    address.map_err(|error| D::Error::custom(format!("`metrics`: {error}")))
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            url: String::new(),
            metrics: None,
            turn: Turn::default(),
            object: Object::default(),
            account: Account::default(),
            queue: Queue::default(),
            outbox: Outbox::default(),
            peers: Peers::default(),
            journal: Journal::default(),
            worker: Worker::default(),
        }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            ticks: 5_000,
            memory_bytes: 64 << 20,
            messages: 1_000,
            objects: 1_000,
            bytes: 4 << 20,
            log_lines: 1_000,
            jobs: 10_000,
            calls: 64,
            cpu_ms: 1_000,
            wall_ms: 10_000,
        }
    }
}

impl Default for Object {
    fn default() -> Self {
        Self { stored_bytes: 1 << 30 }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self {
            // The shares say who gets how much of a busy machine; how much of an idle one, only its owner can.
            compute_ms: 0,
            refill_ms: 0,
            total_objects: 1_000_000,
            total_memory_bytes: 4 << 30,
            total_queued_bytes: 256 << 20,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { messages: 100_000, bytes: 64 << 20, all_messages: 1_000_000, all_bytes: 1 << 30, faults: 1_000 }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            messages: 100_000,
            bytes: 256 << 20,
            all_messages: 1_000_000,
            all_bytes: 1 << 30,
            retry_ms: policy.base_ms,
            retry_ms_max: policy.cap_ms,
        }
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self { strangers: 10_000, strangers_bytes: 64 << 20, undeliverable: 1_000, private_addresses: false }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self { turns: 100_000, bytes: 256 << 20 }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            turns: 100_000,
            isolation: Isolation::Shared,
            processes: 8,
            quarantine_turns: 100_000,
            deaths_per_hour: 10,
            sandbox: Sandbox::Required,
        }
    }
}

/// The part of it that is about what is kept.
fn objects_template() -> String {
    let Object { stored_bytes } = Object::default();
    let Account { compute_ms, refill_ms, total_objects, total_memory_bytes, total_queued_bytes } = Account::default();
    format!(
        "# What an object may keep. `qrt install --budget stored=...` gives one its own figure.
[object]
# Size of its memory, keys and values. A turn that would leave it larger is killed.
stored_bytes = {stored_bytes}

# What an account (an installed object and all it makes) may use in all, with the accounts that `make_account`
# made under it. 0: no limit. `qrt install --account-budget` gives one its own figures.
[account]
# CPU time of the turns it pays for: how much it can have saved up, and how much comes back each second, in
# milliseconds. When it is spent, its messages wait for the refill. No limit unless you say one: whoever wants
# to run gets an equal share of a busy machine anyway, and this is for holding somebody to a part of an idle one.
compute_ms = {compute_ms}
refill_ms = {refill_ms}
# Objects, and bytes of their memories. A turn that would pass either is killed.
total_objects = {total_objects}
total_memory_bytes = {total_memory_bytes}
# Bytes of queued messages whose turns it pays for. One beyond has no room.
total_queued_bytes = {total_queued_bytes}

"
    )
}

/// The settings `text` of a vat, for another one on the same machine: it listens on a free port of its own.
pub fn elsewhere(text: &str) -> String {
    with_line(&with_line(text, "listen", "127.0.0.1:0"), "url", "")
}

/// Every setting of the vat in `dir` as the file says it now, with its default, in the order of the file.
///
/// # Errors
/// The daemon would not start with this file.
pub fn list(dir: &Path) -> Result<Vec<Setting>, Error> {
    Settings::read(dir)?;
    let text = match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::Io { path: dir.join(FILE), source }),
    };
    // Both parse: one was just read, the other is ours.
    let values = |text: &str| flat(toml::from_str(text).unwrap_or_default());
    let (said, defaults) = (values(&text), values(&template(Settings::default().listen, None)));
    let setting = |(key, default): (String, Value)| {
        let said = said.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone());
        let from = if said.as_ref().is_some_and(|value| *value != default) { FILE } else { "default" };
        let (value, restart) = (said.unwrap_or_else(|| default.clone()), LASTING.contains(&key.as_str()));
        Setting { key, value, default, from: from.to_owned(), pending: None, restart }
    };
    Ok(defaults.into_iter().map(setting).collect())
}

/// What stands in a table and its sections, by `section.key`.
fn flat(table: toml::Table) -> Vec<(String, Value)> {
    let value = |value| serde_json::to_value(value).unwrap_or_default();
    let (sections, keys): (Vec<_>, Vec<_>) = table.into_iter().partition(|(_, value)| value.is_table());
    let mut all: Vec<_> = keys.into_iter().map(|(key, found)| (key, value(found))).collect();
    for (section, table) in sections {
        let toml::Value::Table(table) = table else { continue };
        all.extend(table.into_iter().map(|(key, found)| (format!("{section}.{key}"), value(found))));
    }
    all
}

/// `text` with the value of a key that stands in no section.
fn with_line(text: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = \"{value}\"");
    let is_it =
        |line: &&str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    match text.lines().find(is_it) {
        Some(old) => text.replacen(old, &line, 1),
        None => format!("{line}\n{text}"),
    }
}

/// The text of a new settings file: every key with its default, explained.
#[expect(clippy::too_many_lines, reason = "it is one text")]
pub fn template(listen: SocketAddr, url: Option<&Location>) -> String {
    let url = url.map(ToString::to_string).unwrap_or_default();
    let (turn, queue, journal, worker) = (Turn::default(), Queue::default(), Journal::default(), Worker::default());
    let Turn { ticks, memory_bytes, messages, objects, bytes, log_lines, jobs, calls, cpu_ms, wall_ms } = turn;
    let per_object = objects_template();
    let Queue { messages: queue_messages, bytes: queue_bytes, all_messages, all_bytes, faults } = queue;
    let Outbox {
        messages: outbox_messages,
        bytes: outbox_bytes,
        all_messages: outbox_all_messages,
        all_bytes: outbox_all_bytes,
        retry_ms,
        retry_ms_max,
    } = Outbox::default();
    let Peers { strangers, strangers_bytes, undeliverable, private_addresses } = Peers::default();
    let Journal { turns: journal_turns, bytes: journal_bytes } = journal;
    let Worker { turns: worker_turns, processes, quarantine_turns, deaths_per_hour, .. } = worker;
    format!(
        "# Settings of this vat. They are read when the daemon starts, and when it gets the signal HUP,
# all but these: listen, url, metrics, cpu_ms and wall_ms of a turn, private_addresses; turns, isolation, processes
# and sandbox of the worker. (`systemctl reload`, `kill -HUP`; the log says what has changed.)

# Where other vats reach this one; port 0 means a free one, chosen at first start and kept.
listen = \"{listen}\"
# The URL it tells other vats; empty means one made from `listen`, unless that is all of this machine's
# addresses (0.0.0.0): then it tells none.
url = \"{url}\"
# Where a monitoring system may read this vat's figures, as http://ADDR:PORT/metrics; empty means on the control
# socket alone. Whoever reaches it may read them: how much is going on, no ids and no names.
metrics = \"\"

{per_object}# What one turn may use (`qrt install --budget` gives an object its own figures). A turn that needs more is killed: nothing of it happens, its message
# becomes a fault.
[turn]
# Compute, in ticks of 10,000 branches and calls.
ticks = {ticks}
# Memory of the interpreter, in bytes.
memory_bytes = {memory_bytes}
# Messages sent.
messages = {messages}
# Objects made.
objects = {objects}
# Bytes of all values it writes, sends, makes, logs and returns.
bytes = {bytes}
# Log lines.
log_lines = {log_lines}
# Promise jobs.
jobs = {jobs}
# Levels of `call`, at most 64.
calls = {calls}
# CPU time and wall-clock time, in milliseconds; then its process is killed.
cpu_ms = {cpu_ms}
wall_ms = {wall_ms}

# What may be queued. A message that has no room never fails the turn that sent it: it becomes a fault
# `queue full`, or an error of `qrt send`.
[queue]
# Messages of one source (an account, a peer, you) for one object, and bytes of their arguments.
messages = {queue_messages}
bytes = {queue_bytes}
# The same in all.
all_messages = {all_messages}
all_bytes = {all_bytes}
# Refused messages of one source for one object that are kept as faults; others are only counted.
faults = {faults}

# What may wait for other vats.
[outbox]
# Messages to one vat, and their bytes.
messages = {outbox_messages}
bytes = {outbox_bytes}
# The same in all.
all_messages = {outbox_all_messages}
all_bytes = {outbox_all_bytes}
# A vat that cannot be reached is tried again after a random time of up to so many milliseconds, doubled
# with each failure up to the second figure; for ever.
retry_ms = {retry_ms}
retry_ms_max = {retry_ms_max}

[peers]
# Vats that came by themselves: how many there may be, and how many bytes of theirs may be queued in all.
# At a limit they are told to come later.
strangers = {strangers}
strangers_bytes = {strangers_bytes}
# Messages of other vats that can be given to no object: of so many the head is kept as a fault.
undeliverable = {undeliverable}
# Whether URLs that other vats told may be in private networks or on this machine. What you name yourself
# (`qrt peer-add`, `qrt gossip`) always may.
private_addresses = {private_addresses}

# The turn journal is cut at its old end when it holds more than this.
[journal]
turns = {journal_turns}
bytes = {journal_bytes}

# Object code runs in processes of its own, one at a time.
[worker]
# Such a process is replaced after so many turns.
turns = {worker_turns}
# \"shared\": accounts share a process. \"account\": each account has one of its own, so that nothing
# which breaks out of the engine in one reaches what is sent to another; turns that `call` objects of
# other accounts run those in there too. It costs a change of process whenever the account changes.
isolation = \"shared\"
# How many such processes are kept; the one that ran longest ago goes first.
processes = {processes}
# An account whose object killed its process (a crash twice on one message, or a deadline) has a
# process of its own for 24 hours, and for so many turns of the vat if those take longer.
quarantine_turns = {quarantine_turns}
# An object whose code killed so many processes within an hour is held, until you release it (`qrt release`).
deaths_per_hour = {deaths_per_hour}
# \"required\": the system must confine these processes to a list of system calls, or the daemon does
# not start. \"unsafe-none\" starts it all the same, without that list and without landlock: code that
# breaks the engine then has everything you have.
sandbox = \"required\"
"
    )
}

impl Settings {
    /// Reads the settings in the base directory `dir`; without a file, the defaults.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let malformed = |at: usize, message: &str| Error::Malformed {
            path: path.clone(),
            line: text.get(..at).unwrap_or_default().matches('\n').count() + 1,
            message: message.replace('\n', " "),
        };
        let settings: Self = toml::from_str(&text)
            .map_err(|error| malformed(error.span().map_or(0, |span| span.start), error.message()))?;
        for (section, key, value) in settings.amounts() {
            if value == 0 {
                let from = text.find(&format!("[{section}]")).unwrap_or(0);
                let at = text[from..].find(&format!("\n{key} ")).map_or(from, |at| from + at + 1);
                return Err(malformed(at, &format!("`{key}` is 0, and no turn could run: write 1 or more")));
            }
        }
        if !settings.url.is_empty() {
            settings.url.parse::<Location>().map_err(|error| {
                let at = text.find("\nurl").map_or(0, |at| at + 1);
                malformed(at, &error.to_string())
            })?;
        }
        Ok(settings)
    }

    /// Keeps the port that was chosen for `listen`, in the file too: it is the vat's from now on.
    pub fn keep_listen(&mut self, dir: &Path, listen: SocketAddr) -> Result<(), Error> {
        let path = dir.join(FILE);
        let failed = |source| Error::Write { path: path.clone(), source };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let text = with_line(&text, "listen", &listen.to_string());
        // Beside it and moved there whole: a crash leaves the old file or the new one.
        let draft = dir.join(format!(".{FILE}.new"));
        let write = || {
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(failed)?;
        self.listen = listen;
        Ok(())
    }

    /// What no turn could run without, by section and key. No messages, objects, log lines or jobs at all is a
    /// choice.
    fn amounts(&self) -> [(&'static str, &'static str, u64); 20] {
        let Turn { ticks, memory_bytes, bytes, cpu_ms, wall_ms, .. } = self.turn;
        [
            ("turn", "ticks", ticks),
            ("turn", "memory_bytes", memory_bytes),
            ("turn", "bytes", bytes),
            ("turn", "cpu_ms", cpu_ms),
            ("turn", "wall_ms", wall_ms),
            ("queue", "messages", self.queue.messages),
            ("queue", "bytes", self.queue.bytes),
            ("queue", "all_messages", self.queue.all_messages),
            ("queue", "all_bytes", self.queue.all_bytes),
            ("outbox", "messages", self.outbox.messages),
            ("outbox", "bytes", self.outbox.bytes),
            ("outbox", "all_messages", self.outbox.all_messages),
            ("outbox", "all_bytes", self.outbox.all_bytes),
            ("outbox", "retry_ms", self.outbox.retry_ms),
            ("outbox", "retry_ms_max", self.outbox.retry_ms_max),
            ("journal", "turns", self.journal.turns),
            ("journal", "bytes", self.journal.bytes),
            ("worker", "turns", self.worker.turns),
            ("worker", "processes", self.worker.processes as u64),
            ("worker", "deaths_per_hour", self.worker.deaths_per_hour),
        ]
    }

    /// The URL the vat tells others, once it has one. An address that means all of this machine's is none
    /// that others could use.
    pub fn url(&self) -> Option<String> {
        if !self.url.is_empty() {
            return Some(self.url.clone());
        }
        let usable = self.listen.port() != 0 && !self.listen.ip().is_unspecified();
        usable.then(|| format!("http://{}", self.listen))
    }

    /// What the kernel holds turns and journal to.
    pub fn limits(&self) -> Limits {
        let Turn { ticks, memory_bytes, messages, objects, bytes, log_lines, jobs, calls, cpu_ms, wall_ms } = self.turn;
        let Account { compute_ms, refill_ms, total_objects, total_memory_bytes, total_queued_bytes } = self.account;
        let some = |figure: u64| (figure > 0).then_some(figure);
        Limits {
            turn: Budget {
                ticks,
                memory_bytes,
                messages,
                objects,
                bytes,
                log_lines,
                jobs,
                // Deeper, nobody could promise that the stack is enough.
                calls: calls.min(64),
                cpu_ms,
                wall_ms,
            },
            stored_bytes: self.object.stored_bytes,
            account: Totals {
                compute_us: some(compute_ms).map(|ms| ms.saturating_mul(1000)),
                refill_us: refill_ms.saturating_mul(1000),
                objects: some(total_objects),
                memory_bytes: some(total_memory_bytes),
                queued_bytes: some(total_queued_bytes),
            },
            deaths_per_hour: self.worker.deaths_per_hour,
            journal_turns: self.journal.turns,
            journal_bytes: self.journal.bytes,
            isolation: self.worker.isolation,
            quarantine_turns: self.worker.quarantine_turns,
            queue: QueueLimits {
                messages: self.queue.messages,
                bytes: self.queue.bytes,
                all_messages: self.queue.all_messages,
                all_bytes: self.queue.all_bytes,
                faults: self.queue.faults,
            },
            outbox: QueueLimits {
                messages: self.outbox.messages,
                bytes: self.outbox.bytes,
                all_messages: self.outbox.all_messages,
                all_bytes: self.outbox.all_bytes,
                faults: self.queue.faults,
            },
            strangers: Strangers {
                peers: self.peers.strangers,
                bytes: self.peers.strangers_bytes,
                undeliverable: self.peers.undeliverable,
            },
            retry: Policy { base_ms: self.outbox.retry_ms, cap_ms: self.outbox.retry_ms_max, ..Policy::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_a_new_vat_gets_says_the_defaults() {
        let text = template(Settings::default().listen, None);
        let read: Settings = toml::from_str(&text).expect("the template is TOML");
        assert_eq!(read, Settings::default());
    }

    #[test]
    fn a_port_that_was_chosen_is_kept_and_nothing_else_changes() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let chosen: SocketAddr = "127.0.0.1:4711".parse().expect("an address");
        let text = template(Settings::default().listen, None);
        fs::write(dir.path().join(FILE), &text).expect("a file");
        let mut settings = Settings::read(dir.path()).expect("settings");
        settings.keep_listen(dir.path(), chosen).expect("kept");
        let after = fs::read_to_string(dir.path().join(FILE)).expect("a file");
        assert_eq!(after, text.replace("127.0.0.1:0", "127.0.0.1:4711"));
        assert_eq!(Settings::read(dir.path()).expect("settings"), settings);
        fs::write(dir.path().join(FILE), "[turn]\nticks = 7\n").expect("a file");
        settings.keep_listen(dir.path(), chosen).expect("kept");
        let read = Settings::read(dir.path()).expect("settings");
        assert_eq!((read.listen, read.turn.ticks), (chosen, 7));
    }

    #[test]
    fn an_address_that_means_all_is_no_url() {
        let listen = |text: &str| Settings { listen: text.parse().expect("an address"), ..Settings::default() };
        assert_eq!(listen("10.0.0.7:80").url().as_deref(), Some("http://10.0.0.7:80"));
        for all in ["0.0.0.0:80", "[::]:80", "127.0.0.1:0"] {
            assert_eq!(listen(all).url(), None, "{all}");
        }
        let told = Settings { url: "http://vat.example".to_owned(), ..listen("0.0.0.0:80") };
        assert_eq!(told.url().as_deref(), Some("http://vat.example"));
    }

    #[test]
    fn an_amount_of_nothing_is_refused() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        fs::write(dir.path().join(FILE), "[turn]\nbytes = 5\nmessages = 0\n[queue]\nbytes = 0\n").expect("a file");
        let error = Settings::read(dir.path()).expect_err("no turn could run").to_string();
        assert!(error.contains("line 5") && error.contains("bytes"), "{error}");
    }

    #[test]
    fn a_word_that_is_no_choice_is_refused_with_the_choices() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        for (line, choice) in [("isolation = \"none\"", "account"), ("sandbox = \"off\"", "unsafe-none")] {
            fs::write(dir.path().join(FILE), format!("[worker]\n{line}\n")).expect("a file");
            let error = Settings::read(dir.path()).expect_err("no such choice").to_string();
            assert!(error.contains("line 2") && error.contains(choice), "{error}");
        }
        fs::write(dir.path().join(FILE), "[worker]\nprocesses = 0\n").expect("a file");
        let error = Settings::read(dir.path()).expect_err("no turn could run").to_string();
        assert!(error.contains("line 2") && error.contains("processes"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_and_line() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        fs::write(dir.path().join(FILE), "url = \"\"\n[turn]\ntick = 1\n").expect("a file");
        let error = Settings::read(dir.path()).expect_err("tick is not ticks").to_string();
        assert!(error.contains("line 3") && error.contains("tick"), "{error}");
    }
}
