//! Faults: messages whose turn failed, kept until the operator retries or drops them.

use qrt_shared::control::{Done, Problem, Retried};
use qrt_shared::id::{MessageName, Qrid};
use qrt_shared::view::{Outcome, Used};
use serde_json::json;

use super::checkpoint::{self, Write};
use super::entropy::Entropy;
use super::peer::post;
use super::request::{Refusal, Who};
use super::schedule::Full;
use super::send::{self, Ending, New, Recipient};
use super::source::Source;
use super::view::Fault;
use super::view::{Message, View};
use super::{Halt, Step, turn};
use crate::protocol::{CodeError, Handle};

/// Queues a failed message again, at the end.
pub(super) fn retry<V: View, E: Entropy>(step: &mut Step<'_, V, E>, who: Who, id: u64) -> Result<Retried, Refusal> {
    let Some(message) = find(step, id)?.message else {
        let what = format!("fault {id} is of a message for no object, of which only the head was kept");
        return Err(Problem::new(what, format!("forget it with `qrt fault-drop DIR {id}`")).into());
    };
    let qrid = step.qrid(message.target)?;
    if qrid.vat != step.vat.id {
        return post_again(step, who, id, message, &qrid);
    }
    let Some(object) = step.view.object(message.target)? else {
        let what = format!("fault {id} is for an object that was removed");
        return Err(Problem::new(what, format!("forget it with `qrt fault-drop DIR {id}`")).into());
    };
    let Message { message: number, source, target, args, bytes, cause, abroad, .. } = message;
    if let Some(full) = send::room(step, source, (target, object.account), bytes)? {
        return Err(send::full_problem(step, full, &qrid).into());
    }
    remove(step, id, (source, target));
    let again = send::number(step, New { source, target, args, bytes, cause, abroad, chain: 1 });
    let stranger = match source {
        Source::Peer(peer) => !step.peer(peer)?.named,
        Source::Operator | Source::Account(_) => false,
    };
    let again = send::queue(step, again, Recipient { stranger, ..Recipient::of(&object) })?;
    step.audit(who, "fault-retry", &json!({ "fault": id, "message": number, "again": again }));
    Ok(Retried { message: MessageName::In(again) })
}

/// Puts a message that had no room in the outbox there after all.
fn post_again<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    id: u64,
    message: Message,
    to: &Qrid,
) -> Result<Retried, Refusal> {
    let Message { message: number, source, target, args, bytes, cause, .. } = message;
    let (_, vat, seq) = send::post_new(step, &post::New { to, target, args: &args, bytes, turn: cause })?;
    remove(step, id, (source, target));
    step.audit(who, "fault-retry", &json!({ "fault": id, "message": number, "vat": vat, "seq": seq }));
    Ok(Retried { message: MessageName::Out(vat, seq.0) })
}

/// Forgets a failed message.
pub(super) fn drop<V: View, E: Entropy>(step: &mut Step<'_, V, E>, who: Who, id: u64) -> Result<Done, Refusal> {
    let fault = find(step, id)?;
    if let Some(message) = &fault.message {
        remove(step, id, (message.source, message.target));
    } else {
        step.vat.counters.faults -= 1;
        step.vat.counters.undeliverable -= 1;
        step.checkpoint.writes.push(Write::NoFault(id));
    }
    let message = fault.message.map(|message| message.message);
    step.audit(who, "fault-drop", &json!({ "fault": id, "message": message }));
    Ok(Done {})
}

/// Makes a fault of a message that cannot be given to any object.
pub(super) fn undeliverable<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    message: Message,
    why: &str,
) -> Result<(), Halt> {
    let error = turn::without_place(why);
    let ending =
        Ending { turn: None, outcome: Outcome::Error, result: None, result_error: None, error: Some(why.to_owned()) };
    send::ended(step, &message, ending)?;
    add(step, message, Failed { turn: None, outcome: Outcome::Error, error, ticks: 0, used: Used::default() });
    Ok(())
}

/// Refuses a message that has no room in its queue: kept as a fault while its source and target have
/// few of those, else only counted.
pub(super) fn refused<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    message: Message,
    full: Full,
) -> Result<(), Halt> {
    let most = step.vat.limits.queue.faults;
    if !step.vat.schedule.keep_refused(step.view, (message.source, message.target), most)? {
        step.checkpoint.writes.push(Write::Refused(message.target));
        return Ok(());
    }
    let why = match full {
        Full::Queue => "queue full: its source has too much queued for this object",
        Full::Account => "queue full: the account that pays for it, or one above it, has too much queued",
        Full::Vat => "queue full: the vat's inbox is full",
        Full::Outbox => "queue full: the outbox for its vat is full",
    };
    undeliverable(step, message, why)
}

/// How a message failed.
pub(super) struct Failed {
    pub(super) turn: Option<u64>,
    pub(super) outcome: Outcome,
    pub(super) error: CodeError,
    pub(super) ticks: u64,
    pub(super) used: Used,
}

/// Keeps a message as a fault.
pub(super) fn add<V, E>(step: &mut Step<'_, V, E>, message: Message, failed: Failed) {
    let fault = step.vat.counters.next_fault;
    step.vat.counters.next_fault += 1;
    step.vat.counters.faults += 1;
    let Failed { turn, outcome, error, ticks, used } = failed;
    let row = checkpoint::Fault { fault, message, head: None, turn, outcome, error, ticks, used, at: step.now_ms };
    step.checkpoint.writes.push(Write::Fault(Box::new(row)));
}

fn find<V: View, E>(step: &Step<'_, V, E>, id: u64) -> Result<Fault, Refusal> {
    let missing = || Problem::new(format!("no fault {id}"), "`qrt faults` lists them").into();
    step.view.fault(id)?.ok_or_else(missing)
}

fn remove<V, E>(step: &mut Step<'_, V, E>, id: u64, key: (Source, Handle)) {
    step.vat.schedule.fault_gone(key);
    step.vat.counters.faults -= 1;
    step.checkpoint.writes.push(Write::NoFault(id));
}
