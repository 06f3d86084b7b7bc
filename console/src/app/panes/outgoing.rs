//! One message to another vat: why it is not acknowledged, when it is tried again, what was said last.

use qrt_shared::control::Listing;
use qrt_shared::id::{PeerName, Petname, VatId};
use qrt_shared::view::Outgoing;
use ratatui::text::Line;

use super::super::command::Command::{self, Copy, Drop, Retry, Trace, Why};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::fields::Fields;
use super::of;
use super::one::{self, Found, Whole};
use crate::format;

pub(super) struct OneOutgoing {
    pub(super) peer: VatId,
    pub(super) name: Option<Petname>,
    pub(super) seq: u64,
}

impl Whole for OneOutgoing {
    type View = Outgoing;
    const GONE: &'static str = "it waits no more: the other vat has it, t shows what is known";
    const BLOCKS: bool = true;
    const COMMANDS: &'static [Command] = &[Why, Retry, Drop, Trace, Copy];

    fn query(&self) -> Query {
        // To one peer, cursors are numbers on the channel there.
        Query::Outbox(Listing { peer: Some(PeerName::Vat(self.peer)), ..one::from(self.seq) })
    }

    fn found(&self, data: &Data) -> Option<Found<Outgoing>> {
        let Data::Outbox(page) = data else { return None };
        Some(page.items.iter().find(|row| (row.peer, row.seq) == (self.peer, self.seq)).cloned().into())
    }

    fn thing(&self, row: Option<&Outgoing>) -> Thing {
        let name = row.map_or(&self.name, |row| &row.name).clone();
        Thing::Outgoing { peer: self.peer, name, seq: self.seq }
    }

    fn lines(&self, row: &Outgoing, fields: Fields, now: u64) -> Vec<Line<'static>> {
        let theme = fields.theme;
        let mut lines = fields.field("to vat", format::named(row.name.as_ref(), &row.peer), theme.name());
        match (&row.target, &row.void) {
            (_, Some(why)) => lines.extend(fields.field("dropped", why, theme.warning())),
            (Some(target), None) => lines.extend(fields.field("for", target.to_string(), theme.name())),
            (None, None) => {}
        }
        lines.extend(fields.plain("number", format!("{} on the channel there", row.seq)));
        let sender = row.turn.map_or_else(|| "an operator".to_owned(), |turn| format!("turn {turn}"));
        lines.extend(fields.plain("sent by", sender));
        let at = format!("{} UTC, {}", format::time(row.queued_at), format::age(row.queued_at, now));
        lines.extend(fields.plain("queued", at));
        lines.extend(fields.plain("size", format::size(row.bytes)));
        lines.extend(fields.plain("tries", format!("{} failed in a row", row.attempts)));
        let next = row.next_attempt_at.map_or_else(|| "none is due".to_owned(), |at| format::due(at, now));
        lines.extend(fields.plain("next try", next));
        if let Some(error) = &row.last_error {
            lines.extend(fields.field("last error", error, theme.bad()));
        }
        lines
    }

    fn inner(&self, row: Option<&Outgoing>) -> Option<Box<dyn Pane>> {
        let name = row.and_then(|row| row.name.clone());
        of(&Thing::Peer { vat: self.peer, name, held: false })
    }
}
