//! Why something does not go on: one sentence, what shows it, and the command that would clear it.

use crossterm::event::KeyEvent;
use qrt_shared::id::Subject;
use qrt_shared::view::Why;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::Context;
use super::super::command::Motion;
use super::super::event::Do;
use super::super::popup::Popup;
use super::super::query::{Data, Query};
use super::super::widgets::text;
use super::report::{scrolled, wheel};
use crate::format;

/// The answer to why.
pub(super) struct Whyever {
    subject: Option<Subject>,
    called: String,
    found: Option<Result<Why, String>>,
    top: usize,
}

impl Whyever {
    /// Asks about a subject that is called so; `None` is the vat.
    pub(super) fn new(subject: Option<Subject>, called: String) -> Self {
        Self { subject, called, found: None, top: 0 }
    }

    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let theme = cx.theme;
        let wrapped = |text: &str, style| {
            let text = format::wrap(&format::line(text), width.max(20));
            text.lines().map(|line| Line::styled(line.to_owned(), style)).collect::<Vec<_>>()
        };
        match &self.found {
            None => wrapped("asking ...", theme.dim()),
            Some(Err(why)) => wrapped(why, theme.bad()),
            Some(Ok(why)) => {
                let mut lines = wrapped(&why.sentence, if why.blocked { theme.bad() } else { theme.good() });
                lines.extend(why.evidence.iter().flat_map(|fact| wrapped(&format!("- {fact}"), theme.plain())));
                if let Some(command) = &why.command {
                    lines.push(Line::default());
                    lines.extend(wrapped(command, theme.key()));
                }
                lines
            }
        }
    }
}

impl Popup for Whyever {
    fn title(&self) -> String {
        format!("Why: {}", self.called)
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("j k", "scroll"), ("Esc", "close")]
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Why(self.subject.clone())]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let (Query::Why(subject), Data::Why(why)) = (query, data)
            && *subject == self.subject
        {
            self.found = Some(Ok(why.clone()));
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if matches!(query, Query::Why(subject) if *subject == self.subject) {
            self.found = Some(Err(why.to_owned()));
        }
    }

    fn key(&mut self, key: KeyEvent, cx: &Context) -> Vec<Do> {
        let lines = self.lines(cx, 72).len();
        scrolled(&mut self.top, key, lines)
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&mut self.top, motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let width = room.width.min(96);
        let lines = self.lines(cx, usize::from(width - 4)).len();
        (width, u16::try_from(lines + 2).unwrap_or(u16::MAX))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        text::scrolled(&self.lines(cx, usize::from(area.width)), self.top, cx, area, buf);
    }
}
