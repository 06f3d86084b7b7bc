//! The console, without terminal, socket or clock: what is on the screen, and what each event makes of it.
//!
//! [`State::update`] takes an [`Event`] and returns [`Effect`]s; [`State::queries`] says what the screen
//! shows and wants kept fresh; [`State::draw`] draws it. Nothing here waits, reads or writes, so a session is
//! a script of events and a test is one too. [`crate::link`] reads and asks; [`crate::terminal`] shows.
//!
//! - A [`Pane`] is a screen or what one goes into from there; each screen has a stack of them. One file a
//!   noun in [`panes`]: its state, its keys, its drawing.
//! - A [`Popup`] lies over the pane and has the keys until it closes. One file a noun in [`popups`].
//! - A [`Command`] is what an operator can do. One table gives it its keys, its place in the bottom line, in the
//!   help and in the palette.
//! - A [`Thing`] is what is selected: what a command acts on.

pub mod command;
pub mod event;
pub mod frame;
pub mod list;
pub mod pane;
pub mod panes;
pub mod popup;
pub mod popups;
pub mod query;
pub mod rates;
pub mod request;
#[cfg(test)]
mod script;
pub mod scroll;
pub mod theme;
pub mod thing;
pub mod widgets;
pub mod written;

use std::cell::Cell;

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use qrt_shared::view::{Overview, Totals, Why};
use ratatui::layout::Rect;

use command::{Command, Motion};
use event::{Do, Edited, Effect, Event, Note};
use pane::Pane;
use popup::Popup;
use query::{Data, Query};
use rates::Rates;
use request::{Reply, Request};
use theme::Theme;
use thing::Thing;
use written::Written;

/// How the console is attached to its vat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not yet.
    Connecting,
    /// It answers.
    Up,
    /// It does not, since then and for this reason: what is on the screen is old.
    Away(u64, String),
}

/// What panes and popups may look at besides themselves.
#[derive(Debug)]
pub struct Context {
    /// The vat's base directory, as the operator wrote it.
    pub dir: String,
    /// Whether commands that change something are refused.
    pub read_only: bool,
    /// Milliseconds since the epoch, as of the last event.
    pub now: u64,
    /// How things look.
    pub theme: Theme,
    /// The vat as it was read last.
    pub overview: Option<Overview>,
    /// What it did lately.
    pub rates: Rates,
    /// How the console is attached to it.
    pub link: Link,
    /// What the operator has written.
    pub written: Written,
}

/// The console.
pub struct State {
    cx: Context,
    /// The stack of panes of each screen.
    screens: Vec<Vec<Box<dyn Pane>>>,
    screen: usize,
    popups: Vec<Box<dyn Popup>>,
    note: Option<Note>,
    totals: Totals,
    /// How many panes and popups were opened so far.
    opened: u64,
    /// Where it was drawn last: drawing knows, a click needs it.
    area: Cell<Rect>,
}

impl State {
    /// A console on the vat in `dir`, which nothing is known of yet.
    pub fn new(dir: String, read_only: bool, theme: Theme, now: u64) -> Self {
        let cx = Context {
            dir,
            read_only,
            now,
            theme,
            overview: None,
            rates: Rates::default(),
            link: Link::Connecting,
            written: Written::default(),
        };
        let screens = panes::SCREENS.iter().map(|screen| vec![(screen.open)()]).collect();
        Self {
            cx,
            screens,
            screen: 0,
            popups: Vec::new(),
            note: None,
            totals: Totals::default(),
            opened: 0,
            area: Cell::default(),
        }
    }

    fn pane(&self) -> &dyn Pane {
        let top = self.screens[self.screen].last().expect("a screen's own pane stays");
        &**top
    }

    fn pane_mut(&mut self) -> &mut dyn Pane {
        let top = self.screens[self.screen].last_mut().expect("a screen's own pane stays");
        &mut **top
    }

    /// What is on the screen and is to be kept fresh.
    pub fn queries(&self) -> Vec<Query> {
        let mut queries = vec![Query::Overview];
        queries.extend(self.pane().queries());
        queries.extend(self.popups.iter().flat_map(|popup| popup.queries()));
        queries
    }

    /// How many panes and popups were opened so far. What has just opened has nothing to show yet, though it may ask
    /// what was on the screen already: it is read anew.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// What is selected.
    pub fn thing(&self) -> Thing {
        self.pane().thing()
    }

    /// What an event makes of the console, and what is to be done about it outside.
    pub fn update(&mut self, now: u64, event: Event) -> Vec<Effect> {
        self.cx.now = now;
        let mut effects = Vec::new();
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key, &mut effects),
            Event::Mouse(mouse) => self.mouse(mouse, &mut effects),
            Event::Paste(text) => {
                if let Some(popup) = self.popups.last_mut() {
                    popup.paste(&text);
                }
            }
            Event::Key(_) | Event::Resized => {}
            Event::Tick => self.cx.rates.sample(now, self.totals),
            Event::Loaded(query, data) => self.loaded(&query, *data),
            Event::Refused(query, why) => {
                self.pane_mut().refused(&query, &why);
                for popup in &mut self.popups {
                    popup.refused(&query, &why);
                }
            }
            Event::Committed(totals) => {
                self.cx.link = Link::Up;
                self.totals = totals;
            }
            Event::Away(why) => {
                for popup in &mut self.popups {
                    popup.away(&why);
                }
                // The newest reason says most: what went away may be known not to run by now.
                let since = if let Link::Away(since, _) = self.cx.link { since } else { now };
                self.cx.link = Link::Away(since, why);
            }
            Event::Answered(request, answer) => self.answered(&request, &answer, &mut effects),
            Event::Edited(edit, text) => {
                // It said that there was something in the editor.
                self.note = None;
                let done = match (&edit.what, text, self.popups.last_mut()) {
                    (Edited::Field(field), Some(text), Some(popup)) => popup.edited(field, text),
                    (_, text, _) => edit.done(text),
                };
                self.perform(done, &mut effects);
            }
            Event::NotEdited(why) => self.note = Some(Note::bad(why)),
            Event::End => effects.push(Effect::Quit),
        }
        effects
    }

    fn loaded(&mut self, query: &Query, mut data: Data) {
        self.cx.link = Link::Up;
        // The daemon does not know how the operator calls its directory.
        let place = |why: &mut Why| {
            why.command = why.command.take().map(|command| request::placed(&command, &self.cx.dir));
        };
        match &mut data {
            Data::Overview(overview) => overview.wrong.iter_mut().for_each(place),
            Data::Why(why) => place(why),
            _ => {}
        }
        if let Data::Overview(overview) = data {
            self.totals = overview.totals;
            self.cx.overview = Some(*overview);
            return;
        }
        for screen in &mut self.screens {
            for pane in screen {
                pane.loaded(query, &data);
            }
        }
        for popup in &mut self.popups {
            popup.loaded(query, &data);
        }
    }

    fn answered(&mut self, request: &Request, answer: &event::Answer, effects: &mut Vec<Effect>) {
        self.note = Some(Note::of(request, answer, &self.cx.dir));
        let mut wanted = Vec::new();
        match (request, answer) {
            (Request::ReadCode(object, name), Ok(Reply::Code(code))) => {
                wanted.push(popups::edit_code(object.clone(), name.clone(), code.clone()));
            }
            (Request::ReadKey(object, key), Ok(Reply::Value(value))) => {
                wanted.push(popups::edit_value(object.clone(), key.clone(), value.as_deref()));
            }
            _ => {}
        }
        for popup in &mut self.popups {
            wanted.extend(popup.answered(request, answer));
        }
        self.pane_mut().answered(request, answer);
        self.perform(wanted, effects);
    }

    fn key(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        if command::is_suspend(key) {
            effects.push(Effect::Suspend);
            return;
        }
        if let Some(popup) = self.popups.last_mut() {
            let wanted = popup.key(key, &self.cx);
            self.perform(wanted, effects);
            return;
        }
        if let Some(wanted) = self.screens[self.screen].last_mut().and_then(|pane| pane.key(key, &self.cx)) {
            self.perform(wanted, effects);
            return;
        }
        match command::of(key) {
            Some(command) => self.run(command, effects),
            None => self.note = Some(Note::dim(format!("{} does nothing here: ? shows the keys", command::shown(key)))),
        }
    }

    fn mouse(&mut self, mouse: MouseEvent, effects: &mut Vec<Effect>) {
        let motion = match mouse.kind {
            MouseEventKind::ScrollUp => Motion::Up,
            MouseEventKind::ScrollDown => Motion::Down,
            MouseEventKind::Down(MouseButton::Left) => {
                self.click(mouse.column, mouse.row);
                return;
            }
            _ => return,
        };
        match self.popups.last_mut() {
            Some(popup) => popup.scroll(motion),
            None => self.run(Command::Move(motion), effects),
        }
    }

    /// A click goes to the screen whose name it is on, or selects the row it is on. What lies below a popup takes
    /// none.
    fn click(&mut self, x: u16, y: u16) {
        let area = self.area.get();
        if !self.popups.is_empty() {
            return;
        }
        let body = self.body(area);
        if y + 1 == body.y {
            self.screen = self.screen_at(x).unwrap_or(self.screen);
        } else if y >= body.y && y < body.bottom() {
            self.pane_mut().click(x - body.x, y - body.y);
        }
    }

    /// Carries out a command that has a key or was picked from the palette.
    fn run(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let thing = self.thing();
        if let Err(why) = command::allowed(command, &thing, self.cx.read_only) {
            self.note = Some(Note::bad(why));
            return;
        }
        self.note = None;
        let wanted = match command {
            Command::Quit => vec![Do::Quit],
            Command::Vat => vec![Do::Vat],
            Command::Screen(number) => vec![Do::Screen(number)],
            Command::Back => {
                let stack = &mut self.screens[self.screen];
                if stack.len() > 1 {
                    stack.pop();
                }
                Vec::new()
            }
            Command::Into => {
                let into = self.pane().into(&self.cx).or_else(|| panes::of(&thing));
                let nothing = || Do::Say(Note::dim("there is nothing here to go into"));
                vec![into.map_or_else(nothing, Do::Push)]
            }
            Command::Move(motion) => {
                self.pane_mut().go(motion);
                Vec::new()
            }
            Command::Filter | Command::Sort | Command::Pause | Command::Focus(_) => self.pane_mut().act(command),
            Command::Reach => panes::reached(&thing).into_iter().collect(),
            Command::Trace => panes::traced(&thing).into_iter().collect(),
            Command::Help => vec![Do::Popup(popups::help(self.pane()))],
            _ => popups::of(command, &thing, &self.cx),
        };
        self.perform(wanted, effects);
    }

    fn perform(&mut self, wanted: Vec<Do>, effects: &mut Vec<Effect>) {
        for wanted in wanted {
            self.opened += u64::from(matches!(wanted, Do::Push(_) | Do::Show(..) | Do::Popup(_)));
            match wanted {
                Do::Push(pane) => self.screens[self.screen].push(pane),
                Do::Screen(screen) if screen < self.screens.len() => self.screen = screen,
                Do::Screen(_) => {}
                Do::Home(screen) => {
                    self.screen = screen;
                    self.screens[screen].truncate(1);
                }
                Do::Show(screen, pane) => {
                    self.screen = screen;
                    self.screens[screen] = vec![pane];
                }
                Do::Popup(popup) => self.popups.push(popup),
                Do::Close => drop(self.popups.pop()),
                Do::Filter(text) => self.pane_mut().filter(text),
                Do::Run(command) => self.run(command, effects),
                Do::Say(note) => self.note = Some(note),
                Do::Remember(draft) => self.cx.written.leave(draft),
                Do::Ask(request) => {
                    if let Request::Send { target, args } = &request {
                        self.cx.written.send(target.to_string(), args.clone());
                    }
                    effects.push(Effect::Ask(request));
                }
                Do::Copy(text) => {
                    match &mut self.note {
                        Some(note) => note.text.insert_str(0, "copied; "),
                        None => self.note = Some(Note::good(format!("copied {text}"))),
                    }
                    effects.push(Effect::Copy(text));
                }
                Do::Edit(edit) => effects.push(Effect::Edit(edit)),
                Do::Vat => effects.push(Effect::Vat),
                Do::Quit => effects.push(Effect::Quit),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::script::{Script, object};
    use super::*;
    use crossterm::event::KeyModifiers;

    fn click(script: &mut Script, column: u16, row: u16) {
        script.drawn();
        let kind = MouseEventKind::Down(MouseButton::Left);
        script.event(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    }

    #[test]
    fn a_click_selects_a_row_or_goes_to_a_screen() {
        let mut script = Script::new(true);
        let drawn = script.drawn();
        let objects = drawn.lines().nth(1).and_then(|line| line.find("Objects")).expect("its name");
        click(&mut script, u16::try_from(objects).expect("a column"), 1);
        assert!(script.drawn().starts_with(" Objects"), "{}", script.drawn());
        let mut other = object("market");
        other.qrid.object = other.account.vat.to_string()[..32].parse().expect("an object id");
        script.objects(&[object("counter"), other]);
        click(&mut script, 5, 4);
        assert_eq!(script.state.thing().called(), "market");
        script.typed("?");
        click(&mut script, 5, 3);
        script.key(crossterm::event::KeyCode::Esc);
        assert_eq!(script.state.thing().called(), "market", "a popup lay over it");
    }

    #[test]
    fn what_opens_is_read_anew_though_the_same_was_on_the_screen() {
        let mut script = Script::new(true);
        script.typed("2");
        script.objects(&[object("counter")]);
        script.keys("\n");
        let asked =
            |script: &Script| script.state.queries().into_iter().find(|query| matches!(query, Query::Object(_)));
        let (query, opened) = (asked(&script).expect("the object is shown"), script.state.opened());
        script.keys("a");
        assert_eq!((asked(&script), script.state.opened()), (Some(query), opened + 1));
        script.keys("j");
        assert_eq!(script.state.opened(), opened + 1, "what only moves is not read anew");
        script.keys("w");
        assert_eq!(script.state.opened(), opened + 2);
    }
}
