//! A value of a memory as it stands in the tree: closed, it is a line of its text; open, its members stand below it.

use qrt_shared::id::Qrid;
use ratatui::text::Line;

use crate::app::theme::Theme;
use crate::app::widgets::json;
use crate::format;

/// Whether a value has members to show, or is longer than a line.
pub(super) fn folds(value: &str) -> bool {
    let nested = value.starts_with(['{', '[']) && !value.starts_with("{\"@qref\"") && value != "{}" && value != "[]";
    nested || (value.starts_with('"') && value.len() > 60)
}

/// The mark of what can be opened.
pub(super) fn fold(opens: bool, is_open: bool, theme: Theme) -> &'static str {
    match (opens, is_open) {
        (false, _) => "  ",
        (true, false) => theme.mark("▸ ", "+ "),
        (true, true) => theme.mark("▾ ", "- "),
    }
}

/// A value in what is left of a line.
pub(super) fn summary(value: &str, is_open: bool, room: usize, theme: Theme) -> Line<'static> {
    if is_open {
        let bracket = value.chars().next().filter(|first| "{[".contains(*first));
        return Line::from(bracket.map(String::from).unwrap_or_default());
    }
    json::coloured(&format::clip(value, room), theme)
}

/// The object that a value is a reference to.
pub(super) fn reference(value: &str) -> Option<Qrid> {
    let text = value.strip_prefix("{\"@qref\":")?.trim_start().strip_suffix('}')?.trim_end();
    text.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}
