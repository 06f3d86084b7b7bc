//! One object: its code, its memory, its power, its turns, and what it uses.

mod code;
mod memory;
mod power;
mod usage;
mod value;
mod version;

use qrt_shared::control::Listing;
use qrt_shared::id::{Petname, Qrid, Target};
use qrt_shared::view::ObjectRow;

use crate::app::pane::Pane;
use crate::app::panes::parts::Parts;
use crate::app::panes::table::Table;
use crate::app::panes::turns::Turns;
use crate::app::thing::Thing;

/// The place of the memory among the parts.
const MEMORY: usize = 1;

/// What one goes into from an object: its code, or of its memory that key.
pub(super) fn object(qrid: Qrid, name: Option<Petname>, held: bool, key: Option<String>) -> Box<dyn Pane> {
    let turns = Listing { object: Some(Target::Qrid(qrid.clone())), ..Listing::default() };
    let of = Thing::Object { qrid: qrid.clone(), name, held };
    let shown = key.as_ref().map_or(0, |_| MEMORY);
    let parts: Vec<(&'static str, Box<dyn Pane>)> = vec![
        ("Code", Box::new(code::CodePart::new(qrid.clone(), of.clone()))),
        ("Memory", Box::new(memory::Memory::new(qrid.clone(), key))),
        ("Power", Box::new(power::Power::new(qrid.clone()))),
        ("Turns", Box::new(Table::<Turns>::new(turns))),
        ("Use", Box::new(usage::Usage::new(qrid, of.clone()))),
    ];
    Box::new(Parts::new(of.called(), of, parts).show(shown))
}

/// The object as what is selected, by what is known of it now.
fn thing(row: &ObjectRow) -> Thing {
    Thing::Object { qrid: row.qrid.clone(), name: row.name.clone(), held: row.held }
}

#[cfg(test)]
mod tests;
