//! One fault: why its turn failed, the message it was, and what it had used when it was rolled back.

use qrt_shared::id::Qrid;
use qrt_shared::view::Fault;
use ratatui::text::Line;

use super::super::command::Command::{self, Copy, Drop, Edit, Reach, Replay, Retry, Trace};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::fields::Fields;
use super::one::{self, Found, Whole};
use super::turns::outcome_style;
use super::{error, of};
use crate::format;

pub(super) struct OneFault {
    pub(super) id: u64,
    pub(super) object: Option<Qrid>,
    pub(super) turn: Option<u64>,
}

impl Whole for OneFault {
    type View = Fault;
    const GONE: &'static str = "this fault is no more: it was retried or dropped";
    const BLOCKS: bool = false;
    const COMMANDS: &'static [Command] = &[Retry, Drop, Edit, Replay, Trace, Reach, Copy];

    fn query(&self) -> Query {
        Query::Faults(one::from(self.id))
    }

    fn found(&self, data: &Data) -> Option<Found<Fault>> {
        let Data::Faults(page) = data else { return None };
        Some(page.items.iter().find(|fault| fault.id == self.id).cloned().into())
    }

    fn thing(&self, _: Option<&Fault>) -> Thing {
        Thing::Fault { id: self.id, object: self.object.clone(), turn: self.turn }
    }

    fn lines(&self, fault: &Fault, fields: Fields, _: u64) -> Vec<Line<'static>> {
        let theme = fields.theme;
        let mut lines = error::lines(&fault.error, fields);
        lines.push(Line::default());
        lines.extend(fields.field("outcome", fault.outcome.as_str(), outcome_style(fault.outcome, theme)));
        let named = |target| format::named(fault.name.as_ref(), target);
        let object = fault.target.as_ref().map_or_else(|| "none of this vat".to_owned(), named);
        lines.extend(fields.field("object", object, theme.name()));
        lines.extend(fields.plain("from", format::named(fault.source_name.as_ref(), &fault.source)));
        let turn = fault.turn.map_or_else(|| "it never ran".to_owned(), |turn| format!("turn {turn}"));
        lines.extend(fields.plain("message", format!("{}, {turn}", fault.message)));
        lines.extend(fields.plain("failed", format!("{} UTC", format::time(fault.at))));
        let used = &fault.used;
        let (cpu, written) = (format::duration(used.cpu_us), format::size(used.bytes));
        let told = format!("{} ticks, {cpu} of CPU time, {written} written, {} promise jobs", fault.ticks, used.jobs);
        lines.extend(fields.plain("used", told));
        let (sent, made) =
            (format::count(used.messages.into(), "message"), format::count(used.objects.into(), "object"));
        lines.extend(fields.plain("rolled back", format!("{sent} and {made} never were")));
        lines.extend(fields.heading("Arguments"));
        match &fault.head {
            Some(head) => lines.extend(fields.said(head, theme.string())),
            None => lines.extend(fields.value(fault.args.get(), "qrt faults --json")),
        }
        lines
    }

    fn inner(&self, fault: Option<&Fault>) -> Option<Box<dyn Pane>> {
        let name = fault.and_then(|fault| fault.name.clone());
        of(&Thing::Object { qrid: self.object.clone()?, name, held: false })
    }
}
