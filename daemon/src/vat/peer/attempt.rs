//! What came of trying to deliver to a peer, or to ask it where it stands.

use qrt_shared::id::Location;
use qrt_shared::wire::Ack;

use super::Peer;
use crate::peer::retry;
use crate::peer::session::{Answer, Asked};
use crate::vat::checkpoint::{Effect, PeerWrite, Write};
use crate::vat::entropy::Entropy;
use crate::vat::source::PeerNumber;
use crate::vat::view::View;
use crate::vat::{Halt, Step};

/// The longest error that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 500;

/// A request to a peer has ended.
#[derive(Debug)]
pub struct Attempt {
    /// The peer.
    pub peer: PeerNumber,
    /// Since when the peer had been due.
    pub due_at: Option<u64>,
    /// It carried messages, and did not only ask.
    pub carried: bool,
    /// What it came to.
    pub result: Result<Answered, Failed>,
}

/// The peer answered with an ack that opens.
#[derive(Debug)]
pub struct Answered {
    /// What was true when the request was made.
    pub asked: Asked,
    /// Its word.
    pub ack: Ack,
    /// Where it answered.
    pub at: Location,
}

/// The attempt failed.
#[derive(Debug)]
pub struct Failed {
    /// Why, for the operator.
    pub error: String,
    /// When the peer wants to be asked again.
    pub retry_after_ms: Option<u64>,
    /// Nobody knows where the peer is: there was nothing to try.
    pub nowhere: bool,
}

/// Takes in what came of an attempt.
pub(in crate::vat) fn ended<V: View, E: Entropy>(step: &mut Step<'_, V, E>, attempt: Attempt) -> Result<(), Halt> {
    let mut peer = step.peer(attempt.peer)?;
    // An operator wanted another, when this one was on its way.
    let wanted = peer.due_at != attempt.due_at && peer.due_at.is_some_and(|at| at <= step.now_ms);
    peer.tries += 1;
    peer.tried_at = Some(step.now_ms);
    match attempt.result {
        Ok(answer) => answered(step, &mut peer, attempt.carried, answer)?,
        // It is due again when somebody says where it is, which may be so already.
        Err(Failed { nowhere: true, error, .. }) => {
            let known = !step.view.urls(peer.peer)?.is_empty();
            (peer.due_at, peer.last_error) = ((known && !peer.held).then_some(step.now_ms), Some(error));
        }
        Err(Failed { error, retry_after_ms, .. }) => failed(step, &mut peer, error, retry_after_ms),
    }
    if wanted {
        peer.due_at = Some(step.now_ms);
    }
    step.keep(peer);
    step.checkpoint.effects.push(Effect::Due);
    Ok(())
}

fn answered<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    peer: &mut Peer,
    carried: bool,
    Answered { asked, ack, at }: Answered,
) -> Result<(), Halt> {
    let acked = peer.outbound.acked.number;
    // As many ids as the ack may acknowledge, no more.
    let to = ack.number.min(peer.outbound.last.number);
    let held = step.view.letter_ids(peer.peer, acked, to)?;
    match peer.outbound.answer(&asked, &ack, held) {
        Answer::NotOurs => failed(step, peer, "the answer was to another request".to_owned(), None),
        Answer::Overtaken => well(step, peer, at),
        Answer::Fits { drop_to, cleared } => {
            if drop_to > acked {
                let (count, bytes) = step.view.letters(peer.peer, acked, drop_to)?;
                step.vat.counters.outbox -= count;
                step.vat.counters.outbox_bytes -= bytes;
                peer.pending_bytes -= bytes;
                step.checkpoint.writes.push(Write::Peer(PeerWrite::Delivered { peer: peer.peer, to: drop_to }));
                step.checkpoint.effects.push(Effect::Acked(peer.vat, drop_to));
            }
            if cleared {
                peer.stopped_at = None;
            }
            match ack.bad {
                // A peer that takes nothing in is not asked at once again.
                None if carried && drop_to == acked => {
                    failed(step, peer, "it acknowledged nothing of what it was sent".to_owned(), None);
                }
                None => well(step, peer, at),
                Some(bad) => {
                    let line = format!("it could not open frame {bad} of the request, message {}", drop_to.0 + 1);
                    failed(step, peer, line, None);
                }
            }
        }
        Answer::Stopped { .. } => {
            peer.stopped_at.get_or_insert(step.now_ms);
            well(step, peer, at);
        }
    }
    Ok(())
}

/// It answered: it is tried again when there is more to send, or in a day.
fn well<V, E>(step: &mut Step<'_, V, E>, peer: &mut Peer, at: Location) {
    peer.last_contact_at = Some(step.now_ms);
    if peer.failures > 0 || peer.last_error.is_some() {
        (peer.failures, peer.last_error, peer.failing_since) = (0, None, None);
    }
    let policy = &step.vat.limits.retry;
    let next = step.now_ms.saturating_add(policy.ask_ms);
    peer.due_at = (!peer.held).then_some(if peer.has_mail() { step.now_ms } else { next });
    step.checkpoint.writes.push(Write::Peer(PeerWrite::GoodUrl { peer: peer.peer, url: at }));
}

/// It did not: it is tried again, for ever.
fn failed<V, E: Entropy>(step: &mut Step<'_, V, E>, peer: &mut Peer, mut error: String, retry_after_ms: Option<u64>) {
    let random = u64::from_be_bytes(step.entropy.draw());
    let policy = &step.vat.limits.retry;
    let wait_ms = retry::wait_ms(policy, peer.failures, random, retry_after_ms);
    peer.failures = peer.failures.saturating_add(1);
    peer.failing_since.get_or_insert(step.now_ms);
    error.truncate(error.floor_char_boundary(ERROR_BYTES_MAX));
    peer.last_error = Some(error);
    // A peer with nothing waiting is only asked where it stands, which has a day.
    let wait_ms = if peer.is_waited_for() { wait_ms } else { policy.ask_ms };
    peer.due_at = (!peer.held).then_some(step.now_ms.saturating_add(wait_ms));
}
