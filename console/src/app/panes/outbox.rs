//! The outbox: messages to other vats that are not acknowledged.

use qrt_shared::control::Listing;
use qrt_shared::view::{Outgoing, Page};

use super::super::Context;
use super::super::command::Command::{self, Copy, Drop, Filter, Hold, Retry, Trace, Why};
use super::super::list::Row;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::table::Rows;
use crate::format;

impl Row for Outgoing {
    fn key(&self) -> String {
        format!("{}#{}", self.peer, self.seq)
    }
}

/// Messages to other vats.
pub(super) struct Outbox;

impl Rows for Outbox {
    type Row = Outgoing;
    const TITLE: &'static str = "Outbox";
    const EMPTY: &'static str =
        "nothing waits: what is sent to an object of another vat stands here until that vat has acknowledged it";
    const HEAD: &'static [&'static str] =
        &["MESSAGE", "TO", "STATE", "?>TRIES", "NEXT TRY", "QUEUED", "?>SIZE", "LAST ERROR"];
    const COMMANDS: &'static [Command] = &[Why, Retry, Hold, Drop, Trace, Filter, Copy];

    fn query(listing: Listing) -> Query {
        Query::Outbox(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<Outgoing>)> {
        match (query, data) {
            (Query::Outbox(listing), Data::Outbox(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &Outgoing) -> Thing {
        Thing::Outgoing { peer: row.peer, name: row.name.clone(), seq: row.seq }
    }

    fn cells(row: &Outgoing, cx: &Context, _: usize) -> Vec<Cell> {
        let theme = cx.theme;
        let (state, style) = match (&row.void, row.next_attempt_at) {
            (Some(_), _) => ("void", theme.dim()),
            (None, None) => ("stopped", theme.bad()),
            (None, Some(_)) if row.last_error.is_some() => ("retrying", theme.warning()),
            (None, Some(_)) => ("waiting", theme.good()),
        };
        let next = row.next_attempt_at.map_or_else(|| "none: w says why".to_owned(), |at| format::due(at, cx.now));
        let target = row.target.as_ref().map_or_else(|| "(dropped)".to_owned(), |target| format::object(None, target));
        vec![
            format!("{}#{}", format::vat(row.name.as_ref(), &row.peer), row.seq).into(),
            Cell::new(target, theme.name()),
            Cell::new(state, style),
            row.attempts.to_string().into(),
            next.into(),
            Cell::new(format::age(row.queued_at, cx.now), theme.dim()),
            format::size(row.bytes).into(),
            Cell::new(row.last_error.as_deref().unwrap_or(""), theme.bad()),
        ]
    }
}
