//! Anything by its name: commands that fit what is selected, screens, objects and peers.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use qrt_shared::control::Listing;
use qrt_shared::view::{ObjectRow, Peer};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::super::Context;
use super::super::command::{self, COMMANDS, Command, Entry, Motion};
use super::super::event::Do;
use super::super::panes::SCREENS;
use super::super::popup::Popup;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::text;
use super::prompt;
use crate::format;

/// Objects and peers that are offered at once, of each.
const OFFERED: u64 = 20;

/// What can be picked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pick {
    Command(Command),
    Screen(usize),
    Thing(Thing),
}

/// Objects among which some letters of a name are enough.
const FIRST: u64 = 100;

/// A row: what it is, what it says, and what picking it does.
struct Row {
    kind: &'static str,
    name: String,
    told: String,
    keys: String,
    pick: Pick,
}

/// The search.
pub(super) struct Palette {
    text: prompt::Line,
    /// Commands that fit what is selected.
    commands: Vec<&'static Entry>,
    /// Objects that have the text in their names; and the first of the vat, where some of its letters may do.
    objects: Vec<ObjectRow>,
    first: Vec<ObjectRow>,
    peers: Vec<Peer>,
    picked: usize,
}

impl Palette {
    /// A search among everything that goes with `thing`.
    pub(super) fn new(thing: &Thing, cx: &Context) -> Self {
        let offered = |entry: &&Entry| {
            !matches!(entry.command, Command::Palette | Command::Move(_))
                && command::allowed(entry.command, thing, cx.read_only).is_ok()
        };
        let commands = COMMANDS.iter().filter(offered).collect();
        Self {
            text: prompt::Line::default(),
            commands,
            objects: Vec::new(),
            first: Vec::new(),
            peers: Vec::new(),
            picked: 0,
        }
    }

    fn listing(&self) -> Listing {
        Listing { filter: self.text.text.trim().to_owned(), limit: Some(OFFERED), ..Listing::default() }
    }

    /// The vat's first objects, whatever they are called.
    fn listing_first() -> Listing {
        Listing { limit: Some(FIRST), ..Listing::default() }
    }

    /// What fits the text, the best first.
    fn rows(&self) -> Vec<Row> {
        let commands = self.commands.iter().map(|entry| {
            let keys: Vec<_> = entry.keys.iter().map(|key| command::label(*key)).collect();
            let (name, told) = (entry.word.to_owned(), entry.help.to_owned());
            Row { kind: "command", name, told, keys: keys.join(" "), pick: Pick::Command(entry.command) }
        });
        let screens = SCREENS.iter().enumerate().map(|(number, screen)| Row {
            kind: "screen",
            name: screen.title.to_owned(),
            told: "go to the screen".to_owned(),
            keys: (number + 1).to_string(),
            pick: Pick::Screen(number),
        });
        let known = |row: &&ObjectRow| self.objects.iter().all(|object| object.qrid != row.qrid);
        let objects = self.objects.iter().chain(self.first.iter().filter(known)).map(|row| {
            let ObjectRow { qrid, name, held, .. } = row;
            let thing = Thing::Object { qrid: qrid.clone(), name: name.clone(), held: *held };
            found("object", format::object(name.as_ref(), qrid), qrid.to_string(), thing)
        });
        let peers = self.peers.iter().map(|row| {
            let thing = Thing::Peer { vat: row.vat, name: row.name.clone(), held: row.held };
            found("peer", format::vat(row.name.as_ref(), &row.vat), row.vat.to_string(), thing)
        });
        let rows = commands.chain(screens).chain(objects).chain(peers);
        let sought = &self.text.text;
        // Of a name some letters are enough; in longer texts they would be everywhere.
        let letters = Pattern::parse(sought, CaseMatching::Ignore, Normalization::Smart);
        let words = Pattern::new(sought, CaseMatching::Ignore, Normalization::Smart, AtomKind::Substring);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buf = Vec::new();
        // A name says more than what is told of it.
        let mut score = |row: &Row| {
            let mut of = |pattern: &Pattern, text: &str| pattern.score(Utf32Str::new(text, &mut buf), &mut matcher);
            of(&letters, &row.name).map(|score| score + 1000).or_else(|| of(&words, &row.told))
        };
        let mut rows: Vec<_> = rows.filter_map(|row| Some((score(&row)?, row))).collect();
        rows.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn pick(&self) -> Vec<Do> {
        let Some(row) = self.rows().into_iter().nth(self.picked) else { return Vec::new() };
        let then = match row.pick {
            Pick::Command(command) => vec![Do::Run(command)],
            Pick::Screen(number) => vec![Do::Screen(number)],
            Pick::Thing(thing) => super::go(&thing),
        };
        [Do::Close].into_iter().chain(then).collect()
    }

    fn go(&mut self, motion: Motion) {
        let last = self.rows().len().saturating_sub(1);
        self.picked = match motion {
            Motion::Up => self.picked.saturating_sub(1),
            Motion::Down => (self.picked + 1).min(last),
            Motion::PageUp => self.picked.saturating_sub(10),
            Motion::PageDown => (self.picked + 10).min(last),
            _ => self.picked,
        };
    }

    /// What has come changes the rows: the pick stays on its row, unless it is on the first.
    fn keep(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.rows().into_iter().nth(self.picked).map(|row| row.pick);
        change(self);
        let place = self.rows().iter().position(|row| Some(&row.pick) == before.as_ref());
        if self.picked > 0 {
            self.picked = place.unwrap_or(0);
        }
    }
}

fn found(kind: &'static str, name: String, told: String, thing: Thing) -> Row {
    Row { kind, name, told, keys: String::new(), pick: Pick::Thing(thing) }
}

impl Popup for Palette {
    fn title(&self) -> String {
        "Find".to_owned()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("Enter", "do it, or go there"), ("Up Down", "pick"), ("Ctrl-U", "empty it"), ("Esc", "close")]
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Objects(self.listing()), Query::Objects(Self::listing_first()), Query::Peers(self.listing())]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        match (query, data) {
            (Query::Objects(listing), Data::Objects(page)) if *listing == self.listing() => {
                self.keep(|palette| palette.objects.clone_from(&page.items));
            }
            (Query::Objects(listing), Data::Objects(page)) if *listing == Self::listing_first() => {
                self.keep(|palette| palette.first.clone_from(&page.items));
            }
            (Query::Peers(listing), Data::Peers(page)) if *listing == self.listing() => {
                self.keep(|palette| palette.peers.clone_from(&page.items));
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return vec![Do::Close],
            KeyCode::Enter => return self.pick(),
            KeyCode::Char('p') if control => self.go(Motion::Up),
            KeyCode::Char('n') if control => self.go(Motion::Down),
            KeyCode::Up => self.go(Motion::Up),
            KeyCode::Down => self.go(Motion::Down),
            KeyCode::PageUp => self.go(Motion::PageUp),
            KeyCode::PageDown => self.go(Motion::PageDown),
            _ => {
                if self.text.key(key) {
                    self.picked = 0;
                }
            }
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str) {
        self.text.insert(text.trim());
        self.picked = 0;
    }

    fn scroll(&mut self, motion: Motion) {
        self.go(motion);
    }

    fn size(&self, _: &Context, room: Rect) -> (u16, u16) {
        (room.width.min(110), room.height.min(30))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let theme = cx.theme;
        text::row(Line::styled(":", theme.key()), area, buf);
        self.text.draw(true, cx, Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area }, buf);
        let rows = self.rows();
        let line = |row: &Row| {
            // The keys are there however long the rest is.
            let room = usize::from(area.width).saturating_sub(9 + 19 + row.keys.width() + 2);
            Line::from(vec![
                Span::styled(format!("{:<9}", row.kind), theme.dim()),
                Span::styled(format!("{:<18} ", format::clip(&row.name, 18)), theme.name()),
                Span::styled(text::clip(&format::line(&row.told), room), theme.plain()),
                Span::styled(format!("  {}", row.keys), theme.key()),
            ])
        };
        let lines: Vec<_> = rows.iter().map(line).collect();
        let below = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
        if lines.is_empty() {
            text::paragraph("nothing is called like this", theme.dim(), below, buf);
        }
        text::choice(&lines, Some(self.picked), cx, below, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::script::{Script, object, page};

    #[test]
    fn a_command_is_found_by_some_of_its_letters() {
        let mut script = Script::new(true);
        script.typed(":bckp");
        let drawn = script.drawn();
        assert!(drawn.contains("command  backup"), "{drawn}");
        script.key(KeyCode::Enter);
        assert!(script.drawn().contains("+ Backup -"), "{}", script.drawn());
    }

    #[test]
    fn what_is_too_long_is_marked_and_its_keys_are_there() {
        let mut script = Script::new(true);
        script.typed("2");
        script.objects(&[object("counter")]);
        script.typed(":set key");
        script.shows(&["a new one..  m"]);
    }

    #[test]
    fn what_does_not_fit_the_selection_is_not_offered() {
        let mut script = Script::new(true);
        script.typed(":hold");
        assert!(!script.drawn().contains("command  hold"), "{}", script.drawn());
        script.key(KeyCode::Esc);
        script.typed("2");
        script.objects(&[object("counter")]);
        script.typed(":hold");
        assert!(script.drawn().contains("command  hold"), "{}", script.drawn());
    }

    #[test]
    fn an_object_is_found_by_its_name_and_gone_to() {
        let mut script = Script::new(false);
        script.typed(":count");
        script.objects(&[object("counter")]);
        assert!(script.drawn().contains("object   counter"), "{}", script.drawn());
        script.key(KeyCode::Enter);
        assert!(script.drawn().starts_with(" Objects > counter "), "{}", script.drawn());
        script.typed(":count");
        script.key(KeyCode::Enter);
        assert!(
            script.drawn().starts_with(" Objects > counter "),
            "from the list, not from itself: {}",
            script.drawn()
        );
    }

    #[test]
    fn some_letters_of_a_name_are_enough_and_of_a_help_they_are_not() {
        let mut script = Script::new(true);
        script.typed(":cntr");
        let first = Query::Objects(Palette::listing_first());
        script.loaded(first, Data::Objects(page(vec![object("counter")])));
        let drawn = script.drawn();
        assert!(drawn.contains("object   counter") && !drawn.contains("command "), "{drawn}");
    }

    #[test]
    fn a_screen_is_gone_to_by_its_name() {
        let mut script = Script::new(true);
        script.typed(":outbox");
        script.key(KeyCode::Enter);
        assert!(script.drawn().starts_with(" Outbox"), "{}", script.drawn());
    }
}
