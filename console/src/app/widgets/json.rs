//! QJSON with its colours.

use ratatui::text::{Line, Span};

use super::super::theme::Theme;
use crate::format;

/// A value laid out in `width` columns, a line each, made safe to show.
pub fn lines(value: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    format::qjson(value, width).lines().map(|line| coloured(&format::line(line), theme)).collect()
}

/// Characters and lines of a value that is shown among other things.
const BRIEF: (usize, usize) = (4000, 20);

/// A value laid out like that, but cut short where it is long: it stands among other things.
pub fn brief(value: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    if value.len() > BRIEF.0 {
        let more = format!("  ({})", format::size(value.len() as u64));
        let mut line = coloured(&format::clip(value, width.saturating_sub(more.len())), theme);
        line.push_span(Span::styled(more, theme.dim()));
        return vec![line];
    }
    let mut lines = lines(value, width, theme);
    let over = lines.len().saturating_sub(BRIEF.1);
    if over > 0 {
        lines.truncate(BRIEF.1);
        lines.push(Line::styled(format!(".. {}", format::count(over as u64, "more line")), theme.dim()));
    }
    lines
}

/// One line of JSON with its colours.
pub fn coloured(line: &str, theme: Theme) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => string_end(rest),
            c if c.is_ascii_digit() || c == '-' || c.is_ascii_alphabetic() => {
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len())
            }
            _ => rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_alphanumeric()).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end.max(first.len_utf8()));
        let style = match first {
            '"' if after.trim_start().starts_with(':') => theme.name(),
            '"' => theme.string(),
            c if c.is_ascii_alphanumeric() || c == '-' => theme.number(),
            _ => theme.plain(),
        };
        spans.push(Span::styled(token.to_owned(), style));
        rest = after;
    }
    Line::from(spans)
}

/// The end of the string that `text` begins with.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::theme::Palette;

    #[test]
    fn colours_change_no_text() {
        let theme = Theme { palette: Palette::Dark, ascii: false };
        for text in [r#"{"a\"b": [1e+21, -3, true, "x:{"]}"#, r#"  "open"#, "", "é: ü"] {
            let line = coloured(text, theme);
            let shown: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
            assert_eq!(shown, text);
        }
        let line = coloured(r#""k": "v""#, theme);
        assert_eq!((line.spans[0].style, line.spans[2].style), (theme.name(), theme.string()));
    }
}
