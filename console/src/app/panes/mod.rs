//! The screens, and what one goes into from them: one file a noun.

mod faults;
mod inbox;
mod objects;
mod outbox;
mod overview;
mod peers;
mod table;
mod turns;

use super::pane::Pane;
use super::thing::Thing;
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
    Screen { title: "Inbox", open: || Box::new(Table::<inbox::Inbox>::default()) },
];

/// What one goes into from a thing.
pub fn of(_thing: &Thing) -> Option<Box<dyn Pane>> {
    None
}
