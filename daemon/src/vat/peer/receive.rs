//! A request of another vat: what it brings is queued, in order, and the position moves, in one commit.

use qrt_shared::id::{Qrid, VatId};
use qrt_shared::view::Outcome;
use qrt_shared::wire::{Delivery, Envelope};

use super::{Origin, Peer};
use crate::peer::seal::{Opened, OpenedRequest};
use crate::peer::session::{self, Verdict};
use crate::vat::checkpoint::{self, Effect, Write};
use crate::vat::entropy::Entropy;
use crate::vat::request::Ticket;
use crate::vat::send::{self, New, Recipient};
use crate::vat::source::Source;
use crate::vat::view::{Abroad, Message, View};
use crate::vat::{Halt, Step, fault, remove, turn};

/// Why a whole request is refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// There are as many peers that nobody named as there may be.
    Strangers,
    /// Peers that nobody named have as much queued as they may.
    StrangersBytes,
}

/// Takes a request in.
pub(in crate::vat) fn receive<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    ticket: Ticket,
    from: VatId,
    request: &OpenedRequest,
) -> Result<(), Halt> {
    let position = step.peer_of(&from)?.map(|peer| peer.inbound).unwrap_or_default();
    let intake = session::intake_request(position, request);
    let verdicts = || request.messages.iter().zip(&intake.verdicts);
    for (Opened { head, .. }, verdict) in verdicts() {
        let number = head.number;
        match verdict {
            Verdict::Accepted | Verdict::Old => {}
            Verdict::Gap => {
                step.note(|| format!("vat {from:?} sent message {number}, and one before it is missing: not accepted"));
            }
            Verdict::OtherHistory => {
                step.note(|| format!("vat {from:?} sent message {number} of another history: not accepted"));
            }
        }
    }
    let accepted: Vec<_> = verdicts().filter(|(_, verdict)| **verdict == Verdict::Accepted).collect();
    // Only what is taken in costs anything: a question, and what is sent again, leaves no trace.
    if !accepted.is_empty() {
        let bytes = accepted.iter().map(|(message, _)| message.json.len() as u64).sum();
        if let Some(busy) = refused(step, &from, bytes)? {
            step.checkpoint.effects.push(Effect::Received(ticket, Err(busy)));
            return Ok(());
        }
        let mut peer = step.meet(from)?;
        for (message, _) in accepted {
            accept(step, &mut peer, message)?;
            step.checkpoint.received += 1;
        }
        peer.inbound = intake.position;
        peer.last_contact_at = Some(step.now_ms);
        // It is there: what waits for it need not wait long.
        step.hurry(&mut peer);
        step.keep(peer);
    }
    step.checkpoint.effects.push(Effect::Received(ticket, Ok(intake.ack(request.id))));
    Ok(())
}

/// Whether those whom no operator named have too much already to take so many bytes from `from`.
fn refused<V: View, E: Entropy>(step: &Step<'_, V, E>, from: &VatId, bytes: u64) -> Result<Option<Busy>, Halt> {
    if !step.may_meet(from)? {
        return Ok(Some(Busy::Strangers));
    }
    let named = step.peer_of(from)?.is_some_and(|peer| peer.named);
    let sum = step.vat.schedule.strangers_bytes().saturating_add(bytes);
    Ok((!named && sum > step.vat.limits.strangers.bytes).then_some(Busy::StrangersBytes))
}

/// One accepted message: queued for its object, or kept as a fault.
fn accept<V: View, E: Entropy>(step: &mut Step<'_, V, E>, peer: &mut Peer, message: &Opened) -> Result<(), Halt> {
    let delivery = match Envelope::read(&message.json) {
        Ok(Envelope::Delivery(delivery)) => *delivery,
        // Its number is taken, and nothing runs.
        Ok(Envelope::Void { .. }) => return Ok(()),
        Err(meaningless) => {
            undeliverable(step, peer, message, &meaningless.to_string());
            return Ok(());
        }
    };
    let Delivery { to, args, at, cause, resolver: _ } = delivery;
    if !at.is_empty() {
        step.learn(peer, &at, Origin::Peer)?;
    }
    let Some(target) = step.view.reference(None, &to)? else {
        undeliverable(step, peer, message, "there is no such object");
        return Ok(());
    };
    let Some(object) = step.view.object(target)? else {
        undeliverable(step, peer, message, remove::GONE);
        return Ok(());
    };
    let references =
        args.references.iter().map(|qrid: &Qrid| step.refer(qrid, Origin::Hint)).collect::<Result<Vec<_>, _>>()?;
    let index = |number: u64| usize::try_from(number).ok().and_then(|index| references.get(index).copied());
    let text =
        qrt_shared::qjson::renumber(&args.text, |number| index(number).unwrap_or_default()).map_err(turn::damaged)?;
    let (source, bytes) = (Source::Peer(peer.peer), args.size_bytes as u64);
    let abroad = Abroad { seq: message.head.number.0, cause };
    let new = New { source, target, args: text, bytes, cause: None, abroad: Some(abroad), chain: 1 };
    let message = send::number(step, new);
    match send::room(step, source, (target, object.account), bytes)? {
        None => send::queue(step, message, Recipient { stranger: !peer.named, ..Recipient::of(&object) }).map(drop),
        Some(full) => fault::refused(step, message, full),
    }
}

/// Keeps the head of a message that can be given to no object, while there are few of those.
fn undeliverable<V: View, E: Entropy>(step: &mut Step<'_, V, E>, peer: &Peer, message: &Opened, why: &str) {
    let (limits, counters) = (&step.vat.limits.strangers, &mut step.vat.counters);
    if counters.undeliverable >= limits.undeliverable {
        step.note(|| format!("message {} of vat {:?} was dropped: {why}", message.head.number, peer.vat));
        return;
    }
    counters.undeliverable += 1;
    counters.faults += 1;
    let fault = counters.next_fault;
    counters.next_fault += 1;
    let head = message.json[..message.json.len().min(checkpoint::HEAD_BYTES)].to_vec();
    let row = checkpoint::Fault {
        fault,
        message: Message {
            message: 0,
            source: Source::Peer(peer.peer),
            target: 0,
            args: String::new(),
            bytes: message.json.len() as u64,
            queued_at: step.now_ms,
            cause: None,
            deaths: 0,
            abroad: Some(Abroad { seq: message.head.number.0, cause: None }),
            chain: 1,
        },
        head: Some(head),
        turn: None,
        outcome: Outcome::Error,
        error: turn::without_place(why),
        ticks: 0,
        used: qrt_shared::view::Used::default(),
        at: step.now_ms,
    };
    step.checkpoint.writes.push(Write::Fault(Box::new(row)));
}
