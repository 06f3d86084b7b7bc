//! An object to install: its code, its name, what it is granted, and what the vat says of it.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent};
use qrt_shared::id::Petname;
use qrt_shared::view::DryInstall;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::event::{Answer, Do, Edit, Edited};
use super::super::popup::Popup;
use super::super::query::{Data, Query};
use super::super::request::{self, Reply, Request};
use super::super::thing::Thing;
use super::super::widgets::text;
use super::super::written::Draft;
use super::prompt;
use crate::cli;
use crate::format;
use crate::samples::{self, SAMPLES};

/// The native powers of this version, as the daemon names them. A daemon that knows others still refuses what it
/// does not know.
const NATIVES: &[&str] = &["make_object", "make_account", "clock", "random", "log"];

/// What an editor begins with.
const TEMPLATE: &str = "\
// One function, called with the arguments of each message and with its power: what it was granted, and
// `power.memory`. What it returns is the result.
function (args, power) {
  return args;
}
";

/// What is typed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    File,
    Name,
    Grants,
    Memory,
    Power,
}

/// The fields, from top to bottom.
const FIELDS: [(Field, &str); 5] = [
    (Field::File, "file"),
    (Field::Name, "name"),
    (Field::Grants, "grants"),
    (Field::Memory, "memory"),
    (Field::Power, "power"),
];

/// Lines of what a file's name may become.
const OFFERED_LINES: u16 = 6;

/// An object to install.
pub(super) struct Install {
    file: prompt::Line,
    /// Code that was pasted or written here; it counts when no file is named.
    code: String,
    name: prompt::Line,
    granted: Vec<&'static str>,
    /// The native power the cursor is on.
    native: usize,
    memory: prompt::Line,
    power: prompt::Line,
    field: Field,
    /// Files whose names begin like that; `None` when they are not known yet.
    files: Option<Vec<String>>,
    picked: Option<usize>,
    /// What was asked for and is not answered.
    asked: Option<Request>,
    /// Why the vat will not have it.
    refused: Option<String>,
    /// What the vat would make of a form, or why not.
    checked: Option<(request::Install, Result<DryInstall, String>)>,
}

impl Install {
    /// What was left uninstalled, or an empty form.
    pub(super) fn new(cx: &Context) -> Self {
        let left = cx.written.install().cloned().unwrap_or_else(|| request::Install {
            memory: Some("{}".to_owned()),
            power: "{}".to_owned(),
            natives: granted(&["make_object"]),
            ..request::Install::default()
        });
        Self {
            file: prompt::Line::new(left.file),
            code: left.code,
            name: prompt::Line::new(left.name),
            granted: NATIVES.iter().copied().filter(|native| left.natives.contains_key(*native)).collect(),
            native: 0,
            memory: prompt::Line::new(left.memory.unwrap_or_default()),
            power: prompt::Line::new(left.power),
            field: Field::File,
            files: None,
            picked: None,
            asked: None,
            refused: None,
            checked: None,
        }
    }

    /// What the form says, right or wrong.
    fn form(&self) -> request::Install {
        let memory = self.memory.text.trim();
        request::Install {
            file: self.file.text.trim().to_owned(),
            code: self.code.clone(),
            name: self.name.text.trim().to_owned(),
            memory: (!memory.is_empty()).then(|| memory.to_owned()),
            power: self.power.text.trim().to_owned(),
            natives: granted(&self.granted),
        }
    }

    /// What is wrong with it, as far as that shows without asking the vat.
    fn wrong(&self) -> Option<String> {
        let form = self.form();
        if form.file.is_empty() && form.code.is_empty() {
            return Some("its code: name a file or a sample, paste it, or press Ctrl-E for your editor".to_owned());
        }
        if let Some(Err(error)) = (!form.name.is_empty()).then(|| form.name.parse::<Petname>()) {
            return Some(format!("name: {error}"));
        }
        let memory = form.memory.as_deref().map(|memory| cli::object_value(memory, "memory"));
        let power = cli::object_value(&form.power, "power");
        [memory, Some(power)].into_iter().flatten().find_map(Result::err).map(|failure| failure.reason())
    }

    fn install(&mut self) -> Vec<Do> {
        if self.asked.is_some() {
            return Vec::new();
        }
        self.refused = self.wrong();
        if self.refused.is_some() {
            return Vec::new();
        }
        let request = Request::Install(self.form());
        self.asked = Some(request.clone());
        vec![Do::Ask(request)]
    }

    /// Moves to the next field, or the one before.
    fn step(&mut self, on: bool) {
        let now = FIELDS.iter().position(|(field, _)| *field == self.field).unwrap_or(0);
        let to = if on { (now + 1) % FIELDS.len() } else { (now + FIELDS.len() - 1) % FIELDS.len() };
        self.field = FIELDS[to].0;
        self.picked = None;
    }

    /// Opens the operator's editor on the code.
    fn edit(&mut self) -> Vec<Do> {
        let file = self.file.text.trim();
        let text = match samples::by_name(file) {
            Some(sample) => sample.code.to_owned(),
            None if !file.is_empty() => {
                self.refused = Some(format!("{file} is yours to edit: it is read when it is installed"));
                return Vec::new();
            }
            None if self.code.is_empty() => TEMPLATE.to_owned(),
            None => self.code.clone(),
        };
        vec![Do::Edit(Edit { text, suffix: ".js", what: Edited::Field("code") })]
    }

    /// What the file's name may become: samples first.
    fn offered(&self) -> Vec<String> {
        let typed = self.file.text.trim();
        let samples = SAMPLES.iter().map(|sample| sample.name).filter(|name| name.starts_with(typed));
        samples.map(str::to_owned).chain(self.files.iter().flatten().cloned()).collect()
    }

    /// Takes what is offered as the file; whether that was something new.
    fn take(&mut self, picked: Option<usize>) -> bool {
        let Some(name) = picked.and_then(|picked| self.offered().into_iter().nth(picked)) else { return false };
        let other = name != self.file.text;
        self.file = prompt::Line::new(name);
        (self.files, self.picked) = (None, None);
        other
    }

    fn file_key(&mut self, key: KeyEvent) {
        let last = self.offered().len().checked_sub(1);
        match key.code {
            KeyCode::Down => self.picked = last.map(|last| self.picked.map_or(0, |picked| (picked + 1).min(last))),
            KeyCode::Up => self.picked = self.picked.and_then(|picked| picked.checked_sub(1)),
            KeyCode::Tab => {
                let taken = self.take(self.picked.or(Some(0)));
                // In a directory there is more to say.
                if !(taken && self.file.text.ends_with('/')) {
                    self.step(true);
                }
            }
            _ => {
                self.file.key(key);
                (self.files, self.picked) = (None, None);
            }
        }
    }

    fn grants_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Left => self.native = self.native.saturating_sub(1),
            KeyCode::Right => self.native = (self.native + 1).min(NATIVES.len() - 1),
            KeyCode::Char(' ') => {
                let native = NATIVES[self.native];
                if self.granted.contains(&native) {
                    self.granted.retain(|granted| *granted != native);
                } else {
                    self.granted.push(native);
                }
            }
            _ => {}
        }
    }

    /// The line that has the keys, if a line has them.
    fn line(&mut self) -> Option<&mut prompt::Line> {
        match self.field {
            Field::File => Some(&mut self.file),
            Field::Name => Some(&mut self.name),
            Field::Grants => None,
            Field::Memory => Some(&mut self.memory),
            Field::Power => Some(&mut self.power),
        }
    }

    fn told(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let theme = cx.theme;
        let wrapped = |text: &str, style| text::wrapped(text, style, width);
        if self.asked.is_some() {
            return wrapped("installing ...", theme.dim());
        }
        let refused = |head: &str, why: &str| text::refusal(&format!("{head}: {why}"), theme.bad(), width);
        if let Some(why) = &self.refused {
            return refused("not installed", why);
        }
        if let Some(wrong) = self.wrong() {
            return wrapped(&format!("wanted: {wrong}"), theme.warning());
        }
        match &self.checked {
            Some((form, checked)) if *form == self.form() => match checked {
                Ok(dry) => {
                    let mark = theme.mark("✓", "ok:");
                    let size = format::size(dry.objects.iter().map(|object| object.code_bytes).sum());
                    let mut told = wrapped(&format!("{mark} the code is good, {size}"), theme.good());
                    told.extend(wrapped(&reach(dry), theme.plain()));
                    told
                }
                Err(why) => refused("it would be refused", why),
            },
            _ => wrapped("the vat looks at it ...", theme.dim()),
        }
    }
}

/// What the object would be able to reach.
fn reach(dry: &DryInstall) -> String {
    let natives: Vec<_> = dry.power.natives.values().map(String::as_str).collect();
    let natives = if natives.is_empty() { "no native power".to_owned() } else { natives.join(", ") };
    let more = if dry.reaches.more { " or more" } else { "" };
    let objects = format::count(dry.reaches.nodes.len() as u64, "object");
    let mut told = format!("it could use {natives}; it could reach {objects}{more}");
    let held = dry.reaches.nodes.iter().filter(|node| node.distance == 0);
    let held: Vec<_> = held.map(|node| format::object(node.name.as_ref(), &node.object)).collect();
    if !held.is_empty() {
        told = format!("{told}, holding {} itself", held.join(", "));
    }
    for (native, count) in &dry.natives_reached {
        told = format!("{told}; {} of them with {native}", format::count(*count, "object"));
    }
    told
}

fn granted(natives: &[&str]) -> BTreeMap<String, String> {
    natives.iter().map(|native| ((*native).to_owned(), (*native).to_owned())).collect()
}

impl Popup for Install {
    fn title(&self) -> String {
        "Install an object".to_owned()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        let here = match self.field {
            Field::File => ("Tab Up Down", "complete"),
            Field::Grants => ("Space Left Right", "grant"),
            _ => ("Tab Shift-Tab", "field"),
        };
        vec![("Enter", "install"), here, ("Ctrl-E", "write code"), ("Esc", "leave")]
    }

    fn queries(&self) -> Vec<Query> {
        let files = (self.field == Field::File).then(|| Query::Files(self.file.text.trim().to_owned()));
        let good = self.wrong().is_none().then(|| Query::DryInstall(Box::new(self.form())));
        files.into_iter().chain(good).collect()
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        match (query, data) {
            (Query::Files(typed), Data::Files(files)) if typed == self.file.text.trim() => {
                self.files = Some(files.clone());
            }
            (Query::DryInstall(form), Data::DryInstall(dry)) => {
                self.checked = Some(((**form).clone(), Ok((**dry).clone())));
            }
            _ => {}
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if let Query::DryInstall(form) = query {
            self.checked = Some(((**form).clone(), Err(why.to_owned())));
        }
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        if self.asked.as_ref() != Some(request) {
            return Vec::new();
        }
        self.asked = None;
        match answer {
            Ok(Reply::Installed(objects)) => {
                let done = [Do::Close, Do::Remember(Draft::Install(None))];
                let object = objects.first().map(|object| object.qrid.clone());
                let there = object.into_iter().flat_map(|qrid| {
                    let thing = Thing::Object { qrid: qrid.clone(), name: self.form().name.parse().ok(), held: false };
                    [Do::Copy(qrid.to_string())].into_iter().chain(super::go(&thing))
                });
                done.into_iter().chain(there).collect()
            }
            Ok(_) => Vec::new(),
            Err(why) => {
                self.refused = Some(why.clone());
                Vec::new()
            }
        }
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        let control = key.modifiers.contains(crossterm::event::KeyModifiers::CONTROL);
        match (key.code, self.field) {
            (KeyCode::Esc, _) => return vec![Do::Remember(Draft::Install(Some(self.form()))), Do::Close],
            _ if prompt::is_go(key) => return self.install(),
            (KeyCode::Char('e'), _) if control => return self.edit(),
            (KeyCode::Enter, _) if self.picked.is_some() => {
                self.take(self.picked);
            }
            (KeyCode::Enter, _) => return self.install(),
            (KeyCode::BackTab, _) => self.step(false),
            (_, Field::File) => self.file_key(key),
            (KeyCode::Up, _) => self.step(false),
            (KeyCode::Down | KeyCode::Tab, _) => self.step(true),
            (_, Field::Grants) => self.grants_key(key),
            _ => {
                if let Some(line) = self.line() {
                    line.key(key);
                }
            }
        }
        self.refused = None;
        Vec::new()
    }

    fn paste(&mut self, text: &str) {
        self.refused = None;
        // A path has one line; code that has only one is written in the editor.
        if self.field == Field::File && text.trim().contains(['\n', '\r']) {
            self.code = text.replace("\r\n", "\n").replace('\r', "\n");
            self.file = prompt::Line::default();
        } else if let Some(line) = self.line() {
            line.insert(text.trim());
        }
        (self.files, self.picked) = (None, None);
    }

    fn edited(&mut self, _: &str, text: String) -> Vec<Do> {
        self.code = text;
        self.file = prompt::Line::default();
        (self.files, self.picked, self.refused) = (None, None, None);
        Vec::new()
    }

    fn size(&self, _: &Context, room: Rect) -> (u16, u16) {
        (room.width.min(110), room.height.min(26))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let theme = cx.theme;
        let offered = if self.field == Field::File { OFFERED_LINES } else { 0 };
        let rows = [1, offered, 1, 1, 1, 1, 1].map(Constraint::Length);
        let rows = rows.into_iter().chain([Constraint::Min(0), Constraint::Length(1)]);
        let areas: [Rect; 9] = Layout::vertical(rows).areas(area);
        let [file, offer, name, grants, memory, power, _, told, command] = areas;
        let field = |row: Rect| Rect { x: row.x + 9, width: row.width.saturating_sub(9), ..row };
        for ((which, label), row) in FIELDS.iter().zip([file, name, grants, memory, power]) {
            let here = *which == self.field;
            let mark = if here { "> " } else { "  " };
            let style = if here { theme.title() } else { theme.dim() };
            text::row(Line::styled(format!("{mark}{label}"), style), Rect { width: row.width.min(9), ..row }, buf);
        }
        if self.file.text.is_empty() && !self.code.is_empty() {
            let lines = format::count(self.code.lines().count() as u64, "line");
            let own = format!(" code written here, {lines}");
            text::row(Line::styled(own, theme.good()), field(file), buf);
        }
        self.file.draw(self.field == Field::File, cx, field(file), buf);
        self.name.draw(self.field == Field::Name, cx, field(name), buf);
        self.memory.draw(self.field == Field::Memory, cx, field(memory), buf);
        self.power.draw(self.field == Field::Power, cx, field(power), buf);
        if self.memory.text.is_empty() && self.field != Field::Memory {
            text::row(Line::styled("none: every turn begins anew", theme.dim()), field(memory), buf);
        }
        let natives = NATIVES.iter().enumerate().flat_map(|(number, native)| {
            let mark = if self.granted.contains(native) { "[x] " } else { "[ ] " };
            let here = self.field == Field::Grants && number == self.native;
            let style = if here { theme.selected() } else { theme.plain() };
            [Span::styled(format!("{mark}{native}"), style), Span::raw(" ")]
        });
        text::row(natives.collect::<Line<'_>>(), field(grants), buf);
        let offers: Vec<_> = self.offered().iter().map(|name| Line::raw(format::line(name))).collect();
        text::choice(&offers, self.picked, cx, field(offer), buf);
        text::lines(&self.told(cx, usize::from(told.width)), 0, told, buf);
        let line = Request::Install(self.form()).line(&cx.dir);
        let line = text::clip(&format::line(&line), usize::from(command.width));
        text::row(Line::styled(line, theme.dim()), command, buf);
    }
}

#[cfg(test)]
mod tests;
