//! A version of an object's code, against the one before.

use qrt_shared::view::OldCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Context;
use crate::app::command::{Command, Motion};
use crate::app::pane::Pane;
use crate::app::query::{Data, Query};
use crate::app::widgets::diff;
use crate::app::widgets::sheet::{Row, Sheet};

pub(super) struct Version {
    title: String,
    before: String,
    after: String,
    sheet: Sheet<()>,
}

impl Version {
    /// A version of the code of an object that is called so; the first has none before.
    pub(super) fn new(called: &str, before: Option<&OldCode>, version: &OldCode) -> Self {
        let against = before.map(|before| format!(" against {}", before.version)).unwrap_or_default();
        Self {
            title: format!("version {} of {called}{against}", version.version),
            before: before.map(|before| before.text.clone()).unwrap_or_default(),
            after: version.text.clone(),
            sheet: Sheet::default(),
        }
    }
}

impl Pane for Version {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn queries(&self) -> Vec<Query> {
        Vec::new()
    }

    fn loaded(&mut self, _: &Query, _: &Data) {}

    fn go(&mut self, motion: Motion) {
        self.sheet.go(motion);
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
    }

    fn commands(&self) -> Vec<Command> {
        Vec::new()
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let lay = |_| diff::lines(&self.before, &self.after, cx.theme).into_iter().map(Row::plain).collect();
        self.sheet.draw(0, cx, area, buf, lay);
    }
}
