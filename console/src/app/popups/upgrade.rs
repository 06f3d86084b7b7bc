//! New code for an object: what changes, and whether it is to be.

use crossterm::event::{KeyCode, KeyEvent};
use qrt_shared::id::Qrid;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use similar::{ChangeTag, TextDiff};

use super::super::Context;
use super::super::command::Motion;
use super::super::event::{Answer, Do, Note};
use super::super::popup::Popup;
use super::super::request::Request;
use super::super::widgets::text;
use super::edit_code;
use super::report::{scrolled, wheel};
use crate::format;

/// Lines around a change.
const AROUND: usize = 3;

struct Upgrade {
    object: Qrid,
    name: String,
    before: String,
    code: String,
    /// Why the vat will not have it.
    refused: Option<String>,
    top: usize,
}

/// Shows how `code` differs from what an object has, and asks.
pub fn upgrade(object: Qrid, name: String, before: String, code: String) -> Box<dyn Popup> {
    Box::new(Upgrade { object, name, before, code, refused: None, top: 0 })
}

impl Upgrade {
    fn request(&self) -> Request {
        Request::Upgrade { object: self.object.clone(), code: self.code.clone() }
    }

    fn lines(&self, cx: &Context) -> Vec<Line<'static>> {
        let theme = cx.theme;
        let mut lines: Vec<_> = self
            .refused
            .iter()
            .flat_map(|why| why.lines())
            .map(|line| Line::styled(format::line(line), theme.bad()))
            .collect();
        let diff = TextDiff::from_lines(self.before.as_str(), self.code.as_str());
        for (number, group) in diff.grouped_ops(AROUND).iter().enumerate() {
            if number > 0 {
                lines.push(Line::styled("...", theme.dim()));
            }
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let (mark, style) = match change.tag() {
                    ChangeTag::Delete => ("-", theme.bad()),
                    ChangeTag::Insert => ("+", theme.good()),
                    ChangeTag::Equal => (" ", theme.plain()),
                };
                let place = change.new_index().or(change.old_index()).map_or(0, |index| index + 1);
                let text = format::line(change.value().trim_end_matches('\n'));
                lines.push(Line::styled(format!("{place:>4} {mark} {text}"), style));
            }
        }
        lines
    }
}

impl Popup for Upgrade {
    fn title(&self) -> String {
        format!("New code for {}?", self.name)
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("y", "yes"), ("e", "edit again"), ("j k", "scroll"), ("Esc", "leave it as it was")]
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        if *request != self.request() {
            return Vec::new();
        }
        match answer {
            Ok(_) => vec![Do::Close],
            Err(why) => {
                self.refused = Some(why.clone());
                Vec::new()
            }
        }
    }

    fn key(&mut self, key: KeyEvent, cx: &Context) -> Vec<Do> {
        match key.code {
            KeyCode::Char('y') => vec![Do::Ask(self.request())],
            KeyCode::Char('e') => {
                let (object, name) = (self.object.clone(), self.name.clone());
                vec![Do::Close, edit_code(object, name, self.before.clone(), self.code.clone())]
            }
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('n' | 'q') => {
                vec![Do::Close, Do::Say(Note::dim("its code is as it was"))]
            }
            _ => {
                let lines = self.lines(cx).len();
                scrolled(&mut self.top, key, lines)
            }
        }
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&mut self.top, motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        (room.width.min(120), u16::try_from(self.lines(cx).len() + 2).unwrap_or(u16::MAX))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        text::scrolled(&self.lines(cx), self.top, cx, area, buf);
    }
}
