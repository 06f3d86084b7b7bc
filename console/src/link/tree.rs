//! Causes and effects over all the vats a console is attached to: what each tells of its own journal, joined where
//! messages crossed from one to another.
//!
//! Other vats may say anything, so the tree is bounded. Where a vat does not answer, or does not know, it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qrt_shared::control::{Client, ClientError};
use qrt_shared::id::{MessageName, PeerName, Subject, VatId};
use qrt_shared::view::Traced;

use crate::app::query::Tree;
use crate::cli;

/// The most steps in a tree.
const STEPS_MAX: usize = 1000;

type Steps = Vec<(usize, Traced)>;

/// The tree around what the vat in `dir` calls so, as far as the vats in `others` know more of it.
///
/// # Errors
/// The refusal of the vat in `dir`.
pub(super) async fn tree(dir: &Path, others: &[PathBuf], subject: &Subject) -> Result<Tree, ClientError> {
    let mut steps = cli::traced(dir, subject).await?;
    let vat = Client::open(dir).await?.info().await?.vat;
    let dirs = dirs(dir, others, vat).await;
    while let Some(above) = above(&dirs, &steps).await {
        steps = above;
    }
    let mut at = 0;
    while at < steps.len() && steps.len() < STEPS_MAX {
        if let Some(below) = below(&dirs, &steps, at).await {
            graft(&mut steps, at, below);
        }
        at += 1;
    }
    steps.truncate(STEPS_MAX);
    Ok(Tree { vat, steps })
}

/// The directories of the vats that answer.
async fn dirs(own: &Path, others: &[PathBuf], vat: VatId) -> BTreeMap<VatId, PathBuf> {
    let mut dirs = BTreeMap::from([(vat, own.to_owned())]);
    for dir in others {
        let asked = async { Client::open(dir).await?.info().await };
        if let Ok(info) = asked.await {
            dirs.entry(info.vat).or_insert_with(|| dir.clone());
        }
    }
    dirs
}

/// The tree with what led to it in the vat its first message came from; `None` when nobody knows.
async fn above(dirs: &BTreeMap<VatId, PathBuf>, steps: &Steps) -> Option<Steps> {
    let (_, first) = steps.first().filter(|_| steps.len() < STEPS_MAX)?;
    let from = first.from.as_ref()?;
    let sent = MessageName::Out(first.vat, from.seq);
    let subject = Subject::Out(PeerName::Vat(first.vat), from.seq);
    let mut above = cli::traced(dirs.get(&from.vat)?, &subject).await.ok()?;
    let at = above.iter().position(|(_, step)| step.message == Some(sent))?;
    graft(&mut above, at, steps.clone());
    Some(above)
}

/// What a message that left came to in the vat it was for, unless that is in the tree already.
async fn below(dirs: &BTreeMap<VatId, PathBuf>, steps: &Steps, at: usize) -> Option<Steps> {
    let (depth, step) = &steps[at];
    let MessageName::Out(peer, seq) = step.message? else { return None };
    if steps.get(at + 1).is_some_and(|(next, _)| next > depth) {
        return None;
    }
    let dir = dirs.get(&peer)?;
    let arrived = Client::open(dir).await.ok()?.traced_from(&step.vat, seq).await.ok()?;
    let subject = match (arrived.turn, arrived.message) {
        (Some(turn), _) => Subject::Turn(turn),
        (None, Some(MessageName::In(number))) => Subject::In(number),
        (None, _) => return Some(vec![(0, arrived)]),
    };
    cli::traced(dir, &subject).await.ok()
}

/// Puts a tree under a step, before what stands there already.
fn graft(steps: &mut Steps, at: usize, tree: Steps) {
    let depth = steps[at].0 + 1;
    let after = steps.split_off(at + 1);
    steps.extend(tree.into_iter().map(|(below, step)| (depth + below, step)).chain(after));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_stands_under_the_step_it_is_grafted_on() {
        let vat = |c: char| format!("{c}nll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q").parse().expect("a vat");
        let step = |depth, c| (depth, Traced::nothing_but(vat(c), "ok"));
        let mut steps = vec![step(0, 'r'), step(1, 'r'), step(1, 'r')];
        graft(&mut steps, 1, vec![step(0, 'q'), step(1, 'q')]);
        let shape: Vec<_> = steps.iter().map(|(depth, step)| (*depth, step.vat == vat('q'))).collect();
        assert_eq!(shape, [(0, false), (1, false), (2, true), (3, true), (1, false)]);
    }
}
