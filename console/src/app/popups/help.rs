//! What keys do, from the table of commands: first those of the pane, then all. `/` searches them.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::{self, COMMANDS, Command, Entry, Motion};
use super::super::event::Do;
use super::super::panes::SCREENS;
use super::super::popup::Popup;
use super::super::theme::Theme;
use super::super::widgets::text;
use super::prompt;
use super::report::{scrolled, wheel};

/// Columns of a command's keys, with a blank after them.
const KEYS: usize = 16;

/// What a command does, its keys beside the first line.
fn beside(keys: &str, help: Vec<Line<'static>>, theme: Theme) -> Vec<Line<'static>> {
    let heads = std::iter::once(keys).chain(std::iter::repeat(""));
    let line = |(head, line): (&str, Line<'static>)| {
        let head = Span::styled(format!("{head:<KEYS$}"), theme.key());
        std::iter::once(head).chain(line.spans).collect::<Line<'_>>().style(line.style)
    };
    heads.zip(help).map(line).collect()
}

/// The help.
pub(super) struct Help {
    /// The commands of the pane below, with their help where it is another there.
    here: Vec<(Command, Option<&'static str>)>,
    search: prompt::Line,
    /// Whether keys are typed into the search.
    searches: bool,
    top: Cell<usize>,
}

impl Help {
    /// The help for a pane with these commands.
    pub(super) fn new(here: Vec<(Command, Option<&'static str>)>) -> Self {
        Self { here, search: prompt::Line::default(), searches: false, top: Cell::default() }
    }

    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let theme = cx.theme;
        let sought = self.search.text.trim().to_lowercase();
        let row = |keys: String, help: String| {
            let has =
                sought.is_empty() || keys.to_lowercase().contains(&sought) || help.to_lowercase().contains(&sought);
            has.then(|| beside(&keys, text::wrapped(&help, theme.plain(), width.saturating_sub(KEYS)), theme))
        };
        let does = |entry: &Entry| !cx.read_only || entry.looks();
        let entry = |entry: &Entry, help: Option<&'static str>| {
            let keys: Vec<_> = entry.keys.iter().map(|key| command::label(*key)).collect();
            let keys = if keys.is_empty() { format!(": {}", entry.word) } else { keys.join(" ") };
            let verb = entry.verb.map(|verb| format!("  (qrt {verb})")).unwrap_or_default();
            let changes = if does(entry) { "" } else { "  [not in a read-only console]" };
            row(keys, format!("{}{verb}{changes}", help.unwrap_or(entry.help)))
        };
        let screen = |(number, screen): (usize, &super::super::panes::Screen)| {
            row((number + 1).to_string(), format!("the screen {}", screen.title))
        };
        // What this console does not do is told once, below.
        let here = self.here.iter().filter_map(|(command, help)| Some((command::entry_of(*command)?, *help)));
        let here = here.filter(|(each, _)| does(each)).filter_map(|(each, help)| entry(each, help));
        let parts: [(&'static str, Vec<Vec<Line<'static>>>); 3] = [
            ("Here", here.collect()),
            ("Screens", SCREENS.iter().enumerate().filter_map(screen).collect()),
            ("All keys", COMMANDS.iter().filter_map(|each| entry(each, None)).collect()),
        ];
        let mut lines = Vec::new();
        for (title, rows) in parts {
            if rows.is_empty() {
                continue;
            }
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.push(Line::styled(title, theme.title()));
            lines.extend(rows.into_iter().flatten());
        }
        if lines.is_empty() {
            lines.push(Line::styled("nothing here has this in it", theme.dim()));
        }
        lines
    }

    fn search_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => self.searches = false,
            KeyCode::Esc => (self.searches, self.search) = (false, prompt::Line::default()),
            _ => {
                self.search.key(key);
                self.top.set(0);
            }
        }
    }
}

impl Popup for Help {
    fn title(&self) -> String {
        "Help".to_owned()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        if self.searches {
            return vec![("Enter", "keep it"), ("Esc", "show all")];
        }
        vec![("/", "search"), ("j k", "scroll"), ("Esc", "close")]
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        if self.searches {
            self.search_key(key);
            return Vec::new();
        }
        if key.code == KeyCode::Char('/') {
            self.searches = true;
            return Vec::new();
        }
        scrolled(&self.top, key)
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&self.top, motion);
    }

    fn size(&self, _: &Context, room: Rect) -> (u16, u16) {
        (room.width.min(110), room.height.min(44))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let sought = self.searches || !self.search.text.is_empty();
        let below = Rect { height: area.height.saturating_sub(u16::from(sought)), ..area };
        text::scrolled(&self.lines(cx, usize::from(below.width)), &self.top, cx, below, buf);
        if sought {
            let row = Rect { y: below.bottom(), height: area.height - below.height, ..area };
            text::row(Line::styled("/", cx.theme.key()), row, buf);
            self.search.draw(self.searches, cx, Rect { x: row.x + 1, width: row.width.saturating_sub(1), ..row }, buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::script::Script;

    #[test]
    fn a_console_that_only_looks_names_no_key_of_the_pane_that_changes_something() {
        let mut script = Script::new(true);
        script.state.cx.read_only = true;
        script.typed("6?");
        let drawn = script.drawn_at(120, 60);
        let here = drawn.split("Screens").next().expect("what is before");
        assert!(here.contains("show only what has some text") && !here.contains("drop the message"), "{drawn}");
        script.typed("/drop the");
        script.shows(&["[not in a read-only console]"]);
    }

    #[test]
    fn the_keys_of_the_pane_come_first_and_all_can_be_searched() {
        let mut script = Script::new(true);
        script.typed("2?");
        let drawn = script.drawn();
        let line = |text: &str| drawn.lines().position(|line| line.contains(text));
        assert!(line("| Here").expect("a heading") < line("send a message").expect("its key"), "{drawn}");
        assert!(line("send a message").expect("its key") < line("| Screens").expect("a heading"), "{drawn}");
        script.typed("/backup");
        let drawn = script.drawn();
        assert!(drawn.contains("copy the vat into a file  (qrt backup)"), "{drawn}");
        assert!(!drawn.contains("send a message"), "{drawn}");
        script.key(KeyCode::Esc);
        script.typed("/run the turn again");
        let drawn = script.drawn();
        assert!(drawn.contains("(qrt replay)"), "what is long has more than one line: {drawn}");
        script.key(KeyCode::Esc);
        assert!(script.drawn().contains("send a message"));
    }
}
