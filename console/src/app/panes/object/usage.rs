//! What the object uses and may use: account, budgets, deaths, storage, queue, and the versions of its code.

use qrt_shared::id::Qrid;
use qrt_shared::view::{Object, OldCode};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::version::Version;
use crate::app::Context;
use crate::app::command::{Command, Motion};
use crate::app::pane::Pane;
use crate::app::panes::accounts;
use crate::app::query::{Data, Query};
use crate::app::thing::Thing;
use crate::app::widgets::fields::Fields;
use crate::app::widgets::sheet::{Row, Sheet};
use crate::app::widgets::text;
use crate::format;

pub(super) struct Usage {
    qrid: Qrid,
    of: Thing,
    /// The object without the versions of its code.
    found: Option<Result<Box<Object>, String>>,
    /// Every version of the code, oldest first; the last is what it has.
    versions: Vec<OldCode>,
    sheet: Sheet<Tag>,
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq)]
enum Tag {
    Object(Thing),
    /// An index.
    Version(usize),
}

impl Usage {
    pub(super) fn new(qrid: Qrid, of: Thing) -> Self {
        Self { qrid, of, found: None, versions: Vec::new(), sheet: Sheet::default() }
    }

    fn take(&mut self, object: &Object) {
        self.of = super::thing(&object.row);
        let code = &object.code;
        if self.versions.last().map(|last| last.version) != Some(code.version) {
            let (version, sha256, text) = (code.version, code.sha256.clone(), code.text.clone());
            self.versions.clone_from(&code.history);
            self.versions.push(OldCode { version, sha256, text, until: 0 });
        }
        let mut brief = object.clone();
        brief.code.history.clear();
        brief.code.text.clear();
        self.found = Some(Ok(Box::new(brief)));
        self.sheet.renew();
    }

    fn rows(&self, object: &Object, fields: Fields, now: u64) -> Vec<Row<Tag>> {
        let mut rows = Vec::new();
        let plain =
            |rows: &mut Vec<Row<Tag>>, lines: Vec<Line<'static>>| rows.extend(lines.into_iter().map(Row::plain));
        plain(&mut rows, itself(object, fields, now));
        for (name, qrid) in [("account", Some(&object.row.account)), ("made by", object.maker.as_ref())] {
            let Some(qrid) = qrid else { continue };
            let thing = Thing::Object { qrid: qrid.clone(), name: None, held: false };
            let own = if *qrid == self.qrid { "its own" } else { &qrid.to_string() };
            let lines = fields.field(name, own, fields.theme.name()).into_iter();
            rows.extend(lines.map(|line| Row::of(Tag::Object(thing.clone()), line)));
        }
        plain(&mut rows, account(object, fields));
        plain(&mut rows, deaths(object, fields));
        plain(&mut rows, fields.heading("Versions of its code: Enter compares with the one before"));
        for (number, version) in self.versions.iter().enumerate().rev() {
            let since = match number.checked_sub(1).and_then(|before| self.versions.get(before)) {
                Some(before) => format!("since turn {}", before.until),
                None => "from the beginning".to_owned(),
            };
            let told = format!("{since}, {}, sha256 {}", format::size(version.text.len() as u64), version.sha256);
            let lines = fields.plain(&format!("version {}", version.version), told).into_iter();
            rows.extend(lines.map(|line| Row::of(Tag::Version(number), line)));
        }
        rows
    }
}

fn itself(object: &Object, fields: Fields, now: u64) -> Vec<Line<'static>> {
    let (theme, row) = (fields.theme, &object.row);
    let mut lines = fields.field("object", row.qrid.to_string(), theme.name());
    lines.extend(
        fields.plain("made", format!("{} UTC, {}", format::time(row.created_at), format::age(row.created_at, now))),
    );
    if row.held {
        let why = object.held_why.as_deref().unwrap_or("an operator holds it: h releases it");
        lines.extend(fields.field("held", why, theme.warning()));
    }
    let failed = format!("{}, {} failed, {} of CPU time", row.turns, row.faults, format::duration(row.cpu_us));
    lines.extend(fields.plain("turns", failed));
    lines.extend(fields.plain("memory", format!("{} as stored", format::size(row.memory_bytes))));
    lines.extend(fields.plain("queue", format::count(row.queued, "message")));
    if row.refused > 0 {
        let told = format!("{} had no room in its queue and were only counted", format::count(row.refused, "message"));
        lines.extend(fields.field("refused", told, theme.bad()));
    }
    lines.extend(fields.plain("budget", figures(&object.budget)));
    lines
}

/// A budget in words.
fn figures(budget: &qrt_shared::budget::Budget) -> String {
    if budget.is_empty() { "as settings.toml says".to_owned() } else { budget.to_string() }
}

fn account(object: &Object, fields: Fields) -> Vec<Line<'static>> {
    let used = &object.account_use;
    let mut lines = fields.heading("Its account, in all");
    lines.extend(fields.plain("objects", used.objects.to_string()));
    lines.extend(fields.plain("memory", format::size(used.memory_bytes)));
    lines.extend(fields.plain("queued", format::size(used.queued_bytes)));
    let (left, none) = accounts::left(used.cpu_left_us);
    let style = if none { fields.theme.bad() } else { fields.theme.plain() };
    lines.extend(fields.field("CPU time", format!("{} paid; left: {left}", format::duration(used.cpu_us)), style));
    lines.extend(fields.plain("budget", figures(&used.budget)));
    lines
}

fn deaths(object: &Object, fields: Fields) -> Vec<Line<'static>> {
    let mut lines = fields.heading("Workers that its code killed");
    if object.deaths == 0 {
        lines.extend(fields.said("none", fields.theme.good()));
        return lines;
    }
    lines.extend(fields.field("deaths", object.deaths.to_string(), fields.theme.bad()));
    for death in &object.killed {
        let turn = death.turn.map_or_else(|| "it ran once more".to_owned(), |turn| format!("turn {turn}"));
        let told = format!("{} UTC  {}: {}", format::time(death.at), death.message, death.how);
        lines.extend(fields.plain(&turn, told));
    }
    lines
}

impl Pane for Usage {
    fn title(&self) -> String {
        String::new()
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Object(self.qrid.clone())]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let Data::Object(object) = data
            && self.queries().contains(query)
        {
            self.take(object);
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if self.queries().contains(query) {
            self.found = Some(Err(why.to_owned()));
        }
    }

    fn thing(&self) -> Thing {
        match self.sheet.selected() {
            Some(Tag::Object(thing)) if !thing.same(&self.of) => thing,
            _ => self.of.clone(),
        }
    }

    fn go(&mut self, motion: Motion) {
        self.sheet.go(motion);
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
    }

    fn into(&self, _: &Context) -> Option<Box<dyn Pane>> {
        let Some(Tag::Version(number)) = self.sheet.selected() else { return None };
        let before = number.checked_sub(1).and_then(|before| self.versions.get(before));
        Some(Box::new(Version::new(&self.of.called(), before, self.versions.get(number)?)))
    }

    fn commands(&self) -> Vec<Command> {
        vec![Command::Hold, Command::Edit, Command::Why, Command::Reach, Command::Copy]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match &self.found {
            None => text::paragraph("reading ...", cx.theme.dim(), area, buf),
            Some(Err(why)) => text::paragraph(why, cx.theme.bad(), area, buf),
            Some(Ok(object)) => self.sheet.draw(cx.now / 1000, cx, area, buf, |width| {
                self.rows(object, Fields { theme: cx.theme, width }, cx.now)
            }),
        }
    }
}
