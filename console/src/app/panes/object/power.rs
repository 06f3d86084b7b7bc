//! The object's power, what it holds, and who holds it.

use qrt_shared::id::Qrid;
use qrt_shared::view::{Holding, Object, Power as View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::Context;
use crate::app::command::{Command, Motion};
use crate::app::pane::Pane;
use crate::app::panes::reach;
use crate::app::query::{Data, Query};
use crate::app::theme::Theme;
use crate::app::thing::Thing;
use crate::app::widgets::fields::Fields;
use crate::app::widgets::sheet::{Row, Sheet};
use crate::app::widgets::text;
use crate::format;

pub(super) struct Power {
    qrid: Qrid,
    found: Option<Result<Found, String>>,
    sheet: Sheet<Held>,
}

struct Found {
    power: View,
    holds: Vec<Holding>,
    held_by: Vec<Holding>,
}

/// What a line is about: the other end of a reference, and where it is held.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    thing: Thing,
    place: String,
}

impl Power {
    pub(super) fn new(qrid: Qrid) -> Self {
        Self { qrid, found: None, sheet: Sheet::default() }
    }

    fn take(&mut self, object: &Object) {
        let Object { power, holds, held_by, .. } = object;
        self.found = Some(Ok(Found { power: power.clone(), holds: holds.clone(), held_by: held_by.clone() }));
        self.sheet.renew();
    }
}

impl Pane for Power {
    fn title(&self) -> String {
        match &self.found {
            Some(Ok(found)) => {
                format!("holds {}, held by {}", reach::counted(&found.holds), reach::counted(&found.held_by))
            }
            _ => String::new(),
        }
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
        self.sheet.selected().map_or(Thing::Vat, |held| held.thing)
    }

    fn go(&mut self, motion: Motion) {
        self.sheet.go(motion);
    }

    fn click(&mut self, _: u16, row: u16) {
        self.sheet.click(row);
    }

    fn commands(&self) -> Vec<Command> {
        vec![Command::Reach, Command::Send, Command::Copy]
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        match &self.found {
            None => text::paragraph("reading ...", cx.theme.dim(), area, buf),
            Some(Err(why)) => text::paragraph(why, cx.theme.bad(), area, buf),
            Some(Ok(found)) => {
                self.sheet.draw(0, cx, area, buf, |width| rows(found, &self.qrid, Fields { theme: cx.theme, width }));
            }
        }
    }
}

fn rows(found: &Found, qrid: &Qrid, fields: Fields) -> Vec<Row<Held>> {
    let theme = fields.theme;
    let mut rows = Vec::new();
    let plain = |rows: &mut Vec<Row<Held>>, lines: Vec<Line<'static>>| rows.extend(lines.into_iter().map(Row::plain));
    let Found { power, holds, held_by } = found;
    plain(&mut rows, fields.heading("Power").split_off(1));
    for (property, native) in &power.natives {
        let of = if property == native { String::new() } else { format!(" {native}") };
        plain(&mut rows, fields.field(property, format!("native{of}"), theme.keyword()));
    }
    if power.statics.get() != "{}" {
        plain(&mut rows, fields.value(power.statics.get(), "qrt object --json"));
    } else if power.natives.is_empty() {
        plain(
            &mut rows,
            fields.said("none: what it is installed with, and what its maker gives it, stands here", theme.dim()),
        );
    }
    plain(&mut rows, fields.heading("Holds references to"));
    if holds.is_empty() {
        plain(&mut rows, fields.said("nothing: it can send to nobody but itself", theme.dim()));
    }
    rows.extend(holds.iter().map(|holding| held(holding, qrid, "as", theme)));
    plain(&mut rows, fields.heading("Held by"));
    if held_by.is_empty() {
        plain(&mut rows, fields.said("no object of this vat", theme.dim()));
    }
    rows.extend(held_by.iter().map(|holding| held(holding, qrid, "in its", theme)));
    plain(&mut rows, fields.said(reach::OTHERS, theme.dim()));
    rows
}

fn held(holding: &Holding, qrid: &Qrid, preposition: &str, theme: Theme) -> Row<Held> {
    let place = reach::place(holding);
    let thing = Thing::Object { qrid: holding.object.clone(), name: holding.name.clone(), held: false };
    let abroad = if holding.object.vat == qrid.vat {
        String::new()
    } else {
        format!("  in vat {}", format::vat(None, &holding.object.vat))
    };
    let line = Line::from(vec![
        Span::styled(thing.called(), theme.name()),
        Span::raw(format!("  {preposition} {place}")),
        Span::styled(abroad, theme.warning()),
    ]);
    Row::of(Held { thing, place: format!("{preposition} {place}") }, line)
}
