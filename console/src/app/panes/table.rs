//! The pane of a list: rows of one kind, filtered, sorted, followed. What the kind is says [`Rows`].

use std::fmt::Write as _;

use qrt_shared::control::{At, Listing};
use qrt_shared::id::{PeerName, Target};
use qrt_shared::view::{Outcome, Page};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::Context;
use super::super::command::{Command, Motion};
use super::super::event::Do;
use super::super::list::{List, Row};
use super::super::pane::{FOLLOW, Pane, Told, not_here};
use super::super::popups;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::{self, Cell};
use crate::format;

/// A kind of rows.
pub(super) trait Rows: 'static {
    /// A row.
    type Row: Row + Clone;
    /// What they are called.
    const TITLE: &'static str;
    /// What would fill the table.
    const EMPTY: &'static str;
    /// The columns' names, as `grid::list` has them.
    const HEAD: &'static [&'static str];
    /// The commands for the bottom line.
    const COMMANDS: &'static [Command];
    /// Whether new rows come at the end all the time, and are followed.
    const LIVE: bool = false;

    /// What the command to sort does here, where that is something else.
    const SORT: Option<Told> = None;

    /// What asks for a page of them.
    fn query(listing: Listing) -> Query;

    /// The page that has come, and what asked for it, if it is of this kind.
    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<Self::Row>)>;

    /// What a row is.
    fn thing(row: &Self::Row) -> Thing;

    /// A row's fields; the screen is `width` columns wide.
    fn cells(row: &Self::Row, cx: &Context, width: usize) -> Vec<Cell>;

    /// Goes on to the next order, or the next selection, of rows.
    fn sort(_listing: &mut Listing) {}
}

/// A list on the screen.
pub(super) struct Table<R: Rows> {
    list: List<R::Row>,
    /// Whether the newest are shown as they come.
    follows: bool,
}

impl<R: Rows> Default for Table<R> {
    fn default() -> Self {
        Self::new(Listing::default())
    }
}

impl<R: Rows> Table<R> {
    /// The rows that `listing` asks for.
    pub(super) fn new(listing: Listing) -> Self {
        let at = if R::LIVE { At::Last } else { At::First };
        Self { list: List::new(Listing { at, ..listing }), follows: R::LIVE }
    }
}

/// An object in a title, which is short of room.
fn called(object: &Target) -> String {
    match object {
        Target::Qrid(qrid) => format::object(None, qrid),
        Target::Petname(name) => name.to_string(),
    }
}

impl<R: Rows> Pane for Table<R> {
    fn title(&self) -> String {
        let Listing { filter, sort, object, peer, outcome, account, .. } = self.list.listing();
        let mut title = R::TITLE.to_owned();
        let mut add = |before: &str, what: Option<String>| {
            if let Some(what) = what {
                write!(title, " {before} {what}").expect("a string takes all");
            }
        };
        add("of", object.as_ref().map(called));
        add(
            "to",
            peer.map(|peer| match peer {
                PeerName::Vat(vat) => format::vat(None, &vat),
                PeerName::Petname(name) => name.to_string(),
            }),
        );
        add("of account", account.as_ref().map(called));
        add("that ended in", outcome.map(|outcome| outcome.as_str().to_owned()));
        add("by", sort);
        add("with", Some(format!("\"{filter}\"")).filter(|_| !filter.is_empty()));
        if R::LIVE {
            title.push_str(if self.follows { ", following" } else { ", paused" });
        }
        title
    }

    fn queries(&self) -> Vec<Query> {
        // What is paused at the end does not move on.
        let still = R::LIVE && !self.follows && self.list.listing().at == At::Last && self.list.came();
        if still { Vec::new() } else { vec![R::query(self.list.listing())] }
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let Some((listing, page)) = R::page(query, data) {
            self.list.loaded(listing, page);
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        let listing = self.list.listing();
        if *query == R::query(listing.clone()) {
            self.list.refuse(&listing, why);
        }
    }

    fn thing(&self) -> Thing {
        self.list.selected().map_or(Thing::Vat, R::thing)
    }

    fn go(&mut self, motion: Motion) {
        self.list.go(motion);
        self.follows = R::LIVE && (motion == Motion::Last || (self.follows && motion == Motion::Down));
    }

    fn click(&mut self, _: u16, row: u16) {
        // The columns' names stand above the rows.
        if let Some(line) = usize::from(row).checked_sub(1) {
            self.list.click(line);
            self.follows = false;
        }
    }

    fn act(&mut self, command: Command) -> Vec<Do> {
        match command {
            Command::Filter => {
                let told = "part of a name or an id; nothing shows all";
                return vec![Do::Popup(popups::filter(told, self.list.listing().filter))];
            }
            Command::Sort if R::COMMANDS.contains(&command) => self.list.ask(R::sort),
            Command::Pause if R::LIVE => {
                self.follows = !self.follows;
                if self.follows {
                    self.list.go(Motion::Last);
                    self.list.ask(|_| {});
                }
            }
            command => return not_here(command),
        }
        Vec::new()
    }

    fn told(&self, command: Command) -> Option<Told> {
        match command {
            Command::Sort => R::SORT,
            Command::Pause => (!self.follows).then_some(FOLLOW),
            _ => None,
        }
    }

    fn filter(&mut self, text: String) {
        self.list.ask(|listing| listing.filter = text);
    }

    fn commands(&self) -> Vec<Command> {
        R::COMMANDS.to_vec()
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let Listing { filter, outcome, .. } = self.list.listing();
        let outcome = outcome.map(Outcome::as_str);
        let empty = match (outcome, filter.is_empty()) {
            (None, true) => R::EMPTY.to_owned(),
            (None, false) => "nothing here has this text in it: / changes the filter".to_owned(),
            (Some(outcome), true) => format!("no turn here ended in {outcome}: o goes on to others, and back to all"),
            (Some(outcome), false) => {
                format!("no turn with this text ended in {outcome}: / changes the text, o the outcome")
            }
        };
        let cells = |row: &R::Row| R::cells(row, cx, usize::from(area.width));
        grid::list(&self.list, R::HEAD, cells, &empty, cx, area, buf);
    }
}
