//! Objects: the list.

use qrt_shared::control::Listing;
use qrt_shared::view::{ObjectRow, Page};
use ratatui::style::Style;

use super::super::Context;
use super::super::command::Command::{self, Copy, Drop, Edit, Filter, Hold, Install, Name, Reach, Send, Sort, Why};
use super::super::list::Row;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::table::Rows;
use crate::format;

/// The orders one can go through, besides the vat's own.
const ORDERS: &[&str] = &["cpu", "turns", "faults", "queue", "memory", "name"];

impl Row for ObjectRow {
    fn key(&self) -> String {
        self.qrid.to_string()
    }
}

/// The objects of the vat.
pub(super) struct Objects;

impl Rows for Objects {
    type Row = ObjectRow;
    const TITLE: &'static str = "Objects";
    const EMPTY: &'static str =
        "no objects yet: i installs one from a file, or from a bundled sample such as sample-methods";
    const HEAD: &'static [&'static str] =
        &["NAME", "OBJECT", "?ACCOUNT", ">TURNS", ">FAULTS", ">QUEUE", ">MEMORY", "?>CPU", "MADE"];
    const COMMANDS: &'static [Command] = &[Send, Install, Edit, Filter, Sort, Hold, Why, Name, Reach, Drop, Copy];

    fn query(listing: Listing) -> Query {
        Query::Objects(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<ObjectRow>)> {
        match (query, data) {
            (Query::Objects(listing), Data::Objects(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &ObjectRow) -> Thing {
        Thing::Object { qrid: row.qrid.clone(), name: row.name.clone(), held: row.held }
    }

    fn cells(row: &ObjectRow, cx: &Context, _: usize) -> Vec<Cell> {
        let theme = cx.theme;
        let name = row.name.as_ref().map(ToString::to_string).unwrap_or_default();
        // In front: where a name is too long, its end is cut off.
        let name = if row.held { format!("(held) {name}") } else { name };
        let account = if row.account == row.qrid { "own".to_owned() } else { format::object(None, &row.account) };
        vec![
            Cell::new(name, if row.held { theme.warning() } else { theme.name() }),
            format::object(None, &row.qrid).into(),
            Cell::new(account, theme.dim()),
            row.turns.to_string().into(),
            Cell::new(row.faults.to_string(), if row.faults > 0 { theme.bad() } else { theme.dim() }),
            Cell::new(row.queued.to_string(), if row.queued > 0 { Style::new() } else { theme.dim() }),
            format::size(row.memory_bytes).into(),
            format::duration(row.cpu_us).into(),
            Cell::new(format::age(row.created_at, cx.now), theme.dim()),
        ]
    }

    fn sort(listing: &mut Listing) {
        let now = ORDERS.iter().position(|order| listing.sort.as_deref() == Some(*order));
        listing.sort = ORDERS.get(now.map_or(0, |now| now + 1)).map(ToString::to_string);
    }
}
