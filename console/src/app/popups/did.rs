//! What a turn did, line by line: how it ended, its result, what it changed, made, sent and logged.

use qrt_shared::view::{Change, CodeError, Outcome, Turn};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::value::RawValue;

use super::super::Context;
use super::super::theme::Theme;
use super::super::widgets::json;
use crate::format;

/// A turn.
pub(super) fn lines(turn: &Turn, cx: &Context, width: usize) -> Vec<Line<'static>> {
    let theme = cx.theme;
    let style = match turn.outcome {
        Outcome::Ok => theme.good(),
        Outcome::Error => theme.bad(),
        Outcome::Killed => theme.warning(),
    };
    let cost = format!("  {}, {}", format::count(turn.ticks, "tick"), format::duration(turn.cpu_us));
    let mut lines = vec![Line::from(vec![
        Span::raw(format!("turn {} ended: ", turn.turn)),
        Span::styled(turn.outcome.as_str(), style),
        Span::styled(cost, theme.dim()),
    ])];
    match &turn.error {
        Some(wrong) => lines.extend(error(wrong, theme)),
        None => lines.extend(value("result ", theme.plain(), Some(&turn.result), width, theme)),
    }
    if let Some(why) = &turn.result_error {
        lines.push(Line::styled(format!("result not kept: {}", format::line(why)), theme.warning()));
    }
    lines.extend(turn.changes.iter().flat_map(|change| changed(change, width, theme)));
    lines.extend(turn.made.iter().map(|qrid| Line::raw(format!("made {qrid}"))));
    if !turn.sent.is_empty() {
        let sent: Vec<_> = turn.sent.iter().map(format::message).collect();
        lines.push(Line::raw(format!("sent {}", sent.join(", "))));
    }
    lines.extend(turn.log.iter().map(|line| Line::styled(format!("log  {}", format::line(line)), theme.dim())));
    lines
}

/// Why a turn failed, and where.
pub(super) fn error(error: &CodeError, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(format::line(&error.message), theme.bad())];
    if let Some(line) = error.line {
        lines.push(Line::styled(format!("at line {line}, column {}", error.column.unwrap_or(1)), theme.dim()));
    }
    let excerpt = error.excerpt.as_deref().map(format::block).unwrap_or_default();
    lines.extend(excerpt.lines().map(|line| Line::raw(line.to_owned())));
    lines
}

fn changed(change: &Change, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let what = match (change.added, change.deleted) {
        (true, _) => "is new",
        (_, true) => "is gone",
        _ => "changed",
    };
    let head =
        [Span::raw("memory "), Span::styled(format::line(&change.key), theme.name()), Span::raw(format!(" {what}"))];
    // A value that is null is left out like one that is not there.
    let null = RawValue::NULL;
    let old = (!change.added).then(|| change.old.as_deref().unwrap_or(null));
    let new = (!change.deleted).then(|| change.new.as_deref().unwrap_or(null));
    let mut lines = vec![Line::from(head.to_vec())];
    lines.extend(value("  - ", theme.bad(), old, width, theme));
    lines.extend(value("  + ", theme.good(), new, width, theme));
    lines
}

/// A value after `mark`, if there is one.
pub(super) fn value(
    mark: &'static str,
    style: Style,
    value: Option<&RawValue>,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let Some(value) = value else { return Vec::new() };
    let blank = " ".repeat(mark.len());
    let mut lines = json::brief(value.get(), width.saturating_sub(mark.len()), theme);
    for (number, line) in lines.iter_mut().enumerate() {
        let head = if number == 0 { Span::styled(mark, style) } else { Span::raw(blank.clone()) };
        line.spans.insert(0, head);
    }
    lines
}
