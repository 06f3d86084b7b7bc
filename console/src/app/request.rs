//! What the console asks the daemon to do, once: with what came of it in words, and the command line that does
//! the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use qrt_shared::control::{Expect, InstalledObject, Resynced};
use qrt_shared::hint;
use qrt_shared::id::{MessageName, PeerName, Qrid, Target, VatId};
use qrt_shared::view::{Awaited, Outcome, Replayed, Report};
use serde::{Deserialize, Serialize};

use crate::cli;
use crate::format;
use crate::output::Tone;

/// A request. Its answer comes as [`super::event::Event::Answered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Send a message; what becomes of it is told too.
    Send {
        /// The object.
        target: Target,
        /// Its arguments, checked.
        args: String,
    },
    /// Install an object.
    Install(Install),
    /// Read an object's code, which is called so, to edit it.
    ReadCode(Qrid, String),
    /// Read the value of a key of an object's memory, if it is there, to edit it.
    ReadKey(Qrid, String),
    /// Give an object other code.
    Upgrade {
        /// The object.
        object: Qrid,
        /// The code.
        code: String,
    },
    /// Set a key of an object's memory.
    MemorySet {
        /// The object.
        object: Qrid,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// Only if it is this now; `None` when it was not there.
        expect: Option<String>,
    },
    /// Hold an object, or release it.
    Hold(Qrid, bool),
    /// Hold a peer's queue, or release it.
    HoldPeer(VatId, bool),
    /// Give an object a petname; `None` takes it away.
    Name(Qrid, Option<String>),
    /// The same for a peer.
    NamePeer(VatId, Option<String>),
    /// Remove an object.
    Remove(Qrid),
    /// Make deliveries due now, to one peer or all.
    Retry(Option<PeerName>),
    /// Put a void in the place of a message to another vat.
    Drop {
        /// The vat.
        peer: VatId,
        /// The message's number.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// Queue a failed message again; what becomes of it is told too.
    FaultRetry(u64),
    /// Forget a failed message.
    FaultDrop(u64),
    /// Learn where another vat answers.
    PeerAdd {
        /// Its id.
        vat: String,
        /// Its URL.
        url: String,
    },
    /// Say what a resync would mean.
    ResyncPlan(VatId),
    /// Do it, if it still means that.
    Resync(VatId, Expect),
    /// Run a turn again, apart.
    Replay {
        /// The turn.
        turn: u64,
        /// Arguments in place of those that were recorded.
        args: Option<String>,
        /// Code in place of what ran.
        code: Option<String>,
    },
    /// Look whether the vat is well.
    Check,
    /// Copy the vat into a file.
    Backup(String),
}

/// An object to install.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Install {
    /// A `.js` file or a sample's name; empty for `code`.
    pub file: String,
    /// The code, when there is no file.
    pub code: String,
    /// Its petname; empty for none.
    pub name: String,
    /// Its first memory, a JSON object; `None` for no memory.
    pub memory: Option<String>,
    /// Static data and references, a JSON object.
    pub power: String,
    /// Native powers: property to native.
    pub natives: BTreeMap<String, String>,
}

/// What a request comes to.
#[derive(Debug)]
pub enum Reply {
    /// The message is durable.
    Queued(MessageName, Qrid),
    /// The message was handled, or acknowledged, or nobody knows.
    Ended(MessageName, Awaited),
    /// The objects are there.
    Installed(Vec<InstalledObject>),
    /// The object's code.
    Code(String),
    /// The key's value, if the key is there.
    Value(Option<String>),
    /// The object has this version of code now, since this turn.
    Upgraded(u64, u64),
    /// The key was set, by this turn.
    Set(u64),
    /// It is held now, or not.
    Held(bool),
    /// It has this name now.
    Named(Option<String>),
    /// So many objects are gone, and so many messages became faults.
    Removed(usize, u64),
    /// So many peers have something due.
    Due(u64),
    /// The message is a void; it may have arrived before.
    Dropped(bool),
    /// The message is queued again, under this name.
    Retried(MessageName),
    /// The fault is forgotten.
    Gone,
    /// The peer is known; so many messages wait for it.
    PeerIs(u64),
    /// What a resync would mean, or meant.
    Resync(Box<Resynced>),
    /// What the turn did this time.
    Replayed(Box<Replayed>),
    /// How the vat is.
    Checked(Report),
    /// It was copied: file, bytes.
    BackedUp(String, u64),
}

impl Reply {
    /// The message that was queued: what becomes of it is told too.
    pub fn message(&self) -> Option<MessageName> {
        match self {
            Self::Queued(message, _) | Self::Retried(message) => Some(*message),
            _ => None,
        }
    }

    /// How good that is.
    pub fn tone(&self) -> Tone {
        match self {
            Self::Ended(_, Awaited::Ended(ended)) if ended.outcome != Outcome::Ok => Tone::Bad,
            Self::Ended(_, Awaited::Unknown) => Tone::Bad,
            Self::Due(0) => Tone::Dim,
            _ => Tone::Good,
        }
    }

    /// It in one line.
    pub fn told(&self) -> String {
        match self {
            Self::Queued(message, _) => format!("queued as {}", format::message(message)),
            Self::Ended(message, awaited) => format!("{}: {}", format::message(message), became(awaited)),
            Self::Installed(objects) => {
                let qrids: Vec<_> = objects.iter().map(|object| object.qrid.to_string()).collect();
                format!("installed {}", qrids.join(" "))
            }
            Self::Code(_) => "its code is in the editor".to_owned(),
            Self::Value(Some(_)) => "its value is in the editor".to_owned(),
            Self::Value(None) => "the key is new: its value is wanted in the editor".to_owned(),
            Self::Upgraded(version, turn) => format!("version {version} of its code runs from turn {turn} on"),
            Self::Set(turn) => format!("set, as turn {turn}"),
            Self::Held(true) => "held: what is queued waits".to_owned(),
            Self::Held(false) => "released".to_owned(),
            Self::Named(Some(name)) => format!("its name is {name}"),
            Self::Named(None) => "it has no name any more".to_owned(),
            Self::Removed(objects, faults) => {
                let objects = format::count(*objects as u64, "object");
                format!("removed {objects}; {} became faults", format::count(*faults, "message"))
            }
            Self::Due(0) => "nothing waits".to_owned(),
            Self::Due(peers) => format!("{} tried now", format::count(*peers, "peer")),
            Self::Dropped(true) => "dropped; it was tried before, so it may have arrived".to_owned(),
            Self::Dropped(false) => "dropped; it never left".to_owned(),
            Self::Retried(message) => format!("queued again as {message}"),
            Self::Gone => "dropped".to_owned(),
            Self::PeerIs(0) => "known; nothing waits for it".to_owned(),
            Self::PeerIs(pending) => format!("known; {} tried now", format::count(*pending, "message")),
            Self::Resync(plan) if plan.done => "the channel goes on".to_owned(),
            Self::Resync(_) => "this is what it would mean".to_owned(),
            Self::Replayed(replayed) => cli::replayed(replayed),
            Self::Checked(report) => format!("{} done", format::count(report.checks.len() as u64, "check")),
            Self::BackedUp(file, bytes) => format!("copied into {file}, {}", format::size(*bytes)),
        }
    }
}

/// What became of a message.
fn became(awaited: &Awaited) -> String {
    match awaited {
        Awaited::Queued => "it waits".to_owned(),
        Awaited::Acked => "the other vat has it".to_owned(),
        Awaited::Unknown => "what became of it is not known any more".to_owned(),
        Awaited::Ended(ended) => {
            let turn = ended.turn.map(|turn| format!(" in turn {turn}")).unwrap_or_default();
            let told = match (&ended.error, &ended.result_error) {
                (Some(error), _) => format!(": {}", format::line(error)),
                (None, Some(error)) => format!(", result not kept: {}", format::line(error)),
                (None, None) => format!(", result {}", format::clip(ended.result.get(), 200)),
            };
            format!("{}{turn}{told}", ended.outcome.as_str())
        }
    }
}

impl Request {
    /// The command line that does the same.
    pub fn line(&self, dir: &str) -> String {
        let words = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| hint::word(word)).collect();
            format!("qrt {}", words.join(" "))
        };
        match self {
            Self::Send { target, args } => words(&["send", "-d", dir, "--wait", &target.to_string(), args]),
            Self::Install(install) => install.line(dir),
            Self::ReadCode(object, _) => words(&["object", dir, &object.to_string()]),
            Self::ReadKey(object, _) => words(&["memory", dir, &object.to_string()]),
            Self::Upgrade { object, .. } => words(&["upgrade", dir, &object.to_string(), "FILE"]),
            Self::MemorySet { object, key, value, expect } => {
                let object = object.to_string();
                let expect = expect.iter().flat_map(|expect| ["--expect", expect]);
                words(&["memory-set", dir, &object, key, value].into_iter().chain(expect).collect::<Vec<_>>())
            }
            Self::Hold(object, held) => words(&[hold(*held), dir, &object.to_string()]),
            Self::HoldPeer(peer, held) => words(&[hold(*held), dir, &peer.to_string()]),
            Self::Name(object, name) => {
                words(&["name", dir, &object.to_string(), name.as_deref().unwrap_or("--remove")])
            }
            Self::NamePeer(peer, name) => {
                words(&["name", dir, &peer.to_string(), name.as_deref().unwrap_or("--remove")])
            }
            Self::Remove(object) => words(&["remove", dir, &object.to_string()]),
            Self::Retry(None) => words(&["retry", dir]),
            Self::Retry(Some(peer)) => words(&["retry", dir, "--peer", &peer.to_string()]),
            Self::Drop { peer, seq, reason } => {
                words(&["drop", dir, &peer.to_string(), &seq.to_string(), "--reason", reason])
            }
            Self::FaultRetry(id) => words(&["fault-retry", dir, &id.to_string()]),
            Self::FaultDrop(id) => words(&["fault-drop", dir, &id.to_string()]),
            Self::PeerAdd { vat, url } => words(&["peer-add", dir, vat, url]),
            Self::ResyncPlan(peer) | Self::Resync(peer, _) => words(&["peer-resync", dir, &peer.to_string()]),
            Self::Replay { turn, args, code } => {
                let turn = turn.to_string();
                let args = args.iter().flat_map(|args| ["--args", args]);
                let code = code.iter().flat_map(|_| ["--code", "FILE"]);
                words(&["replay", dir, &turn].into_iter().chain(args).chain(code).collect::<Vec<_>>())
            }
            Self::Check => words(&["check", dir]),
            Self::Backup(file) => words(&["backup", dir, file]),
        }
    }
}

impl Install {
    fn line(&self, dir: &str) -> String {
        let file = if self.file.is_empty() { "FILE" } else { &self.file };
        let mut line = format!("qrt install {} {}", hint::word(dir), hint::word(file));
        let mut add = |flag: &str, value: &str| {
            let value = if value.is_empty() { String::new() } else { format!(" {}", hint::word(value)) };
            write!(line, " {flag}{value}").expect("a string takes all");
        };
        if !self.name.is_empty() {
            add("--name", &self.name);
        }
        match self.memory.as_deref() {
            None => add("--no-memory", ""),
            Some("{}") => {}
            Some(memory) => add("--memory", memory),
        }
        if self.power != "{}" {
            add("--power", &self.power);
        }
        let granted: Vec<_> = self.natives.keys().filter(|name| *name != "make_object").map(String::as_str).collect();
        if !granted.is_empty() {
            add("--grant", &granted.join(","));
        }
        if !self.natives.contains_key("make_object") {
            add("--no-make-object", "");
        }
        line
    }
}

fn hold(held: bool) -> &'static str {
    if held { "hold" } else { "release" }
}

/// A command line of the daemon's, in which `DIR` stands for the vat's directory, as it can be run.
pub fn placed(line: &str, dir: &str) -> String {
    let words = line.split(' ').map(|word| if word == "DIR" { hint::word(dir) } else { word.to_owned() });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_the_daemons_names_the_directory() {
        assert_eq!(placed("qrt retry DIR --peer bob", "/a b"), "qrt retry '/a b' --peer bob");
    }

    #[test]
    fn what_is_sent_or_retried_is_followed_to_its_end() {
        let message = MessageName::In(8);
        assert_eq!(Reply::Retried(message).message(), Some(message));
        assert_eq!(Reply::Gone.message(), None);
    }

    #[test]
    fn a_line_can_be_pasted_into_a_shell() {
        let send = Request::Send { target: "counter".parse().expect("a name"), args: r#"{"it's":1}"#.into() };
        assert_eq!(send.line("/tmp/a b"), r#"qrt send -d '/tmp/a b' --wait counter '{"it'\''s":1}'"#);
        let natives = ["clock", "make_object"].map(|name| (name.to_owned(), name.to_owned())).into();
        let install = Install {
            file: "a.js".into(),
            name: "a".into(),
            memory: Some("{}".into()),
            power: "{}".into(),
            natives,
            ..Install::default()
        };
        assert_eq!(Request::Install(install).line("d"), "qrt install d a.js --name a --grant clock");
    }
}
