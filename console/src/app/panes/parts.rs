//! A pane of several parts, one of which is shown and has the keys. Tab goes through them.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

use super::super::Context;
use super::super::command::{self, Command, Motion};
use super::super::event::{Answer, Do, Note};
use super::super::pane::{Pane, Told};
use super::super::query::{Data, Query};
use super::super::request::Request;
use super::super::thing::Thing;
use super::super::widgets::text;
use crate::format;

/// The parts, and whose they are.
pub(super) struct Parts {
    title: String,
    /// What it is that one has gone into.
    of: Thing,
    panes: Vec<(&'static str, Box<dyn Pane>)>,
    shown: usize,
}

impl Parts {
    /// Parts by their names; the first is shown.
    pub(super) fn new(title: String, of: Thing, panes: Vec<(&'static str, Box<dyn Pane>)>) -> Self {
        Self { title, of, panes, shown: 0 }
    }

    /// Shows another part.
    pub(super) fn show(mut self, shown: usize) -> Self {
        self.shown = shown;
        self
    }

    fn part(&self) -> &dyn Pane {
        &*self.panes[self.shown].1
    }

    fn part_mut(&mut self) -> &mut dyn Pane {
        &mut *self.panes[self.shown].1
    }

    /// The columns from which the parts' names stand, a blank or bracket around each.
    fn names(&self) -> impl Iterator<Item = (u16, &'static str)> {
        self.panes.iter().scan(0_u16, |x, (name, _)| {
            let from = *x;
            *x = x.saturating_add(u16::try_from(name.len()).unwrap_or(u16::MAX)).saturating_add(2);
            Some((from, *name))
        })
    }

    fn strip(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let theme = cx.theme;
        let mut x = area.x;
        for (number, (from, name)) in self.names().enumerate() {
            // Brackets say the same where there is no bold.
            let (text, style) = if number == self.shown {
                (format!("[{name}]"), theme.title())
            } else {
                (format!(" {name} "), theme.dim())
            };
            let from = area.x.saturating_add(from);
            (x, _) = buf.set_stringn(from, area.y, text, usize::from(area.right().saturating_sub(from)), style);
        }
        let room = usize::from(area.right().saturating_sub(x + 2));
        let told = Some(self.part().title()).filter(|told| *told != self.title).unwrap_or_default();
        let told = text::clip(&format::line(&told), room);
        let from = area.right().saturating_sub(u16::try_from(told.width()).unwrap_or(0));
        buf.set_stringn(from, area.y, told, room, theme.plain().add_modifier(Modifier::ITALIC));
    }
}

impl Pane for Parts {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn queries(&self) -> Vec<Query> {
        self.part().queries()
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        for (_, part) in &mut self.panes {
            part.loaded(query, data);
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        for (_, part) in &mut self.panes {
            part.refused(query, why);
        }
    }

    fn answered(&mut self, request: &Request, answer: &Answer) {
        self.part_mut().answered(request, answer);
    }

    fn thing(&self) -> Thing {
        match self.part().thing() {
            Thing::Vat => self.of.clone(),
            thing => thing,
        }
    }

    fn go(&mut self, motion: Motion) {
        self.part_mut().go(motion);
    }

    fn click(&mut self, column: u16, row: u16) {
        if let Some(row) = row.checked_sub(1) {
            self.part_mut().click(column, row);
        } else {
            let before = self.names().take_while(|(from, _)| *from <= column).count();
            self.shown = before.saturating_sub(1);
        }
    }

    fn key(&mut self, key: KeyEvent, cx: &Context) -> Option<Vec<Do>> {
        let done = self.part_mut().key(key, cx);
        if done.is_none() && command::of(key) == Some(Command::Into) && !self.leads(cx) {
            return Some(vec![Do::Say(Note::dim("Tab goes on to the next part"))]);
        }
        done
    }

    fn act(&mut self, command: Command) -> Vec<Do> {
        let count = self.panes.len();
        match command {
            Command::Focus(true) => self.shown = (self.shown + 1) % count,
            Command::Focus(false) => self.shown = (self.shown + count - 1) % count,
            command => return self.part_mut().act(command),
        }
        Vec::new()
    }

    fn told(&self, command: Command) -> Option<Told> {
        self.part().told(command)
    }

    fn filter(&mut self, text: String) {
        self.part_mut().filter(text);
    }

    fn into(&self, cx: &Context) -> Option<Box<dyn Pane>> {
        self.part().into(cx)
    }

    fn leads(&self, cx: &Context) -> bool {
        self.part().into(cx).is_some() || !self.thing().same(&self.of)
    }

    fn commands(&self) -> Vec<Command> {
        [Command::Focus(true)].into_iter().chain(self.part().commands()).collect()
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        self.strip(cx, Rect { height: 1, ..area }, buf);
        let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
        self.part().draw(cx, below, buf);
    }
}
