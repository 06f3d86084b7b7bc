//! What stands around the pane: where one is and whom one is attached to, the screens, what came of the last
//! command, and the keys.
//!
//! ```text
//! Objects > counter                                  /srv/vat rnll4p.. running
//! 1 Overview  2 Objects  3 Turns ...
//! (the pane)
//! queued as in:7                                       qrt send -d /srv/vat ...
//! Enter into  s send  i install  ...                          : find  ? help  q quit
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use super::command::{self, Command};
use super::event::Note;
use super::pane::Told;
use super::panes::SCREENS;
use super::popup::Popup;
use super::widgets::text;
use super::{Context, Link, State};
use crate::format;
use crate::output::Tone;

/// The smallest screen anything is drawn on.
const SMALLEST: (u16, u16) = (40, 8);

/// Lines of a screen that what came of a command leaves to everything else, as far as it can.
const LEFT: u16 = 7;

/// Lines that what came of a command takes at most, and the command line that does the same of those.
const NOTE_MOST: u16 = 6;
const COMMAND_MOST: usize = 2;

/// Columns of a command line that are worth to be shown of one that is longer.
const COMMAND_LEAST: usize = 20;

/// Commands every pane's bottom line ends with.
const ALWAYS: &[Command] = &[Command::Palette, Command::Help, Command::Quit];

impl State {
    /// Draws the whole screen.
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            let told = format!("make this terminal larger: {} columns and {} lines at least", SMALLEST.0, SMALLEST.1);
            text::paragraph(&told, Style::new(), area, buf);
            return;
        }
        self.area.set(area);
        let line = |y: u16| Rect { y, height: 1, ..area };
        self.draw_title(line(area.y), buf);
        self.draw_screens(line(area.y + 1), buf);
        let body = self.body(area);
        self.pane().draw(&self.cx, body, buf);
        if matches!(self.cx.link, Link::Away(..)) {
            buf.set_style(body, self.cx.theme.dim());
        }
        let below =
            Rect { x: area.x + 1, y: body.bottom(), width: area.width - 2, height: area.bottom() - 1 - body.bottom() };
        text::lines(&self.note(area), 0, below, buf);
        for popup in &self.popups {
            draw_popup(&**popup, &self.cx, body, buf);
        }
        self.draw_keys(line(area.bottom() - 1), buf);
    }

    fn draw_title(&self, area: Rect, buf: &mut Buffer) {
        let theme = self.cx.theme;
        let (word, style) = match &self.cx.link {
            Link::Connecting => ("connecting".to_owned(), theme.warning()),
            Link::Up => ("running".to_owned(), theme.good()),
            Link::Away(since, _) => {
                let seconds = self.cx.now.saturating_sub(*since) / 1000;
                (format!("away for {seconds} s, shown as it was"), theme.bad())
            }
        };
        let vat = self.cx.overview.as_ref().map(|overview| format::vat(None, &overview.info.vat)).unwrap_or_default();
        let look = if self.cx.read_only { " read-only" } else { "" };
        let state_width = width(&word);
        let fixed = width(&vat) + width(look) + state_width + 4;
        let titles: Vec<String> = self.screens[self.screen].iter().map(|pane| format::line(&pane.title())).collect();
        let title = titles.join(" > ");
        // The vat's directory gives before the title does.
        let room = usize::from(area.width.saturating_sub(fixed).saturating_sub(width(&title)));
        let dir = tail(&self.cx.dir, room.max(12));
        let right = format!("{dir} {vat}{look} ");
        let from = area.right().saturating_sub(width(&right) + state_width + 1);
        let room = usize::from(from.saturating_sub(area.x + 2));
        buf.set_stringn(area.x + 1, area.y, text::clip(&title, room), room, theme.title());
        let (x, _) = buf.set_stringn(from, area.y, right, usize::from(area.right() - from), theme.dim());
        buf.set_stringn(x, area.y, word, usize::from(area.right() - x), style);
    }

    /// What the screens are called in a line of that width, and where each name stands, its number in front.
    fn screens(&self, area: Rect) -> impl Iterator<Item = (u16, String, &'static str)> {
        let all: usize = SCREENS.iter().map(|screen| screen.title.len() + 3).sum();
        let here = self.screen;
        let mut x = area.x + 1;
        SCREENS.iter().enumerate().map(move |(number, screen)| {
            // On a narrow screen the others are their numbers and first letters.
            let whole = all < usize::from(area.width) || here == number;
            let name = if whole { screen.title } else { screen.title.get(..4).unwrap_or(screen.title) };
            let (from, number) = (x, (number + 1).to_string());
            x = x.saturating_add(width(&number) + width(name) + 2);
            (from, number, name)
        })
    }

    /// The screen whose name is drawn in that column.
    pub(super) fn screen_at(&self, x: u16) -> Option<usize> {
        let on = |(from, number, name): (u16, String, &str)| x >= from && x <= from + width(&number) + width(name);
        self.screens(self.area.get()).position(on)
    }

    fn draw_screens(&self, area: Rect, buf: &mut Buffer) {
        let theme = self.cx.theme;
        for (place, (x, number, name)) in self.screens(area).enumerate() {
            let style = if place == self.screen { theme.title() } else { theme.dim() };
            let room = |x: u16| usize::from(area.right().saturating_sub(x));
            let (after, _) = buf.set_stringn(x, area.y, number, room(x), theme.key());
            buf.set_stringn(after, area.y, format!(" {name}"), room(after), style);
        }
    }

    /// What came of the last command, in the lines it takes on a screen of that size, and the command line that does
    /// the same: beside it where both fit, else below. Why the vat does not answer stands there when nothing else does.
    fn note(&self, area: Rect) -> Vec<Line<'static>> {
        let theme = self.cx.theme;
        let width = usize::from(area.width.saturating_sub(2));
        let most = usize::from(area.height.saturating_sub(LEFT).clamp(1, NOTE_MOST));
        let (tone, text, command) = match (&self.note, &self.cx.link) {
            (Some(Note { tone, text, command }), _) => (*tone, text, command.as_deref()),
            (None, Link::Away(_, why)) => (Tone::Bad, why, None),
            (None, _) => return Vec::new(),
        };
        let mut lines = at_most(text::wrapped(text, theme.tone(tone), width), most, width);
        let Some(command) = command else { return lines };
        let room = lines.first().map_or(0, |line| width.saturating_sub(line.width() + 4));
        let command = format::line(command);
        let beside = lines.len() == 1 && (command.width() <= room || (most == 1 && room > COMMAND_LEAST));
        if let ([line], true) = (lines.as_mut_slice(), beside) {
            let command = text::clip(&command, room);
            line.spans.push(Span::raw(" ".repeat(room + 4 - command.width())));
            line.spans.push(Span::styled(command, theme.dim()));
        } else if lines.len() < most {
            let room = (most - lines.len()).min(COMMAND_MOST);
            lines.extend(at_most(text::broken(Line::styled(command, theme.dim()), width), room, width));
        }
        lines
    }

    /// Where the pane stands on a screen of that size.
    pub(super) fn body(&self, area: Rect) -> Rect {
        let note = u16::try_from(self.note(area).len()).unwrap_or(u16::MAX).max(1);
        Rect { y: area.y + 2, height: area.height.saturating_sub(note + 3), ..area }
    }

    /// What keys do in the pane, key and word.
    fn keys(&self) -> Vec<(String, String)> {
        let thing = self.thing();
        let back = Some(Command::Back).filter(|_| self.screens[self.screen].len() > 1);
        let into = Some(Command::Into).filter(|_| self.pane().leads(&self.cx));
        let commands = into.into_iter().chain(back).chain(self.pane().commands());
        let allowed = commands.filter(|command| command::allowed(*command, &thing, self.cx.read_only).is_ok());
        allowed.filter_map(|command| named(command, self.pane().told(command))).collect()
    }

    fn draw_keys(&self, area: Rect, buf: &mut Buffer) {
        let theme = self.cx.theme;
        buf.set_style(area, theme.bar());
        let (keys, always) = match self.popups.last() {
            Some(popup) => {
                let keys = popup.keys().into_iter().map(|(key, word)| (key.to_owned(), word.to_owned()));
                (keys.collect(), Vec::new())
            }
            None => (self.keys(), ALWAYS.iter().filter_map(|command| named(*command, None)).collect()),
        };
        let wide =
            |keys: &[(String, String)]| keys.iter().map(|(key, word)| key.width() + word.width() + 3).sum::<usize>();
        let reserved = wide(&always);
        let mut x = area.x + 1;
        let end = area.right().saturating_sub(u16::try_from(reserved).unwrap_or(0));
        let mut put = |x: u16, (key, word): &(String, String)| {
            let (after, _) = buf.set_stringn(x, area.y, key, usize::from(area.right().saturating_sub(x)), theme.key());
            let room = usize::from(area.right().saturating_sub(after));
            let (after, _) = buf.set_stringn(after, area.y, format!(" {word}"), room, theme.dim());
            after + 2
        };
        for each in &keys {
            // What does not fit is in the help.
            if usize::from(end.saturating_sub(x)) < each.0.width() + each.1.width() + 3 {
                break;
            }
            x = put(x, each);
        }
        x = end;
        for each in &always {
            x = put(x, each);
        }
    }
}

/// The first of the lines, the last of those with a mark if there are more.
fn at_most(mut lines: Vec<Line<'static>>, most: usize, width: usize) -> Vec<Line<'static>> {
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let cut = text::clip(&last.to_string(), width.saturating_sub(2));
            *last = Line::styled(format!("{}..", cut.trim_end_matches('.')), last.style);
        }
    }
    lines
}

/// A command's key and its word, where the pane does not call it otherwise.
fn named(command: Command, told: Option<Told>) -> Option<(String, String)> {
    let entry = command::entry_of(command)?;
    let word = told.map_or(entry.word, |(word, _)| word);
    Some((command::label(*entry.keys.first()?), word.to_owned()))
}

fn draw_popup(popup: &dyn Popup, cx: &Context, room: Rect, buf: &mut Buffer) {
    let (width, height) = popup.size(cx, room);
    let (width, height) = (width.min(room.width), height.min(room.height));
    let area = Rect { x: room.x + (room.width - width) / 2, y: room.y + (room.height - height) / 2, width, height };
    Clear.render(area, buf);
    let border = if cx.theme.ascii { ASCII } else { BorderType::Rounded.to_border_set() };
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(border)
        .border_style(cx.theme.title())
        .title(format!(" {} ", format::line(&popup.title())));
    let inner = block.inner(area);
    block.render(area, buf);
    popup.draw(cx, Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }, buf);
}

/// Edges of a popup where only ASCII may be drawn.
const ASCII: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The end of a path, which says most.
fn tail(path: &str, width: usize) -> String {
    let path = format::line(path);
    let count = path.chars().count();
    if count <= width {
        return path;
    }
    let kept: String = path.chars().skip(count - width.saturating_sub(2)).collect();
    format!("..{kept}")
}

#[cfg(test)]
mod tests {
    use super::super::event::{Do, Event};
    use super::super::script::Script;
    use super::*;

    fn said(text: &str, command: &str) -> Script {
        let mut script = Script::new(true);
        let note = Note { command: Some(command.to_owned()), ..Note::bad(text) };
        script.state.perform(vec![Do::Say(note)], &mut Vec::new());
        script
    }

    #[test]
    fn what_came_of_a_command_can_be_read_to_its_end() {
        let text =
            format!("/srv/vat.backup is there already: {}choose another FILE", "one must not be lost, ".repeat(5));
        let script = said(&text, &format!("qrt backup /srv/vat {}", "x".repeat(100)));
        script.shows(&["/srv/vat.backup is there", "another FILE\n", "\n qrt backup /srv/vat x", "xxx\n Enter into"]);
        let drawn = script.drawn_at(160, 24);
        assert!(drawn.contains("choose another\n FILE\n") && drawn.contains("qrt backup"), "{drawn}");
    }

    #[test]
    fn the_command_stands_beside_what_came_of_it_where_both_fit() {
        let drawn = said("queued as in:7", "qrt send /v").drawn();
        let line = drawn.lines().nth(22).expect("the line above the keys");
        assert!(
            line.starts_with(" queued as in:7  ") && line.ends_with("  qrt send /v") && line.len() == 79,
            "{drawn}"
        );
    }

    #[test]
    fn what_is_too_long_for_any_screen_is_marked_and_leaves_the_pane_its_room() {
        for (width, height, lines) in [(40, 8, 1), (80, 24, 6)] {
            let drawn = said(&"a word ".repeat(500), "qrt send").drawn_at(width, height);
            let mut said = drawn.lines().filter(|line| line.contains(" word a "));
            assert_eq!(said.clone().count(), lines, "{drawn}");
            assert!(said.next_back().is_some_and(|line| line.ends_with("..")), "{drawn}");
        }
    }

    #[test]
    fn a_screen_that_is_too_small_says_how_large_it_must_be() {
        let drawn = Script::new(true).drawn_at(30, 8).replace('\n', " ");
        assert!(drawn.starts_with("make this terminal larger: 40 columns and 8 lines at least"), "{drawn}");
    }

    #[test]
    fn why_the_vat_is_away_can_be_read_to_its_end() {
        let mut script = Script::new(true);
        script.event(Event::Away("no daemon is running, and nobody has started one since, ".repeat(2) + "start it"));
        script.shows(&["no daemon", " start it\n Enter into"]);
    }
}
