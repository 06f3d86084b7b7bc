//! Holding an object: it takes no turns and cannot be called, and its queue is kept.

use qrt_shared::control::Held;
use qrt_shared::id::Target;
use serde_json::json;

use super::Step;
use super::checkpoint::Write;
use super::entropy::Entropy;
use super::request::{Refusal, Who};
use super::view::View;

/// Holds an object, or releases it.
pub(super) fn hold<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    target: &Target,
    held: bool,
) -> Result<Held, Refusal> {
    let (object, row) = step.resolve_live(target)?;
    if row.held != held {
        step.checkpoint.writes.push(Write::Held { object, held, why: None });
        step.vat.schedule.hold(object, held);
        step.audit(who, if held { "hold" } else { "release" }, &json!({ "object": object }));
    }
    Ok(Held { qrid: step.qrid(object)?, held })
}
