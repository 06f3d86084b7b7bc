//! Why something does not go on.

use std::cell::Cell;

use crossterm::event::KeyEvent;
use qrt_shared::id::Subject;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::Context;
use super::super::command::Motion;
use super::super::event::Do;
use super::super::popup::Popup;
use super::super::query::{Data, Query};
use super::super::widgets::reason::Reason;
use super::super::widgets::text;
use super::report::{scrolled, wheel};

/// The answer to why.
pub(super) struct Whyever {
    reason: Reason,
    called: String,
    top: Cell<usize>,
}

impl Whyever {
    /// Asks about a subject that is called so; `None` is the vat.
    pub(super) fn new(subject: Option<Subject>, called: String) -> Self {
        Self { reason: Reason::new(subject), called, top: Cell::default() }
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
        vec![self.reason.query()]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        self.reason.loaded(query, data);
    }

    fn refused(&mut self, query: &Query, why: &str) {
        self.reason.refused(query, why);
    }

    fn away(&mut self, why: &str) {
        self.reason.away(why);
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        scrolled(&self.top, key)
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&self.top, motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let width = room.width.min(96);
        let lines = self.reason.lines(cx.theme, usize::from(width - 4)).len();
        (width, u16::try_from(lines + 2).unwrap_or(u16::MAX))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        text::scrolled(&self.reason.lines(cx.theme, usize::from(area.width)), &self.top, cx, area, buf);
    }
}
