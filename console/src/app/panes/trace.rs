//! Causes and effects: the tree that a turn or a message stands in, each cause above its effects.

use std::collections::BTreeSet;

use crossterm::event::KeyEvent;
use qrt_shared::id::{MessageName, PeerName, Subject, VatId};
use qrt_shared::view::Traced;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::{self, Command, Motion};
use super::super::event::{Do, Note};
use super::super::pane::Pane;
use super::super::query::{Data, Query, Tree};
use super::super::theme::Theme;
use super::super::thing::Thing;
use super::super::widgets::sheet::{Row, Sheet};
use super::super::widgets::text;
use crate::format;

/// Levels that move a line to the right; chains are the rule, and deeper ones say how deep they are.
const LEVELS: usize = 12;

/// Characters of an error.
const ERROR_MAX: usize = 200;

/// The tree.
pub(super) struct Trace {
    subject: Subject,
    found: Option<Result<Tree, String>>,
    sheet: Sheet<Thing>,
}

impl Trace {
    pub(super) fn new(subject: Subject) -> Self {
        Self { subject, found: None, sheet: Sheet::default() }
    }

    fn query(&self) -> Query {
        Query::Trace(self.subject.clone())
    }
}

/// Whether nothing more will come of the steps: a tree is expensive to ask for.
pub(super) fn settled<'a>(mut steps: impl Iterator<Item = &'a Traced>) -> bool {
    steps.all(|step| !matches!(step.state.as_str(), "queued" | "unacknowledged"))
}

/// What a step is.
pub(super) fn thing(step: &Traced) -> Option<Thing> {
    match (step.turn, step.message, &step.object) {
        (_, Some(MessageName::Out(peer, seq)), _) => Some(Thing::Outgoing { peer, name: None, seq }),
        (Some(turn), _, Some(object)) => Some(Thing::Turn { turn, object: object.clone() }),
        (None, Some(message), Some(target)) => Some(Thing::Message { message, target: target.clone() }),
        _ => None,
    }
}

/// The vats that messages went to or came from and that the console is not attached to, or that do not answer.
fn not_followed(tree: &Tree) -> BTreeSet<VatId> {
    let away = tree.steps.iter().filter_map(|(_, step)| match step.message {
        Some(MessageName::Out(peer, _)) => Some(peer),
        _ => None,
    });
    let from = tree.steps.iter().filter_map(|(_, step)| step.from.as_ref()).map(|from| from.vat);
    away.chain(from).filter(|vat| tree.steps.iter().all(|(_, step)| step.vat != *vat)).collect()
}

/// A step in one line.
pub(super) fn step(step: &Traced, theme: Theme) -> Line<'static> {
    let style = match step.state.as_str() {
        "ok" | "acknowledged" => theme.good(),
        "error" | "killed" | "fault" => theme.bad(),
        _ => theme.warning(),
    };
    let what = match (step.turn, &step.message) {
        (_, Some(message @ MessageName::Out(..))) => format!("to {}", format::message(message)),
        (Some(turn), _) => format!("turn {turn}"),
        (None, Some(message)) => message.to_string(),
        (None, None) => "operator".to_owned(),
    };
    let mut spans = vec![Span::raw(what), Span::styled(format!("  {}", format::line(&step.state)), style)];
    if let Some(object) = &step.object {
        spans.push(Span::styled(format!("  {}", format::object(step.name.as_ref(), object)), theme.name()));
    }
    if let Some(from) = &step.from {
        spans.push(Span::styled(format!("  from vat {} #{}", format::vat(None, &from.vat), from.seq), theme.plain()));
    }
    if let Some(error) = &step.error {
        spans.push(Span::styled(format!("  {}", format::clip(error, ERROR_MAX)), theme.bad()));
    }
    if let Some(at) = step.at {
        spans.push(Span::styled(format!("  {} UTC", format::time(at)), theme.dim()));
    }
    Line::from(spans)
}

fn is(step: &Traced, subject: &Subject) -> bool {
    match (subject, step.message) {
        (Subject::Turn(turn), _) => step.turn == Some(*turn),
        (Subject::In(number), Some(MessageName::In(is))) => *number == is,
        (Subject::Out(PeerName::Vat(peer), seq), Some(MessageName::Out(to, is))) => (*peer, *seq) == (to, is),
        _ => false,
    }
}

fn rows(tree: &Tree, asked: &Subject, theme: Theme) -> Vec<Row<Thing>> {
    let rows = tree.steps.iter().map(|(depth, traced)| {
        let own = traced.vat == tree.vat;
        let deep = if *depth > LEVELS { format!("{depth}: ") } else { String::new() };
        let branch = if *depth > 0 { theme.mark("└ ", "- ") } else { "" };
        let before =
            Span::styled(format!("{}{branch}{deep}", "  ".repeat((*depth).saturating_sub(1).min(LEVELS))), theme.dim());
        let mut line = step(traced, theme);
        line.spans.insert(0, before);
        if !own {
            line.spans.insert(1, Span::styled(format!("{} ", format::vat(None, &traced.vat)), theme.dim()));
        }
        if own && is(traced, asked) {
            // Before what may be longer than the screen is wide.
            line.spans.insert(3, Span::styled("  <- here", theme.title()));
        }
        // What has a number in another vat is something else here.
        Row::new(thing(traced).filter(|_| own), line)
    });
    let ends = not_followed(tree).into_iter().map(|vat| {
        let told = format!("not followed into vat {}: attach to its directory with --also", format::vat(None, &vat));
        Row::plain(Line::styled(told, theme.dim()))
    });
    rows.chain(ends).collect()
}

impl Pane for Trace {
    fn title(&self) -> String {
        let subject = match &self.subject {
            Subject::Turn(turn) => format!("turn {turn}"),
            Subject::Out(PeerName::Vat(vat), seq) => format!("{}#{seq}", format::vat(None, vat)),
            subject => subject.to_string(),
        };
        format!("Causes and effects of {subject}")
    }

    fn queries(&self) -> Vec<Query> {
        match &self.found {
            Some(Ok(tree)) if settled(tree.steps.iter().map(|(_, step)| step)) => Vec::new(),
            _ => vec![self.query()],
        }
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let Data::Trace(tree) = data
            && *query == self.query()
        {
            let own = |step: &Traced| step.vat == tree.vat && is(step, &self.subject);
            let asked = tree.steps.iter().find(|(_, step)| own(step)).and_then(|(_, step)| thing(step));
            match asked.filter(|_| self.found.is_none()) {
                Some(asked) => self.sheet.select(asked),
                None => self.sheet.renew(),
            }
            self.found = Some(Ok(tree.clone()));
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if *query == self.query() {
            self.found = Some(Err(why.to_owned()));
        }
    }

    fn thing(&self) -> Thing {
        self.sheet.selected().unwrap_or(Thing::Vat)
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Option<Vec<Do>> {
        let nothing = self.sheet.selected().is_none() && matches!(self.found, Some(Ok(_)));
        let told = "this is nothing of this vat's that one could go into: v goes to the next vat";
        (nothing && command::of(key) == Some(Command::Into)).then(|| vec![Do::Say(Note::dim(told))])
    }

    fn go(&mut self, motion: Motion) {
        self.sheet.go(motion);
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
    }

    fn commands(&self) -> Vec<Command> {
        vec![Command::Trace, Command::Why, Command::Replay, Command::Reach, Command::Copy]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match &self.found {
            None => text::paragraph("following causes and effects ...", cx.theme.dim(), area, buf),
            Some(Err(why)) => text::paragraph(why, cx.theme.bad(), area, buf),
            Some(Ok(tree)) => self.sheet.draw(0, cx, area, buf, |_| rows(tree, &self.subject, cx.theme)),
        }
    }
}
