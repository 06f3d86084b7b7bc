//! What an operator changes of an object by hand: its code, a key of its memory.
//!
//! An edit has a place among turns: it takes the next number and a row of the journal. What was
//! streamed to the worker before it is called back and runs after it.

use qrt_shared::control::{MemoryWas, Problem, Upgraded};
use qrt_shared::id::Target;
use qrt_shared::qjson::{self, Document};
use serde_json::json;

use super::checkpoint::{Edit, Write};
use super::entropy::Entropy;
use super::in_flight::AsFound;
use super::request::{Refusal, Who};
use super::view::View;
use super::{Halt, Step};
use super::{memory, turn};
use crate::protocol::{CodeNumber, Handle, MemoryChange};

/// Gives an object other code; queued messages run on it.
pub(super) fn upgrade<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    target: &Target,
    text: &str,
) -> Result<Upgraded, Refusal> {
    let (object, row) = step.resolve_live(target)?;
    let version = step.view.upgrades(object)? + 1;
    let new = step.code(text)?;
    let turn = edit(step, "upgrade", object, row.code, "null", Vec::new())?;
    step.checkpoint.writes.push(Write::Upgrade { object, version, old: row.code, new, turn });
    step.vat.schedule.edited(object);
    step.audit(who, "upgrade", &json!({ "object": object, "turn": turn, "old": row.code, "new": new }));
    Ok(Upgraded { qrid: step.qrid(object)?, version: version + 1, turn })
}

/// Sets one key of an object's memory; with `expect`, only if that is its value.
pub(super) fn memory_set<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    who: Who,
    target: &Target,
    key: String,
    value: &Document,
    expect: Option<&Document>,
) -> Result<MemoryWas, Refusal> {
    let (object, row) = step.resolve_live(target)?;
    let Some(handle) = row.memory else {
        return Err(Problem::new(format!("{target} has no memory"), "an object gets its memory when it is made").into());
    };
    let value = step.localise(value)?;
    let mut changes = Vec::new();
    let args = qjson::join_object([(key.as_str(), value.as_str())]);
    let change = MemoryChange { memory: handle, deleted: Vec::new(), set: vec![(key.clone(), value)] };
    let before = memory::before_edit(step.view, &change)?;
    if let Some(expect) = expect {
        let expect = step.localise(expect)?;
        let is = before.entry(&key).map(|entry| entry.value.as_str());
        if !is.is_some_and(|is| same(is, &expect)) {
            let what = if is.is_some() { "has another value" } else { "is not there" };
            let hint = format!("`qrt memory DIR {target}` shows what is there now");
            return Err(Problem::new(format!("{key:?} {what}: nothing was set"), hint).into());
        }
    }
    memory::remember(step, &before, change, &mut changes)?;
    let turn = edit(step, "memory-set", object, row.code, &args, changes)?;
    step.vat.schedule.in_flight.changed(handle, AsFound::default());
    step.audit(who, "memory-set", &json!({ "object": object, "turn": turn, "key": key }));
    Ok(MemoryWas { qrid: step.qrid(object)?, key, turn })
}

/// Whether two texts are one value: people do not mind the order of keys.
fn same(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || value(one).is_some_and(|one| value(other) == Some(one))
}

/// Puts an edit into the journal; its number.
fn edit<V: View, E>(
    step: &mut Step<'_, V, E>,
    verb: &'static str,
    object: Handle,
    code: CodeNumber,
    args: &str,
    changes: Vec<super::checkpoint::Change>,
) -> Result<u64, Halt> {
    let turn = step.vat.counters.next_turn;
    step.vat.counters.next_turn += 1;
    let bytes = args.len() as u64 + turn::changes_size(&changes);
    let (args, clock_ms) = (args.to_owned(), step.vat.counters.clock_ms.max(step.now_ms));
    let row = Edit { turn, verb, object, code, args, clock_ms, changes, bytes };
    step.checkpoint.writes.push(Write::Edit(Box::new(row)));
    turn::grow_journal(step, turn, bytes)?;
    Ok(turn)
}
