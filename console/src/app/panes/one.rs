//! The pane of one thing: what there is to say about it, and where it can, why it does not go on. What the thing is
//! says [`Whole`].

use qrt_shared::control::{At, Listing};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::Context;
use super::super::command::{self, Command, Entry, Motion};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::fields::Fields;
use super::super::widgets::reason::Reason;
use super::super::widgets::sheet::{Row, Sheet};
use super::super::widgets::text;

/// A kind of thing.
pub(super) trait Whole: 'static {
    /// What is known of it.
    type View;
    /// What is said once it is there no more.
    const GONE: &'static str;
    /// Whether it can be asked why it does not go on.
    const BLOCKS: bool;
    /// The commands for the bottom line.
    const COMMANDS: &'static [Command];

    /// What asks for it.
    fn query(&self) -> Query;

    /// What an answer to that says of it, if it is one.
    fn found(&self, data: &Data) -> Option<Found<Self::View>>;

    /// What it is, by what is known of it.
    fn thing(&self, view: Option<&Self::View>) -> Thing;

    /// What there is to say about it. Of what cannot be asked why, nothing depends on `now`.
    fn lines(&self, view: &Self::View, fields: Fields, now: u64) -> Vec<Line<'static>>;

    /// What one goes into from it.
    fn inner(&self, view: Option<&Self::View>) -> Option<Box<dyn Pane>>;
}

/// What was found of a thing.
pub(super) enum Found<V> {
    /// It is there.
    Here(V),
    /// It is there no more.
    Gone,
}

impl<V> From<Option<V>> for Found<V> {
    fn from(view: Option<V>) -> Self {
        view.map_or(Self::Gone, Self::Here)
    }
}

/// A thing.
pub(super) struct One<W: Whole> {
    whole: W,
    view: Option<W::View>,
    reason: Option<Reason>,
    /// Whether it is there no more.
    gone: bool,
    /// Why what is shown is not how it is.
    missing: Option<String>,
    sheet: Sheet<()>,
}

impl<W: Whole> One<W> {
    pub(super) fn new(whole: W) -> Self {
        let reason = W::BLOCKS.then(|| Reason::new(whole.thing(None).subject()));
        Self { whole, view: None, reason, gone: false, missing: None, sheet: Sheet::default() }
    }

    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let fields = Fields { theme: cx.theme, width };
        let mut lines: Vec<_> = self.missing.iter().flat_map(|why| fields.said(why, fields.theme.warning())).collect();
        if let (Some(reason), None) = (&self.reason, &self.missing) {
            lines.extend(reason.lines(cx.theme, width));
        }
        if let Some(view) = &self.view {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.extend(self.whole.lines(view, fields, cx.now));
        }
        lines
    }
}

/// The page of a list that begins with the row of this number.
pub(super) fn from(number: u64) -> Listing {
    Listing { at: At::After(number.saturating_sub(1)), limit: Some(1), ..Listing::default() }
}

impl<W: Whole> Pane for One<W> {
    fn title(&self) -> String {
        let thing = self.thing();
        match &thing {
            Thing::Turn { turn, .. } => format!("Turn {turn}"),
            Thing::Fault { id, .. } => format!("Fault {id}"),
            Thing::Peer { .. } => format!("Peer {}", thing.called()),
            _ => format!("Message {}", thing.called()),
        }
    }

    fn queries(&self) -> Vec<Query> {
        [self.whole.query()].into_iter().chain(self.reason.iter().map(Reason::query)).collect()
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let Some(reason) = &mut self.reason {
            reason.loaded(query, data);
        }
        if *query == self.whole.query()
            && let Some(found) = self.whole.found(data)
        {
            self.gone = matches!(found, Found::Gone);
            match found {
                Found::Here(view) => (self.view, self.missing) = (Some(view), None),
                Found::Gone => self.missing = Some(W::GONE.to_owned()),
            }
        }
        self.sheet.renew();
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if let Some(reason) = &mut self.reason {
            reason.refused(query, why);
        }
        if *query == self.whole.query() {
            self.missing = Some(why.to_owned());
        }
        self.sheet.renew();
    }

    fn thing(&self) -> Thing {
        self.whole.thing(self.view.as_ref())
    }

    fn go(&mut self, motion: Motion) {
        self.sheet.go(motion);
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
    }

    fn into(&self, _: &Context) -> Option<Box<dyn Pane>> {
        self.whole.inner(self.view.as_ref())
    }

    fn commands(&self) -> Vec<Command> {
        // What is there no more can only be looked at.
        let looks = |command: &Command| command::entry_of(*command).is_some_and(Entry::looks);
        W::COMMANDS.iter().copied().filter(|command| !self.gone || looks(command)).collect()
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        if self.view.is_none() && self.missing.is_none() {
            text::paragraph("reading ...", cx.theme.dim(), area, buf);
            return;
        }
        // Lines that say how long ago something was are out of date after a second.
        self.sheet
            .draw(cx.now / 1000, cx, area, buf, |width| self.lines(cx, width).into_iter().map(Row::plain).collect());
    }
}
