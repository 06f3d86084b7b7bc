//! One queued message: what it waits for, whom it is for, whose share it spends.

use qrt_shared::id::{MessageName, Qrid};
use qrt_shared::view::Message;
use ratatui::text::Line;

use super::super::command::Command::{self, Copy, Reach, Send, Trace, Why};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::fields::Fields;
use super::of;
use super::one::{self, Found, Whole};
use crate::format;

pub(super) struct OneMessage {
    pub(super) number: u64,
    pub(super) target: Qrid,
}

/// How many messages of this vat led to it.
pub(super) fn led(row: &Message) -> u64 {
    // The chain has the message itself at its end.
    row.chain.saturating_sub(1)
}

impl OneMessage {
    fn name(&self) -> MessageName {
        MessageName::In(self.number)
    }
}

impl Whole for OneMessage {
    type View = Message;
    const GONE: &'static str = "it is queued no more: t shows what became of it";
    const BLOCKS: bool = true;
    const COMMANDS: &'static [Command] = &[Why, Trace, Send, Reach, Copy];

    fn query(&self) -> Query {
        Query::Inbox(one::from(self.number))
    }

    fn found(&self, data: &Data) -> Option<Found<Message>> {
        let Data::Inbox(page) = data else { return None };
        Some(page.items.iter().find(|row| row.message == self.name()).cloned().into())
    }

    fn thing(&self, _: Option<&Message>) -> Thing {
        Thing::Message { message: self.name(), target: self.target.clone() }
    }

    fn lines(&self, row: &Message, fields: Fields, now: u64) -> Vec<Line<'static>> {
        let mut lines = fields.field("for", format::named(row.name.as_ref(), &row.target), fields.theme.name());
        lines.extend(fields.plain("from", format::named(row.source_name.as_ref(), &row.source)));
        if let Some(seq) = row.seq {
            lines.extend(fields.plain("there", format!("message {seq} of that vat")));
        }
        let at = format!("{} UTC, {}", format::time(row.queued_at), format::age(row.queued_at, now));
        lines.extend(fields.plain("queued", at));
        lines.extend(fields.plain("size", format::size(row.bytes)));
        let led = match led(row) {
            0 => "no message of this vat".to_owned(),
            some => format::count(some, "message") + " of this vat",
        };
        lines.extend(fields.plain("chain", format!("{led} led to it")));
        if row.deaths > 0 {
            let died = format!("a worker died on it {} already", format::count(row.deaths.into(), "time"));
            lines.extend(fields.field("deaths", died, fields.theme.bad()));
        }
        lines.extend(fields.heading("Arguments"));
        lines.extend(fields.value(row.args.get(), "qrt inbox --json"));
        lines
    }

    fn inner(&self, row: Option<&Message>) -> Option<Box<dyn Pane>> {
        let name = row.and_then(|row| row.name.clone());
        of(&Thing::Object { qrid: self.target.clone(), name, held: false })
    }
}
