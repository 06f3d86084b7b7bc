//! One object: its code, its memory, its power, its turns, and what it uses.

mod code;
mod memory;
mod power;
mod usage;
mod version;

use qrt_shared::control::Listing;
use qrt_shared::id::{Petname, Qrid, Target};
use qrt_shared::view::ObjectRow;

use crate::app::pane::Pane;
use crate::app::panes::parts::Parts;
use crate::app::panes::table::Table;
use crate::app::panes::turns::Turns;
use crate::app::thing::Thing;

/// The part that is shown first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Code = 0,
    Memory = 1,
}

/// What one goes into from an object.
pub(super) fn object(qrid: Qrid, name: Option<Petname>, held: bool, part: Part) -> Box<dyn Pane> {
    let turns = Listing { object: Some(Target::Qrid(qrid.clone())), ..Listing::default() };
    let of = Thing::Object { qrid: qrid.clone(), name, held };
    let parts: Vec<(&'static str, Box<dyn Pane>)> = vec![
        ("Code", Box::new(code::CodePart::new(qrid.clone(), of.clone()))),
        ("Memory", Box::new(memory::Memory::new(qrid.clone()))),
        ("Power", Box::new(power::Power::new(qrid.clone()))),
        ("Turns", Box::new(Table::<Turns>::new(turns))),
        ("Use", Box::new(usage::Usage::new(qrid, of.clone()))),
    ];
    Box::new(Parts::new(of.called(), of, parts).show(part as usize))
}

/// The object as what is selected, by what is known of it now.
fn thing(row: &ObjectRow) -> Thing {
    Thing::Object { qrid: row.qrid.clone(), name: row.name.clone(), held: row.held }
}

#[cfg(test)]
mod tests;
