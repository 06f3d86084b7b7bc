//! Removing objects. The id stays refused for ever; what was queued for the object becomes faults.

use std::collections::BTreeMap;

use qrt_shared::control::Removed;
use qrt_shared::id::Target;
use serde_json::json;

use super::account::{Change, signed};
use super::checkpoint::Write;
use super::entropy::Entropy;
use super::request::{Refusal, Who};
use super::view::{Memory, View};
use super::{Halt, Step, fault};
use crate::protocol::{Handle, MemoryHandle};

/// What the error of a fault says whose object is not there.
pub(super) const GONE: &str = "the object was removed";

/// Removes an object, or every object of its account.
pub(super) fn remove<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    target: &Target,
    account: bool,
) -> Result<Removed, Refusal> {
    let (object, row) = step.resolve_live(target)?;
    let doomed = if account { step.view.account(row.account)? } else { vec![object] };
    let mut removed = Removed { objects: Vec::new(), faults: 0 };
    let mut sharers: BTreeMap<MemoryHandle, u64> = BTreeMap::new();
    for object in doomed {
        if let Some(row) = step.view.object(object)? {
            if let Some(memory) = row.memory {
                *sharers.entry(memory).or_default() += 1;
            }
            step.count(row.account, Change { objects: -1, ..Change::default() })?;
        }
        removed.faults += one(step, object)?;
        removed.objects.push(step.qrid(object)?);
        step.audit(who, "remove", &json!({ "object": object }));
    }
    for (memory, leaving) in sharers {
        if step.view.sharers(memory)? == leaving {
            let Memory { bytes, account, .. } = step.view.memory(memory)?;
            step.count(account, Change { memory_bytes: -signed(bytes), ..Change::default() })?;
            step.checkpoint.writes.push(Write::NoMemory(memory));
        }
    }
    Ok(removed)
}

/// Removes one object; how many messages became faults.
fn one<V: View, E: Entropy>(step: &mut Step<'_, V, E>, object: Handle) -> Result<u64, Halt> {
    let mut faults = 0;
    for source in step.vat.schedule.sources_of(object) {
        for message in step.view.messages_after(source, object, 0, usize::MAX, u64::MAX)? {
            step.checkpoint.writes.push(Write::NoMessage(message.message));
            step.vat.counters.inbox -= 1;
            step.vat.counters.inbox_bytes -= message.bytes;
            fault::undeliverable(step, message, GONE)?;
            faults += 1;
        }
    }
    step.vat.counters.objects -= 1;
    step.vat.schedule.removed(step.view, &mut step.vat.accounts, object, step.now_ms)?;
    step.checkpoint.writes.push(Write::NoObject(object));
    Ok(faults)
}
