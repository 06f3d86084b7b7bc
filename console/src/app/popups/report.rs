//! How the vat is, line by line: what `qrt check` prints.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent};
use qrt_shared::view::{Health as How, Report};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::{self, Command, Motion};
use super::super::event::{Answer, Do};
use super::super::popup::Popup;
use super::super::request::{Reply, Request};
use super::super::widgets::text;
use crate::format;

/// Scrolls by a key, or closes. Drawing knows where the end is.
pub(super) fn scrolled(top: &Cell<usize>, key: KeyEvent) -> Vec<Do> {
    let now = top.get();
    match (key.code, command::of(key)) {
        (KeyCode::Esc | KeyCode::Enter, _) | (_, Some(Command::Quit | Command::Help)) => return vec![Do::Close],
        (_, Some(Command::Move(motion))) => top.set(match motion {
            Motion::Up => now.saturating_sub(1),
            Motion::Down => now.saturating_add(1),
            Motion::PageUp => now.saturating_sub(10),
            Motion::PageDown => now.saturating_add(10),
            Motion::First => 0,
            Motion::Last => usize::MAX,
            Motion::Left | Motion::Right => now,
        }),
        _ => {}
    }
    Vec::new()
}

/// Scrolls by the wheel.
pub(super) fn wheel(top: &Cell<usize>, motion: Motion) {
    let now = top.get();
    top.set(if motion == Motion::Up { now.saturating_sub(3) } else { now.saturating_add(3) });
}

/// The report of a check.
#[derive(Default)]
pub(super) struct Health {
    found: Option<Result<Report, String>>,
    top: Cell<usize>,
}

impl Health {
    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let theme = cx.theme;
        let report = match &self.found {
            None => return vec![Line::styled("looking ...", theme.dim())],
            Some(Err(why)) => return text::refusal(why, theme.bad(), width),
            Some(Ok(report)) => report,
        };
        let mut lines = Vec::new();
        for check in &report.checks {
            let (word, style) = match check.health {
                How::Ok => ("ok     ", theme.good()),
                How::Warning => ("warning", theme.warning()),
                How::Failed => ("FAILED ", theme.bad()),
            };
            let found = format::wrap(&format::line(&check.found), width.saturating_sub(24).max(20));
            for (number, part) in found.lines().enumerate() {
                let head = if number == 0 { (word, format::clip(&check.name, 14)) } else { ("       ", String::new()) };
                lines.push(Line::from(vec![
                    Span::styled(head.0, style),
                    Span::styled(format!(" {:<15}", head.1), theme.name()),
                    Span::raw(part.to_owned()),
                ]));
            }
            if !check.todo.is_empty() {
                lines.push(Line::styled(format!("        {}", format::line(&check.todo)), theme.dim()));
            }
        }
        lines
    }
}

impl Popup for Health {
    fn title(&self) -> String {
        "Is the vat well?".to_owned()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("j k", "scroll"), ("Esc", "close")]
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        if let (Request::Check, answer) = (request, answer) {
            self.found = match answer {
                Ok(Reply::Checked(report)) => Some(Ok(report.clone())),
                Ok(_) => None,
                Err(why) => Some(Err(why.clone())),
            };
        }
        Vec::new()
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        scrolled(&self.top, key)
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&self.top, motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let width = room.width.min(110);
        let lines = self.lines(cx, usize::from(width)).len();
        (width, u16::try_from(lines + 2).unwrap_or(u16::MAX))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        text::scrolled(&self.lines(cx, usize::from(area.width)), &self.top, cx, area, buf);
    }
}
