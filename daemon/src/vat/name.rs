//! Petnames: the operator's own names for objects.

use qrt_shared::control::{Named, Problem};
use qrt_shared::id::{Petname, Target};
use serde_json::json;

use super::Step;
use super::checkpoint::Write;
use super::entropy::Entropy;
use super::request::{Refusal, Who};
use super::view::View;
use crate::protocol::Handle;

/// Gives an object a petname, or takes its name away.
pub(super) fn name<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    object: &Target,
    name: Option<Petname>,
) -> Result<Named, Refusal> {
    let (object, _) = step.resolve_live(object)?;
    match name.clone() {
        Some(name) => claim(step, object, name)?,
        None => step.checkpoint.writes.push(Write::Petname { object, name: None }),
    }
    step.audit(who, "name", &json!({ "object": object, "name": name }));
    Ok(Named { qrid: step.qrid(object)?, name })
}

/// That a name is somebody's.
pub fn taken_already(name: &Petname) -> Problem {
    Problem::new(
        format!("something else is named {name}"),
        format!("choose another name, or free it with `qrt name DIR {name} --remove`"),
    )
}

/// Makes `name` the name of `object`, unless another object has it.
pub(super) fn claim<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    object: Handle,
    name: Petname,
) -> Result<(), Refusal> {
    let taken = step.view.named(&name)?.is_some_and(|holder| holder != object);
    // A name claimed earlier in this checkpoint is not in the view yet.
    let claimed = step.checkpoint.writes.iter().any(|write| {
        matches!(write, Write::Petname { object: other, name: Some(other_name) } if *other_name == name && *other != object)
    });
    if taken || claimed || step.view.peer_named(&name)?.is_some() {
        return Err(taken_already(&name).into());
    }
    step.checkpoint.writes.push(Write::Petname { object, name: Some(name) });
    Ok(())
}
