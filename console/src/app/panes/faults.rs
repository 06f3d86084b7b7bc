//! Faults: the dead letters, messages whose turn failed.

use qrt_shared::control::Listing;
use qrt_shared::view::{Fault, Page};

use super::super::Context;
use super::super::command::Command::{self, Copy, Drop, Edit, Filter, Reach, Replay, Retry, Trace};
use super::super::list::Row;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::table::Rows;
use crate::format;

impl Row for Fault {
    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// Messages whose turn failed.
pub(super) struct Faults;

impl Rows for Faults {
    type Row = Fault;
    const TITLE: &'static str = "Faults";
    const EMPTY: &'static str = "no faults: a message whose turn fails is kept here until you retry or drop it";
    const HEAD: &'static [&'static str] = &[">FAULT", "OBJECT", "OUTCOME", "WHERE", "FROM", "?>TICKS", "WHEN", "ERROR"];
    const COMMANDS: &'static [Command] = &[Retry, Drop, Edit, Replay, Trace, Filter, Reach, Copy];

    fn query(listing: Listing) -> Query {
        Query::Faults(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<Fault>)> {
        match (query, data) {
            (Query::Faults(listing), Data::Faults(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &Fault) -> Thing {
        Thing::Fault { id: row.id, object: row.target.clone(), turn: row.turn }
    }

    fn cells(row: &Fault, cx: &Context, _: usize) -> Vec<Cell> {
        let theme = cx.theme;
        let object =
            row.target.as_ref().map_or_else(|| "nobody".to_owned(), |qrid| format::object(row.name.as_ref(), qrid));
        let place = row.error.line.map(|line| format!("{line}:{}", row.error.column.unwrap_or(1))).unwrap_or_default();
        vec![
            row.id.to_string().into(),
            Cell::new(object, theme.name()),
            Cell::new(row.outcome.as_str(), super::turns::outcome_style(row.outcome, theme)),
            place.into(),
            format::source(row.source_name.as_ref(), &row.source).into(),
            row.ticks.to_string().into(),
            Cell::new(format::age(row.at, cx.now), theme.dim()),
            Cell::new(&row.error.message, theme.plain()),
        ]
    }
}
