//! What an operator asks for, in the order of turns.
//!
//! Each action is checked whole before it leaves a trace: a refusal takes back what the action had
//! written so far, so the answer is the only thing that follows.

use std::collections::BTreeMap;

use qrt_shared::budget::Budget;
use qrt_shared::control::{Done, Expect, Problem};
use qrt_shared::id::{Location, PeerName, Petname, Qrid, Target, VatId};
use qrt_shared::qjson::Document;

use super::checkpoint::{Answer, Effect, Write};
use super::entropy::Entropy;
use super::peer::Origin;
use super::turn::damaged;
use super::view::{Object, View, ViewError};
use super::{Halt, Step, edit, fault, hold, install, name, peer, remove, send};
use crate::protocol::{Handle, Native};

/// Who waits for an answer: a number that the asker chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// Who was at the other end of the control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    /// User.
    pub uid: u32,
    /// Process; 0 when the system did not say.
    pub pid: i32,
}

impl Who {
    /// The vat itself: nobody asked.
    pub const VAT: Self = Self { uid: 0, pid: 0 };
}

/// A request.
#[derive(Debug)]
pub struct Request {
    /// Where the answer goes.
    pub ticket: Ticket,
    /// Who asks.
    pub who: Who,
    /// For what.
    pub action: Action,
}

/// What can be asked for.
#[derive(Debug)]
pub enum Action {
    /// Install objects, all or none.
    Install(Install),
    /// Queue a message.
    Send(Send),
    /// Give an object a petname, or take it away.
    Name {
        /// The object.
        object: Target,
        /// Its new name.
        name: Option<Petname>,
    },
    /// Give an object other code; its power and memory stay.
    Upgrade {
        /// The object.
        object: Target,
        /// The code, checked.
        code: String,
    },
    /// Remove an object, or every object of its account.
    Remove {
        /// The object.
        object: Target,
        /// The whole account.
        account: bool,
    },
    /// Set one key of an object's memory.
    MemorySet {
        /// The object.
        object: Target,
        /// The key.
        key: String,
        /// Its value.
        value: Document,
        /// Only if it has this value now.
        expect: Option<Document>,
    },
    /// Let an object take no turns, or turns again.
    Hold {
        /// The object.
        object: Target,
        /// Whether it is held from now on.
        held: bool,
    },
    /// Learn where another vat answers.
    PeerAdd {
        /// The vat.
        vat: VatId,
        /// Where.
        urls: Vec<Location>,
    },
    /// Let a peer get no deliveries, or deliveries again.
    HoldPeer {
        /// The peer.
        peer: PeerName,
        /// Whether it is held from now on.
        held: bool,
    },
    /// Give a peer a petname, or take it away.
    NamePeer {
        /// The peer.
        peer: PeerName,
        /// Its new name.
        name: Option<Petname>,
    },
    /// Make deliveries due now.
    Retry(Option<PeerName>),
    /// Put a void in the place of a message to another vat.
    DropOut {
        /// The peer.
        peer: PeerName,
        /// The message's number.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// Go on with a peer from where it stands.
    Resync {
        /// The peer.
        peer: PeerName,
        /// What the operator agreed to; `None`: say what it would be.
        expect: Option<Expect>,
    },
    /// Queue a failed message again.
    FaultRetry(u64),
    /// Forget a failed message.
    FaultDrop(u64),
    /// Write down what was done outside of the kernel.
    Note {
        /// The verb.
        verb: &'static str,
        /// What it was done to, and what came of it.
        detail: serde_json::Value,
    },
}

/// Objects to install. Their code has been checked.
#[derive(Debug)]
pub struct Install {
    /// Each one's label, code and petname.
    pub objects: Vec<(String, String, Option<Petname>)>,
    /// The first memory of each, an object; `None` for no memory.
    pub memory: Option<Document>,
    /// Static power of each, an object.
    pub statics: Document,
    /// Native powers by property.
    pub natives: BTreeMap<String, Native>,
    /// The figures of [`qrt_shared::budget::OBJECT`] that each has instead of the settings'.
    pub budget: Budget,
    /// Those of [`qrt_shared::budget::ACCOUNT`] that the account of each has.
    pub account: Budget,
}

/// A message to queue.
#[derive(Debug)]
pub struct Send {
    /// The object it is for.
    pub target: Target,
    /// Its arguments.
    pub args: Document,
    /// Queue it once for this key.
    pub key: Option<String>,
}

/// Why an action does not happen.
pub(super) enum Refusal {
    /// The operator asked for something that cannot be.
    Problem(Problem),
    /// The vat cannot go on.
    Halt(Halt),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ViewError> for Refusal {
    fn from(error: ViewError) -> Self {
        Self::Halt(Halt::View(error))
    }
}

impl From<Halt> for Refusal {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// Carries a request out, or refuses it.
pub(super) fn handle<V: View, E: Entropy>(step: &mut Step<'_, V, E>, request: Request) -> Result<(), Halt> {
    let Request { ticket, who, action } = request;
    let written = step.checkpoint.writes.len();
    let counters = step.vat.counters.clone();
    let carried_out = match action {
        Action::Install(action) => install::install(step, who, action).map(Answer::Installed),
        Action::Send(action) => send::send(step, action).map(Answer::Queued),
        Action::Name { object, name } => name::name(step, who, &object, name).map(Answer::Named),
        Action::Upgrade { object, code } => edit::upgrade(step, who, &object, &code).map(Answer::Upgraded),
        Action::Remove { object, account } => remove::remove(step, who, &object, account).map(Answer::Removed),
        Action::MemorySet { object, key, value, expect } => {
            edit::memory_set(step, who, &object, key, &value, expect.as_ref()).map(Answer::MemoryWas)
        }
        Action::Hold { object, held } => hold::hold(step, who, &object, held).map(Answer::Held),
        Action::PeerAdd { vat, urls } => peer::operator::add(step, who, vat, &urls).map(Answer::Peer),
        Action::HoldPeer { peer, held } => peer::operator::hold(step, who, &peer, held).map(Answer::Peer),
        Action::NamePeer { peer, name } => peer::operator::name(step, who, &peer, name).map(Answer::Peer),
        Action::Retry(peer) => peer::operator::retry(step, who, peer.as_ref()).map(Answer::Due),
        Action::DropOut { peer, seq, reason } => {
            peer::operator::drop(step, who, &peer, seq, &reason).map(Answer::Dropped)
        }
        Action::Resync { peer, expect } => {
            peer::operator::resync(step, who, &peer, expect.as_ref()).map(Answer::Resynced)
        }
        Action::FaultRetry(id) => fault::retry(step, who, id).map(Answer::Retried),
        Action::FaultDrop(id) => fault::drop(step, who, id).map(Answer::Done),
        Action::Note { verb, detail } => {
            step.audit(who, verb, &detail);
            Ok(Answer::Done(Done {}))
        }
    };
    let answer = match carried_out {
        Ok(answer) => Ok(answer),
        Err(Refusal::Problem(problem)) => {
            step.checkpoint.writes.truncate(written);
            drop(step.checkpoint.peers.take());
            step.checkpoint.references.clear();
            step.vat.counters = counters;
            step.vat.accounts.forget();
            Err(problem)
        }
        Err(Refusal::Halt(halt)) => return Err(halt),
    };
    step.checkpoint.effects.push(Effect::Answer(ticket, answer));
    Ok(())
}

impl<V: View, E: Entropy> Step<'_, V, E> {
    /// The object an operator means.
    pub(super) fn resolve(&self, target: &Target) -> Result<Handle, Refusal> {
        match target {
            Target::Qrid(qrid) => self.resolve_qrid(qrid),
            Target::Petname(name) => self.view.named(name)?.ok_or_else(|| {
                Problem::new(format!("no object is named {name}"), "`qrt objects` lists the names").into()
            }),
        }
    }

    /// The object an operator means, which must not have been removed, and its row.
    pub(super) fn resolve_live(&self, target: &Target) -> Result<(Handle, Object), Refusal> {
        let object = self.resolve(target)?;
        let removed = || {
            let what = format!("{target} was removed");
            Problem::new(what, "its id is refused for ever; install another object").into()
        };
        self.view.object(object)?.map(|row| (object, row)).ok_or_else(removed)
    }

    fn resolve_qrid(&self, qrid: &Qrid) -> Result<Handle, Refusal> {
        if qrid.vat != self.vat.id {
            let what = format!("{qrid} is an object of another vat");
            return Err(Problem::new(what, "ask the vat that hosts it; from here it can be sent to").into());
        }
        self.view
            .reference(None, &qrid.object)?
            .ok_or_else(|| Problem::new(format!("no object {qrid} in this vat"), "`qrt objects` lists them").into())
    }

    /// `document`'s text with this vat's handles in place of its References.
    pub(super) fn localise(&mut self, document: &Document) -> Result<String, Refusal> {
        let own = self.vat.id;
        let handles = document.references.iter().map(|qrid| {
            if qrid.vat == own {
                self.resolve_qrid(qrid)
            } else {
                self.refer(qrid, Origin::Operator).map_err(Refusal::from)
            }
        });
        let handles = handles.collect::<Result<Vec<_>, _>>()?;
        let index = |number: u64| usize::try_from(number).ok().and_then(|n| handles.get(n).copied());
        qrt_shared::qjson::renumber(&document.text, |number| index(number).unwrap_or_default())
            .map_err(|error| damaged(error).into())
    }

    /// The QRID behind a reference.
    pub(super) fn qrid(&self, reference: Handle) -> Result<Qrid, Halt> {
        let new = self.checkpoint.references.iter().find(|(_, handle)| **handle == reference).map(|(key, _)| *key);
        let referred = new.map_or_else(|| self.view.referred(reference), |new| Ok(Some(new)))?;
        let (vat, id) = referred.ok_or_else(|| Halt::Damaged(format!("reference {reference} has no row")))?;
        Ok(Qrid::new(vat.unwrap_or(self.vat.id), id))
    }

    /// Writes down what an operator did.
    pub(super) fn audit(&mut self, who: Who, action: &'static str, detail: &serde_json::Value) {
        let at = self.now_ms;
        self.checkpoint.writes.push(Write::Audit { at, who, action, detail: detail.to_string() });
    }
}
