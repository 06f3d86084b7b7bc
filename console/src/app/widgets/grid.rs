//! A table: columns as wide as what is on the screen needs, the last one taking what is left. Where that would be too
//! little, columns that one can do without are left out.

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

/// What the last column has at least, if it has so much to say, before other columns are left out for it.
const LAST: u16 = 32;

/// Draws a list: `head` names the columns, `>` before those to be flush right, `?` before those that a narrow screen
/// can do without; `cells` says a row's fields; `empty` is what would fill it, when nothing does.
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

/// Draws a table, if there is room for its head.
pub fn grid(head: &[&str], rows: &[Vec<Cell>], selected: Option<usize>, cx: &Context, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let names: Vec<&str> = head.iter().map(|name| name.trim_start_matches(['?', '>'])).collect();
    let natural = |column: usize| {
        let widest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width()).max();
        u16::try_from(widest.unwrap_or(0).max(names[column].width())).unwrap_or(u16::MAX)
    };
    let mut widths: Vec<u16> = (0..head.len()).map(natural).collect();
    leave_out(head, &mut widths, area.width);
    fit(&mut widths, area.width);
    let line = |buf: &mut Buffer, y: u16, cells: &mut dyn Iterator<Item = (&str, Style)>| {
        let mut x = area.x;
        for ((&width, head), (text, style)) in widths.iter().zip(head).zip(cells) {
            if width == 0 || x >= area.right() {
                continue;
            }
            let text = text::clip(text, usize::from(width));
            let short = width.saturating_sub(u16::try_from(text.width()).unwrap_or(0));
            let from = if head.contains('>') { x + short } else { x };
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

/// What columns of these widths take, with the blanks between them; one of no width is not there.
fn taken(widths: &[u16]) -> u32 {
    let there = widths.iter().filter(|width| **width > 0);
    there.map(|width| u32::from(*width) + u32::from(GAP)).sum::<u32>().saturating_sub(GAP.into())
}

/// Leaves columns out, the last of those that may be first, until the others fit beside what the last column needs.
fn leave_out(head: &[&str], widths: &mut [u16], room: u16) {
    let Some((last, others)) = widths.split_last_mut() else { return };
    let needed = u32::from((*last).min(LAST)) + u32::from(GAP);
    for column in (0..others.len()).rev().filter(|column| head[*column].starts_with('?')) {
        if taken(others) + needed <= u32::from(room) {
            break;
        }
        others[column] = 0;
    }
}

/// Makes widths fit: the last column takes what is left, and where that is too little the widest give.
fn fit(widths: &mut [u16], room: u16) {
    while let Some(over) = taken(widths).checked_sub(room.into()).filter(|over| *over > 0) {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > 0) else { break };
        *widest -= u16::try_from(over).unwrap_or(u16::MAX).min((*widest / 8).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(mut widths: Vec<u16>, room: u16) -> Vec<u16> {
        fit(&mut widths, room);
        widths
    }

    #[test]
    fn the_widest_columns_give_first() {
        assert_eq!(fitted(vec![4, 6], 40), [4, 6]);
        let tight = fitted(vec![4, 60, 6], 40);
        assert_eq!((tight[0], tight[2]), (4, 6));
        assert_eq!(taken(&tight), 40);
        assert!(taken(&fitted(vec![9, 9], 3)) <= 3);
    }

    #[test]
    fn a_narrow_screen_does_without_some_columns() {
        let left = |room| {
            let mut widths = vec![4, 10, 6, 10, 200];
            leave_out(&["A", "?B", ">C", "?>D", "E"], &mut widths, room);
            widths
        };
        assert_eq!(left(70), [4, 10, 6, 10, 200], "it fits with {LAST} for the last");
        assert_eq!(left(69), [4, 10, 6, 0, 200]);
        assert_eq!(left(40), [4, 0, 6, 0, 200]);
        let mut short = vec![4, 10, 5];
        leave_out(&["A", "?B", "C"], &mut short, 23);
        assert_eq!(short, [4, 10, 5], "what says little needs little");
    }
}
