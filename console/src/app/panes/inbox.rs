//! The inbox: messages that are queued and not yet handled.

use qrt_shared::control::Listing;
use qrt_shared::view::{Message, Page};

use super::super::Context;
use super::super::command::Command::{self, Copy, Filter, Reach, Send, Trace, Why};
use super::super::list::Row;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::message;
use super::table::Rows;
use crate::format;

impl Row for Message {
    fn key(&self) -> String {
        self.message.to_string()
    }
}

/// Queued messages.
pub(super) struct Inbox;

impl Rows for Inbox {
    type Row = Message;
    const TITLE: &'static str = "Inbox";
    const EMPTY: &'static str = "nothing is queued: every message has had its turn";
    const HEAD: &'static [&'static str] = &["MESSAGE", "FOR", "FROM", "QUEUED", "?>SIZE", "?>CAUSES", "ARGS"];
    const COMMANDS: &'static [Command] = &[Why, Trace, Send, Filter, Reach, Copy];

    fn query(listing: Listing) -> Query {
        Query::Inbox(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<Message>)> {
        match (query, data) {
            (Query::Inbox(listing), Data::Inbox(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &Message) -> Thing {
        Thing::Message { message: row.message, target: row.target.clone() }
    }

    fn cells(row: &Message, cx: &Context, width: usize) -> Vec<Cell> {
        let theme = cx.theme;
        vec![
            row.message.to_string().into(),
            Cell::new(format::object(row.name.as_ref(), &row.target), theme.name()),
            format::source(row.source_name.as_ref(), &row.source).into(),
            Cell::new(format::age(row.queued_at, cx.now), theme.dim()),
            format::size(row.bytes).into(),
            message::led(row).to_string().into(),
            format::clip(row.args.get(), width).into(),
        ]
    }
}
