//! The overview: what is wrong first, then what the vat does, and who makes it work.

use std::cell;

use qrt_shared::control::Listing;
use qrt_shared::view::{AccountRow, ObjectRow, Overview as View, Totals, Why};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget};

use super::super::Context;
use super::super::command::{Command, Motion};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::theme::Theme;
use super::super::widgets::grid::{self, Cell};
use super::super::widgets::text;
use super::accounts::{self, Accounts};
use super::table::Table;
use crate::format;

/// A figure of a second.
type Figure = fn(&Totals) -> u64;

/// The charts: what each is called, and its figure.
const CHARTS: [(&str, Figure); 4] = [
    ("turns/s", |second| second.turns),
    ("ticks/s", |second| second.ticks),
    ("in/s", |second| second.received),
    ("out/s", |second| second.acknowledged),
];

/// The screen of the vat as a whole.
#[derive(Default)]
pub(super) struct Overview {
    top: cell::Cell<usize>,
    /// The objects whose turns have cost most.
    objects: Vec<ObjectRow>,
}

/// What asks for those objects.
fn costly() -> Listing {
    Listing { sort: Some("cpu".to_owned()), limit: Some(10), ..Listing::default() }
}

impl Pane for Overview {
    fn title(&self) -> String {
        "Overview".to_owned()
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Objects(costly())]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let (Query::Objects(listing), Data::Objects(page)) = (query, data)
            && *listing == costly()
        {
            self.objects.clone_from(&page.items);
        }
    }

    fn go(&mut self, motion: Motion) {
        let top = self.top.get();
        self.top.set(match motion {
            Motion::Up => top.saturating_sub(1),
            Motion::Down => top + 1,
            Motion::PageUp | Motion::First => 0,
            _ => top,
        });
    }

    fn into(&self, _: &Context) -> Option<Box<dyn Pane>> {
        Some(Box::new(Table::<Accounts>::default()))
    }

    fn commands(&self) -> Vec<Command> {
        use Command::{AddPeer, Check, Install, Retry, Send, Why};
        vec![Send, Install, Why, Check, Retry, AddPeer]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let Some(overview) = &cx.overview else {
            text::paragraph("asking the vat ...", cx.theme.dim(), area, buf);
            return;
        };
        let wrong = wrong(&overview.wrong, cx, area.width);
        let most = area.height.saturating_sub(14).max(4);
        let wrong_height = u16::try_from(wrong.len()).unwrap_or(u16::MAX).min(most);
        let rows =
            [Constraint::Length(wrong_height + 1), Constraint::Length(6), Constraint::Length(5), Constraint::Min(0)];
        let [wrong_area, vat_area, charts_area, accounts_area] = Layout::vertical(rows).areas(area);
        text::scrolled(&wrong, &self.top, cx, Rect { height: wrong_height, ..wrong_area }, buf);
        text::lines(&figures(overview, cx), 0, vat_area, buf);
        charts(cx, charts_area, buf);
        let [accounts_area, objects_area] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(3).areas(accounts_area);
        draw_accounts(&overview.accounts, cx, accounts_area, buf);
        draw_objects(&self.objects, cx, objects_area, buf);
    }
}

/// What is wrong, a sentence each, with the command that would help.
fn wrong(wrong: &[Why], cx: &Context, width: u16) -> Vec<Line<'static>> {
    let theme = cx.theme;
    if wrong.is_empty() {
        let mark = theme.mark("✓", "ok:");
        return vec![Line::styled(format!("{mark} nothing is wrong: every message goes on"), theme.good())];
    }
    let mut lines = Vec::new();
    for why in wrong {
        let mark = theme.mark("✗", "!");
        let sentence = format!("{mark} {}", format::line(&why.sentence));
        for line in format::wrap(&sentence, usize::from(width.max(20))).lines() {
            lines.push(Line::styled(line.to_owned(), theme.bad()));
        }
        if let Some(command) = &why.command {
            lines.push(Line::styled(format!("  {}", format::line(command)), theme.dim()));
        }
    }
    lines
}

fn figures(overview: &View, cx: &Context) -> Vec<Line<'static>> {
    let theme = cx.theme;
    let View { info, .. } = overview;
    let pair = |name: &str, value: String, style: Style| {
        [Span::styled(format!("{name} "), theme.dim()), Span::styled(format!("{value}   "), style)]
    };
    let line = |pairs: Vec<[Span<'static>; 2]>| Line::from(pairs.into_iter().flatten().collect::<Vec<_>>());
    let oldest = |at: Option<u64>| at.map_or_else(String::new, |at| format!(", oldest {}", format::age(at, cx.now)));
    let attention = |count: u64| if count > 0 { theme.warning() } else { theme.plain() };
    let up = info.started_at.map_or_else(String::new, |at| format::age(at, cx.now).replace(" ago", ""));
    let cage = info.worker.as_ref().map_or_else(
        || ("no worker now".to_owned(), theme.plain()),
        |worker| match (worker.sandbox.seccomp, worker.sandbox.landlock) {
            (true, true) => ("seccomp, landlock".to_owned(), theme.plain()),
            (true, false) => ("seccomp, no landlock here".to_owned(), theme.plain()),
            (false, _) => ("NONE: sandbox = \"unsafe-none\"".to_owned(), theme.bad()),
        },
    );
    let deaths = info.worker.as_ref().map_or(0, |worker| worker.deaths);
    vec![
        line(vec![pair("vat", info.vat.to_string(), theme.name())]),
        line(vec![
            pair("url", info.url.clone().unwrap_or_else(|| "none".to_owned()), theme.plain()),
            pair("up", up, theme.plain()),
            pair("pid", info.pid.map(|pid| pid.to_string()).unwrap_or_default(), theme.plain()),
            pair("version", info.version.clone(), theme.plain()),
        ]),
        line(vec![
            pair("objects", info.objects.to_string(), theme.plain()),
            pair("turns", info.turns.to_string(), theme.plain()),
            pair("faults", info.faults.to_string(), attention(info.faults)),
            pair("database", format::size(overview.database_bytes), theme.plain()),
            pair("WAL", format::size(overview.wal_bytes), theme.plain()),
        ]),
        line(vec![
            pair("inbox", format!("{}{}", info.inbox, oldest(overview.oldest_inbox_at)), theme.plain()),
            pair("outbox", format!("{}{}", info.outbox, oldest(overview.oldest_outbox_at)), attention(info.outbox)),
        ]),
        line(vec![pair("workers' cage", cage.0, cage.1), pair("died", deaths.to_string(), attention(deaths))]),
    ]
}

fn charts(cx: &Context, area: Rect, buf: &mut Buffer) {
    let columns = Layout::horizontal(CHARTS.iter().map(|_| Constraint::Ratio(1, 4))).spacing(2).split(area);
    for ((name, of), column) in CHARTS.iter().zip(columns.iter()) {
        let [label, chart] = Layout::vertical([Constraint::Length(1), Constraint::Length(3)]).areas(*column);
        let history = cx.rates.history(usize::from(chart.width), of);
        let most = history.iter().copied().max().unwrap_or(0);
        let line = Line::from(vec![
            Span::styled(of(&cx.rates.now()).to_string(), cx.theme.title()),
            Span::styled(format!(" {name}, most {most}"), cx.theme.dim()),
        ]);
        buf.set_line(label.x, label.y, &line, label.width);
        if cx.theme.ascii {
            continue;
        }
        // What is newest stands at the right edge.
        let from = chart.width.saturating_sub(u16::try_from(history.len()).unwrap_or(0));
        let chart = Rect { x: chart.x + from, width: chart.width - from, ..chart };
        Sparkline::default().data(&history).max(most.max(1)).style(cx.theme.title()).render(chart, buf);
    }
}

/// Writes a table's title; the room below it.
fn titled(title: &str, theme: Theme, area: Rect, buf: &mut Buffer) -> Rect {
    text::row(Line::styled(title.to_owned(), theme.title()), Rect { height: area.height.min(1), ..area }, buf);
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

fn draw_accounts(rows: &[AccountRow], cx: &Context, area: Rect, buf: &mut Buffer) {
    let theme = cx.theme;
    // What an operator or a peer sends is paid by them, whosever object handles it.
    let table = titled("ACCOUNTS, PAID FOR WHAT THEY SENT", theme, area, buf);
    let cells = |row: &AccountRow| {
        let (left, none) = accounts::left(row.used.cpu_left_us);
        vec![
            Cell::new(format::object(row.name.as_ref(), &row.account), theme.name()),
            format::duration(row.used.cpu_us).into(),
            Cell::new(left, if none { theme.bad() } else { theme.plain() }),
            row.used.objects.to_string().into(),
        ]
    };
    let cells: Vec<_> = rows.iter().map(cells).collect();
    grid::grid(&["ACCOUNT", ">PAID", ">LEFT", ">OBJECTS"], &cells, None, cx, table, buf);
}

fn draw_objects(rows: &[ObjectRow], cx: &Context, area: Rect, buf: &mut Buffer) {
    let theme = cx.theme;
    let table = titled("OBJECTS BY COMPUTE", theme, area, buf);
    let cells = |row: &ObjectRow| {
        vec![
            Cell::new(format::object(row.name.as_ref(), &row.qrid), theme.name()),
            format::duration(row.cpu_us).into(),
            row.turns.to_string().into(),
            Cell::new(row.faults.to_string(), if row.faults > 0 { theme.bad() } else { theme.dim() }),
        ]
    };
    let cells: Vec<_> = rows.iter().map(cells).collect();
    grid::grid(&["OBJECT", ">CPU", ">TURNS", ">FAULTS"], &cells, None, cx, table, buf);
}
