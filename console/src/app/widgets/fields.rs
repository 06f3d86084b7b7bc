//! What there is to say about one thing: names with their values, headings, QJSON.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::theme::Theme;
use super::{json, text};
use crate::format;

/// Columns of a field's name.
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
    /// A field: its name, and beside it its value, made safe to show.
    pub fn field(self, name: &str, value: impl AsRef<str>, style: Style) -> Vec<Line<'static>> {
        let values = text::wrapped(value.as_ref(), style, self.width.saturating_sub(NAME));
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        let beside = |(name, value): (&str, Line<'static>)| {
            let name = Span::styled(format!("{name:<NAME$}"), self.theme.dim());
            Line::from_iter(std::iter::once(name).chain(value.spans)).style(value.style)
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
