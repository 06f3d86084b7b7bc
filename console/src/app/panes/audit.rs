//! The audit: what operators did, and what the vat did by itself.

use qrt_shared::control::Listing;
use qrt_shared::view::{Audited, Page};

use super::super::Context;
use super::super::command::Command::{self, Filter, Pause};
use super::super::list::Row;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::table::Rows;
use crate::format;

impl Row for Audited {
    fn key(&self) -> String {
        self.audit.to_string()
    }
}

/// Changes by hand.
pub(super) struct Audit;

impl Rows for Audit {
    type Row = Audited;
    const TITLE: &'static str = "Audit";
    const EMPTY: &'static str = "nobody has changed anything yet: each change by hand stands here, with who made it";
    const HEAD: &'static [&'static str] = &[">AUDIT", "WHEN (UTC)", "WHO", "ACTION", "WHAT"];
    const COMMANDS: &'static [Command] = &[Pause, Filter];
    const LIVE: bool = true;

    fn query(listing: Listing) -> Query {
        Query::Audit(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<Audited>)> {
        match (query, data) {
            (Query::Audit(listing), Data::Audit(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &Audited) -> Thing {
        // The object it was done to, where there is one.
        let object = row.detail.get("object").or_else(|| row.detail.get("qrid")).and_then(|value| value.as_str());
        let qrid = object.and_then(|text| text.parse().ok());
        qrid.map_or(Thing::Vat, |qrid| Thing::Object { qrid, name: None, held: false })
    }

    fn cells(row: &Audited, cx: &Context, width: usize) -> Vec<Cell> {
        let theme = cx.theme;
        let (who, style) = if row.pid == 0 {
            ("the vat".to_owned(), theme.dim())
        } else {
            (format!("uid {}, pid {}", row.uid, row.pid), theme.plain())
        };
        vec![
            row.audit.to_string().into(),
            Cell::new(format::time(row.at), theme.dim()),
            Cell::new(who, style),
            Cell::new(&row.action, theme.name()),
            format::clip(&row.detail.to_string(), width).into(),
        ]
    }
}
