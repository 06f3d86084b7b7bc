//! The turn itself: object, source, message, arguments, outcome, result or error, what it used, its log.

use qrt_shared::id::Qrid;
use qrt_shared::view::Turn;
use ratatui::text::Line;

use crate::app::command::Command::{self, Copy, Edit, Reach, Replay, Send};
use crate::app::pane::Pane;
use crate::app::panes::one::{Found, Whole};
use crate::app::panes::turns::outcome_style;
use crate::app::panes::{error, of};
use crate::app::query::{Data, Query};
use crate::app::thing::Thing;
use crate::app::widgets::fields::Fields;
use crate::format;

/// The most lines of its log that are laid out.
const LOG_MAX: usize = 1000;

/// The longest of them.
const LOG_LINE: usize = 2000;

pub(super) struct Detail {
    pub(super) turn: u64,
    pub(super) object: Qrid,
}

impl Whole for Detail {
    type View = Turn;
    const GONE: &'static str = "the journal no longer has this turn";
    const BLOCKS: bool = false;
    const COMMANDS: &'static [Command] = &[Replay, Send, Edit, Reach, Copy];

    fn query(&self) -> Query {
        Query::Turn(self.turn)
    }

    fn found(&self, data: &Data) -> Option<Found<Turn>> {
        let Data::Turn(turn) = data else { return None };
        // Its changes are another part's.
        Some(Found::Here(Turn { changes: Vec::new(), ..(**turn).clone() }))
    }

    fn thing(&self, _: Option<&Turn>) -> Thing {
        Thing::Turn { turn: self.turn, object: self.object.clone() }
    }

    fn lines(&self, turn: &Turn, fields: Fields, _: u64) -> Vec<Line<'static>> {
        let mut lines = head(turn, fields);
        let whole = format!("qrt turns --json, as turn {},", turn.turn);
        if let Some(error) = &turn.error {
            lines.extend(fields.heading("Error"));
            lines.extend(error::lines(error, fields));
        }
        lines.extend(fields.heading("Arguments"));
        lines.extend(fields.value(turn.args.get(), &whole));
        if turn.error.is_none() && turn.edit.is_none() {
            lines.extend(fields.heading("Result"));
            lines.extend(fields.value(turn.result.get(), &whole));
            let lost = turn.result_error.iter();
            lines.extend(lost.flat_map(|why| fields.said(&format!("not kept: {why}"), fields.theme.warning())));
        }
        lines.extend(fields.heading("Log"));
        if turn.log.is_empty() {
            lines.extend(fields.said("it logged nothing: what its code logs stands here", fields.theme.dim()));
        }
        let logged = turn.log.iter().take(LOG_MAX);
        lines.extend(logged.flat_map(|line| fields.said(&format::clip(line, LOG_LINE), fields.theme.plain())));
        lines
    }

    fn inner(&self, turn: Option<&Turn>) -> Option<Box<dyn Pane>> {
        let name = turn.and_then(|turn| turn.name.clone());
        of(&Thing::Object { qrid: self.object.clone(), name, held: false })
    }
}

fn head(turn: &Turn, fields: Fields) -> Vec<Line<'static>> {
    let theme = fields.theme;
    let mut lines = fields.field("outcome", turn.outcome.as_str(), outcome_style(turn.outcome, theme));
    if let Some(edit) = &turn.edit {
        lines.extend(fields.plain("edit", format!("{edit}, by an operator")));
    }
    lines.extend(fields.field("object", format::named(turn.name.as_ref(), &turn.object), theme.name()));
    lines.extend(fields.plain("from", format::named(turn.source_name.as_ref(), &turn.source)));
    if let Some(message) = &turn.message {
        lines.extend(fields.plain("message", message.to_string()));
    }
    if let Some(from) = &turn.from {
        let cause = from.cause.as_ref().map(|cause| format!("; by its own word its turn {cause}")).unwrap_or_default();
        lines.extend(fields.plain("sent by", format!("vat {}, as its message {}{cause}", from.vat, from.seq)));
    }
    let used = format!("{} ticks, {} of CPU time", turn.ticks, format::duration(turn.cpu_us));
    lines.extend(fields.plain("used", used));
    lines.extend(fields.plain("at", format!("{} UTC", format::time(turn.at))));
    lines.extend(fields.field("code", &turn.code, theme.dim()));
    lines
}
