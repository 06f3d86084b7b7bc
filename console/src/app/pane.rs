//! A pane: a screen, or what one goes into from there.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Context;
use super::command::{self, Command, Motion};
use super::event::{Answer, Do, Note};
use super::query::{Data, Query};
use super::request::Request;
use super::thing::Thing;

/// A command's word in the bottom line, and its help.
pub type Told = (&'static str, &'static str);

/// What the command that pauses does where what happens is not followed.
pub const FOLLOW: Told = ("follow", "follow what happens");

/// Says that a command does nothing in a pane: who typed it must not believe that it did.
pub fn not_here(command: Command) -> Vec<Do> {
    let word = command::entry_of(command).map_or("this", |entry| entry.word);
    vec![Do::Say(Note::dim(format!("{word} does nothing here: ? shows the keys")))]
}

/// A pane. What it does not say it does not do.
pub trait Pane {
    /// What stands in the top line.
    fn title(&self) -> String;

    /// What it shows, to be kept fresh.
    fn queries(&self) -> Vec<Query>;

    /// An answer has come, to a question of this pane or of another.
    fn loaded(&mut self, query: &Query, data: &Data);

    /// The vat has no answer to a question.
    fn refused(&mut self, _query: &Query, _why: &str) {}

    /// What came of a request while this pane was on the screen.
    fn answered(&mut self, _request: &Request, _answer: &Answer) {}

    /// What is selected.
    fn thing(&self) -> Thing {
        Thing::Vat
    }

    /// Moves the selection.
    fn go(&mut self, motion: Motion);

    /// A click in that column and row of its area: it selects what is there.
    fn click(&mut self, _column: u16, _row: u16) {}

    /// A key that means something here only.
    fn key(&mut self, _key: KeyEvent, _cx: &Context) -> Option<Vec<Do>> {
        None
    }

    /// Carries out [`Command::Filter`], [`Command::Sort`], [`Command::Pause`] or [`Command::Focus`].
    fn act(&mut self, command: Command) -> Vec<Do> {
        not_here(command)
    }

    /// A command's word and what it does, where these are not what they are elsewhere.
    fn told(&self, _command: Command) -> Option<Told> {
        None
    }

    /// Shows only what has this text.
    fn filter(&mut self, _text: String) {}

    /// What one goes into from what is selected, where that is not what one goes into from a [`Thing`].
    fn into(&self, _cx: &Context) -> Option<Box<dyn Pane>> {
        None
    }

    /// Whether there is anything to go into.
    fn leads(&self, cx: &Context) -> bool {
        self.into(cx).is_some() || self.thing() != Thing::Vat
    }

    /// The commands to name in the bottom line, besides those every pane has.
    fn commands(&self) -> Vec<Command>;

    /// Draws it.
    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer);
}
