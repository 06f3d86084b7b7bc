//! A table: columns as wide as what is on the screen needs, the last one taking what is left.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::super::Context;
use super::super::list::{List, Row};
use super::text;

/// One field.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A field in that style; the text is made safe to show.
    pub fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: crate::format::line(text.as_ref()), style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::new())
    }
}

/// Blanks between columns.
const GAP: u16 = 2;

/// Draws a list: `head` names the columns, `>` before those to be flush right; `cells` says a row's fields;
/// `empty` is what would fill it, when nothing does.
pub fn list<T: Row>(
    list: &List<T>,
    head: &[&str],
    cells: impl Fn(&T) -> Vec<Cell>,
    empty: &str,
    cx: &Context,
    area: Rect,
    buf: &mut Buffer,
) {
    if let Some(why) = list.refused() {
        text::paragraph(why, cx.theme.bad(), area, buf);
        return;
    }
    let Some(rows) = list.rows() else {
        text::paragraph("reading ...", cx.theme.dim(), area, buf);
        return;
    };
    if rows.is_empty() {
        text::paragraph(empty, cx.theme.dim(), area, buf);
        return;
    }
    let height = area.height.saturating_sub(1);
    let top = list.window(usize::from(height));
    let shown: Vec<Vec<Cell>> = rows.iter().skip(top).take(usize::from(height)).map(cells).collect();
    let (before, after, partial) = list.beyond();
    grid(head, &shown, Some(list.place() - top), cx, area, buf);
    let more = match (before || top > 0, after || top + shown.len() < rows.len()) {
        (true, true) => cx.theme.mark("▲▼", "^v"),
        (true, false) => cx.theme.mark("▲ ", "^ "),
        (false, true) => cx.theme.mark(" ▼", " v"),
        (false, false) => "  ",
    };
    if area.width > 12 {
        let note = if partial { format!("the first looked at {more}") } else { more.to_owned() };
        let width = u16::try_from(note.width()).unwrap_or(0).min(area.width);
        buf.set_string(area.right() - width, area.y, note, cx.theme.dim());
    }
}

/// Draws a table.
pub fn grid(head: &[&str], rows: &[Vec<Cell>], selected: Option<usize>, cx: &Context, area: Rect, buf: &mut Buffer) {
    let names: Vec<&str> = head.iter().map(|name| name.trim_start_matches('>')).collect();
    let natural = |column: usize| {
        let widest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width()).max();
        widest.unwrap_or(0).max(names[column].width())
    };
    let widths = widths((0..head.len()).map(natural).collect(), area.width);
    let line = |buf: &mut Buffer, y: u16, cells: &mut dyn Iterator<Item = (&str, Style)>| {
        let mut x = area.x;
        for ((&width, head), (text, style)) in widths.iter().zip(head).zip(cells) {
            if width == 0 || x >= area.right() {
                continue;
            }
            let text = text::clip(text, usize::from(width));
            let short = width.saturating_sub(u16::try_from(text.width()).unwrap_or(0));
            let from = if head.starts_with('>') { x + short } else { x };
            buf.set_stringn(from, y, &text, usize::from(area.right() - from), style);
            x += width + GAP;
        }
    };
    line(buf, area.y, &mut names.iter().map(|name| (*name, cx.theme.dim())));
    for (number, row) in rows.iter().enumerate() {
        let y = area.y + 1 + u16::try_from(number).unwrap_or(u16::MAX);
        if y >= area.bottom() {
            break;
        }
        line(buf, y, &mut row.iter().map(|cell| (cell.text.as_str(), cell.style)));
        if selected == Some(number) {
            buf.set_style(Rect { y, height: 1, ..area }, cx.theme.selected());
        }
    }
}

/// Widths that fit: the last column takes what is left, and where that is too little the widest give.
fn widths(natural: Vec<usize>, room: u16) -> Vec<u16> {
    let mut widths: Vec<u16> = natural.into_iter().map(|width| u16::try_from(width).unwrap_or(u16::MAX)).collect();
    let gaps = GAP * u16::try_from(widths.len().saturating_sub(1)).unwrap_or(0);
    let room = room.saturating_sub(gaps);
    loop {
        let all: u32 = widths.iter().map(|width| u32::from(*width)).sum();
        let Some(over) = all.checked_sub(u32::from(room)).filter(|over| *over > 0) else { break };
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > 0) else { break };
        *widest -= u16::try_from(over).unwrap_or(u16::MAX).min((*widest / 8).max(1));
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_give_first() {
        assert_eq!(widths(vec![4, 6], 40), [4, 6]);
        let tight = widths(vec![4, 60, 6], 40);
        assert_eq!((tight[0], tight[2]), (4, 6));
        assert_eq!(tight.iter().sum::<u16>(), 36);
        assert_eq!(widths(vec![9, 9], 3).iter().sum::<u16>(), 1);
    }
}
