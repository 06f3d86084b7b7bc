//! What a turn changed in memories: each key with what it was and what it became.

use qrt_shared::view::Change;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::Context;
use crate::app::command::{Command, Motion};
use crate::app::pane::Pane;
use crate::app::query::{Data, Query};
use crate::app::theme::Theme;
use crate::app::thing::Thing;
use crate::app::widgets::sheet::{Row, Sheet};
use crate::app::widgets::{diff, json, text};
use crate::format;

/// The most changes that are laid out.
const CHANGES_MAX: usize = 500;

/// The most of them that are compared line by line.
const COMPARED_MAX: usize = 20;

/// A value that fits is shown in one line, old above new; others are compared line by line.
const SHORT: usize = 200;

pub(super) struct Changes {
    turn: u64,
    found: Option<Vec<Change>>,
    sheet: Sheet<Thing>,
}

impl Changes {
    pub(super) fn new(turn: u64) -> Self {
        Self { turn, found: None, sheet: Sheet::default() }
    }
}

impl Pane for Changes {
    fn title(&self) -> String {
        self.found.as_ref().map(|changes| format::count(changes.len() as u64, "key")).unwrap_or_default()
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Turn(self.turn)]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let (Query::Turn(number), Data::Turn(turn)) = (query, data)
            && *number == self.turn
        {
            self.found = Some(turn.changes.clone());
            self.sheet.renew();
        }
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
        vec![Command::Replay, Command::Edit, Command::Copy]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match self.found.as_deref() {
            None => text::paragraph("reading ...", cx.theme.dim(), area, buf),
            Some([]) => {
                let told = "it changed no memory: each key that a turn changes stands here, as it was and as it became";
                text::paragraph(told, cx.theme.dim(), area, buf);
            }
            Some(changes) => self.sheet.draw(0, cx, area, buf, |width| rows(changes, cx.theme, width)),
        }
    }
}

fn rows(changes: &[Change], theme: Theme, width: usize) -> Vec<Row<Thing>> {
    let mut rows = Vec::new();
    let mut compared = 0;
    for change in changes.iter().take(CHANGES_MAX) {
        let thing = Thing::Key { object: change.object.clone(), key: change.key.clone() };
        let (word, style) = match change {
            Change { deleted: true, .. } => ("deleted", theme.warning()),
            Change { added: true, .. } => ("added", theme.good()),
            Change { .. } => ("changed", theme.plain()),
        };
        let key = format::clip(&change.key, width.saturating_sub(10));
        let head = Line::from(vec![Span::styled(key, theme.name()), Span::styled(format!("  {word}"), style)]);
        rows.push(Row::of(thing.clone(), head));
        rows.extend(
            difference(change, &mut compared, theme, width).into_iter().map(|line| Row::of(thing.clone(), line)),
        );
    }
    if changes.len() > CHANGES_MAX {
        let told = format!("and {} more", changes.len() - CHANGES_MAX);
        rows.push(Row::plain(Line::styled(told, theme.dim())));
    }
    rows
}

fn difference(change: &Change, compared: &mut usize, theme: Theme, width: usize) -> Vec<Line<'static>> {
    // What is there and not told is null.
    let text = |there: bool, value: &Option<Box<_>>| {
        value.as_deref().map(serde_json::value::RawValue::get).or(there.then_some("null")).map(str::to_owned)
    };
    let (old, new) = (text(!change.added, &change.old), text(!change.deleted, &change.new));
    match (&old, &new) {
        (Some(old), Some(new)) if old.len().max(new.len()) > SHORT && *compared < COMPARED_MAX => {
            *compared += 1;
            let laid = |text: &str| {
                if text.len() > diff::BYTES_MAX {
                    text.to_owned()
                } else {
                    format::qjson(text, width.saturating_sub(7))
                }
            };
            diff::lines(&laid(old), &laid(new), theme)
        }
        _ => [("-", theme.bad(), old), ("+", theme.good(), new)]
            .into_iter()
            .filter_map(|(mark, style, value)| Some((mark, style, value?)))
            .map(|(mark, style, value)| {
                let value = json::coloured(&format::clip(&value, width.saturating_sub(4)), theme);
                [Span::styled(format!("  {mark} "), style)].into_iter().chain(value.spans).collect()
            })
            .collect(),
    }
}
