//! The object's code, with the lines marked in which turns have failed lately.

use qrt_shared::control::{At, Listing};
use qrt_shared::id::Qrid;
use qrt_shared::view::{Fault, Object};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Context;
use crate::app::command::{Command, Motion};
use crate::app::pane::Pane;
use crate::app::panes::of;
use crate::app::query::{Data, Query};
use crate::app::scroll::Scroll;
use crate::app::thing::Thing;
use crate::app::widgets::code::Code;
use crate::app::widgets::text;
use crate::format;

/// Faults that are looked at.
const FAULTS: u64 = 20;

/// Columns that a key moves the code by.
const STEP: usize = 8;

pub(super) struct CodePart {
    qrid: Qrid,
    of: Thing,
    /// SHA-256 of the code that is shown, and which version it is.
    version: Option<(String, u64)>,
    code: Code,
    faults: Vec<Fault>,
    /// Lines, from 0, with the fault that happened there, an index.
    marks: Vec<(usize, usize)>,
    refused: Option<String>,
    scroll: Scroll,
    /// The first column.
    from: usize,
}

impl CodePart {
    pub(super) fn new(qrid: Qrid, of: Thing) -> Self {
        Self {
            qrid,
            of,
            version: None,
            code: Code::default(),
            faults: Vec::new(),
            marks: Vec::new(),
            refused: None,
            scroll: Scroll::default(),
            from: 0,
        }
    }

    /// Faults of the object: a fault's list can be asked for an id.
    fn faults(&self) -> Query {
        let filter = self.qrid.object.to_string();
        Query::Faults(Listing { at: At::Last, limit: Some(FAULTS), filter, ..Listing::default() })
    }

    fn take(&mut self, object: &Object) {
        self.refused = None;
        self.of = super::thing(&object.row);
        let version = (object.code.sha256.clone(), object.code.version);
        if self.version.as_ref() != Some(&version) {
            self.code = Code::new(&object.code.text);
            self.scroll.to(self.scroll.place().min(self.code.count().saturating_sub(1)));
            self.version = Some(version);
        }
    }

    /// Marks the lines that faults name, where the code still has them.
    fn mark(&mut self) {
        self.marks.clear();
        for (number, fault) in self.faults.iter().enumerate() {
            let error = &fault.error;
            let Some(line) = error.line.and_then(|line| usize::try_from(line).ok()?.checked_sub(1)) else { continue };
            let was = error.excerpt.as_deref().and_then(|excerpt| excerpt.lines().next()).unwrap_or("").trim();
            if error.object.as_ref() == Some(&self.qrid) && self.code.text(line).contains(&format::line(was)) {
                // The newest of a line counts.
                self.marks.retain(|(marked, _)| *marked != line);
                self.marks.push((line, number));
            }
        }
    }

    fn fault(&self, line: usize) -> Option<&Fault> {
        let (_, number) = self.marks.iter().find(|(marked, _)| *marked == line)?;
        self.faults.get(*number)
    }

    fn draw_line(&self, line: usize, gutter: usize, cx: &Context, area: Rect, buf: &mut Buffer) {
        let theme = cx.theme;
        let fault = self.fault(line);
        let mark = if fault.is_some() { "!" } else { " " };
        let style = if fault.is_some() { theme.bad() } else { theme.dim() };
        let (x, _) =
            buf.set_stringn(area.x, area.y, format!("{mark}{:>gutter$} ", line + 1), usize::from(area.width), style);
        let room = area.right().saturating_sub(x);
        let (x, _) = buf.set_line(x, area.y, &self.code.line(line, self.from, usize::from(room), theme), room);
        if let Some(fault) = fault {
            // Beside the code where there is room; over its end where there is none.
            let half = area.x + area.width / 2;
            let from = (x + 2).min(half);
            let room = usize::from(area.right() - from);
            let told = format::clip(&format!(" ! {}", fault.error.message), room);
            buf.set_stringn(from, area.y, told, room, theme.bad());
        }
        if line == self.scroll.place() {
            buf.set_style(area, theme.selected());
        }
    }
}

impl Pane for CodePart {
    fn title(&self) -> String {
        self.version.as_ref().map_or_else(String::new, |(sha256, version)| {
            format!(
                "version {version}, {}, sha256 {}..",
                format::count(self.code.count() as u64, "line"),
                format::clip(sha256, 8).trim_end_matches('.')
            )
        })
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Object(self.qrid.clone()), self.faults()]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        match data {
            Data::Object(object) if *query == Query::Object(self.qrid.clone()) => self.take(object),
            Data::Faults(page) if *query == self.faults() => self.faults.clone_from(&page.items),
            _ => return,
        }
        self.mark();
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if *query == Query::Object(self.qrid.clone()) {
            self.refused = Some(why.to_owned());
        }
    }

    fn thing(&self) -> Thing {
        self.of.clone()
    }

    fn go(&mut self, motion: Motion) {
        match motion {
            Motion::Left => self.from = self.from.saturating_sub(STEP),
            Motion::Right => self.from += STEP,
            motion => {
                self.scroll.go(motion, self.code.count());
            }
        }
    }

    fn click(&mut self, _: u16, row: u16) {
        self.scroll.click(row.into(), self.code.count());
    }

    fn into(&self, _: &Context) -> Option<Box<dyn Pane>> {
        let fault = self.fault(self.scroll.place())?;
        of(&Thing::Fault { id: fault.id, object: fault.target.clone(), turn: fault.turn })
    }

    fn commands(&self) -> Vec<Command> {
        use Command::{Copy, Drop, Edit, Hold, Name, Reach, Send, Why};
        vec![Send, Edit, Hold, Why, Reach, Name, Drop, Copy]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        if let Some(why) = &self.refused {
            text::paragraph(why, cx.theme.bad(), area, buf);
            return;
        }
        if self.version.is_none() {
            text::paragraph("reading ...", cx.theme.dim(), area, buf);
            return;
        }
        // What a selected line's fault says in full stands below.
        let said = self.fault(self.scroll.place()).map(|fault| {
            let age = format::age(fault.at, cx.now);
            format!(
                "! line {}: {} (fault {}, {age}; Enter goes into it)",
                self.scroll.place() + 1,
                fault.error.message,
                fault.id
            )
        });
        let below = u16::from(said.is_some());
        if let Some(said) = said {
            let told = format::clip(&said, usize::from(area.width));
            buf.set_stringn(area.x, area.bottom() - 1, told, usize::from(area.width), cx.theme.bad());
        }
        let height = area.height - below;
        let count = self.code.count();
        let gutter = count.to_string().len();
        let top = self.scroll.window(count, usize::from(height));
        for (y, line) in (area.y..area.y + height).zip(top..count) {
            self.draw_line(line, gutter, cx, Rect { y, height: 1, ..area }, buf);
        }
    }
}
