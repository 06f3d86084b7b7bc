//! A message to send: the object, its arguments, and what becomes of it.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use qrt_shared::control::Listing;
use qrt_shared::id::{MessageName, Subject, Target};
use qrt_shared::view::{Awaited, ObjectRow, Turn, Why};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::Motion;
use super::super::event::{Answer, Do};
use super::super::popup::Popup;
use super::super::query::{Data, Query};
use super::super::request::{Reply, Request};
use super::super::thing::Thing;
use super::super::widgets::text;
use super::super::written::Draft;
use super::did;
use super::editor::Editor;
use super::prompt;
use super::report::wheel;
use crate::cli;
use crate::format;

/// Objects that are offered at once.
const OFFERED: u64 = 20;

/// Lines they have at most.
const OFFERED_LINES: u16 = 6;

/// Where typed keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Target,
    Args,
}

/// A message on its way.
struct Sent {
    request: Request,
    at: u64,
    /// Its name, as soon as it is durable.
    message: Option<MessageName>,
    /// Why the vat did not take it.
    refused: Option<String>,
    /// What keeps it from being handled.
    waits: Option<Why>,
    became: Option<Awaited>,
    turn: Option<Box<Turn>>,
}

/// A message to send.
pub(super) struct Compose {
    target: prompt::Line,
    args: Editor,
    focus: Focus,
    /// Objects that have the text of the target in their names; `None` when they are not known yet.
    found: Option<Vec<ObjectRow>>,
    picked: Option<usize>,
    refused: Option<String>,
    /// Which of the arguments sent earlier are shown, counted from the newest.
    earlier: Option<usize>,
    sent: Option<Sent>,
    top: Cell<usize>,
}

impl Compose {
    /// A message to what is selected, or to whom the last one was for.
    pub(super) fn new(thing: &Thing, cx: &Context) -> Self {
        let target = match thing {
            Thing::Object { name: Some(name), .. } => name.to_string(),
            thing => thing.object().map_or_else(|| cx.written.last().to_owned(), ToString::to_string),
        };
        let focus = if target.is_empty() { Focus::Target } else { Focus::Args };
        let check = |text: &str| cli::value(text, "args").map(|_| ());
        Self {
            args: Editor::new(cx.written.draft(&target), check),
            target: prompt::Line::new(target),
            focus,
            found: None,
            picked: None,
            refused: None,
            earlier: None,
            sent: None,
            top: Cell::default(),
        }
    }

    fn listing(&self) -> Listing {
        Listing { filter: self.target.text.trim().to_owned(), limit: Some(OFFERED), ..Listing::default() }
    }

    /// What would be sent; if nothing can be, why.
    fn request(&self) -> Result<Request, String> {
        let target = self.target.text.trim();
        if target.is_empty() {
            return Err("to which object? Its petname or its QRID is wanted".to_owned());
        }
        let target: Target = target.parse().map_err(|error: qrt_shared::id::Error| error.to_string())?;
        if let Some(wrong) = self.args.wrong() {
            return Err(wrong.to_owned());
        }
        Ok(Request::Send { target, args: self.args.text() })
    }

    fn send(&mut self, cx: &Context) -> Vec<Do> {
        let unanswered = |sent: &Sent| sent.message.is_none() && sent.refused.is_none();
        if self.sent.as_ref().is_some_and(unanswered) {
            self.refused = Some("the vat has not answered the last one yet".to_owned());
            return Vec::new();
        }
        match self.request() {
            Err(why) => {
                self.refused = Some(why);
                Vec::new()
            }
            Ok(request) => {
                (self.refused, self.earlier) = (None, None);
                self.top.set(0);
                let asked = request.clone();
                let at = cx.now;
                self.sent =
                    Some(Sent { request, at, message: None, refused: None, waits: None, became: None, turn: None });
                vec![Do::Ask(asked)]
            }
        }
    }

    fn leave(&self) -> Vec<Do> {
        let draft = Draft::Args { target: self.target.text.trim().to_owned(), args: self.args.text() };
        vec![Do::Remember(draft), Do::Close]
    }

    /// Takes the object that is picked, or the first that is offered, as the target.
    fn take(&mut self, picked: Option<usize>) {
        let row = picked.and_then(|picked| self.found.as_ref()?.get(picked));
        if let Some(row) = row {
            let name = row.name.as_ref().map_or_else(|| row.qrid.to_string(), ToString::to_string);
            self.target = prompt::Line::new(name);
            (self.found, self.picked) = (None, None);
        }
    }

    /// Goes on to the arguments; what was left unsent for this target is there again.
    fn go_on(&mut self, cx: &Context) {
        self.focus = Focus::Args;
        if self.args.is_empty() {
            self.args.set(cx.written.draft(self.target.text.trim()));
        }
    }

    fn target_key(&mut self, key: KeyEvent, cx: &Context) {
        let last = self.found.as_ref().map_or(0, Vec::len).checked_sub(1);
        match key.code {
            KeyCode::Down => self.picked = last.map(|last| self.picked.map_or(0, |picked| (picked + 1).min(last))),
            KeyCode::Up => self.picked = self.picked.and_then(|picked| picked.checked_sub(1)),
            KeyCode::Tab => {
                let typed = self.target.text.trim();
                let is_it = |row: &ObjectRow| row.name.as_ref().is_some_and(|name| name.to_string() == typed);
                let whole = self.found.iter().flatten().position(is_it);
                self.take(self.picked.or(whole).or(Some(0)));
                self.go_on(cx);
            }
            KeyCode::Enter => {
                self.take(self.picked);
                self.go_on(cx);
            }
            _ => {
                self.target.key(key);
                (self.found, self.picked) = (None, None);
            }
        }
    }

    fn args_key(&mut self, key: KeyEvent, cx: &Context) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::BackTab => self.focus = Focus::Target,
            KeyCode::Char('p') if control => {
                let earlier = self.earlier.map_or(0, |earlier| earlier + 1);
                self.show(Some(earlier), cx);
            }
            KeyCode::Char('n') if control => self.show(self.earlier.and_then(|earlier| earlier.checked_sub(1)), cx),
            KeyCode::PageUp => self.scroll(Motion::Up),
            KeyCode::PageDown => self.scroll(Motion::Down),
            _ => self.args.key(key),
        }
    }

    /// Shows arguments that were sent earlier; `None` shows those that were left unsent.
    fn show(&mut self, earlier: Option<usize>, cx: &Context) {
        let target = self.target.text.trim();
        let sent = cx.written.sent(target);
        match earlier {
            Some(earlier) => {
                let Some(args) = sent.iter().rev().nth(earlier) else { return };
                self.args.set(args);
            }
            None if self.earlier.is_some() => self.args.set(cx.written.draft(target)),
            None => {}
        }
        self.earlier = earlier;
    }
}

impl Sent {
    /// What became of it, line by line.
    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let theme = cx.theme;
        if let Some(why) = &self.refused {
            return text::refusal(why, theme.bad(), width);
        }
        let Some(message) = self.message else { return vec![Line::styled("asking the vat ...", theme.dim())] };
        let mut lines = vec![Line::styled(
            format!("queued as {} {}", format::message(&message), format::age(self.at, cx.now)),
            theme.good(),
        )];
        match (&self.became, &self.turn) {
            (None, _) => {
                lines.push(Line::styled("not handled yet", theme.warning()));
                let why = self.waits.iter();
                lines.extend(why.flat_map(|why| text::wrapped(&why.sentence, theme.plain(), width)));
            }
            (Some(Awaited::Ended(_)), Some(turn)) => lines.extend(did::lines(turn, cx, width)),
            (Some(awaited), _) => {
                let reply = Reply::Ended(message, awaited.clone());
                lines.extend(text::wrapped(&reply.told(), theme.tone(reply.tone()), width));
            }
        }
        lines
    }

    fn subject(&self) -> Option<Subject> {
        self.message.map(|message| match message {
            MessageName::In(number) => Subject::In(number),
            MessageName::Out(peer, seq) => Subject::Out(qrt_shared::id::PeerName::Vat(peer), seq),
        })
    }

    fn query(&self) -> Option<Query> {
        match &self.became {
            None => self.subject().map(|subject| Query::Why(Some(subject))),
            Some(Awaited::Ended(ended)) => ended.turn.map(Query::Turn),
            Some(_) => None,
        }
    }
}

impl Popup for Compose {
    fn title(&self) -> String {
        "Send a message".to_owned()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        match self.focus {
            Focus::Target => vec![
                ("Enter", "to the arguments"),
                ("Tab", "take the first"),
                ("Up Down", "pick"),
                ("Ctrl-S", "send"),
                ("Esc", "leave"),
            ],
            Focus::Args => vec![
                ("Ctrl-S F5 Alt-Enter", "send"),
                ("Esc", "leave"),
                ("Shift-Tab", "object"),
                ("Ctrl-U", "empty it"),
                ("Ctrl-P Ctrl-N", "sent"),
                ("Ctrl-R", "undo"),
            ],
        }
    }

    fn queries(&self) -> Vec<Query> {
        let objects = (self.focus == Focus::Target).then(|| Query::Objects(self.listing()));
        objects.into_iter().chain(self.sent.as_ref().and_then(Sent::query)).collect()
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        match (query, data) {
            (Query::Objects(listing), Data::Objects(page)) if *listing == self.listing() => {
                self.found = Some(page.items.clone());
                self.picked = self.picked.filter(|picked| *picked < page.items.len());
            }
            (query, data) => {
                let Some(sent) = self.sent.as_mut().filter(|sent| sent.query().as_ref() == Some(query)) else { return };
                match data {
                    Data::Why(why) => sent.waits = Some(why.clone()),
                    Data::Turn(turn) => sent.turn = Some(turn.clone()),
                    _ => {}
                }
            }
        }
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        let Some(sent) = self.sent.as_mut().filter(|sent| sent.request == *request) else { return Vec::new() };
        match answer {
            Err(why) if sent.message.is_none() => sent.refused = Some(why.clone()),
            Ok(Reply::Queued(message, _)) if sent.message.is_none() => sent.message = Some(*message),
            Ok(Reply::Ended(message, awaited)) if sent.message == Some(*message) => {
                sent.became = Some(awaited.clone());
            }
            _ => {}
        }
        Vec::new()
    }

    fn key(&mut self, key: KeyEvent, cx: &Context) -> Vec<Do> {
        match key.code {
            KeyCode::Esc => return self.leave(),
            _ if prompt::is_go(key) => return self.send(cx),
            _ => {}
        }
        self.refused = None;
        match self.focus {
            Focus::Target => self.target_key(key, cx),
            Focus::Args => self.args_key(key, cx),
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str) {
        match self.focus {
            Focus::Target => {
                self.target.insert(text.trim());
                (self.found, self.picked) = (None, None);
            }
            Focus::Args => self.args.paste(text),
        }
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&self.top, motion);
    }

    fn size(&self, _: &Context, room: Rect) -> (u16, u16) {
        (room.width.min(110), room.height.min(32))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let theme = cx.theme;
        let offered = if self.focus == Focus::Target { OFFERED_LINES } else { 0 };
        let room = area.height.saturating_sub(offered + 5);
        let typed = u16::try_from(self.args.height()).unwrap_or(u16::MAX).max(3).min(room / 2);
        let result = if self.sent.is_some() || self.refused.is_some() { room - typed } else { 0 };
        let rows = [1, offered, 1, room - result + 2, result, 1].map(Constraint::Length);
        let [to, offer, args, edit, became, line] = Layout::vertical(rows).areas(area);

        let label = |text: &str, focus: bool| {
            let mark = if focus { "> " } else { "  " };
            Line::styled(format!("{mark}{text}"), if focus { theme.title() } else { theme.dim() })
        };
        text::row(label("to", self.focus == Focus::Target), to, buf);
        let field = Rect { x: to.x + 6, width: to.width.saturating_sub(6), ..to };
        self.target.draw(self.focus == Focus::Target, cx, field, buf);
        self.draw_offer(cx, Rect { x: field.x, width: field.width, ..offer }, buf);
        let earlier = self.earlier.map_or_else(String::new, |earlier| {
            format!("   sent earlier, {} of {}", earlier + 1, cx.written.sent(self.target.text.trim()).len())
        });
        text::row(label(&format!("args{earlier}"), self.focus == Focus::Args), args, buf);
        self.args.draw(self.focus == Focus::Args, cx, Rect { x: edit.x + 2, width: edit.width - 2, ..edit }, buf);
        let width = usize::from(became.width);
        let refused = self.refused.iter().map(|why| format!("not sent: {why}"));
        let mut lines: Vec<_> = refused.flat_map(|why| text::wrapped(&why, theme.bad(), width)).collect();
        lines.extend(self.sent.iter().flat_map(|sent| sent.lines(cx, width)));
        text::scrolled(&lines, &self.top, cx, became, buf);
        if let Ok(request) = self.request() {
            let command = text::clip(&format::line(&request.line(&cx.dir)), usize::from(line.width));
            text::row(Line::styled(command, theme.dim()), line, buf);
        }
    }
}

impl Compose {
    fn draw_offer(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let theme = cx.theme;
        let lines: Vec<Line<'_>> = match &self.found {
            None => vec![Line::styled("looking ...", theme.dim())],
            Some(found) if found.is_empty() => {
                vec![Line::styled("no object of this vat has that; another vat's is named by its QRID", theme.dim())]
            }
            Some(found) => found
                .iter()
                .map(|row| {
                    let name = row.name.as_ref().map(ToString::to_string).unwrap_or_default();
                    let held = if row.held { "  held" } else { "" };
                    Line::from(vec![
                        Span::styled(format!("{name:<24} "), theme.name()),
                        Span::styled(format!("{}{held}", format::object(None, &row.qrid)), theme.dim()),
                    ])
                })
                .collect(),
        };
        text::choice(&lines, self.picked, cx, area, buf);
    }
}

#[cfg(test)]
mod tests;
