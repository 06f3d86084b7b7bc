//! Who can reach an object, and what it can reach: the graph of references as a tree that is opened level by
//! level. What is in other vats is not known here, and is shown as that, never as absent.

use std::collections::HashMap;

use qrt_shared::id::{Petname, Qrid};
use qrt_shared::view::{Holding, Place};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::{Command, Motion};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::theme::Theme;
use super::super::thing::Thing;
use super::super::widgets::sheet::{Row, Sheet};
use super::super::widgets::text;
use crate::format;

/// What is true of every object.
pub(super) const OTHERS: &str = "other vats may hold more: nobody can know";

/// What a list of references ends at.
const HOLDINGS_MAX: usize = 1000;

/// The most lines that are laid out.
const ROWS_MAX: usize = 5000;

/// Where a reference is held: `power.key` or `memory.key`.
pub(super) fn place(holding: &Holding) -> String {
    let place = match holding.place {
        Place::Power => "power",
        Place::Memory => "memory",
    };
    format!("{place}.{}", format::clip(&holding.key, 40))
}

/// How many they are, as far as they are told.
pub(super) fn counted(holdings: &[Holding]) -> String {
    let more = if holdings.len() >= HOLDINGS_MAX { " or more" } else { "" };
    format!("{}{more}", holdings.len())
}

/// Which way references are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To who holds one.
    Back,
    /// To what is held.
    On,
}

/// A place in the tree: the references on the way from the root, each by the object at its other end and where it
/// is held.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    way: Way,
    steps: Vec<(Qrid, String)>,
}

/// What is known of an object.
struct Known {
    name: Option<Petname>,
    holds: Vec<Holding>,
    held_by: Vec<Holding>,
}

/// The tree around an object.
#[derive(Default)]
pub(super) struct Reach {
    root: Option<Qrid>,
    known: HashMap<String, Result<Known, String>>,
    open: Vec<Node>,
    sheet: Sheet<Node>,
}

impl Reach {
    /// Begins at an object.
    pub(super) fn of(root: Qrid) -> Self {
        let open = [Way::Back, Way::On].map(|way| Node { way, steps: Vec::new() }).to_vec();
        Self { root: Some(root), open, ..Self::default() }
    }

    fn known(&self, qrid: &Qrid) -> Option<&Known> {
        self.known.get(&qrid.to_string())?.as_ref().ok()
    }

    /// The object at a node, and its name.
    fn object(&self, node: &Node) -> Option<(Qrid, Option<Petname>)> {
        let qrid = node.steps.last().map(|(qrid, _)| qrid).or(self.root.as_ref())?;
        Some((qrid.clone(), self.known(qrid).and_then(|known| known.name.clone())))
    }

    /// Whether a node's own references can be followed here.
    fn opens(&self, node: &Node) -> bool {
        let (Some(root), Some((qrid, _))) = (&self.root, node.steps.last()) else { return true };
        let passed = node.steps.iter().rev().skip(1).map(|(passed, _)| passed).chain([root]);
        qrid.vat == root.vat && passed.into_iter().all(|passed| passed != qrid)
    }

    fn rows(&self, root: &Qrid, theme: Theme) -> Vec<Row<Node>> {
        let called = |qrid: &Qrid| format::object(self.known(qrid).and_then(|known| known.name.as_ref()), qrid);
        let mut rows = Vec::new();
        for (way, title) in [(Way::Back, "can be reached by"), (Way::On, "can reach")] {
            let node = Node { way, steps: Vec::new() };
            let mark = fold(true, self.open.contains(&node), theme);
            let count = self.known(root).map(|known| format!(": {}", counted(known.ends(way)))).unwrap_or_default();
            let line = Line::styled(format!("{mark}{} {title}{count}", called(root)), theme.title());
            rows.push(Row::of(node.clone(), line));
            self.grow(&node, root, theme, &mut rows);
        }
        rows
    }

    /// The lines below a node, if it is open.
    fn grow(&self, node: &Node, qrid: &Qrid, theme: Theme, rows: &mut Vec<Row<Node>>) {
        if !self.open.contains(node) || rows.len() > ROWS_MAX {
            return;
        }
        let indent = "  ".repeat(node.steps.len() + 1);
        let note = |rows: &mut Vec<Row<Node>>, text: &str, style| {
            rows.push(Row::of(node.clone(), Line::styled(format!("{indent}  {}", format::line(text)), style)));
        };
        let known = match self.known.get(&qrid.to_string()) {
            None => return note(rows, "reading ...", theme.dim()),
            Some(Err(why)) => return note(rows, why, theme.bad()),
            Some(Ok(known)) => known,
        };
        for holding in known.ends(node.way) {
            let mut inner = node.clone();
            inner.steps.push((holding.object.clone(), place(holding)));
            let opens = self.opens(&inner);
            rows.push(Row::of(inner.clone(), self.line(&inner, holding, &indent, opens, theme)));
            if opens {
                self.grow(&inner, &holding.object, theme, rows);
            }
        }
        if known.ends(node.way).len() >= HOLDINGS_MAX {
            note(rows, "only the first 1,000 are told", theme.warning());
        }
        match node.way {
            Way::Back => note(rows, OTHERS, theme.dim()),
            Way::On if known.holds.is_empty() => note(rows, "it holds no reference", theme.dim()),
            Way::On => {}
        }
    }

    fn line(&self, node: &Node, holding: &Holding, indent: &str, opens: bool, theme: Theme) -> Line<'static> {
        let by = match node.way {
            Way::Back => "in its",
            Way::On => "as",
        };
        let abroad = self.root.as_ref().is_some_and(|root| root.vat != holding.object.vat);
        let told = match (abroad, opens) {
            (true, _) => format!("  in vat {}: not known here", format::vat(None, &holding.object.vat)),
            (false, false) => "  (again: it is on the way here)".to_owned(),
            (false, true) => String::new(),
        };
        Line::from(vec![
            Span::raw(indent.to_owned()),
            Span::styled(fold(opens, self.open.contains(node), theme), theme.dim()),
            Span::styled(format::object(holding.name.as_ref(), &holding.object), theme.name()),
            Span::raw(format!("  {by} {}", place(holding))),
            Span::styled(told, theme.warning()),
        ])
    }
}

impl Known {
    fn ends(&self, way: Way) -> &[Holding] {
        match way {
            Way::Back => &self.held_by,
            Way::On => &self.holds,
        }
    }
}

fn fold(opens: bool, is_open: bool, theme: Theme) -> &'static str {
    match (opens, is_open) {
        (false, _) => theme.mark("· ", ". "),
        (true, false) => theme.mark("▸ ", "+ "),
        (true, true) => theme.mark("▾ ", "- "),
    }
}

impl Pane for Reach {
    fn title(&self) -> String {
        let root = self.root.as_ref();
        let name = root.map(|root| format::object(self.known(root).and_then(|known| known.name.as_ref()), root));
        name.map_or_else(|| "Reach".to_owned(), |name| format!("Reach of {name}"))
    }

    fn queries(&self) -> Vec<Query> {
        let opened = self.open.iter().filter_map(|node| node.steps.last()).map(|(qrid, _)| qrid);
        // The root is kept fresh; what is opened below is read when it is opened.
        let missing = opened.filter(|qrid| !self.known.contains_key(&qrid.to_string()));
        let mut queries: Vec<_> = self.root.iter().chain(missing).cloned().map(Query::Object).collect();
        queries.dedup();
        queries
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let (Query::Object(qrid), Data::Object(object)) = (query, data)
            && self.queries().contains(query)
        {
            let (name, holds, held_by) = (object.row.name.clone(), object.holds.clone(), object.held_by.clone());
            self.known.insert(qrid.to_string(), Ok(Known { name, holds, held_by }));
            self.sheet.renew();
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if let Query::Object(qrid) = query
            && self.queries().contains(query)
        {
            self.known.insert(qrid.to_string(), Err(why.to_owned()));
            self.sheet.renew();
        }
    }

    fn thing(&self) -> Thing {
        let node = self.sheet.selected().or_else(|| self.open.first().cloned());
        let found = node.and_then(|node| self.object(&node));
        found.map_or(Thing::Vat, |(qrid, name)| Thing::Object { qrid, name, held: false })
    }

    fn go(&mut self, motion: Motion) {
        match (motion, self.sheet.selected()) {
            (Motion::Right, Some(node)) if self.opens(&node) && !self.open.contains(&node) => {
                self.open.push(node);
                self.sheet.renew();
            }
            (Motion::Left, Some(node)) if self.open.contains(&node) => {
                let within = |open: &Node| open.way == node.way && open.steps.starts_with(&node.steps);
                self.open.retain(|open| !within(open));
                // Opened again, it is read again.
                if let Some((qrid, _)) = node.steps.last() {
                    self.known.remove(&qrid.to_string());
                }
                self.sheet.renew();
            }
            (Motion::Left, Some(mut node)) => {
                node.steps.pop();
                self.sheet.select(node);
            }
            (Motion::Left | Motion::Right, _) => {}
            (motion, _) => {
                self.sheet.go(motion);
            }
        }
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
    }

    fn commands(&self) -> Vec<Command> {
        if self.root.is_none() {
            return Vec::new();
        }
        vec![Command::Move(Motion::Right), Command::Move(Motion::Left), Command::Reach, Command::Send, Command::Copy]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match &self.root {
            None => {
                let told =
                    "who can reach an object, and what it can reach: press a on any object, turn, message or fault";
                text::paragraph(told, cx.theme.dim(), area, buf);
            }
            Some(root) => self.sheet.draw(0, cx, area, buf, |_| self.rows(root, cx.theme)),
        }
    }
}
