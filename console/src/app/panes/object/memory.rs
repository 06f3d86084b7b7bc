//! The object's memory: a tree that is opened key by key. Keys come in pages; a value that did not come whole is
//! asked for when it is opened.

use std::collections::HashMap;

use crossterm::event::KeyEvent;
use qrt_shared::control::Listing;
use qrt_shared::id::Qrid;
use qrt_shared::view::Entry;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::value::RawValue;

use super::value::{fold, folds, reference, summary};
use crate::app::Context;
use crate::app::command::{self, Command, Motion};
use crate::app::event::{Do, Note};
use crate::app::list::{self, List};
use crate::app::pane::{Pane, not_here};
use crate::app::panes::of;
use crate::app::popups;
use crate::app::query::{Data, Query};
use crate::app::theme::Theme;
use crate::app::thing::Thing;
use crate::app::widgets::sheet::{Row, Sheet};
use crate::app::widgets::text;
use crate::format;

/// The most members of an object or array that are shown.
const MEMBERS_MAX: usize = 500;

impl list::Row for Entry {
    fn key(&self) -> String {
        self.key.clone()
    }
}

/// A place in the tree: a key, and the members on the way from its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    key: String,
    members: Vec<usize>,
}

pub(super) struct Memory {
    qrid: Qrid,
    list: List<Entry>,
    open: Vec<Place>,
    /// Values that did not come with their page, and the turn that had changed them last.
    whole: HashMap<String, Entry>,
    /// The turn that had changed a key last when the operator looked at it.
    seen: HashMap<String, Option<u64>>,
    sheet: Sheet<Place>,
}

impl Memory {
    /// The memory of an object, with that key selected if it is on the first page.
    pub(super) fn new(qrid: Qrid, key: Option<String>) -> Self {
        let mut sheet = Sheet::default();
        if let Some(key) = key {
            sheet.select(Place { key, members: Vec::new() });
        }
        Self {
            qrid,
            list: List::new(Listing::default()),
            open: Vec::new(),
            whole: HashMap::new(),
            seen: HashMap::new(),
            sheet,
        }
    }

    fn entries(&self) -> Query {
        Query::Entries(self.qrid.clone(), self.list.listing())
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.list.rows()?.iter().find(|entry| entry.key == key)
    }

    /// The text of a key's value, when it is here whole.
    fn text<'a>(&'a self, entry: &'a Entry) -> Option<&'a str> {
        text_of(entry).or_else(|| text_of(self.whole.get(&entry.key)?))
    }

    /// The text of the value at a place.
    fn value(&self, place: &Place) -> Option<&str> {
        let mut text = self.text(self.entry(&place.key)?)?;
        for member in &place.members {
            (_, text) = *format::members(text).get(*member)?;
        }
        Some(text)
    }

    fn is_open(&self, place: &Place) -> bool {
        self.open.contains(place)
    }

    /// Whether there is something to open at a place.
    fn opens(&self, place: &Place) -> bool {
        self.value(place).map_or(place.members.is_empty(), folds)
    }

    fn open(&mut self, place: Place) {
        if !self.is_open(&place) && self.opens(&place) {
            self.open.push(place);
            self.sheet.renew();
        }
    }

    /// Closes a place and what is open below it.
    fn close(&mut self, place: &Place) {
        self.open.retain(|open| open.key != place.key || !open.members.starts_with(&place.members));
        if !self.open.iter().any(|open| open.key == place.key) {
            self.whole.remove(&place.key);
        }
        self.sheet.renew();
    }

    /// The key the selection is on has been looked at.
    fn look(&mut self) {
        let Some(place) = self.sheet.selected() else { return };
        if let Some(turn) = self.entry(&place.key).map(|entry| entry.turn)
            && self.seen.insert(place.key, turn) != Some(turn)
        {
            self.sheet.renew();
        }
    }

    fn rows(&self, theme: Theme, width: usize) -> Vec<Row<Place>> {
        let mut rows = Vec::new();
        for entry in self.list.rows().unwrap_or_default() {
            let place = Place { key: entry.key.clone(), members: Vec::new() };
            rows.push(Row::of(place.clone(), self.head(entry, &place, theme, width)));
            if self.is_open(&place) {
                match self.text(entry) {
                    Some(text) => self.grow(&place, text, theme, width, &mut rows),
                    None => rows.push(Row::of(place, Line::styled("    reading ...", theme.dim()))),
                }
            }
        }
        let (before, after, _) = self.list.beyond();
        if before || after {
            let told = match (before, after) {
                (true, true) => "more keys before and after",
                (true, false) => "more keys before",
                _ => "more keys after",
            };
            rows.push(Row::plain(Line::styled(format!("{told}: go on at the edge"), theme.dim())));
        }
        rows
    }

    /// The line of a key.
    fn head(&self, entry: &Entry, place: &Place, theme: Theme, width: usize) -> Line<'static> {
        let text = self.text(entry).or(entry.head.as_deref()).unwrap_or("null");
        let key = format::key(&entry.key, 40);
        let by = entry.turn.map_or_else(|| "not changed since".to_owned(), |turn| format!("turn {turn}"));
        let told = format!("  {}, {by}", format::size(entry.bytes));
        let changed = if self.seen.get(&entry.key).is_some_and(|seen| *seen != entry.turn) { "* " } else { "  " };
        let room = width.saturating_sub(key.chars().count() + told.chars().count() + 8).max(8);
        let mut spans = vec![
            Span::styled(changed, theme.warning()),
            Span::styled(fold(self.opens(place), self.is_open(place), theme), theme.dim()),
            Span::styled(key, theme.name()),
            Span::raw(": "),
        ];
        spans.extend(summary(text, self.is_open(place), room, theme).spans);
        spans.push(Span::styled(told, theme.dim()));
        Line::from(spans)
    }

    /// The lines of what is in a value.
    fn grow(&self, place: &Place, value: &str, theme: Theme, width: usize, rows: &mut Vec<Row<Place>>) {
        let members = format::members(value);
        if members.is_empty() {
            rows.extend(whole(value, place, theme, width));
        }
        let indent = " ".repeat(4 + 2 * place.members.len());
        for (number, (name, text)) in members.iter().enumerate().take(MEMBERS_MAX) {
            let mut inner = place.clone();
            inner.members.push(number);
            let name = if name.is_empty() { number.to_string() } else { format::clip(name, 40) };
            let room = width.saturating_sub(indent.len() + name.chars().count() + 4).max(8);
            let mut spans = vec![
                Span::raw(indent.clone()),
                Span::styled(fold(folds(text), self.is_open(&inner), theme), theme.dim()),
                Span::styled(name, theme.name()),
                Span::raw(": "),
            ];
            spans.extend(summary(text, self.is_open(&inner), room, theme).spans);
            rows.push(Row::of(inner.clone(), Line::from(spans)));
            if self.is_open(&inner) {
                self.grow(&inner, text, theme, width, rows);
            }
        }
        if members.len() > MEMBERS_MAX {
            let told = format!("{indent}  and {} more: qrt memory has them all", members.len() - MEMBERS_MAX);
            rows.push(Row::of(place.clone(), Line::styled(told, theme.dim())));
        }
    }
}

/// The text of an entry's value, when that is whole.
fn text_of(entry: &Entry) -> Option<&str> {
    // A value that is null reads as one that is missing.
    let missing = if entry.head.is_none() { Some("null") } else { None };
    entry.value.as_deref().map(RawValue::get).or(missing)
}

/// The beginning of a long string, in lines.
fn whole(value: &str, place: &Place, theme: Theme, width: usize) -> Vec<Row<Place>> {
    const HEAD: usize = 8 << 10;
    let indent = 6 + 2 * place.members.len();
    let lines = text::wrapped(&format::clip(value, HEAD), theme.string(), width.saturating_sub(indent));
    let lines = lines.into_iter().map(|line| {
        let indented = [Span::raw(" ".repeat(indent))].into_iter().chain(line.spans);
        Row::of(place.clone(), indented.collect::<Line<'_>>().style(line.style))
    });
    lines.collect()
}

impl Pane for Memory {
    fn title(&self) -> String {
        let marked = |entry: &&Entry| self.seen.get(&entry.key).is_some_and(|seen| *seen != entry.turn);
        let changed = self.list.rows().unwrap_or_default().iter().filter(marked).count();
        let changed = (changed > 0).then(|| format!("* {changed} changed since you looked"));
        let filter = self.list.listing().filter;
        let filter = (!filter.is_empty()).then(|| format!("keys that begin with \"{}\"", format::clip(&filter, 20)));
        filter.into_iter().chain(changed).collect::<Vec<_>>().join("; ")
    }

    fn queries(&self) -> Vec<Query> {
        let behind = |entry: &&Entry| {
            let open = self.open.iter().any(|open| open.key == entry.key);
            // A value that was read once is read again when another turn has changed it.
            open && text_of(entry).is_none() && self.whole.get(&entry.key).is_none_or(|whole| whole.turn < entry.turn)
        };
        let missing = self.list.rows().unwrap_or_default().iter().filter(behind);
        let missing = missing.map(|entry| Query::Entry(self.qrid.clone(), entry.key.clone()));
        [self.entries()].into_iter().chain(missing).collect()
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        match (query, data) {
            (Query::Entries(qrid, listing), Data::Entries(page)) if *qrid == self.qrid => {
                let before = self.list.rows().and_then(|rows| rows.first()).map(|entry| entry.key.clone());
                self.list.loaded(listing, page);
                for entry in &page.items {
                    self.seen.entry(entry.key.clone()).or_insert(entry.turn);
                }
                self.sheet.renew();
                let turned = before.is_some() && before != page.items.first().map(|entry| entry.key.clone());
                if let (true, Some(entry)) = (turned, self.list.selected()) {
                    self.sheet.select(Place { key: entry.key.clone(), members: Vec::new() });
                }
            }
            (Query::Entry(qrid, _), Data::Entry(entry)) if *qrid == self.qrid => {
                self.whole.insert(entry.key.clone(), entry.clone());
                self.sheet.renew();
            }
            _ => {}
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if *query == self.entries() {
            self.list.refuse(&self.list.listing(), why);
        }
    }

    fn thing(&self) -> Thing {
        self.sheet.selected().map_or(Thing::Vat, |place| Thing::Key { object: self.qrid.clone(), key: place.key })
    }

    fn go(&mut self, motion: Motion) {
        match (motion, self.sheet.selected()) {
            (Motion::Right, Some(place)) => self.open(place),
            (Motion::Left, Some(place)) if self.is_open(&place) => self.close(&place),
            (Motion::Left, Some(mut place)) => {
                if place.members.pop().is_some() {
                    self.sheet.select(place);
                }
            }
            (Motion::Left | Motion::Right, None) => {}
            (motion, _) => {
                if !self.sheet.go(motion) || matches!(motion, Motion::First | Motion::Last) {
                    self.list.turn(motion);
                }
            }
        }
        self.look();
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
        self.look();
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Option<Vec<Do>> {
        let Some(place) = self.sheet.selected() else {
            // Without a key, what is selected is the object: its code must not open in a key's stead.
            let edits = command::of(key) == Some(Command::Edit);
            return edits.then(|| vec![Do::Say(Note::dim("there is no key to edit: m sets a new one"))]);
        };
        if command::of(key) != Some(Command::Into) {
            return None;
        }
        if self.value(&place).is_some_and(|value| reference(value).is_some()) {
            return None;
        }
        if self.is_open(&place) {
            self.close(&place);
        } else {
            self.open(place);
        }
        self.look();
        Some(Vec::new())
    }

    fn act(&mut self, command: Command) -> Vec<Do> {
        if command != Command::Filter {
            return not_here(command);
        }
        vec![Do::Popup(popups::filter("how a key begins; nothing shows all keys", self.list.listing().filter))]
    }

    fn filter(&mut self, text: String) {
        self.list.ask(|listing| listing.filter = text);
        self.sheet.renew();
    }

    fn into(&self, _: &Context) -> Option<Box<dyn Pane>> {
        let qrid = reference(self.value(&self.sheet.selected()?)?)?;
        of(&Thing::Object { qrid, name: None, held: false })
    }

    fn commands(&self) -> Vec<Command> {
        let on_a_key = [Command::Edit, Command::Move(Motion::Right), Command::Move(Motion::Left)];
        let on_a_key = on_a_key.into_iter().filter(|_| self.sheet.selected().is_some());
        on_a_key.chain([Command::Set, Command::Filter]).collect()
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match (self.list.refused(), self.list.rows()) {
            (Some(why), _) => text::paragraph(why, cx.theme.bad(), area, buf),
            (None, None) => text::paragraph("reading ...", cx.theme.dim(), area, buf),
            (None, Some([])) => {
                let told = if self.list.listing().filter.is_empty() {
                    "no keys: what its code puts into its memory stands here after the turn that did; m sets one"
                } else {
                    "no key begins with this: / changes the filter"
                };
                text::paragraph(told, cx.theme.dim(), area, buf);
            }
            (None, Some(_)) => self.sheet.draw(0, cx, area, buf, |width| self.rows(cx.theme, width)),
        }
    }
}
