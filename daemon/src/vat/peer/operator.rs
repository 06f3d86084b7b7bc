//! What an operator does to a channel.

use qrt_shared::control::{Dropped, Due, Expect, PeerIs, Problem, Resynced};
use qrt_shared::id::{Location, PeerName, Petname, VatId};
use qrt_shared::wire::{self, Sequence};
use serde_json::json;

use super::{Origin, Peer, post};
use crate::peer::session::Plan;
use crate::vat::Step;
use crate::vat::checkpoint::{Effect, PeerWrite, Write};
use crate::vat::entropy::Entropy;
use crate::vat::request::{Refusal, Who};
use crate::vat::view::View;

/// Learns where another vat answers, and that the operator knows it.
pub(in crate::vat) fn add<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    vat: VatId,
    urls: &[Location],
) -> Result<PeerIs, Refusal> {
    if vat == step.vat.id {
        return Err(Problem::new(format!("{vat} is this vat itself"), "name another vat").into());
    }
    let mut peer = step.meet(vat)?;
    if !peer.named {
        peer.named = true;
        step.vat.counters.strangers -= 1;
        step.vat.schedule.named(peer.peer);
    }
    step.learn(&mut peer, urls, Origin::Operator)?;
    step.keep(peer.clone());
    let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
    step.audit(who, "peer-add", &json!({ "vat": vat, "urls": urls }));
    Ok(is(&peer))
}

/// Holds a peer's queue, or releases it.
pub(in crate::vat) fn hold<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    peer: &PeerName,
    held: bool,
) -> Result<PeerIs, Refusal> {
    let mut peer = find(step, peer)?;
    if peer.held != held {
        peer.held = held;
        if held {
            peer.due_at = None;
        } else {
            peer.retry(step.now_ms);
            step.checkpoint.effects.push(Effect::Due);
        }
        step.keep(peer.clone());
        step.audit(who, if held { "hold" } else { "release" }, &json!({ "vat": peer.vat }));
    }
    Ok(is(&peer))
}

/// Gives a peer a petname, or takes its name away.
pub(in crate::vat) fn name<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    peer: &PeerName,
    name: Option<Petname>,
) -> Result<PeerIs, Refusal> {
    let mut peer = find(step, peer)?;
    if let Some(name) = &name {
        let other = step.view.peer_named(name)?.is_some_and(|other| other != peer.peer);
        if other || step.view.named(name)?.is_some() {
            let hint = format!("choose another name, or free it with `qrt name DIR {name} --remove`");
            return Err(Problem::new(format!("something else is named {name}"), hint).into());
        }
    }
    step.audit(who, "name", &json!({ "vat": peer.vat, "name": name }));
    peer.name = name;
    step.keep(peer.clone());
    Ok(is(&peer))
}

/// Makes deliveries due now.
pub(in crate::vat) fn retry<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    peer: Option<&PeerName>,
) -> Result<Due, Refusal> {
    let peers = match peer {
        None => step.view.peers_with_mail()?,
        Some(name) => vec![find(step, name)?.peer],
    };
    let mut due = Due { peers: 0 };
    for peer in peers {
        let mut peer = step.peer(peer)?;
        due.peers += u64::from(peer.retry(step.now_ms));
        step.keep(peer);
    }
    step.audit(who, "retry", &json!({ "peer": peer, "due": due.peers }));
    step.checkpoint.effects.push(Effect::Due);
    Ok(due)
}

/// Puts a void in the place of a message.
pub(in crate::vat) fn drop<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    peer: &PeerName,
    seq: u64,
    reason: &str,
) -> Result<Dropped, Refusal> {
    const REASON_BYTES_MAX: usize = 1000;
    let mut peer = find(step, peer)?;
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        return Err(Problem::new("a reason is 1 to 1000 bytes", "say why in --reason: the other vat is told").into());
    }
    let listed = |error: &dyn std::fmt::Display| Problem::new(error.to_string(), "`qrt outbox` lists what is held");
    peer.outbound.void(Sequence(seq)).map_err(|error| listed(&error))?;
    let letter = step.view.letter(peer.peer, Sequence(seq))?;
    let mut letter = letter.ok_or_else(|| listed(&format!("message {seq} is not in the outbox")))?;
    if letter.void.is_some() {
        return Err(
            Problem::new(format!("message {seq} is a void already"), "it goes when the other vat has it").into()
        );
    }
    // A vat that nobody knows a place of was never tried; of any other nobody here can know.
    let may_have_arrived = peer.tried_at.is_some() || !step.view.urls(peer.peer)?.is_empty();
    let before = letter.text.len() as u64;
    letter.text = wire::void(reason);
    letter.random = post::seal(step, &peer, letter.seq, letter.id, letter.prev, &letter.text);
    (letter.target, letter.void) = (None, Some(reason.to_owned()));
    let after = letter.text.len() as u64;
    peer.pending_bytes = peer.pending_bytes - before + after;
    step.vat.counters.outbox_bytes = step.vat.counters.outbox_bytes - before + after;
    step.checkpoint.writes.push(Write::Peer(PeerWrite::Letter(Box::new(letter))));
    let detail = json!({ "vat": peer.vat, "seq": seq, "reason": reason, "may_have_arrived": may_have_arrived });
    step.audit(who, "drop", &detail);
    let vat = peer.vat;
    step.keep(peer);
    Ok(Dropped { vat, seq, may_have_arrived })
}

/// Takes the receiver's position for our own and numbers what is held anew; without `expect` says only
/// what that would mean. The asker has just had the peer asked where it stands.
pub(in crate::vat) fn resync<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    peer: &PeerName,
    expect: Option<&Expect>,
) -> Result<Resynced, Refusal> {
    let mut peer = find(step, peer)?;
    let vat = peer.vat;
    let refused = |error: &dyn std::fmt::Display| {
        Problem::new(format!("{vat}: {error}"), "`qrt peers` shows where both ends stand")
    };
    let plan = peer.outbound.plan().map_err(|error| refused(&error))?;
    let held = peer.outbound.held();
    let first = plan.theirs.number.0 + 1;
    let told = Resynced {
        vat,
        done: expect.is_some(),
        expect: expected(&peer, &plan),
        may_be_lost: plan.lost,
        may_be_repeated: plan.repeated.min(held),
        renumbered: (held > 0).then_some((first, plan.theirs.number.0 + held)),
    };
    let Some(expect) = expect else { return Ok(told) };
    if *expect != told.expect {
        return Err(refused(&"it is not as it was when you were asked: ask again").into());
    }
    let (acked, last) = (peer.outbound.acked.number, peer.outbound.last.number);
    let ids = step.view.letter_ids(peer.peer, acked, last)?;
    let renumbered = peer.outbound.resync(&plan, ids).map_err(|error| refused(&error))?;
    // Rows move by their new numbers only after all old ones are out of the way.
    let mut letters = Vec::new();
    for moved in &renumbered {
        let letter = step.view.letter(peer.peer, moved.from)?;
        let mut letter = letter.ok_or_else(|| refused(&format!("message {} is not in the outbox", moved.from)))?;
        (letter.seq, letter.prev) = (moved.to.number, moved.to.prev);
        letter.random = post::seal(step, &peer, letter.seq, letter.id, letter.prev, &letter.text);
        letters.push(letter);
    }
    step.checkpoint.writes.push(Write::Peer(PeerWrite::NoLetters(peer.peer)));
    step.checkpoint.writes.extend(letters.into_iter().map(|letter| Write::Peer(PeerWrite::Letter(Box::new(letter)))));
    peer.stopped_at = None;
    peer.retry(step.now_ms);
    step.checkpoint.effects.push(Effect::Due);
    let moved: Vec<_> = renumbered.iter().map(|moved| (moved.from.0, moved.to.number.0)).collect();
    let detail = json!({
        "vat": vat, "last_in": plan.theirs.number, "may_be_lost": told.may_be_lost,
        "may_be_repeated": told.may_be_repeated, "renumbered": moved,
    });
    step.audit(who, "peer-resync", &detail);
    step.keep(peer);
    Ok(told)
}

fn expected(peer: &Peer, plan: &Plan) -> Expect {
    Expect {
        last_in: plan.theirs.number.0,
        tip: plan.theirs.tip.to_string(),
        next_out: peer.outbound.last.number.0 + 1,
    }
}

fn is(peer: &Peer) -> PeerIs {
    PeerIs { vat: peer.vat, held: peer.held, pending: peer.outbound.held() }
}

/// The peer an operator means.
fn find<V: View, E: Entropy>(step: &Step<'_, V, E>, name: &PeerName) -> Result<Peer, Refusal> {
    let found = match name {
        PeerName::Vat(vat) => step.peer_of(vat)?,
        PeerName::Petname(petname) => step.view.peer_named(petname)?.map(|peer| step.peer(peer)).transpose()?,
    };
    let missing = || Problem::new(format!("no peer {name}"), "`qrt peers` lists them; `qrt peer-add` adds one").into();
    found.ok_or_else(missing)
}
