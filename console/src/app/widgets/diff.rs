//! What is different between two texts, line by line.

use std::time::Duration;

use ratatui::text::Line;
use similar::{ChangeTag, TextDiff};

use super::super::theme::Theme;
use crate::format;

/// Lines around a change.
const AROUND: usize = 3;

/// The largest texts that are compared.
pub const BYTES_MAX: usize = 256 << 10;

/// How long the least difference is looked for; after that any will do. Texts can be made to take minutes.
const PATIENCE: Duration = Duration::from_millis(50);

/// What was taken away and what was put in, with what stands around it.
pub fn lines(before: &str, after: &str, theme: Theme) -> Vec<Line<'static>> {
    if before == after {
        return vec![Line::styled("the same", theme.dim())];
    }
    if before.len().max(after.len()) > BYTES_MAX {
        let sizes = (format::size(before.len() as u64), format::size(after.len() as u64));
        return vec![Line::styled(
            format!("too large to compare here: {} before, {} after", sizes.0, sizes.1),
            theme.dim(),
        )];
    }
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let mut lines = Vec::new();
    for (number, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if number > 0 {
            lines.push(Line::styled("...", theme.dim()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (mark, style) = match change.tag() {
                ChangeTag::Delete => ("-", theme.bad()),
                ChangeTag::Insert => ("+", theme.good()),
                ChangeTag::Equal => (" ", theme.plain()),
            };
            let place = change.new_index().or(change.old_index()).map_or(0, |index| index + 1);
            let text = format::line(change.value().trim_end_matches('\n'));
            lines.push(Line::styled(format!("{place:>4} {mark} {text}"), style));
        }
    }
    lines
}
