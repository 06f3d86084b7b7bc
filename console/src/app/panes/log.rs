//! The log's newest lines: the daemon's own, and what turns logged.

use qrt_shared::view::{Log as View, LogLine};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::{Command, Motion};
use super::super::event::Do;
use super::super::pane::{FOLLOW, Pane, Told, not_here};
use super::super::query::{Data, Query};
use super::super::theme::Theme;
use super::super::thing::Thing;
use super::super::widgets::sheet::{Row, Sheet};
use super::super::widgets::text;
use super::audit::Audit;
use super::parts::Parts;
use super::table::Table;
use crate::format;

/// Lines that are read.
const LINES: u64 = 200;

/// The most of a line that is laid out.
const LINE_MAX: usize = 1000;

/// The screen: the log, and the audit.
pub(super) fn screen() -> Box<dyn Pane> {
    let parts: Vec<(&'static str, Box<dyn Pane>)> =
        vec![("Log", Box::new(Log::default())), ("Audit", Box::new(Table::<Audit>::default()))];
    Box::new(Parts::new("Log".to_owned(), Thing::Vat, parts))
}

struct Log {
    found: Option<Result<View, String>>,
    /// Whether the newest are shown as they come.
    follows: bool,
    sheet: Sheet<(Thing, u64, String)>,
}

impl Default for Log {
    fn default() -> Self {
        let mut log = Self { found: None, follows: true, sheet: Sheet::default() };
        log.sheet.follow(true);
        log
    }
}

impl Log {
    fn follow(&mut self, follows: bool) {
        if self.follows != follows {
            self.follows = follows;
            self.sheet.follow(follows);
        }
    }
}

impl Pane for Log {
    fn title(&self) -> String {
        format!("the newest {LINES} lines, {}", if self.follows { "following" } else { "paused" })
    }

    fn queries(&self) -> Vec<Query> {
        // What is paused does not move on.
        if self.follows || self.found.is_none() { vec![Query::Log(LINES)] } else { Vec::new() }
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let (Query::Log(LINES), Data::Log(log)) = (query, data) {
            self.found = Some(Ok(log.clone()));
            self.sheet.renew();
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if matches!(query, Query::Log(_)) {
            self.found = Some(Err(why.to_owned()));
        }
    }

    fn thing(&self) -> Thing {
        self.sheet.selected().map_or(Thing::Vat, |(thing, ..)| thing)
    }

    fn go(&mut self, motion: Motion) {
        self.sheet.go(motion);
        self.follow(motion == Motion::Last || (self.follows && motion == Motion::Down));
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
        self.follow(false);
    }

    fn act(&mut self, command: Command) -> Vec<Do> {
        if command != Command::Pause {
            return not_here(command);
        }
        self.follow(!self.follows);
        Vec::new()
    }

    fn told(&self, command: Command) -> Option<Told> {
        (command == Command::Pause && !self.follows).then_some(FOLLOW)
    }

    fn commands(&self) -> Vec<Command> {
        vec![Command::Pause, Command::Trace, Command::Replay]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match &self.found {
            None => text::paragraph("reading ...", cx.theme.dim(), area, buf),
            Some(Err(why)) => text::paragraph(why, cx.theme.bad(), area, buf),
            Some(Ok(log)) if log.lines.is_empty() => {
                let told = "the log is empty: what the daemon has to say stands here, and what turns log";
                text::paragraph(told, cx.theme.dim(), area, buf);
            }
            Some(Ok(log)) => {
                let lay = |_| log.lines.iter().map(|line| row(line, cx.theme)).collect();
                self.sheet.draw(0, cx, area, buf, lay);
            }
        }
    }
}

fn row(line: &LogLine, theme: Theme) -> Row<(Thing, u64, String)> {
    let (thing, who, style) = match (line.turn, &line.object) {
        (Some(turn), Some(object)) => {
            let who = format!("{} turn {turn}", format::object(line.name.as_ref(), object));
            (Thing::Turn { turn, object: object.clone() }, who, theme.name())
        }
        _ => (Thing::Vat, line.level.clone().unwrap_or_default(), level(line.level.as_deref(), theme)),
    };
    let said = format::clip(&line.text, LINE_MAX);
    let shown = Line::from(vec![
        Span::styled(format!("{}  ", format::time(line.at)), theme.dim()),
        Span::styled(format!("{}  ", format::line(&who)), style),
        Span::raw(said.clone()),
    ]);
    Row::of((thing, line.at, said), shown)
}

fn level(level: Option<&str>, theme: Theme) -> ratatui::style::Style {
    match level.map(str::to_ascii_lowercase).as_deref() {
        Some("error") => theme.bad(),
        Some("warn" | "warning") => theme.warning(),
        _ => theme.dim(),
    }
}
