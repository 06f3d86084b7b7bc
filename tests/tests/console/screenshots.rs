//! The pictures of the screens: drawn by the console itself from what a console on the demo was told.
//!
//! `screenshots/session.jsonl` is that recording, `screenshots/answers.json` what came of its requests;
//! `screenshots/shots.txt` names each picture and the keys that lead to it. A picture is a text and an SVG, and both must
//! be what the console draws today.
//!
//! The same screens stand in `tests/tests/console/snapshots/` as text at other sizes, and without colours and all but
//! ASCII.
//!
//! - `QRT_SCREENSHOTS=write cargo test -p qrt-tests --test console screenshots` draws them anew;
//! - `cargo test -p qrt-tests --test console record -- --ignored` records a new session first.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use qrt::app::State;
use qrt::app::event::{Effect, Event};
use qrt::app::query::{Data, Query};
use qrt::app::request::{Reply, Request};
use qrt::app::theme::{Palette, Theme};
use qrt::record::{self, Told};
use qrt_shared::control::{Expect, Resynced};
use qrt_tests::{Console, PATIENCE, Scratch, Vat};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Columns and rows of a picture.
const SIZE: (u16, u16) = (110, 30);

const COLOURS: Theme = Theme { palette: Palette::Dark, ascii: false };
const PLAIN: Theme = Theme { palette: Palette::Mono, ascii: true };

/// The other looks of each screen: what they are called, columns and rows, and the theme.
const SNAPSHOTS: [(&str, (u16, u16), Theme); 3] =
    [("80x24", (80, 24), COLOURS), ("120x40", (120, 40), COLOURS), ("80x24-plain", (80, 24), PLAIN)];

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
        "Up" => KeyCode::Up,
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
        "Up" => "\u{1b}[A",
        name => name,
    }
}

/// What came of requests.
#[derive(Default, Serialize, Deserialize)]
struct Answers {
    check: Value,
    replay: Value,
}

impl Answers {
    fn read() -> Self {
        let text = fs::read_to_string(folder().join("answers.json")).expect("the recorded answers");
        serde_json::from_str(&text).expect("answers of this version: record them anew")
    }
}

/// A console on the session, after these keys.
struct Replay<'a> {
    session: &'a [Told],
    answers: &'a Answers,
    state: State,
    /// What was asked for and never told.
    missing: Vec<Query>,
}

impl<'a> Replay<'a> {
    fn new(session: &'a [Told], answers: &'a Answers, keys: &[String], theme: Theme) -> Self {
        let end = session.last().expect("something was told").at;
        let state = State::new("/srv/alice".to_owned(), false, theme, end);
        let mut replay = Self { session, answers, state, missing: Vec::new() };
        // The charts are of the time before anything else was looked at.
        let first = |told: &&Told| matches!(&told.query, Query::Overview | Query::Objects(_));
        for told in session.iter().take_while(first) {
            if let Data::Overview(overview) = &told.data {
                replay.state.update(told.at, Event::Committed(overview.totals));
                replay.state.update(told.at, Event::Tick);
            }
        }
        replay.tell(end);
        for name in keys {
            replay.happens(end, Event::Key(key(name)));
            replay.tell(end);
        }
        replay
    }

    /// Has something happen, and what comes of it.
    fn happens(&mut self, now: u64, event: Event) {
        let mut effects = self.state.update(now, event);
        while let Some(effect) = effects.pop() {
            let event = match effect {
                Effect::Ask(request) => {
                    let Some(answer) = self.answer(&request) else { continue };
                    Event::Answered(request, Ok(answer))
                }
                Effect::Edit(edit) => {
                    let text = edit.text.replacen('\n', "\n    // Changed in the editor.\n", 1);
                    Event::Edited(edit, Some(text))
                }
                _ => continue,
            };
            effects.extend(self.state.update(now, event));
        }
    }

    /// What came of a request that changes nothing.
    fn answer(&self, request: &Request) -> Option<Reply> {
        let session = self.session.iter().rev();
        Some(match request {
            Request::Check => Reply::Checked(serde_json::from_value(self.answers.check.clone()).expect("a report")),
            Request::Replay { .. } => {
                Reply::Replayed(serde_json::from_value(self.answers.replay.clone()).expect("a replay"))
            }
            Request::ResyncPlan(vat) => {
                // No channel of the demo's has lost its history.
                let expect = Expect { last_in: 37, tip: "5b".repeat(32), next_out: 42 };
                let (may_be_lost, may_be_repeated) = (3, 1);
                let renumbered = Some((38, 38));
                Reply::Resync(Box::new(Resynced {
                    vat: *vat,
                    done: false,
                    expect,
                    may_be_lost,
                    may_be_repeated,
                    renumbered,
                }))
            }
            Request::ReadCode(object, _) => session.into_iter().find_map(|told| match &told.data {
                Data::Object(found) if found.row.qrid == *object => Some(Reply::Code(found.code.text.clone())),
                _ => None,
            })?,
            _ => return None,
        })
    }

    /// Answers what the screen asks for by what was told of it last.
    fn tell(&mut self, now: u64) {
        for query in self.state.queries() {
            let Some(told) = self.session.iter().rev().find(|told| told.query == query) else {
                self.missing.push(query);
                continue;
            };
            // What was told is read anew from its JSON, as a console reads it.
            let data = serde_json::to_string(&told.data).and_then(|text| serde_json::from_str(&text)).expect("JSON");
            self.state.update(now, Event::Loaded(query, Box::new(data)));
        }
    }

    fn draw(&self, (width, height): (u16, u16)) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        self.state.draw(area, &mut buffer);
        buffer
    }
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
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
    let answers = Answers::read();
    let mut stale = Vec::new();
    for (name, keys) in shots() {
        let replay = Replay::new(&session, &answers, &keys, COLOURS);
        assert!(replay.missing.is_empty(), "{name} shows what was not recorded: {:?}", replay.missing);
        let buffer = replay.draw(SIZE);
        let picture = |ending: &str| folder().join(format!("{name}.{ending}"));
        let mut drawn = vec![(picture("txt"), text(&buffer)), (picture("svg"), svg(&buffer))];
        for (look, size, theme) in SNAPSHOTS {
            let text = text(&Replay::new(&session, &answers, &keys, theme).draw(size));
            assert!(text.is_ascii() || !theme.ascii, "{name} {look}:\n{text}");
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/snapshots");
            drawn.push((folder.join(format!("{name}.{look}.txt")), text));
        }
        for (path, now) in drawn {
            if write {
                fs::write(&path, now).expect("a picture");
            } else if fs::read_to_string(&path).ok().as_deref() != Some(&now) {
                stale.push(path.file_name().expect("a name").to_owned());
            }
        }
    }
    assert!(stale.is_empty(), "stale: {stale:?}; draw them anew with QRT_SCREENSHOTS=write");
}

/// Makes what the demo makes, lets it work while a console looks on, and goes through every picture in that console.
#[test]
#[ignore = "it replaces the recorded session"]
fn record_a_session() {
    let [alice, bob, carol] = [(); 3].map(|()| Scratch::default().vat());
    let dirs = [&alice, &bob, &carol].map(|vat| vat.dir().to_str().expect("UTF-8"));
    let install = |vat: &Vat, sample: &str, name: &str, power: &str| {
        vat.qrt("install", &[sample, "--name", name, "--power", power]).ok().trim().to_owned()
    };
    let letterbox = install(&carol, "sample-methods", "letterbox", "{}");
    alice.scratch.qrt(&["gossip", dirs[0], dirs[1], dirs[2]]).ok();
    for (vat, name) in [(&bob, "bob"), (&carol, "carol")] {
        let id = vat.qrt("info", &["--json"]).json()["vat"].as_str().expect("an id").to_owned();
        alice.qrt("name", &[&id, name]).ok();
    }
    carol.qrt("stop", &[]).ok();
    let counter = install(&alice, "sample-methods", "counter", "{}");
    let maker = install(&alice, "market-maker", "maker", "{}");
    let power = json!({ "counter": { "@qref": counter }, "maker": { "@qref": maker } }).to_string();
    alice.install("clerk", CLERK, &["--power", &power, "--grant", "clock,log"]);
    let power = json!({ "maker": { "@qref": maker } }).to_string();
    let taker = install(&bob, "market-taker", "taker", &power);
    alice.scratch.qrt(&["send", "-d", dirs[0], &letterbox, "null"]).ok();
    alice.install("ledger", "(args, power) => { power.memory.last = args; }", &[]);
    alice.qrt("hold", &["ledger"]).ok();
    let (mut recorded, mut answers) = (Vec::new(), None);
    for (number, (name, keys)) in shots().into_iter().enumerate() {
        let file = alice.scratch.path(&format!("session-{number}"));
        let mut console = Console::open(
            &["console", dirs[0], "--record", file.to_str().expect("UTF-8")],
            SIZE,
            &[("EDITOR", "true")],
        );
        if number == 0 {
            console.until_shown("cannot be reached");
            let begin = json!({ "begin": { "me": { "@qref": taker }, "rounds": 40 } }).to_string();
            bob.send("taker", &begin);
            for number in 0..150 {
                alice.send("clerk", &json!({ "order": number }).to_string());
            }
            alice.send("counter", r#"{"method":"fail"}"#);
            for number in 1..3 {
                let entry = json!({ "entry": number, "of": { "@qref": counter } }).to_string();
                alice.scratch.qrt(&["send", "-d", dirs[0], "ledger", &entry]).ok();
            }
            console.until_shown("faults 1");
            console.until("what is queued", |screen| screen.contains("inbox 2"));
            let turn = alice.qrt("info", &["--json"]).json()["turns"].to_string();
            let check = alice.qrt("check", &["--json"]).json();
            answers = Some(Answers { check, replay: alice.qrt("replay", &[&turn, "--json"]).json() });
        }
        let answers = answers.as_ref().expect("the first picture has them asked for");
        let told = || record::read(&fs::read_to_string(&file).unwrap_or_default()).expect("a session");
        for (count, key) in [None].into_iter().chain(keys.iter().map(Some)).enumerate() {
            if let Some(key) = key {
                console.press(sent(key));
            }
            let began = Instant::now();
            while missing(&told(), answers, &keys[..count]).is_some_and(|query| {
                assert!(began.elapsed() < PATIENCE, "{name} after {key:?}: never told of {query:?}");
                true
            }) {
                console.rest();
            }
            // What was written down is on the screen a moment later, and the next key acts on what is there.
            console.rest();
        }
        recorded.push(fs::read_to_string(&file).expect("a session"));
        drop(console);
    }
    fs::write(folder().join("session.jsonl"), recorded.concat()).expect("the session");
    let answers = serde_json::to_string_pretty(&answers).expect("JSON");
    fs::write(folder().join("answers.json"), answers.replace(dirs[0], "/srv/alice") + "\n").expect("the answers");
}

/// Something that a console asks for by these keys, and was not told.
fn missing(session: &[Told], answers: &Answers, keys: &[String]) -> Option<Query> {
    if session.is_empty() {
        return Some(Query::Overview);
    }
    Replay::new(session, answers, keys, COLOURS).missing.into_iter().next()
}

/// Has others do the work, and keeps a ledger.
const CLERK: &str = "// Counts each order, asks the maker for a quote now and then, and keeps a ledger.
function clerk(args, power) {
  const ledger = power.memory;
  ledger.orders ??= 0;
  ledger.last = { order: args.order, at: power.clock() };
  ledger.orders += 1;
  power.counter.sendOnly({ method: 'increment', by: args.order % 5 });
  if (args.order % 10 === 0) {
    power.log('order', args.order);
    power.maker.sendOnly(null);
  }
  return ledger.orders;
}
";
