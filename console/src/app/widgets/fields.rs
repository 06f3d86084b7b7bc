//! What there is to say about one thing: names with their values, headings, QJSON.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::theme::Theme;
use super::{json, text};
use crate::format;

/// Columns of a field's name, with a blank after it.
const NAME: usize = 14;

/// The longest value that is laid out; of a longer one its beginning stands there.
const VALUE_MAX: usize = 64 << 10;

/// What is shown of a longer one.
const HEAD: usize = 2 << 10;

/// Makes lines of so many columns.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    /// How they look.
    pub theme: Theme,
    /// How wide they are.
    pub width: usize,
}

impl Fields {
    /// A field: its name, and beside it its value, both made safe to show.
    pub fn field(self, name: &str, value: impl AsRef<str>, style: Style) -> Vec<Line<'static>> {
        let values = text::wrapped(value.as_ref(), style, self.width.saturating_sub(NAME));
        let names = std::iter::once(format::line(name)).chain(std::iter::repeat(String::new()));
        let beside = |(name, value): (String, Line<'static>)| {
            let name = Span::styled(format!("{name:<width$} ", width = NAME - 1), self.theme.dim());
            std::iter::once(name).chain(value.spans).collect::<Line<'_>>().style(value.style)
        };
        names.zip(values).map(beside).collect()
    }

    /// The same for a value that nothing is to be said about.
    pub fn plain(self, name: &str, value: impl AsRef<str>) -> Vec<Line<'static>> {
        self.field(name, value, self.theme.plain())
    }

    /// A heading, with an empty line before it.
    pub fn heading(self, title: &str) -> Vec<Line<'static>> {
        vec![Line::default(), Line::styled(title.to_owned(), self.theme.title())]
    }

    /// A sentence.
    pub fn said(self, text: &str, style: Style) -> Vec<Line<'static>> {
        text::wrapped(text, style, self.width)
    }

    /// QJSON, as far as it is worth reading; `whole` says where the rest is.
    pub fn value(self, value: &str, whole: &str) -> Vec<Line<'static>> {
        if value.len() <= VALUE_MAX {
            let lines = json::lines(value, self.width, self.theme).into_iter();
            return lines.flat_map(|line| text::broken(line, self.width)).collect();
        }
        let mut lines = text::wrapped(&format::clip(value, HEAD), self.theme.string(), self.width);
        let size = format::size(value.len() as u64);
        lines.extend(self.said(&format!("{size} in all: {whole} has it whole"), self.theme.dim()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::theme::Palette;

    fn shown(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_value_stands_beside_its_name_and_is_safe_to_show() {
        let fields = Fields { theme: Theme { palette: Palette::Dark, ascii: false }, width: 40 };
        let lines = fields.plain("fr\u{7}m", format!("a\u{1b} {}", "b".repeat(26)));
        assert_eq!(shown(&lines), ["fr\\u{7}m      a\\u{1b}", &format!("              {}", "b".repeat(26))]);
    }

    #[test]
    fn of_a_large_value_the_beginning_is_laid_out() {
        let fields = Fields { theme: Theme { palette: Palette::Dark, ascii: false }, width: 80 };
        let lines = fields.value(&format!("[{}1]", "1,".repeat(1 << 20)), "qrt x");
        assert!(lines.len() < 40, "{}", lines.len());
        assert_eq!(shown(&lines).last().map(String::as_str), Some("2.0 MiB in all: qrt x has it whole"));
        let long = fields.value(&format!("\"{}\"", "x".repeat(200)), "qrt x");
        assert!(long.iter().all(|line| line.width() <= 80) && long.len() == 3, "{long:?}");
    }
}
