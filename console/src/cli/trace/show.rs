//! A tree of causes and effects, for people: one line a step.
//!
//! Chains are the rule (a message, its turn, the one message that sends, ...), so an only effect
//! stands under its cause in the same column, and only branches move to the right.

use std::io;

use qrt_shared::id::MessageName;

use super::{Step, Trace};
use crate::format;
use crate::output::{Output, Tone};

/// Characters of the branches' marks; deeper ones are not moved further to the right.
const MARKS_MAX: usize = 40;

/// Characters of an error.
const ERROR_MAX: usize = 120;

/// Prints the tree; `several` says whether it spans vats, which each line then names.
pub(super) fn show(out: &mut Output, trace: &Trace, several: bool) -> io::Result<()> {
    let mut effects = vec![Vec::new(); trace.steps.len()];
    for (at, step) in trace.steps.iter().enumerate() {
        if let Some(parent) = step.parent {
            effects[parent].push(at);
        }
    }
    // Each with what stands before its own line, and before those under it.
    let mut ahead = vec![(0, String::new(), String::new())];
    while let Some((at, own, under)) = ahead.pop() {
        let step = &trace.steps[at];
        let mark = if at == trace.asked && trace.steps.len() > 1 { "  <- asked about" } else { "" };
        out.line(format!("{own}{}{mark}", line(out, step, several)))?;
        let branches = effects[at].len() + usize::from(step.cut > 0);
        if step.cut > 0 {
            // Under the branches, which are printed later: told here, where it cannot be overlooked.
            let more = format!("({} not shown)", format::count(step.cut as u64, "further effect"));
            let more = out.paint(Tone::Dim, &more);
            out.line(format!("{under}{more}"))?;
        }
        let deep = under.chars().count() >= MARKS_MAX;
        for (number, effect) in effects[at].iter().enumerate().rev() {
            let last = number + 1 == effects[at].len();
            if branches == 1 || deep {
                ahead.push((*effect, under.clone(), under.clone()));
            } else if last {
                ahead.push((*effect, format!("{under}└ "), format!("{under}  ")));
            } else {
                ahead.push((*effect, format!("{under}├ "), format!("{under}│ ")));
            }
        }
    }
    advise(out, trace)
}

fn line(out: &Output, step: &Step, several: bool) -> String {
    let traced = &step.traced;
    let tone = match traced.state.as_str() {
        "ok" | "acknowledged" => Tone::Good,
        "error" | "killed" | "fault" => Tone::Bad,
        _ => Tone::Dim,
    };
    let vat = if several { format!("{} ", format::vat(None, &traced.vat)) } else { String::new() };
    let what = match (traced.turn, &traced.message) {
        (_, Some(message @ MessageName::Out(..))) => format!("to {}", format::message(message)),
        (Some(turn), _) => format!("turn {turn}"),
        (None, Some(message)) => message.to_string(),
        (None, None) => "operator".to_owned(),
    };
    let mut parts = vec![format!("{vat}{what}"), out.paint(tone, &format::line(&traced.state))];
    parts.extend(traced.object.as_ref().map(|object| format::object(traced.name.as_ref(), object)));
    if let Some(from) = traced.from.as_ref().filter(|_| step.parent.is_none()) {
        parts.push(format!("from vat {}, its message {}", format::vat(None, &from.vat), from.seq));
    }
    parts.extend(traced.at.map(|at| format!("{} UTC", format::time(at))));
    parts.extend(traced.error.as_ref().map(|error| format::clip(error, ERROR_MAX)));
    parts.join("  ")
}

fn advise(out: &mut Output, trace: &Trace) -> io::Result<()> {
    if !trace.not_followed.is_empty() {
        let vats: Vec<_> = trace.not_followed.iter().map(|vat| format::vat(None, vat)).collect();
        out.line(format!("\nNot followed into vat {}: name its directory with --also.", vats.join(", vat ")))?;
    }
    if !trace.complete {
        let cut: usize = trace.steps.iter().map(|step| step.cut).sum();
        let shown = trace.steps.len();
        let rest = if cut > 0 { format!(", {cut} or more are cut") } else { ", earlier causes are cut".to_owned() };
        out.line(format!("\n{shown} steps are shown{rest}: trace one of them to see more."))?;
    }
    Ok(())
}
