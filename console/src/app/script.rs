//! A session as a script: keys and answers in, effects and the text on the screen out.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use qrt_shared::id::Qrid;
use qrt_shared::view::{ObjectRow, Page, Turn};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::de::DeserializeOwned;

use super::State;
use super::event::{Answer, Do, Effect, Event};
use super::pane::Pane;
use super::query::{Data, Query};
use super::request::Request;
use super::theme::{Palette, Theme};

/// Some vat.
pub(crate) const VAT: &str = "rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q";

/// An object of it.
pub(crate) fn qrid() -> Qrid {
    format!("qrt:{VAT}/7z2fziy4eazx2seb54ittqs77cr5lfj3").parse().expect("a QRID")
}

/// Another vat.
pub(crate) const OTHER: &str = "mcp4zcyn6nk6dpbcvdt2hmv6vbqnpm6frzxgjgrmysefglmg7rzq";

/// One of several objects of the vat, as text.
pub(crate) fn nth(number: u8) -> String {
    format!("qrt:{VAT}/{}2fziy4eazx2seb54ittqs77cr5lfj3", char::from(b'a' + number).to_string().repeat(2))
}

/// What the daemon would have written so.
pub(crate) fn json<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// A row of the list of objects.
pub(crate) fn object(name: &str) -> ObjectRow {
    ObjectRow {
        qrid: qrid(),
        name: Some(name.parse().expect("a petname")),
        turns: 3,
        faults: 0,
        memory_bytes: 9,
        cpu_us: 1,
        created_at: 5,
        account: qrid(),
        held: false,
        queued: 0,
        refused: 0,
    }
}

/// A turn of it that changed `n` from 3 to 4, sent a message and logged a line.
pub(crate) fn turn(turn: u64) -> Box<Turn> {
    let text = format!(
        r#"{{"turn":{turn},"message":"in:7","object":"{0}","name":"counter","source":"operator","code":"ab","args":1,"outcome":"ok","result":{{"n":4}},"result_error":null,"error":null,"changes":[{{"object":"{0}","key":"n","added":false,"old":3,"new":4}}],"made":[],"sent":["in:8"],"log":["hi"],"ticks":1,"cpu_us":900,"at":5}}"#,
        qrid()
    );
    serde_json::from_str(&text).expect("a turn")
}

/// The only page of a list.
pub(crate) fn page<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: None, prev: None, partial: false, as_of: 1 }
}

/// A console, and what it wanted done so far.
pub(crate) struct Script {
    pub(crate) state: State,
    now: u64,
}

impl Script {
    /// A console with colours, or one that draws ASCII alone and no colour.
    pub(crate) fn new(plain: bool) -> Self {
        let palette = if plain { Palette::Mono } else { Palette::Dark };
        let theme = Theme { palette, ascii: plain };
        Self { state: State::new("/v".to_owned(), false, theme, 0), now: 1_000_000 }
    }

    /// Goes into a pane.
    pub(crate) fn into(mut self, pane: Box<dyn Pane>) -> Self {
        self.state.perform(vec![Do::Push(pane)], &mut Vec::new());
        self
    }

    pub(crate) fn event(&mut self, event: Event) -> Vec<Effect> {
        self.now += 100;
        self.state.update(self.now, event)
    }

    pub(crate) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
        self.event(Event::Key(KeyEvent::new(code, modifiers)))
    }

    pub(crate) fn key(&mut self, code: KeyCode) -> Vec<Effect> {
        self.press(code, KeyModifiers::NONE)
    }

    pub(crate) fn ctrl(&mut self, c: char) -> Vec<Effect> {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    /// Types each character; the effects of the last.
    pub(crate) fn typed(&mut self, text: &str) -> Vec<Effect> {
        text.chars().map(|c| self.key(KeyCode::Char(c))).last().unwrap_or_default()
    }

    /// Presses keys, each drawn before: `\n` is Enter, `\t` Tab, an arrow that arrow. The effects of all.
    pub(crate) fn keys(&mut self, keys: &str) -> Vec<Effect> {
        let code = |key| match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '→' => KeyCode::Right,
            '←' => KeyCode::Left,
            key => KeyCode::Char(key),
        };
        let mut effects = Vec::new();
        for key in keys.chars() {
            // What moves needs to know how much is on the screen.
            self.drawn();
            effects.extend(self.key(code(key)));
        }
        effects
    }

    /// Types each character, and says what was asked for by the last.
    pub(crate) fn asked(effects: &[Effect]) -> Vec<Request> {
        let request = |effect: &Effect| match effect {
            Effect::Ask(request) => Some(request.clone()),
            _ => None,
        };
        effects.iter().filter_map(request).collect()
    }

    pub(crate) fn loaded(&mut self, query: Query, data: Data) {
        self.event(Event::Loaded(query, Box::new(data)));
    }

    pub(crate) fn answered(&mut self, request: &Request, answer: Answer) -> Vec<Effect> {
        self.event(Event::Answered(request.clone(), answer))
    }

    /// Answers every question for objects that is on the screen with these.
    pub(crate) fn objects(&mut self, rows: &[ObjectRow]) {
        for query in self.state.queries() {
            if matches!(query, Query::Objects(_)) {
                self.loaded(query, Data::Objects(page(rows.to_vec())));
            }
        }
    }

    /// Answers what the screen asks, as far as `answer` can.
    pub(crate) fn answers(&mut self, answer: impl Fn(&Query) -> Option<Data>) {
        for query in self.state.queries() {
            if let Some(data) = answer(&query) {
                self.loaded(query, data);
            }
        }
    }

    /// Fails unless all of this is on the smallest screen that is promised.
    pub(crate) fn shows(&self, texts: &[&str]) {
        let drawn = self.drawn();
        for text in texts {
            assert!(drawn.contains(text), "{text:?} is not on the screen:\n{drawn}");
        }
    }

    /// The text on a screen of that size.
    pub(crate) fn drawn_at(&self, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        self.state.draw(area, &mut buf);
        let line = |y: u16| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    }

    /// The text on the smallest screen that is promised.
    pub(crate) fn drawn(&self) -> String {
        self.drawn_at(80, 24)
    }
}
