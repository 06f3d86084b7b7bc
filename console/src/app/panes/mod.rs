//! The screens, and what one goes into from them: one file a noun.
//!
//! A [`table`] is a list; what its rows are says a file each. [`one`] is what there is to say about one thing, and
//! [`parts`] puts several panes into one, of which Tab shows the next.

mod accounts;
mod audit;
mod error;
mod fault;
mod faults;
mod inbox;
mod log;
mod message;
mod object;
mod objects;
mod one;
mod outbox;
mod outgoing;
mod overview;
mod parts;
mod peer;
mod peers;
mod reach;
mod table;
mod trace;
mod turn;
mod turns;

use qrt_shared::id::MessageName;

use super::event::Do;
use super::pane::Pane;
use super::thing::Thing;
use one::One;
use table::Table;

/// A screen.
pub struct Screen {
    /// Its title.
    pub title: &'static str,
    /// Makes its pane.
    pub open: fn() -> Box<dyn Pane>,
}

/// The screens, in the order of their numbers.
pub static SCREENS: &[Screen] = &[
    Screen { title: "Overview", open: || Box::new(overview::Overview::default()) },
    Screen { title: "Objects", open: || Box::new(Table::<objects::Objects>::default()) },
    Screen { title: "Turns", open: || Box::new(Table::<turns::Turns>::default()) },
    Screen { title: "Outbox", open: || Box::new(Table::<outbox::Outbox>::default()) },
    Screen { title: "Peers", open: || Box::new(Table::<peers::Peers>::default()) },
    Screen { title: "Faults", open: || Box::new(Table::<faults::Faults>::default()) },
    Screen { title: "Reach", open: || Box::new(reach::Reach::default()) },
    Screen { title: "Log", open: log::screen },
    Screen { title: "Inbox", open: || Box::new(Table::<inbox::Inbox>::default()) },
];

/// The screen that shows who can reach what.
const REACH: usize = 6;

/// What one goes into from a thing.
pub fn of(thing: &Thing) -> Option<Box<dyn Pane>> {
    Some(match thing.clone() {
        Thing::Vat => return None,
        Thing::Object { qrid, name, held } => object::object(qrid, name, held, None),
        Thing::Key { object, key } => object::object(object, None, false, Some(key)),
        Thing::Message { message: MessageName::In(number), target } => {
            Box::new(One::new(message::OneMessage { number, target }))
        }
        Thing::Outgoing { peer, name, seq } => Box::new(One::new(outgoing::OneOutgoing { peer, name, seq })),
        Thing::Message { message: MessageName::Out(peer, seq), .. } => {
            Box::new(One::new(outgoing::OneOutgoing { peer, name: None, seq }))
        }
        Thing::Peer { vat, name, held } => Box::new(One::new(peer::OnePeer { vat, name, held })),
        Thing::Turn { turn, object } => turn::turn(turn, object),
        Thing::Fault { id, object, turn } => Box::new(One::new(fault::OneFault { id, object, turn })),
    })
}

/// Shows who can reach the object that a thing is or is about, and what it can reach.
pub fn reached(thing: &Thing) -> Option<Do> {
    Some(Do::Show(REACH, Box::new(reach::Reach::of(thing.object()?.clone()))))
}

/// Shows what led to a thing, and what came of it.
pub fn traced(thing: &Thing) -> Option<Do> {
    Some(Do::Push(Box::new(trace::Trace::new(thing.traced()?))))
}

#[cfg(test)]
mod tests;
