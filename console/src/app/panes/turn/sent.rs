//! What a turn sent and made, with what became of it.

use qrt_shared::id::{MessageName, Qrid, Subject};
use qrt_shared::view::Traced;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::Context;
use crate::app::command::{Command, Motion};
use crate::app::pane::Pane;
use crate::app::panes::trace::{self, step};
use crate::app::query::{Data, Query};
use crate::app::theme::Theme;
use crate::app::thing::Thing;
use crate::app::widgets::sheet::{Row, Sheet};
use crate::app::widgets::text;
use crate::format;

/// The most rows of each that are laid out.
const ROWS_MAX: usize = 1000;

pub(super) struct Sent {
    turn: u64,
    found: Option<(Vec<MessageName>, Vec<Qrid>)>,
    /// What became of the messages.
    steps: Vec<Traced>,
    sheet: Sheet<Thing>,
}

impl Sent {
    pub(super) fn new(turn: u64) -> Self {
        Self { turn, found: None, steps: Vec::new(), sheet: Sheet::default() }
    }

    fn rows(&self, theme: Theme) -> Vec<Row<Thing>> {
        let Some((sent, made)) = &self.found else { return Vec::new() };
        let mut rows = Vec::new();
        let head = |count: usize, noun: &str, verb: &str| {
            let told = format!("{verb} {}", format::count(count as u64, noun));
            Row::plain(Line::styled(told, theme.title()))
        };
        rows.push(head(sent.len(), "message", "sent"));
        for message in sent.iter().take(ROWS_MAX) {
            let known = self.steps.iter().find(|step| step.message == Some(*message));
            rows.push(match known {
                Some(traced) => Row::new(trace::thing(traced), step(traced, theme)),
                None => Row::new(unknown(*message), message.to_string()),
            });
        }
        rows.push(head(made.len(), "object", "made"));
        for qrid in made.iter().take(ROWS_MAX) {
            let thing = Thing::Object { qrid: qrid.clone(), name: None, held: false };
            rows.push(Row::of(thing, Line::from(Span::styled(qrid.to_string(), theme.name()))));
        }
        let cut = sent.len().max(made.len());
        if cut > ROWS_MAX {
            rows.push(Row::plain(Line::styled(format!("the first {ROWS_MAX} of each"), theme.dim())));
        }
        rows
    }
}

/// A message of which only the name is known.
fn unknown(message: MessageName) -> Option<Thing> {
    match message {
        MessageName::In(_) => None,
        MessageName::Out(peer, seq) => Some(Thing::Outgoing { peer, name: None, seq }),
    }
}

impl Pane for Sent {
    fn title(&self) -> String {
        String::new()
    }

    fn queries(&self) -> Vec<Query> {
        let known = !self.steps.is_empty() && trace::settled(self.steps.iter());
        let trace = Some(Query::Trace(Subject::Turn(self.turn))).filter(|_| !known);
        [Query::Turn(self.turn)].into_iter().chain(trace).collect()
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        match (query, data) {
            (Query::Turn(number), Data::Turn(turn)) if *number == self.turn => {
                self.found = Some((turn.sent.clone(), turn.made.clone()));
            }
            (Query::Trace(Subject::Turn(number)), Data::Trace(tree)) if *number == self.turn => {
                let own = tree.steps.iter().map(|(_, step)| step).filter(|step| step.vat == tree.vat);
                self.steps = own.cloned().collect();
            }
            _ => return,
        }
        self.sheet.renew();
    }

    fn thing(&self) -> Thing {
        self.sheet.selected().unwrap_or(Thing::Vat)
    }

    fn go(&mut self, motion: Motion) {
        self.sheet.go(motion);
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
    }

    fn commands(&self) -> Vec<Command> {
        vec![Command::Trace, Command::Why, Command::Reach, Command::Copy]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match &self.found {
            None => text::paragraph("reading ...", cx.theme.dim(), area, buf),
            Some(_) => self.sheet.draw(0, cx, area, buf, |_| self.rows(cx.theme)),
        }
    }
}
