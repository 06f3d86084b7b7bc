//! What keys do, from the table of commands.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::{self, COMMANDS, Motion, Touch};
use super::super::event::Do;
use super::super::panes::SCREENS;
use super::super::popup::Popup;
use super::super::widgets::text;
use super::report::{scrolled, wheel};

/// The help.
#[derive(Default)]
pub(super) struct Help {
    top: usize,
}

fn lines(cx: &Context) -> Vec<Line<'static>> {
    let theme = cx.theme;
    let row = |keys: String, help: String| {
        Line::from(vec![Span::styled(format!("{keys:<16}"), theme.key()), Span::styled(help, theme.plain())])
    };
    let screens =
        SCREENS.iter().enumerate().map(|(number, screen)| row((number + 1).to_string(), screen.title.to_owned()));
    let commands = COMMANDS.iter().map(|entry| {
        let keys: Vec<_> = entry.keys.iter().map(|key| command::label(*key)).collect();
        let keys = if keys.is_empty() { format!(": {}", entry.word) } else { keys.join(" ") };
        let verb = entry.verb.map(|verb| format!("  (qrt {verb})")).unwrap_or_default();
        let changes = if cx.read_only && entry.touch != Touch::Looks { "  [not in a read-only console]" } else { "" };
        row(keys, format!("{}{verb}{changes}", entry.help))
    });
    let title = |title: &'static str| [Line::default(), Line::styled(title, theme.title())];
    [Line::styled("Screens", theme.title())].into_iter().chain(screens).chain(title("Keys")).chain(commands).collect()
}

impl Popup for Help {
    fn title(&self) -> String {
        "Help".to_owned()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("j k", "scroll"), ("Esc", "close")]
    }

    fn key(&mut self, key: KeyEvent, cx: &Context) -> Vec<Do> {
        scrolled(&mut self.top, key, lines(cx).len())
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&mut self.top, motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let widest = lines(cx).iter().map(Line::width).max().unwrap_or(0) + 4;
        let height = lines(cx).len() + 2;
        (u16::try_from(widest).unwrap_or(u16::MAX), u16::try_from(height).unwrap_or(u16::MAX).min(room.height))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let lines = lines(cx);
        let top = self.top.min(lines.len().saturating_sub(usize::from(area.height)));
        text::lines(&lines, top, area, buf);
    }
}
