//! `qrt trace`: the tree of causes and effects of a turn or a message, over the vats that are named.
//!
//! From what was asked about it goes up, cause by cause, to the first that is known; then down, first
//! from what was asked about, then from its causes. Each vat answers for its own journal only. A
//! message between two vats is two steps: on its way in the one, handled in the other. Journals are
//! pruned and other vats may say anything, so the tree is bounded, and no step is taken twice.

mod show;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use qrt_shared::control::{Client, ClientError};
use qrt_shared::id::{MessageName, PeerName, Subject, VatId};
use qrt_shared::view::{From, Traced};
use serde::Serialize;

use super::{Call, Done};
use crate::failure::Failure;

/// The most steps in a tree.
const STEPS_MAX: usize = 1000;

/// The state of a message that its vat knows nothing of.
const UNKNOWN: &str = "unknown";

/// The most causes gone up.
const CAUSES_MAX: usize = 500;

/// The tree, as `--json` prints it: flat, because a chain of a thousand steps nested as deep is more
/// than most readers of JSON take.
#[derive(Debug, Serialize)]
struct Trace {
    /// Index of what was asked about.
    asked: usize,
    /// Whether every known cause and effect is there.
    complete: bool,
    /// Vats that messages went to or came from and that were not named.
    not_followed: Vec<VatId>,
    /// The first cause first; every other step after its cause.
    steps: Vec<Step>,
}

/// A step of the tree.
#[derive(Debug, Serialize)]
struct Step {
    /// Index of its cause.
    parent: Option<usize>,
    #[serde(flatten)]
    traced: Traced,
    /// How many of its effects are not in the tree, for lack of room.
    cut: usize,
}

pub(super) async fn run(call: &mut Call) -> Done {
    let text = call.text("SUBJECT").expect("the parser demands it");
    let subject: Subject = text.parse()?;
    if matches!(subject, Subject::Object(_) | Subject::Peer(_) | Subject::Petname(_)) {
        return Err(Failure::new(format!(
            "{text} is no turn and no message: give a turn's number, in:N or PEER#SEQ, as `qrt turns`, `qrt inbox` and \
             `qrt outbox` show them"
        )));
    }
    let mut vats = Vats::default();
    let mut client = call.client().await?;
    let traced = client.traced(&subject).await?;
    if traced.state == UNKNOWN {
        return Err(Failure::new(format!(
            "{text} is neither queued nor a fault nor in the journal (any more): `qrt turns`, `qrt inbox` and `qrt faults` \
             show what is"
        )));
    }
    vats.0.insert(traced.vat, client);
    for dir in call.paths("also") {
        vats.join(&dir).await?;
    }
    let trace = trace(&mut vats, traced).await?;
    if call.json() {
        call.out.json(&trace)?;
    } else {
        show::show(&mut call.out, &trace, vats.0.len() > 1)?;
    }
    Ok(())
}

/// The vats that can be asked.
#[derive(Default)]
struct Vats(BTreeMap<VatId, Client>);

impl Vats {
    /// Has the vat in `dir` asked too.
    async fn join(&mut self, dir: &Path) -> Result<(), ClientError> {
        let mut client = Client::open(dir).await?;
        let vat = client.info().await?.vat;
        self.0.entry(vat).or_insert(client);
        Ok(())
    }

    /// A step of `vat`; `None` when that vat was not named or does not know.
    async fn step(&mut self, vat: VatId, subject: &Subject) -> Result<Option<Traced>, ClientError> {
        let Some(client) = self.0.get_mut(&vat) else { return Ok(None) };
        known(client.traced(subject).await)
    }

    /// What became in `vat` of message `seq` of `from`.
    async fn arrived(&mut self, vat: VatId, from: VatId, seq: u64) -> Result<Option<Traced>, ClientError> {
        let Some(client) = self.0.get_mut(&vat) else { return Ok(None) };
        known(client.traced_from(&from, seq).await)
    }

    /// What led to `step`.
    async fn cause(&mut self, step: &Traced) -> Result<Option<Traced>, ClientError> {
        match (&step.from, step.cause) {
            (Some(From { vat, seq, .. }), _) => self.step(*vat, &Subject::Out(PeerName::Vat(step.vat), *seq)).await,
            (None, Some(turn)) => self.step(step.vat, &Subject::Turn(turn)).await,
            (None, None) => Ok(None),
        }
    }
}

/// A vat that does not know is no failure of the whole.
fn known(answer: Result<Traced, ClientError>) -> Result<Option<Traced>, ClientError> {
    match answer {
        Ok(traced) => Ok(Some(traced)),
        Err(ClientError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What makes a step the same as another.
fn identity(step: &Traced) -> (VatId, Option<MessageName>, Option<u64>) {
    (step.vat, step.message, if step.message.is_some() { None } else { step.turn })
}

/// The vat in `dir`, and the tree around what it calls `subject`, as far as those in `others` know more of it: each step
/// with its depth, a cause before its effects. Another vat that does not answer is left out.
///
/// # Errors
/// The refusal of the vat in `dir`.
pub(crate) async fn steps(
    dir: &Path,
    others: &[PathBuf],
    subject: &Subject,
) -> Result<(VatId, Vec<(usize, Traced)>), ClientError> {
    let mut client = Client::open(dir).await?;
    let asked = client.traced(subject).await?;
    let own = asked.vat;
    let mut vats = Vats(BTreeMap::from([(own, client)]));
    for dir in others {
        vats.join(dir).await.ok();
    }
    let trace = match trace(&mut vats, asked.clone()).await {
        // Whatever another vat says or does, one's own is shown.
        Err(_) if vats.0.len() > 1 => {
            vats.0.retain(|vat, _| *vat == own);
            trace(&mut vats, asked).await?
        }
        traced => traced?,
    };
    let mut found = Vec::new();
    let mut ahead: Vec<_> =
        (0..trace.steps.len()).filter(|at| trace.steps[*at].parent.is_none()).map(|at| (0, at)).collect();
    while let Some((depth, at)) = ahead.pop() {
        found.push((depth, trace.steps[at].traced.clone()));
        let children = (0..trace.steps.len()).rev().filter(|child| trace.steps[*child].parent == Some(at));
        ahead.extend(children.map(|child| (depth + 1, child)));
    }
    Ok((own, found))
}

async fn trace(vats: &mut Vats, asked: Traced) -> Result<Trace, ClientError> {
    let mut seen = HashSet::from([identity(&asked)]);
    let mut path = VecDeque::from([asked]);
    let mut complete = true;
    while let Some(cause) = vats.cause(&path[0]).await? {
        if path.len() > CAUSES_MAX {
            complete = false;
            break;
        }
        if !seen.insert(identity(&cause)) {
            break;
        }
        path.push_front(cause);
    }
    let steps = path.into_iter().enumerate();
    let steps: Vec<_> = steps.map(|(at, traced)| Step { parent: at.checked_sub(1), traced, cut: 0 }).collect();
    let mut trace = Trace { asked: steps.len() - 1, complete, not_followed: Vec::new(), steps };
    // What was asked about comes before what else its causes did.
    let mut ahead: VecDeque<_> = (0..trace.steps.len()).rev().collect();
    while let Some(at) = ahead.pop_front() {
        // Effects of effects before those of further causes: room may end.
        for added in effects(vats, &mut trace, at, &mut seen).await?.into_iter().rev() {
            ahead.push_front(added);
        }
    }
    trace.complete &= trace.steps.iter().all(|step| step.cut == 0);
    trace.not_followed = not_followed(vats, &trace.steps);
    Ok(trace)
}

/// Adds the effects of step `at` to the tree; returns where they are.
async fn effects(
    vats: &mut Vats,
    trace: &mut Trace,
    at: usize,
    seen: &mut HashSet<(VatId, Option<MessageName>, Option<u64>)>,
) -> Result<Vec<usize>, ClientError> {
    let step = &trace.steps[at].traced;
    let (vat, message, sent) = (step.vat, step.message, step.sent.clone());
    let mut found = Vec::new();
    // What a message comes to in the other vat is there already when the tree was begun below it.
    let begun = trace.steps.get(at + 1).is_some_and(|next| next.parent == Some(at));
    if let Some(MessageName::Out(peer, seq)) = message.filter(|_| !begun) {
        if trace.steps.len() >= STEPS_MAX {
            trace.steps[at].cut += usize::from(vats.0.contains_key(&peer));
            return Ok(Vec::new());
        }
        found.extend(vats.arrived(peer, vat, seq).await?);
    }
    for name in sent {
        if seen.contains(&(vat, Some(name), None)) {
            continue;
        }
        if trace.steps.len() + found.len() >= STEPS_MAX {
            trace.steps[at].cut += 1;
            continue;
        }
        let subject = match name {
            MessageName::In(number) => Subject::In(number),
            MessageName::Out(peer, seq) => Subject::Out(PeerName::Vat(peer), seq),
        };
        let effect = vats.step(vat, &subject).await?;
        found.push(effect.unwrap_or_else(|| forgotten(vat, name)));
    }
    let mut added = Vec::new();
    for traced in found {
        if seen.insert(identity(&traced)) {
            added.push(trace.steps.len());
            trace.steps.push(Step { parent: Some(at), traced, cut: 0 });
        }
    }
    Ok(added)
}

/// A message that its own vat does not know any more.
fn forgotten(vat: VatId, name: MessageName) -> Traced {
    Traced { message: Some(name), ..Traced::nothing_but(vat, UNKNOWN) }
}

/// Vats at the tree's edges that nobody named.
fn not_followed(vats: &Vats, steps: &[Step]) -> Vec<VatId> {
    let mut others = Vec::new();
    for Step { traced, .. } in steps {
        let to = match traced.message {
            Some(MessageName::Out(peer, _)) => Some(peer),
            _ => None,
        };
        for vat in to.into_iter().chain(traced.from.as_ref().map(|from| from.vat)) {
            if !vats.0.contains_key(&vat) && !others.contains(&vat) {
                others.push(vat);
            }
        }
    }
    others
}

#[cfg(test)]
mod tests;
