//! A popup: it lies over the pane, and has the keys until it closes.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Context;
use super::command::Motion;
use super::event::{Answer, Do};
use super::query::{Data, Query};
use super::request::Request;

/// A popup. What it does not say it does not do.
pub trait Popup {
    /// What stands in its upper edge.
    fn title(&self) -> String;

    /// What its keys do, for the bottom line: key and word.
    fn keys(&self) -> Vec<(&'static str, &'static str)>;

    /// What it shows, to be kept fresh.
    fn queries(&self) -> Vec<Query> {
        Vec::new()
    }

    /// An answer has come.
    fn loaded(&mut self, _query: &Query, _data: &Data) {}

    /// The vat has no answer.
    fn refused(&mut self, _query: &Query, _why: &str) {}

    /// The daemon does not answer, for this reason: who waits for an answer says so.
    fn away(&mut self, _why: &str) {}

    /// What came of a request while it was open.
    fn answered(&mut self, _request: &Request, _answer: &Answer) -> Vec<Do> {
        Vec::new()
    }

    /// A key.
    fn key(&mut self, key: KeyEvent, cx: &Context) -> Vec<Do>;

    /// Text pasted into the terminal.
    fn paste(&mut self, _text: &str) {}

    /// The operator has edited what this calls `field`.
    fn edited(&mut self, _field: &str, _text: String) -> Vec<Do> {
        Vec::new()
    }

    /// The wheel.
    fn scroll(&mut self, _motion: Motion) {}

    /// How much room it would like, of what there is: columns and rows, edges included.
    fn size(&self, cx: &Context, room: Rect) -> (u16, u16);

    /// Draws what is within its edges.
    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer);
}
