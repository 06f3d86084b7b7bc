//! One turn: what it was, what it changed, what it sent and made, and the tree of causes and effects it stands in.

mod changes;
mod detail;
mod sent;

use qrt_shared::id::{Qrid, Subject};

use super::super::pane::Pane;
use super::super::thing::Thing;
use super::one::One;
use super::parts::Parts;
use super::trace::Trace;
use detail::Detail;

/// What one goes into from a turn.
pub(super) fn turn(turn: u64, object: Qrid) -> Box<dyn Pane> {
    let parts: Vec<(&'static str, Box<dyn Pane>)> = vec![
        ("Turn", Box::new(One::new(Detail { turn, object: object.clone() }))),
        ("Changes", Box::new(changes::Changes::new(turn))),
        ("Sent & made", Box::new(sent::Sent::new(turn))),
        ("Tree", Box::new(Trace::new(Subject::Turn(turn)))),
    ];
    Box::new(Parts::new(format!("Turn {turn}"), Thing::Turn { turn, object }, parts))
}

#[cfg(test)]
mod tests;
