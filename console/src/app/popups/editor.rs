//! JSON to type, of several lines, and what is wrong with it as it stands.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

use super::super::Context;
use super::super::widgets::text;
use crate::failure::Failure;
use crate::format;

/// What a text must be; if it is not that, what is wrong.
type Check = fn(&str) -> Result<(), Failure>;

/// A text that is checked as it is typed.
pub(super) struct Editor {
    area: TextArea<'static>,
    check: Check,
    wrong: Option<String>,
}

impl Editor {
    /// An editor of that text.
    pub(super) fn new(text: &str, check: Check) -> Self {
        let mut area = TextArea::from(text.split('\n'));
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_line_style(Style::new());
        area.set_tab_length(2);
        // Where one would go on.
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        let mut editor = Self { area, check, wrong: None };
        editor.look();
        editor
    }

    fn look(&mut self) {
        self.wrong = (self.check)(&self.text()).err().map(|failure| failure.reason());
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// How many lines it has.
    pub(super) fn height(&self) -> usize {
        self.area.lines().len()
    }

    /// Whether nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    /// What is wrong with it.
    pub(super) fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// Puts another text in its place; undo brings it back.
    pub(super) fn set(&mut self, text: &str) {
        self.area.select_all();
        self.paste(text);
    }

    /// Puts text where the cursor is.
    pub(super) fn paste(&mut self, text: &str) {
        // Terminals paste a line's end as Return.
        self.area.insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
        self.look();
    }

    /// A key: Ctrl-U empties it as it does a line, Ctrl-R brings back what was there before.
    pub(super) fn key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let changed = match key.code {
            KeyCode::Char('u') if control => {
                self.area.select_all();
                self.area.cut()
            }
            KeyCode::Char('r') if control => self.area.undo(),
            _ => self.area.input(key),
        };
        if changed {
            self.look();
        }
    }

    /// Draws it, the cursor if it has the keys; in the last two lines what is wrong, or how large it is.
    pub(super) fn draw(&self, focus: bool, cx: &Context, area: Rect, buf: &mut Buffer) {
        let theme = cx.theme;
        let inner = Rect { height: area.height.saturating_sub(2), ..area };
        self.area.render(inner, buf);
        if !focus {
            buf.set_style(inner, Style::reset());
        }
        let (told, style) = match &self.wrong {
            _ if self.is_empty() => ("JSON, such as {\"n\": 1}".to_owned(), theme.dim()),
            Some(wrong) => (format!("{} {}", theme.mark("✗", "wrong:"), format::line(wrong)), theme.bad()),
            None => {
                let size = format::size(self.text().len() as u64);
                (format!("{} JSON, {size}", theme.mark("✓", "ok:")), theme.good())
            }
        };
        let below = Rect { y: inner.bottom(), height: area.height - inner.height, ..area };
        text::paragraph(&told, style, below, buf);
    }
}
