//! Lines of text in a rectangle.

use std::cell::Cell;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::Context;

/// `text` in at most `width` columns, `..` at its end when it is longer.
pub fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(2);
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= room
    };
    let mut clipped: String = text.chars().take_while(fits).collect();
    clipped.push_str(&".."[..width.min(2)]);
    clipped
}

/// Draws a text, broken between words.
pub fn paragraph(text: &str, style: Style, area: Rect, buf: &mut Buffer) {
    Paragraph::new(crate::format::block(text)).style(style).wrap(Wrap { trim: false }).render(area, buf);
}

/// A text as lines of so many columns, broken between words and wherever a word is too long.
pub fn wrapped(text: &str, style: Style, width: usize) -> Vec<Line<'static>> {
    let width = width.max(20);
    let text = crate::format::wrap(&crate::format::line(text), width);
    text.lines().flat_map(|line| broken(Line::styled(line.to_owned(), style), width)).collect()
}

/// Why something was refused, in lines of so many columns. An excerpt of code below the reason has its caret under the
/// place: its lines stay as they are.
pub fn refusal(why: &str, style: Style, width: usize) -> Vec<Line<'static>> {
    let (reason, excerpt) = why.split_once('\n').unwrap_or((why, ""));
    let mut lines = wrapped(reason, style, width);
    lines.extend(excerpt.lines().map(|line| Line::raw(crate::format::block(line))));
    lines
}

/// A line as lines of at most so many columns.
pub fn broken(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if line.width() <= width {
        return vec![line];
    }
    let (mut lines, mut last, mut used) = (Vec::new(), Vec::new(), 0);
    for span in line.spans {
        let mut from = 0;
        for (at, c) in span.content.char_indices() {
            let columns = c.width().unwrap_or(0);
            if used + columns > width {
                last.push(Span::styled(span.content[from..at].to_owned(), span.style));
                lines.push(Line::from(std::mem::take(&mut last)).style(line.style));
                (from, used) = (at, 0);
            }
            used += columns;
        }
        last.push(Span::styled(span.content[from..].to_owned(), span.style));
    }
    lines.push(Line::from(last).style(line.style));
    lines
}

/// Draws one line in a row, if it has room for one.
pub fn row<'a>(line: impl Into<Line<'a>>, row: Rect, buf: &mut Buffer) {
    if row.height > 0 {
        buf.set_line(row.x, row.y, &line.into(), row.width);
    }
}

/// Draws lines from the one numbered `top`.
pub fn lines(lines: &[Line<'_>], top: usize, area: Rect, buf: &mut Buffer) {
    for (y, line) in (area.y..area.bottom()).zip(lines.iter().skip(top)) {
        buf.set_line(area.x, y, line, area.width);
    }
}

/// The same, but no further than that the last line stands at the bottom; marks at the right say where more is.
pub fn scrolled(lines: &[Line<'_>], top: &Cell<usize>, cx: &Context, area: Rect, buf: &mut Buffer) {
    let last = lines.len().saturating_sub(usize::from(area.height));
    // Who scrolled beyond the end comes back with one key.
    top.set(top.get().min(last));
    let top = top.get();
    self::lines(lines, top, area, buf);
    if area.is_empty() {
        return;
    }
    let mut mark = |y: u16, mark: &str| buf.set_string(area.right() - 1, y, mark, cx.theme.key());
    if top > 0 {
        mark(area.y, cx.theme.mark("▲", "^"));
    }
    if top < last {
        mark(area.bottom() - 1, cx.theme.mark("▼", "v"));
    }
}

/// Draws lines of which one is picked, which is among those that show.
pub fn choice(lines: &[Line<'_>], picked: Option<usize>, cx: &Context, area: Rect, buf: &mut Buffer) {
    let top = picked.map_or(0, |picked| (picked + 1).saturating_sub(usize::from(area.height)).min(picked));
    self::lines(lines, top, area, buf);
    let row = picked.and_then(|picked| u16::try_from(picked - top).ok()).filter(|row| *row < area.height);
    if let Some(row) = row {
        buf.set_style(Rect { y: area.y + row, height: 1, ..area }, cx.theme.selected());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_for_two() {
        assert_eq!(clip("日本語", 6), "日本語");
        assert_eq!(clip("日本語", 5), "日..");
        assert_eq!(clip("abc", 1), ".");
    }

    #[test]
    fn a_word_that_is_too_long_is_broken_anywhere() {
        let shown = |lines: Vec<Line<'_>>| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        let text = format!("one {} é", "x".repeat(30));
        assert_eq!(shown(wrapped(&text, Style::new(), 20)), ["one", &"x".repeat(20), &"x".repeat(10), "é"]);
        let refused = refusal("a name too long\n  f(x)\n    ^", Style::new(), 20);
        assert_eq!(shown(refused), ["a name too long", "  f(x)", "    ^"]);
        let line = Line::from(vec![Span::raw("abc"), Span::raw("déf")]);
        assert_eq!(shown(broken(line, 2)), ["ab", "cd", "éf"]);
        assert_eq!(shown(broken(Line::raw("日本語"), 5)), ["日本", "語"]);
    }
}
