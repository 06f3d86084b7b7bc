//! Turns: the live journal.

use qrt_shared::control::Listing;
use qrt_shared::view::{Outcome, Page, Turn};

use ratatui::style::Style;

use super::super::Context;
use super::super::command::Command::{self, Copy, Filter, Pause, Reach, Replay, Send, Sort, Trace};
use super::super::list::Row;
use super::super::pane::Told;
use super::super::query::{Data, Query};
use super::super::theme::Theme;
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::table::Rows;
use crate::format;

impl Row for Turn {
    fn key(&self) -> String {
        self.turn.to_string()
    }
}

/// How an outcome looks.
pub(super) fn outcome_style(outcome: Outcome, theme: Theme) -> Style {
    match outcome {
        Outcome::Ok => theme.good(),
        Outcome::Error => theme.bad(),
        Outcome::Killed => theme.warning(),
    }
}

/// What was run.
pub(super) struct Turns;

impl Rows for Turns {
    type Row = Turn;
    const TITLE: &'static str = "Turns";
    const EMPTY: &'static str = "no turns here yet: s sends a message to an object, and its turn shows up here";
    const HEAD: &'static [&'static str] =
        &[">TURN", "OUTCOME", "OBJECT", "FROM", "?>TICKS", ">CPU", "?>SENT", "?>CHANGED", "WHEN", "WHAT"];
    const COMMANDS: &'static [Command] = &[Pause, Trace, Replay, Filter, Sort, Send, Reach, Copy];
    const LIVE: bool = true;
    const SORT: Option<Told> = Some(("outcome", "show turns that failed, then those that were killed, then all"));

    fn query(listing: Listing) -> Query {
        Query::Turns(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<Turn>)> {
        match (query, data) {
            (Query::Turns(listing), Data::Turns(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &Turn) -> Thing {
        Thing::Turn { turn: row.turn, object: row.object.clone() }
    }

    fn cells(row: &Turn, cx: &Context, width: usize) -> Vec<Cell> {
        let theme = cx.theme;
        let what = match (&row.edit, &row.error) {
            (Some(edit), _) => format!("{edit} by an operator"),
            (None, Some(error)) => error.message.clone(),
            (None, None) => format!("{} -> {}", row.args.get(), row.result.get()),
        };
        vec![
            row.turn.to_string().into(),
            Cell::new(row.outcome.as_str(), outcome_style(row.outcome, theme)),
            Cell::new(format::object(row.name.as_ref(), &row.object), theme.name()),
            format::source(row.source_name.as_ref(), &row.source).into(),
            row.ticks.to_string().into(),
            format::duration(row.cpu_us).into(),
            row.sent.len().to_string().into(),
            row.changes.len().to_string().into(),
            Cell::new(format::age(row.at, cx.now), theme.dim()),
            format::clip(&what, width).into(),
        ]
    }

    /// All, those that failed, those that were killed.
    fn sort(listing: &mut Listing) {
        listing.outcome = match listing.outcome {
            None => Some(Outcome::Error),
            Some(Outcome::Error) => Some(Outcome::Killed),
            Some(Outcome::Killed | Outcome::Ok) => None,
        };
    }
}
