//! Running a recorded turn again: the journal's inputs, a worker of its own, and what came of it against
//! what was recorded. Nothing is persisted and nothing is sent.
//!
//! All of it is read on one connection in one transaction, so pruning and later turns change nothing while it
//! runs. How many run at one time is bounded, as each costs a process and up to a turn's budget.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qrt_shared::qjson::{self, Document};
use qrt_shared::view::Replayed;
use tokio::sync::{AcquireError, Semaphore};

use crate::executor::alone::{self, End, Host};
use crate::executor::process::Spares;
use crate::protocol::{CodeNumber, Handle, Image, MemoryHandle, Page, Wanted};
use crate::store::read::{Asked, Past, ReadError, Reader};
use crate::vat::Death;
use crate::vat::replay::{self, REPLACED_CODE, Recorded, Replaced, Replay};
use crate::vat::view::Entry;

/// How many run at one time; further ones wait.
const REPLAYS_MAX: usize = 2;

/// What an operator gives in place of what is recorded.
#[derive(Debug, Default)]
pub struct Instead {
    /// The target's code, checked.
    pub code: Option<String>,
    /// The arguments.
    pub args: Option<Document>,
    /// The target's Memory, an object.
    pub memory: Option<Document>,
}

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vat could not be read, or does not know the turn any more.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No worker can be started.
    #[error("no worker can be started: {0}")]
    Worker(#[from] io::Error),
    /// See there.
    #[error(transparent)]
    Replay(#[from] replay::Error),
    /// The daemon ends.
    #[error("the daemon is stopping")]
    Stopping(#[from] AcquireError),
}

/// Runs turns again.
pub struct Replays {
    dir: PathBuf,
    spares: Arc<Spares>,
    places: Arc<Semaphore>,
}

impl Replays {
    /// Replays of turns of the vat in `dir`.
    pub fn new(dir: &Path, spares: Arc<Spares>) -> Self {
        Self { dir: dir.to_owned(), spares, places: Arc::new(Semaphore::new(REPLAYS_MAX)) }
    }

    /// Runs a turn again, with some of its inputs replaced.
    ///
    /// # Errors
    /// As for [`Error`].
    pub async fn run(&self, turn: u64, instead: Instead) -> Result<Replayed, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await?;
        let (dir, spares) = (self.dir.clone(), Arc::clone(&self.spares));
        let run = move || {
            // Kept until it has ended, also when whoever asked has gone.
            let _place = place;
            let mut reader = Reader::open(&dir).map_err(ReadError::from)?;
            reader.ask(|asked| Ok(replay(asked, &spares, turn, &instead)))?
        };
        tokio::task::spawn_blocking(run).await.map_err(io::Error::other)?
    }
}

fn replay(asked: &Asked<'_>, spares: &Spares, turn: u64, instead: &Instead) -> Result<Replayed, Error> {
    let recorded = asked.recorded(turn)?;
    let past = asked.past(turn)?;
    if let Some(memory) = &instead.memory {
        replace_memory(asked, &past, &recorded, memory)?;
    }
    let mut memories = Vec::new();
    for object in recorded.called.iter().map(|(object, _)| *object).chain([recorded.object]) {
        memories.extend(past.object_then(object)?.and_then(|object| object.memory));
    }
    past.undo(&memories)?;
    let args = instead.args.as_ref().map(|args| asked.inside(args)).transpose()?;
    let replaced = Replaced { code: instead.code.is_some(), args, memory: instead.memory.is_some() };
    let (replay, delivery) = Replay::new(&past, &recorded, replaced).map_err(|error| lost(asked, error))?;
    let mut host = Given { asked, replay, code: instead.code.as_deref() };
    let ended = match alone::run(spares, delivery, &mut host) {
        Ok(End::Done(report)) => host.replay.ended(*report),
        Ok(End::Died(death, ran)) => Ok(host.replay.died(&death, ran)),
        Err(Error::Replay(error)) => Err(error),
        Err(other) => return Err(other),
    };
    let ended = match ended {
        // As in a turn that counts, such a worker is ended and the turn with it.
        Err(replay::Error::Lie(lie)) => host.replay.died(&Death::Crashed(lie), None),
        ended => ended.map_err(|error| lost(asked, error))?,
    };
    let strayed = host.replay.strayed().iter().filter_map(|object| asked.known(*object));
    let notes = strayed.map(|qrid| {
        format!("it called {qrid}, which the recorded turn had not: whether that was held then is not recorded")
    });
    let names =
        [("code", instead.code.is_some()), ("args", instead.args.is_some()), ("memory", instead.memory.is_some())];
    let replaced = names.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.to_owned()).collect();
    Ok(asked.replayed(&recorded, &past, ended, replaced, notes.collect())?)
}

/// What is not known any more, by the name that people know it by.
fn lost(asked: &Asked<'_>, error: replay::Error) -> Error {
    match error {
        replay::Error::Removed(object) => {
            let which = asked.known(object).map(|qrid| qrid.to_string()).unwrap_or_default();
            let what = format!("{which}, which the turn ran, was removed since, and its power and memory with it");
            ReadError::Lost(what).into()
        }
        other => other.into(),
    }
}

fn replace_memory(
    asked: &Asked<'_>,
    past: &Past<'_>,
    recorded: &Recorded,
    document: &Document,
) -> Result<(), ReadError> {
    let object = past.object_then(recorded.object)?;
    let none = || ReadError::Nothing("the object has no memory to replace".to_owned());
    let memory = object.and_then(|object| object.memory).ok_or_else(none)?;
    let text = asked.inside(document)?;
    let entries = qjson::split_object(&text).map_err(|error| ReadError::Damaged(error.to_string()))?;
    let entries = entries.into_iter().zip(0..).map(|((key, value), ordinal)| Entry { key, ordinal, value });
    past.replace(memory, entries.collect());
    Ok(())
}

/// What a replay's worker is given.
struct Given<'a> {
    asked: &'a Asked<'a>,
    replay: Replay<'a, Past<'a>>,
    code: Option<&'a str>,
}

impl Host for Given<'_> {
    type Error = Error;

    fn text(&mut self, code: CodeNumber) -> Result<String, Error> {
        match self.code {
            Some(text) if code == REPLACED_CODE => Ok(text.to_owned()),
            _ => Ok(self.asked.code_text(code)?),
        }
    }

    fn load(&mut self, object: Handle) -> Result<Result<Box<Image>, String>, Error> {
        Ok(self.replay.load(object)?)
    }

    fn ask(&mut self, memory: MemoryHandle, wanted: &Wanted) -> Result<Page, Error> {
        Ok(self.replay.ask(memory, wanted)?)
    }
}
