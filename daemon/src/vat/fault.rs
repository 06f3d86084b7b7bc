//! Faults: messages whose turn failed, kept until the operator retries or drops them.

use qrt_shared::control::{Done, Problem, Retried};
use qrt_shared::id::MessageName;
use serde_json::json;

use super::checkpoint::Write;
use super::entropy::Entropy;
use super::request::{Refusal, Who};
use super::view::{Fault, View};
use super::{Step, send};

/// Queues a failed message again, at the end.
pub(super) fn retry<V: View, E: Entropy>(step: &mut Step<'_, V, E>, who: Who, id: u64) -> Result<Retried, Refusal> {
    let Fault { message } = find(step, id)?;
    remove(step, id);
    let again = send::queue(step, message.source, message.target, message.args, message.bytes, message.cause);
    step.audit(who, "fault-retry", &json!({ "fault": id, "message": message.message, "again": again }));
    Ok(Retried { message: MessageName(again) })
}

/// Forgets a failed message.
pub(super) fn drop<V: View, E: Entropy>(step: &mut Step<'_, V, E>, who: Who, id: u64) -> Result<Done, Refusal> {
    let fault = find(step, id)?;
    remove(step, id);
    step.audit(who, "fault-drop", &json!({ "fault": id, "message": fault.message.message }));
    Ok(Done {})
}

fn find<V: View, E>(step: &Step<'_, V, E>, id: u64) -> Result<Fault, Refusal> {
    let missing = || Problem::new(format!("no fault {id}"), "`qrt faults` lists them").into();
    step.view.fault(id)?.ok_or_else(missing)
}

fn remove<V, E>(step: &mut Step<'_, V, E>, id: u64) {
    step.vat.counters.faults -= 1;
    step.checkpoint.writes.push(Write::NoFault(id));
}
