//! The pictures of the screens: drawn by the console itself from what a console on the demo was told.
//!
//! `screenshots/session.jsonl` is that recording; `screenshots/shots.txt` names each picture and the keys that lead
//! to it. A picture is a text and an SVG, and both must be what the console draws today.
//!
//! - `QRT_SCREENSHOTS=write cargo test -p qrt-tests --test console screenshots` draws them anew;
//! - `cargo test -p qrt-tests --test console record -- --ignored` records a new session first.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use qrt::app::State;
use qrt::app::event::Event;
use qrt::app::query::{Data, Query};
use qrt::app::theme::{Palette, Theme};
use qrt::record::{self, Told};
use qrt_tests::Console;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// Columns and rows of a picture.
const SIZE: (u16, u16) = (110, 30);

/// Pixels of a character.
const CELL: (u16, u16) = (9, 18);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../screenshots")
}

/// A picture's name, and the keys that lead to what it shows.
fn shots() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(folder().join("shots.txt")).expect("the list of pictures");
    let shot = |line: &str| {
        let (name, keys) = line.split_once(':').expect("name: keys");
        (name.to_owned(), keys.split_whitespace().map(str::to_owned).collect())
    };
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(shot).collect()
}

fn key(name: &str) -> KeyEvent {
    let code = match name {
        "Enter" => KeyCode::Enter,
        "Tab" => KeyCode::Tab,
        "Right" => KeyCode::Right,
        "Down" => KeyCode::Down,
        "Space" => KeyCode::Char(' '),
        name => KeyCode::Char(name.chars().next().expect("a key")),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// The same key as a terminal sends it.
fn sent(name: &str) -> &str {
    match name {
        "Enter" => "\r",
        "Tab" => "\t",
        "Right" => "\u{1b}[C",
        "Down" => "\u{1b}[B",
        "Space" => " ",
        name => name,
    }
}

/// The screen after these keys, when everything that it asks for has been told.
fn drawn(session: &[Told], keys: &[String]) -> Buffer {
    let theme = Theme { palette: Palette::Dark, ascii: false };
    let end = session.last().expect("something was told").at;
    let mut state = State::new("/srv/alice".to_owned(), false, theme, end);
    for told in session {
        if let Data::Overview(overview) = &told.data {
            state.update(told.at, Event::Committed(overview.totals));
            state.update(told.at, Event::Tick);
        }
    }
    tell(&mut state, session, end);
    for name in keys {
        state.update(end, Event::Key(key(name)));
        tell(&mut state, session, end);
    }
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut buffer = Buffer::empty(area);
    state.draw(area, &mut buffer);
    buffer
}

/// Answers what the screen asks for by what was told of it last.
fn tell(state: &mut State, session: &[Told], now: u64) {
    let asked: Vec<Query> = state.queries();
    for query in asked {
        if let Some(told) = session.iter().rev().find(|told| told.query == query) {
            // What was told is read anew from its JSON, as a console reads it.
            let data = serde_json::to_string(&told.data).and_then(|text| serde_json::from_str(&text)).expect("JSON");
            state.update(now, Event::Loaded(query, Box::new(data)));
        }
    }
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..SIZE.1 {
        let line: String = (0..SIZE.0).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn svg(buffer: &Buffer) -> String {
    let (width, height) = (SIZE.0 * CELL.0 + 16, SIZE.1 * CELL.1 + 16);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"monospace\" \
         font-size=\"15\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACK}\"/>\n"
    );
    for y in 0..SIZE.1 {
        let mut x = 0;
        while x < SIZE.0 {
            let look = look(&buffer[(x, y)]);
            let mut run = String::new();
            let from = x;
            while x < SIZE.0 && self::look(&buffer[(x, y)]) == look {
                run.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            let (left, top, wide) = (8 + from * CELL.0, 8 + y * CELL.1, (x - from) * CELL.0);
            let (fore, back, bold) = look;
            if back != BACK {
                writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{back}\"/>",
                    CELL.1
                )
                .expect("a string takes all");
            }
            if !run.trim().is_empty() {
                let run = run.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let weight = if bold { " font-weight=\"bold\"" } else { "" };
                writeln!(
                    svg,
                    "<text x=\"{left}\" y=\"{}\" fill=\"{fore}\"{weight} textLength=\"{wide}\" xml:space=\"preserve\">{run}</text>",
                    top + 14
                )
                .expect("a string takes all");
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

const FORE: &str = "#d4d4d4";
const BACK: &str = "#16181d";

/// Foreground, background, and whether it is bold.
fn look(cell: &Cell) -> (&'static str, &'static str, bool) {
    let fore = match cell.fg {
        Color::DarkGray => "#7d8590",
        Color::Red | Color::LightRed => "#ff7b72",
        Color::Green => "#7ee787",
        Color::Yellow => "#e3b341",
        Color::Blue => "#79c0ff",
        Color::Magenta => "#d2a8ff",
        Color::Cyan => "#56d4dd",
        _ => FORE,
    };
    let bold = cell.modifier.contains(Modifier::BOLD);
    if cell.modifier.contains(Modifier::REVERSED) { (BACK, fore, bold) } else { (fore, BACK, bold) }
}

#[test]
fn the_screenshots_are_what_the_console_draws() {
    let session = fs::read_to_string(folder().join("session.jsonl")).expect("the recorded session");
    let session = record::read(&session).expect("a session of this version: record it anew");
    let write = std::env::var_os("QRT_SCREENSHOTS").is_some_and(|what| what == "write");
    let mut stale = Vec::new();
    for (name, keys) in shots() {
        let buffer = drawn(&session, &keys);
        assert!(!text(&buffer).contains("reading ..."), "{name} shows what was not recorded:\n{}", text(&buffer));
        for (ending, now) in [("txt", text(&buffer)), ("svg", svg(&buffer))] {
            let path = folder().join(format!("{name}.{ending}"));
            if write {
                fs::write(&path, now).expect("a picture");
            } else if fs::read_to_string(&path).ok().as_deref() != Some(&now) {
                stale.push(path.file_name().expect("a name").to_owned());
            }
        }
    }
    assert!(stale.is_empty(), "stale: {stale:?}; draw them anew with QRT_SCREENSHOTS=write");
}

/// Goes through every picture in a console on the demo, and keeps what that was told.
#[test]
#[ignore = "it replaces the recorded session"]
fn record_a_session() {
    let file = folder().join("session.jsonl");
    fs::remove_file(&file).ok();
    let path = file.to_str().expect("UTF-8");
    let mut console = Console::open(&["demo", "--record", path], SIZE, &[]);
    console.until("some turns", |screen| screen.contains("cannot be reached") && screen.contains("faults 1"));
    for (_, keys) in shots() {
        for name in &keys {
            console.press(sent(name));
            console.until("it is read", |screen| !screen.contains("reading ...") && !screen.contains("asking ..."));
        }
        // Out of popups and panes, back to the first screen.
        for _ in 0..6 {
            console.press("\u{1b}");
            console.until("the key was taken", |_| true);
        }
        console.press("1");
        console.until_shown("turns/s");
    }
    console.press("q");
    assert_eq!(console.ended(), (0, true));
}
