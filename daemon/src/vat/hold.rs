//! Holding an object: it takes no turns and cannot be called, and its queue is kept.

use qrt_shared::control::Held;
use qrt_shared::id::Target;
use serde_json::json;

use super::Step;
use super::checkpoint::Write;
use super::entropy::Entropy;
use super::request::{Refusal, Who};
use super::view::View;
use crate::protocol::Handle;

/// Holds an object, or releases it.
pub(super) fn hold<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    target: &Target,
    held: bool,
) -> Result<Held, Refusal> {
    let (object, row) = step.resolve_live(target)?;
    if row.held != held {
        set(step, who, object, held, None);
    }
    Ok(Held { qrid: step.qrid(object)?, held })
}

/// Holds an object, or releases it, whichever it is not now; `why` the vat itself holds it.
pub(super) fn set<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    object: Handle,
    held: bool,
    why: Option<String>,
) {
    let mut detail = json!({ "object": object });
    if let Some(why) = &why {
        detail["why"] = json!(why);
    }
    step.audit(who, if held { "hold" } else { "release" }, &detail);
    step.checkpoint.writes.push(Write::Held { object, held, why });
    step.vat.schedule.hold(object, held);
}
