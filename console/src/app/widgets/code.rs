//! JavaScript with its colours. It is taken apart once, when it comes, so that drawing costs what is on the screen.
//!
//! A tokenizer is enough for colours; where JavaScript needs a parser (does a slash divide, or begin a regular
//! expression?) what stands before decides, as editors do. Colours may be wrong for code that is; text never is.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::theme::Theme;
use crate::format;

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Comment,
    /// A string, a template, a regular expression.
    Text,
    /// A number, or a word that is a value.
    Number,
    /// A word of the language.
    Word,
}

const WORDS: &[&str] = &[
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "export",
    "extends",
    "finally",
    "for",
    "from",
    "function",
    "get",
    "if",
    "import",
    "in",
    "instanceof",
    "let",
    "new",
    "of",
    "return",
    "set",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

const VALUES: &[&str] = &["true", "false", "null", "undefined", "NaN", "Infinity"];

/// Code, line by line, made safe to show.
#[derive(Debug, Default)]
pub struct Code {
    lines: Vec<Vec<(Kind, String)>>,
}

impl Code {
    /// Takes a text apart.
    pub fn new(text: &str) -> Self {
        let mut lines = vec![Vec::<(Kind, String)>::new()];
        for (kind, token) in Scan::new(text.trim_end()) {
            for (number, piece) in token.split('\n').enumerate() {
                if number > 0 {
                    lines.push(Vec::new());
                }
                let piece = format::line(piece.trim_end_matches('\r'));
                match lines.last_mut().expect("there is one from the beginning") {
                    _ if piece.is_empty() => {}
                    line => match line.last_mut().filter(|(last, _)| *last == kind) {
                        Some((_, text)) => text.push_str(&piece),
                        None => line.push((kind, piece)),
                    },
                }
            }
        }
        Self { lines }
    }

    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// The text of a line, counted from 0.
    pub fn text(&self, line: usize) -> String {
        self.lines.get(line).into_iter().flatten().map(|(_, text)| text.as_str()).collect()
    }

    /// So many columns of a line from one on, with their colours.
    pub fn line(&self, line: usize, from: usize, width: usize, theme: Theme) -> Line<'_> {
        let (mut skip, mut room) = (from, width);
        let mut spans = Vec::new();
        for (kind, text) in self.lines.get(line).into_iter().flatten() {
            if room == 0 {
                break;
            }
            let Some((start, _)) = text.char_indices().nth(skip) else {
                skip -= text.chars().count();
                continue;
            };
            let shown = &text[start..];
            let end = shown.char_indices().nth(room).map_or(shown.len(), |(end, _)| end);
            room -= shown[..end].chars().count();
            skip = 0;
            spans.push(Span::styled(&shown[..end], kind.style(theme)));
        }
        Line::from(spans)
    }
}

impl Kind {
    fn style(self, theme: Theme) -> Style {
        match self {
            Self::Plain => theme.plain(),
            Self::Comment => theme.dim(),
            Self::Text => theme.string(),
            Self::Number => theme.number(),
            Self::Word => theme.keyword(),
        }
    }
}

/// Goes through code, token by token.
struct Scan<'a> {
    rest: &'a str,
    /// For each template that a `${` has interrupted, the braces that are open in there.
    braces: Vec<usize>,
    /// Whether an operand stands before, so that a slash divides.
    operand: bool,
    /// No regular expression was found to end before so many bytes of the rest are left: none is looked for again,
    /// or slashes without an end would take for ever.
    barren: usize,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, braces: Vec::new(), operand: false, barren: usize::MAX }
    }

    /// What the rest begins with, and how many bytes of it that is.
    fn token(&mut self, first: char) -> (Kind, usize) {
        let rest = self.rest;
        if rest.starts_with("//") {
            return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            return (Kind::Comment, comment.find("*/").map_or(rest.len(), |at| at + 4));
        }
        if first.is_whitespace() {
            return (Kind::Plain, first.len_utf8());
        }
        let before = std::mem::replace(&mut self.operand, true);
        match first {
            '"' | '\'' => (Kind::Text, quoted(rest, first)),
            '`' => (Kind::Text, self.template()),
            '}' if self.braces.last() == Some(&0) => {
                self.braces.pop();
                (Kind::Text, self.template())
            }
            '/' if !before && rest.len() <= self.barren => match expression(rest) {
                Ok(end) => (Kind::Text, end),
                Err(looked) => {
                    (self.barren, self.operand) = (rest.len() - looked, false);
                    (Kind::Plain, 1)
                }
            },
            '0'..='9' => {
                (Kind::Number, rest.find(|c: char| !c.is_alphanumeric() && !"._".contains(c)).unwrap_or(rest.len()))
            }
            c if is_name(c) => {
                let end = rest.find(|c: char| !is_name(c) && !c.is_numeric()).unwrap_or(rest.len());
                let word = &rest[..end];
                let kind = if WORDS.contains(&word) {
                    self.operand = matches!(word, "this" | "super");
                    Kind::Word
                } else if VALUES.contains(&word) {
                    Kind::Number
                } else {
                    Kind::Plain
                };
                (kind, end)
            }
            c => {
                match (c, self.braces.last_mut()) {
                    ('{', Some(open)) => *open += 1,
                    ('}', Some(open)) => *open = open.saturating_sub(1),
                    _ => {}
                }
                self.operand = matches!(c, ')' | ']' | '}');
                (Kind::Plain, c.len_utf8())
            }
        }
    }

    /// The end of a template's text, which goes on after the rest's first character.
    fn template(&mut self) -> usize {
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 1,
                b'`' => return at + 1,
                b'$' if bytes.get(at + 1) == Some(&b'{') => {
                    self.braces.push(0);
                    self.operand = false;
                    return at + 2;
                }
                _ => {}
            }
            at += 1;
        }
        bytes.len()
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = (Kind, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.rest.chars().next()?;
        let (kind, end) = self.token(first);
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((kind, token))
    }
}

fn is_name(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$' || c == '#'
}

/// The end of a string that begins with `quote`: at the next one, or with the line.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return at,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The end of a regular expression with its flags; where it does not end in its line, how far was looked.
fn expression(text: &str) -> Result<usize, usize> {
    let (mut escaped, mut class) = (false, false);
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return Err(at),
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '/' if !class => {
                let flags = &text[at + 1..];
                return Ok(at + 1 + flags.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(flags.len()));
            }
            _ => {}
        }
    }
    Err(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        Scan::new(text).filter(|(kind, _)| *kind != Kind::Plain).collect()
    }

    #[test]
    fn code_is_taken_apart_into_words_texts_numbers_and_comments() {
        use Kind::{Comment, Number, Text, Word};
        assert_eq!(
            kinds("const a = 'it\\'s' + 0x1f // no\n/* \"x\" */ return null"),
            [
                (Word, "const"),
                (Text, "'it\\'s'"),
                (Number, "0x1f"),
                (Comment, "// no"),
                (Comment, "/* \"x\" */"),
                (Word, "return"),
                (Number, "null")
            ]
        );
        assert_eq!(
            kinds("`a${ {b: `c${d}`} }e` + of"),
            [(Text, "`a${"), (Text, "`c${"), (Text, "}`"), (Text, "}e`"), (Word, "of")]
        );
    }

    #[test]
    fn a_slash_divides_only_after_an_operand() {
        assert_eq!(kinds("a / b / c; x[0] / 2"), [(Kind::Number, "0"), (Kind::Number, "2")]);
        assert_eq!(kinds("f(/[/'\"]\\//gi, b)"), [(Kind::Text, "/[/'\"]\\//gi")]);
        assert_eq!(kinds("x = / 'a'\n'b'"), [(Kind::Text, "'a'"), (Kind::Text, "'b'")]);
    }

    #[test]
    fn code_that_is_made_to_take_long_does_not() {
        for piece in ["/[", "`${", "'", "/*", "a/", "{", "\n"] {
            let text = piece.repeat(1 << 17);
            assert!(Scan::new(&text).count() <= text.len(), "{piece}");
        }
    }

    #[test]
    fn no_text_is_lost_whatever_is_broken() {
        for text in ["'open\nnext", "`never ends ${ {", "/* never ends", "/", "é = \"\\", "a\n\n  b`\\", "}}}}`${`${"]
        {
            let code = Code::new(text);
            let shown: Vec<_> = (0..code.count()).map(|line| code.text(line)).collect();
            assert_eq!(shown.join("\n"), text);
        }
    }

    #[test]
    fn a_line_can_be_shown_from_a_column_on() {
        let code = Code::new("let é = 'x'; y");
        let theme = Theme { palette: super::super::super::theme::Palette::Dark, ascii: false };
        assert_eq!(code.line(0, 4, 80, theme).to_string(), "é = 'x'; y");
        assert_eq!(code.line(0, 9, 3, theme).to_string(), "x';");
        assert_eq!(code.line(0, 99, 80, theme).to_string(), "");
    }
}
