//! A session of the console as a script: keys go in, questions are answered, the screen is read.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::de::DeserializeOwned;

use super::super::State;
use super::super::event::{Answer, Do, Effect, Event};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::request::Request;
use super::super::theme::{Palette, Theme};

/// The vat of every script.
pub(in crate::app) const VAT: &str = "rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q";

/// Another.
pub(in crate::app) const OTHER: &str = "mcp4zcyn6nk6dpbcvdt2hmv6vbqnpm6frzxgjgrmysefglmg7rzq";

/// What `NOW` says: some seconds after 1970.
pub(in crate::app) const NOW: u64 = 100_000;

/// A session.
pub(in crate::app) struct Script {
    state: State,
    size: Rect,
}

/// The QRID of one of some objects.
pub(in crate::app) fn qrid(number: u8) -> String {
    format!("qrt:{VAT}/{}2fziy4eazx2seb54ittqs77cr5lfj3", char::from(b'a' + number).to_string().repeat(2))
}

/// A value as the daemon would have written it.
pub(in crate::app) fn json<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// A page of rows that the daemon would have written so.
pub(in crate::app) fn page<T: DeserializeOwned>(rows: &[String]) -> qrt_shared::view::Page<T> {
    json(&format!(r#"{{"items":[{}],"next":null,"as_of":1}}"#, rows.join(",")))
}

impl Script {
    /// Begins on a usual terminal.
    pub(in crate::app) fn new() -> Self {
        Self::on(80, 24, Theme { palette: Palette::Dark, ascii: false })
    }

    /// Begins on a terminal of that size and look.
    pub(in crate::app) fn on(width: u16, height: u16, theme: Theme) -> Self {
        Self { state: State::new("/v".to_owned(), false, theme, NOW), size: Rect { x: 0, y: 0, width, height } }
    }

    /// Goes into a pane.
    pub(in crate::app) fn into(mut self, pane: Box<dyn Pane>) -> Self {
        self.state.perform(vec![Do::Push(pane)], &mut Vec::new());
        self
    }

    /// Types: a character is its key, `\n` Enter, `\t` Tab, `\u{1b}` Esc, an arrow that arrow.
    pub(in crate::app) fn keys(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                '\u{1b}' => KeyCode::Esc,
                '→' => KeyCode::Right,
                '←' => KeyCode::Left,
                key => KeyCode::Char(key),
            };
            // What moves needs to know how much is on the screen.
            self.screen();
            effects.extend(self.state.update(NOW, Event::Key(KeyEvent::new(code, KeyModifiers::NONE))));
        }
        effects
    }

    /// Answers what the screen asks, as far as `answer` can.
    pub(in crate::app) fn answers(&mut self, answer: impl Fn(&Query) -> Option<Data>) {
        let known = self.state.queries().into_iter().filter_map(|query| answer(&query).map(|data| (query, data)));
        for (query, data) in known.collect::<Vec<_>>() {
            self.state.update(NOW, Event::Loaded(query, Box::new(data)));
        }
    }

    /// Something else happens.
    pub(in crate::app) fn event(&mut self, event: Event) -> Vec<Effect> {
        self.state.update(NOW, event)
    }

    /// A request was carried out.
    pub(in crate::app) fn answered(&mut self, request: Request, answer: Answer) -> Vec<Effect> {
        self.event(Event::Answered(request, answer))
    }

    /// What is asked.
    pub(in crate::app) fn asked(&self) -> Vec<Query> {
        self.state.queries()
    }

    /// What is on the screen, without blanks at the ends of lines.
    pub(in crate::app) fn screen(&self) -> String {
        let mut buf = Buffer::empty(self.size);
        self.state.draw(self.size, &mut buf);
        let line = |y| (0..self.size.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..self.size.height).map(line).collect::<Vec<_>>().join("\n")
    }

    /// Fails unless the screen has all of this on it.
    pub(in crate::app) fn shows(&self, texts: &[&str]) {
        let screen = self.screen();
        for text in texts {
            assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
        }
    }
}
