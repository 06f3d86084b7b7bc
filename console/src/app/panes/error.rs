//! An error in an object's code, with the line it is in.

use qrt_shared::view::CodeError;
use ratatui::text::Line;

use super::super::widgets::fields::Fields;
use crate::format;

/// The error in lines: what went wrong, where, and the line of code with a caret under the place.
pub(super) fn lines(error: &CodeError, fields: Fields) -> Vec<Line<'static>> {
    let theme = fields.theme;
    let mut lines = fields.said(&error.message, theme.bad());
    if let Some(line) = error.line {
        let column = error.column.map(|column| format!(", column {column}")).unwrap_or_default();
        let object = error.object.as_ref().map(|object| format!(" of {}", format::object(None, object)));
        lines.extend(fields.plain("in", format!("line {line}{column}{}", object.unwrap_or_default())));
    }
    for (number, text) in error.excerpt.iter().flat_map(|excerpt| excerpt.lines()).enumerate() {
        // The second line is the caret.
        let style = if number == 0 { theme.plain() } else { theme.bad() };
        lines.push(Line::styled(format!("  {}", format::line(text)), style));
    }
    lines
}
