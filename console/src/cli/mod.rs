//! The command line: a parser made from the table of actions, and the verbs that carry them out.
//!
//! Exit codes: 0 done; 1 failed, with one line on standard error; 2 wrong usage, which is what can
//! be told from the shape of the command line alone (a missing argument, an unknown flag, a count
//! that is no number, a word that is none of a few); 3 the daemon is not running and the verb needs it. A value that has the
//! right place but the wrong content (a malformed QRID, bad JSON) is a failure: 1.
//!
//! One file a verb, or a noun where verbs are siblings. Each has `run`, listed in [`VERBS`]; a test
//! compares that list with the table.

mod audit;
mod backup;
mod check;
mod checkpoint;
mod completions;
mod console;
mod create_node;
mod demo;
mod drop;
#[cfg(test)]
mod fake;
mod faults;
mod gossip;
mod hold;
mod inbox;
mod info;
mod input;
mod install;
mod list;
mod log;
mod man;
mod memory;
mod name;
mod named;
mod object;
mod objects;
mod operator;
mod outbox;
mod patience;
mod peer_add;
mod peer_resync;
mod peers;
mod reach;
mod remove;
mod replay;
mod retry;
mod send;
mod settings;
mod start;
mod stop;
mod sweep;
mod trace;
mod turns;
mod upgrade;
mod why;

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, ArgMatches, Command, ValueHint};
use qrt_shared::action::{self, ACTIONS, Action, Arg, Kind};
use qrt_shared::control::Client;
use qrt_shared::hint;
use qrt_shared::id::{PeerName, Target};
use qrt_shared::qjson;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::format;
use crate::output::Output;
use operator::Operator;

pub(crate) use install::one as code;
pub(crate) use peer_resync::question as resync_question;
pub(crate) use replay::came as replayed;
pub(crate) use trace::steps as traced;

/// Characters in a line of help.
const HELP_WIDTH: usize = 80;

/// What a verb comes to.
type Done = Result<(), Failure>;

/// A verb's implementation.
type Run = for<'a> fn(&'a mut Call) -> Pin<Box<dyn Future<Output = Done> + 'a>>;

/// Every verb's implementation.
static VERBS: &[(&str, Run)] = &[
    ("create-node", |call| Box::pin(async { create_node::run(call) })),
    ("start", |call| Box::pin(async { start::run(call) })),
    ("stop", |call| Box::pin(stop::run(call))),
    ("info", |call| Box::pin(info::run(call))),
    ("install", |call| Box::pin(install::run(call))),
    ("send", |call| Box::pin(send::run(call))),
    ("objects", |call| Box::pin(objects::run(call))),
    ("object", |call| Box::pin(object::run(call))),
    ("memory", |call| Box::pin(memory::run(call))),
    ("name", |call| Box::pin(name::run(call))),
    ("upgrade", |call| Box::pin(upgrade::run(call))),
    ("memory-set", |call| Box::pin(memory::set(call))),
    ("hold", |call| Box::pin(hold::run(call, true))),
    ("release", |call| Box::pin(hold::run(call, false))),
    ("remove", |call| Box::pin(remove::run(call))),
    ("inbox", |call| Box::pin(inbox::run(call))),
    ("turns", |call| Box::pin(turns::run(call))),
    ("faults", |call| Box::pin(faults::list(call))),
    ("fault-retry", |call| Box::pin(faults::retry(call))),
    ("fault-drop", |call| Box::pin(faults::drop(call))),
    ("gossip", |call| Box::pin(gossip::run(call))),
    ("peer-add", |call| Box::pin(peer_add::run(call))),
    ("peers", |call| Box::pin(peers::run(call))),
    ("outbox", |call| Box::pin(outbox::run(call))),
    ("retry", |call| Box::pin(retry::run(call))),
    ("drop", |call| Box::pin(drop::run(call))),
    ("peer-resync", |call| Box::pin(peer_resync::run(call))),
    ("why", |call| Box::pin(why::run(call))),
    ("trace", |call| Box::pin(trace::run(call))),
    ("replay", |call| Box::pin(replay::run(call))),
    ("reach", |call| Box::pin(reach::run(call))),
    ("sweep", |call| Box::pin(sweep::run(call))),
    ("backup", |call| Box::pin(backup::run(call))),
    ("restore", |call| Box::pin(async { backup::restore(call) })),
    ("checkpoint", |call| Box::pin(checkpoint::run(call))),
    ("check", |call| Box::pin(check::run(call))),
    ("audit", |call| Box::pin(audit::run(call))),
    ("log", |call| Box::pin(log::run(call))),
    ("settings", |call| Box::pin(settings::run(call))),
    ("console", |call| Box::pin(console::run(call))),
    ("demo", |call| Box::pin(demo::run(call))),
    ("completions", |call| Box::pin(async { completions::run(call) })),
    ("man", |call| Box::pin(async { man::run(call) })),
];

/// Parses the command line `args` (the program's name first), does what it says, and tells the
/// exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let qrt_dir = std::env::var_os("QRT_DIR").filter(|dir| !dir.is_empty());
    let mut command = command(qrt_dir.as_deref());
    let args: Vec<_> = args.into_iter().collect();
    let parsed = command.try_get_matches_from_mut(&args);
    let code = match parsed {
        Ok(matches) => {
            let (verb, args) = matches.subcommand().expect("the parser demands a verb");
            perform(&mut command, verb, args.clone())
        }
        Err(mut error) => {
            let verb = args.get(1).and_then(|verb| action::by_verb(verb.to_str()?));
            if let Some(tip) = verb.and_then(|action| tip(&error, action, qrt_dir.is_some())) {
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
            }
            // Nobody is left to be told of a closed standard error.
            error.print().ok();
            u8::try_from(error.exit_code()).unwrap_or(2)
        }
    };
    ExitCode::from(code)
}

fn perform(command: &mut Command, verb: &str, args: ArgMatches) -> u8 {
    let (_, run) = VERBS.iter().find(|(name, _)| *name == verb).expect("every action has an implementation");
    let mut call = Call { args, out: Output::stdout(), operator: Operator::here() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&mut call)),
        Err(error) => Err(Failure::new(format!("cannot start: {error}"))),
    };
    // What was written before a failure is still owed to the reader.
    let flushed = call.out.flush().map_err(Failure::from);
    let Err(failure) = done.and(flushed) else { return 0 };
    if let Failure::Usage(line) = &failure {
        let usage = command.find_subcommand_mut(verb).expect("it was parsed").error(ErrorKind::ArgumentConflict, line);
        usage.print().ok();
    } else if let Some(told) = failure.told() {
        writeln!(std::io::stderr(), "{told}").ok();
    }
    failure.code()
}

/// What is to be said of `QRT_DIR` where a directory may be what is missing.
fn tip(error: &clap::Error, action: &'static Action, is_set: bool) -> Option<&'static str> {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    match (is_set, action.args.iter().any(|arg| may_be_left_out(arg, action))) {
        (false, true) => Some("the vat's directory may be left out where QRT_DIR is set"),
        (true, false) => Some("QRT_DIR stands for DIR only where a verb needs nothing else"),
        _ => None,
    }
}

/// Whether `QRT_DIR` may stand for this argument: for the vat's directory where the verb needs no other positional
/// argument, and for `-d` of `send`.
fn may_be_left_out(arg: &Arg, action: &Action) -> bool {
    let needed = action.args.iter().filter(|arg| matches!(arg.kind, Kind::Required | Kind::Many));
    arg.name == "dir" || (arg.name == "DIR" && arg.kind == Kind::Required && needed.count() == 1)
}

/// The parser, made from the table. With `qrt_dir` the vat's directory may be left out in places.
fn command(qrt_dir: Option<&OsStr>) -> Command {
    Command::new("qrt")
        .version(qrt_shared::VERSION)
        .about("Make, run and look into vats: servers that run strangers' JavaScript objects safely")
        .after_help(format::wrap(
            "DIR is a vat's base directory. Where a verb needs DIR alone, it may be left out if QRT_DIR is set. An \
             object is named by its QRID (qrt:<vat>/<object>) or its petname.\n\nExit codes: 0 done, 1 failed, 2 wrong \
             usage, 3 the daemon is not running. A verb that fails says why on one line of standard error, and prints \
             nothing on standard output, also with --json, unless its answer is what is bad (check, replay, \
             send --wait).",
            HELP_WIDTH,
        ))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(ACTIONS.iter().map(|action| subcommand(action, qrt_dir)))
}

fn subcommand(action: &'static Action, qrt_dir: Option<&OsStr>) -> Command {
    let args = action.args.iter().map(|arg| argument(arg, qrt_dir.filter(|_| may_be_left_out(arg, action))));
    Command::new(action.verb).about(action.summary).after_help(format::wrap(action.details, HELP_WIDTH)).args(args)
}

fn argument(arg: &'static Arg, default: Option<&OsStr>) -> clap::Arg {
    let mut made = clap::Arg::new(arg.name).help(arg.help);
    made = match arg.kind {
        Kind::Required => made.required(default.is_none()),
        Kind::Optional => made,
        Kind::Many => made.required(true).num_args(1..),
        Kind::Flag => return made.long(arg.name).action(ArgAction::SetTrue),
        Kind::Option { value, short } => option(made, arg.name, value, short),
        Kind::Demanded { value, short } => option(made, arg.name, value, short).required(default.is_none()),
        Kind::Repeated { value } => option(made, arg.name, value, None).action(ArgAction::Append),
    };
    if let Some(default) = default {
        // Help already says what stands for it.
        made = made.default_value(default.to_owned()).hide_default_value(true);
    }
    // For shells, which complete what is there.
    made = match arg.kind.value().unwrap_or(arg.name) {
        "DIR" => made.value_hint(ValueHint::DirPath),
        "FILE" => made.value_hint(ValueHint::AnyPath),
        _ => made,
    };
    match arg.name {
        "DIR" | "dir" | "also" | "FILE" => made.value_parser(clap::value_parser!(PathBuf)),
        "theme" => made.value_parser(["dark", "light", "mono"]).hide_possible_values(true),
        "VERB" => {
            let verbs: Vec<_> = ACTIONS.iter().map(|action| action.verb).collect();
            made.value_parser(verbs).hide_possible_values(true)
        }
        "ID" | "SEQ" | "TURN" | "count" | "at" | "diff" | "limit" => made.value_parser(clap::value_parser!(u64)),
        "SHELL" => made.value_parser(clap::value_parser!(clap_complete::Shell)),
        "timeout" => made.value_parser(seconds),
        // A number is a message too.
        "ARGSJSON" | "JSON" | "KEY" | "memory" | "power" | "args" | "expect" | "key" => {
            made.allow_negative_numbers(true)
        }
        _ => made,
    }
}

fn option(made: clap::Arg, name: &'static str, value: &'static str, short: Option<char>) -> clap::Arg {
    let made = made.long(name).value_names(value.split(' '));
    if let Some(short) = short { made.short(short) } else { made }
}

/// A time span in seconds, fractions allowed.
fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, such as 5 or 0.5".to_owned())?;
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| "a number of seconds that can be waited for".to_owned())
}

/// One use of a verb: its arguments, where its output goes, and whom it asks.
struct Call {
    args: ArgMatches,
    out: Output,
    operator: Operator,
}

impl Call {
    fn flag(&self, name: &str) -> bool {
        self.args.get_flag(name)
    }

    fn json(&self) -> bool {
        self.flag("json")
    }

    /// An argument that may be missing.
    fn text(&self, name: &str) -> Option<&str> {
        self.args.get_one::<String>(name).map(String::as_str)
    }

    /// The two numbers of an argument that takes two.
    fn numbers(&self, name: &str) -> Option<(u64, u64)> {
        let mut numbers = self.args.get_many::<u64>(name)?.copied();
        numbers.next().zip(numbers.next())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.args.get_one::<u64>(name).copied()
    }

    /// An argument the parser has made sure of.
    fn path(&self, name: &str) -> &Path {
        self.args.get_one::<PathBuf>(name).expect("the parser demands it")
    }

    /// Every value of an argument that may be given again.
    fn paths(&self, name: &str) -> Vec<PathBuf> {
        self.args.get_many::<PathBuf>(name).into_iter().flatten().cloned().collect()
    }

    fn dir(&self) -> &Path {
        self.path("DIR")
    }

    /// The same as a word of a command to copy.
    fn dir_word(&self) -> String {
        hint::path(self.dir())
    }

    /// The object the argument `QRID` names.
    fn object(&self) -> Result<Target, Failure> {
        target(self.text("QRID").expect("the parser demands it"))
    }

    /// The other vat the argument `PEER` names.
    fn peer(&self) -> Result<PeerName, Failure> {
        peer(self.text("PEER").expect("the parser demands it"))
    }

    /// A connection to the daemon of `DIR`.
    async fn client(&self) -> Result<Client, Failure> {
        Ok(Client::open(self.dir()).await?)
    }
}

/// The object that `text` names.
fn target(text: &str) -> Result<Target, Failure> {
    text.parse().map_err(|_| {
        Failure::new(format!(
            "{text:?} is neither a QRID (qrt:<vat id>/<object id>) nor a petname: `qrt objects` lists both"
        ))
    })
}

/// The other vat that `text` names.
fn peer(text: &str) -> Result<PeerName, Failure> {
    text.parse().map_err(|_| {
        Failure::new(format!(
            "{text:?} is neither a vat id (52 characters of a-z 2-7) nor a petname: `qrt peers` lists both"
        ))
    })
}

/// `text` as a value to send on, checked so that an error has its path, line and column; `root`
/// names it there.
pub(crate) fn value(text: &str, root: &str) -> Result<Box<RawValue>, Failure> {
    let document = qjson::parse(text, root).map_err(|error| Failure::new(error.to_string()))?;
    if root == "args" && document.size_bytes > qjson::ARGS_BYTES_MAX {
        return Err(Failure::new(format!(
            "args: {} bytes, where a message may have {}: send it in parts",
            document.size_bytes,
            qjson::ARGS_BYTES_MAX
        )));
    }
    RawValue::from_string(text.to_owned()).map_err(|error| Failure::new(format!("{root}: {error}")))
}

/// The same for a value that must be an object, and no reference.
pub(crate) fn object_value(text: &str, root: &str) -> Result<Box<RawValue>, Failure> {
    let document = qjson::parse(text, root).map_err(|error| Failure::new(error.to_string()))?;
    if !document.text.starts_with('{') || document.text.starts_with("{\"@qref\":") {
        return Err(Failure::new(format!("{root}: must be an object, such as {{\"key\": 1}}")));
    }
    value(text, root)
}

#[cfg(test)]
mod tests;
