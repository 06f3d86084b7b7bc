//! The one scanner behind every function of [`super`]: checks a text and hands its canonical
//! pieces to a [`Sink`].

use std::borrow::Cow;
use std::collections::HashSet;

use super::text::push_string;
use super::{DEPTH_MAX, Error, number};

/// How a text may be spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Any JSON spelling.
    Loose,
    /// Only the canonical one.
    Canonical,
}

/// What stands in a Reference.
pub(super) enum Token<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

impl Token<'_> {
    pub(super) fn number(&self) -> Result<u64, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(_) => Err("a reference in inside form is a number".to_owned()),
        }
    }
}

/// Receives a value piece by piece.
pub(super) trait Sink {
    /// The next characters of the canonical text.
    fn raw(&mut self, text: &str);
    /// A Reference stands here. An error says why it may not.
    fn reference(&mut self, token: Token<'_>) -> Result<(), String>;
}

enum Step {
    Key(String),
    Index(usize),
}

pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
    root: &'a str,
    form: Form,
    path: Vec<Step>,
}

type Outcome<T> = Result<T, Error>;

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str, root: &'a str, form: Form) -> Self {
        Self { text, at: 0, root, form, path: Vec::new() }
    }

    /// Scans the one value that the text must be.
    pub(super) fn run(mut self, sink: &mut impl Sink) -> Outcome<()> {
        self.blanks();
        self.value(sink, 0)?;
        self.blanks();
        if self.at < self.text.len() {
            return Err(self.error("something follows the value"));
        }
        Ok(())
    }

    fn error(&self, message: impl Into<String>) -> Error {
        self.error_at(self.at, message)
    }

    fn error_at(&self, at: usize, message: impl Into<String>) -> Error {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let mut path = self.root.to_owned();
        for step in &self.path {
            match step {
                Step::Index(index) => {
                    path.push('[');
                    path.push_str(&index.to_string());
                    path.push(']');
                }
                Step::Key(key) if is_identifier(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Step::Key(key) => {
                    path.push('[');
                    push_string(&mut path, key);
                    path.push(']');
                }
            }
        }
        Error {
            path,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        if self.form == Form::Loose {
            while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
                self.at += 1;
            }
        }
    }

    fn expect(&mut self, byte: u8, what: &str) -> Outcome<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(match self.peek() {
            Some(_) => format!("expected {what}"),
            None => format!("the text ends where {what} is missing"),
        }))
    }

    fn value(&mut self, sink: &mut impl Sink, depth: usize) -> Outcome<()> {
        match self.peek() {
            Some(b'{') => self.object(sink, depth),
            Some(b'[') => self.array(sink, depth),
            Some(b'"') => {
                let string = self.string()?;
                sink.raw(&string.spelled());
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                let literal = self.number_literal()?;
                let canonical = number::canonical(literal).map_err(|why| self.error_at(start, why))?;
                if self.form == Form::Canonical && canonical != literal {
                    return Err(self.error_at(start, "a number in another than the canonical spelling"));
                }
                sink.raw(&canonical);
                Ok(())
            }
            Some(_) => {
                for word in ["null", "true", "false"] {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        sink.raw(word);
                        return Ok(());
                    }
                }
                Err(self.error("not a JSON value: expected one of { [ \" a number true false null"))
            }
            None => Err(self.error("the text ends where a value is missing")),
        }
    }

    fn nested(&self, depth: usize) -> Outcome<usize> {
        if depth >= DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(depth + 1)
    }

    fn array(&mut self, sink: &mut impl Sink, depth: usize) -> Outcome<()> {
        let depth = self.nested(depth)?;
        self.at += 1;
        sink.raw("[");
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            sink.raw("]");
            return Ok(());
        }
        for index in 0.. {
            self.path.push(Step::Index(index));
            self.value(sink, depth)?;
            self.path.pop();
            self.blanks();
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
            sink.raw(",");
            self.blanks();
        }
        self.expect(b']', "`,` or `]`")?;
        sink.raw("]");
        Ok(())
    }

    fn object(&mut self, sink: &mut impl Sink, depth: usize) -> Outcome<()> {
        if self.at_reference()? {
            return self.reference(sink);
        }
        let depth = self.nested(depth)?;
        self.at += 1;
        sink.raw("{");
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            sink.raw("}");
            return Ok(());
        }
        let mut seen = Keys::default();
        loop {
            let key_at = self.at;
            let key = self.key(key_at)?;
            if !seen.insert(&key) {
                return Err(self.error_at(key_at, format!("the key {key:?} stands here twice")));
            }
            sink.raw(&key.spelled());
            self.blanks();
            self.expect(b':', "`:`")?;
            sink.raw(":");
            self.blanks();
            let name = key.cow.strip_prefix('@').unwrap_or(&key.cow).to_owned();
            self.path.push(Step::Key(name));
            self.value(sink, depth)?;
            self.path.pop();
            self.blanks();
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
            sink.raw(",");
            self.blanks();
        }
        self.expect(b'}', "`,` or `}`")?;
        sink.raw("}");
        Ok(())
    }

    /// A property's name as written, which must not be a stray `@` key.
    fn key(&mut self, key_at: usize) -> Outcome<Text<'a>> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a property name in double quotes"));
        }
        let key = self.string()?;
        if key.cow.starts_with('@') && !key.cow.starts_with("@@") {
            let message = if key.cow == "@qref" {
                "a reference stands alone: {\"@qref\": \"qrt:...\"}".to_owned()
            } else {
                format!("the key {key:?} is reserved: write {:?} for plain data", format!("@{}", key.cow))
            };
            return Err(self.error_at(key_at, message));
        }
        Ok(key)
    }

    /// Whether the object here opens with the key `@qref`. Moves nothing.
    fn at_reference(&mut self) -> Outcome<bool> {
        let start = self.at;
        self.at += 1;
        self.blanks();
        let is = self.peek() == Some(b'"') && self.text[self.at..].len() > 1 && {
            // Only a key that starts with `@`, or with an escape that may hide one, is worth reading.
            matches!(self.text.as_bytes()[self.at + 1], b'@' | b'\\') && self.string()?.cow == "@qref"
        };
        self.at = start;
        Ok(is)
    }

    fn reference(&mut self, sink: &mut impl Sink) -> Outcome<()> {
        self.at += 1;
        self.blanks();
        self.string()?;
        self.blanks();
        self.expect(b':', "`:`")?;
        self.blanks();
        let value_at = self.at;
        let token = match self.peek() {
            Some(b'"') => Token::Text(self.string()?.cow),
            Some(b'0'..=b'9') => {
                let literal = self.number_literal()?;
                let canonical = literal.bytes().all(|b| b.is_ascii_digit());
                let number = literal.parse().ok().filter(|_| canonical);
                Token::Number(number.ok_or_else(|| self.error_at(value_at, "not a reference's number"))?)
            }
            _ => return Err(self.error("a reference must be a QRID in quotes")),
        };
        self.blanks();
        if self.peek() == Some(b',') {
            return Err(self.error("a reference stands alone: no second key beside @qref"));
        }
        self.expect(b'}', "`}`")?;
        sink.reference(token).map_err(|why| self.error_at(value_at, why))
    }

    fn number_literal(&mut self) -> Outcome<&'a str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.error_at(start, "a number must not start with 0"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Outcome<&'a str> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if start == self.at {
            return Err(self.error("a digit is missing"));
        }
        Ok(&self.text[start..self.at])
    }

    /// The string that starts here, decoded.
    fn string(&mut self) -> Outcome<Text<'a>> {
        let start = self.at;
        self.at += 1;
        let body = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let cow = Cow::Borrowed(&self.text[body..self.at]);
                    self.at += 1;
                    return Ok(Text { raw: &self.text[start..self.at], cow, plain: true });
                }
                Some(b'\\') => break,
                Some(0x00..0x20) => return Err(self.error("a control character in a string: write it as \\u00..")),
                Some(_) => self.at += 1,
                None => return Err(self.error_at(start, "a string without its closing quote")),
            }
        }
        let mut decoded = self.text[body..self.at].to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    let text = Text { raw: &self.text[start..self.at], cow: Cow::Owned(decoded), plain: false };
                    if self.form == Form::Canonical && text.spelled() != text.raw {
                        return Err(self.error_at(start, "a string in another than the canonical spelling"));
                    }
                    return Ok(text);
                }
                Some(b'\\') => decoded.push(self.escape()?),
                Some(0x00..0x20) => return Err(self.error("a control character in a string: write it as \\u00..")),
                Some(_) => {
                    let from = self.at;
                    while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0x00..0x20)) {
                        self.at += 1;
                    }
                    decoded.push_str(&self.text[from..self.at]);
                }
                None => return Err(self.error_at(start, "a string without its closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Outcome<char> {
        let start = self.at;
        self.at += 1;
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.hex4(start)?;
                if !(0xd800..0xe000).contains(&first) {
                    return char::from_u32(first).ok_or_else(|| self.error_at(start, "not a character"));
                }
                let lone = |scan: &Self| scan.error_at(start, "half of a surrogate pair is not a character");
                if first >= 0xdc00 || !self.text[self.at..].starts_with("\\u") {
                    return Err(lone(self));
                }
                self.at += 2;
                let second = self.hex4(start)?;
                if !(0xdc00..0xe000).contains(&second) {
                    return Err(lone(self));
                }
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).ok_or_else(|| lone(self));
            }
            _ => return Err(self.error_at(start, "not an escape: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn hex4(&mut self, start: usize) -> Outcome<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|d| std::str::from_utf8(d).ok());
        let value = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        self.at += 4;
        value.ok_or_else(|| self.error_at(start, "\\u wants four hexadecimal digits"))
    }
}

/// A string of the text: as it stands there, and decoded.
struct Text<'a> {
    raw: &'a str,
    cow: Cow<'a, str>,
    /// It holds no escape, so `raw` is canonical.
    plain: bool,
}

impl Text<'_> {
    /// It as `JSON.stringify` writes it.
    fn spelled(&self) -> Cow<'_, str> {
        if self.plain {
            return Cow::Borrowed(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        push_string(&mut out, &self.cow);
        Cow::Owned(out)
    }
}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.cow.fmt(f)
    }
}

/// The keys of one object: few are compared one by one, many by hash.
#[derive(Default)]
struct Keys {
    few: Vec<String>,
    many: HashSet<String>,
}

impl Keys {
    /// False when the key was there already.
    fn insert(&mut self, key: &Text<'_>) -> bool {
        const FEW: usize = 12;
        if self.few.len() < FEW {
            if self.few.iter().any(|k| *k == key.cow) {
                return false;
            }
            self.few.push(key.cow.clone().into_owned());
            return true;
        }
        !self.few.iter().any(|k| *k == key.cow) && self.many.insert(key.cow.clone().into_owned())
    }
}

/// Whether `key` can stand after a dot in a path.
fn is_identifier(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

/// See [`super::split_object`].
pub(super) fn split_object(text: &str) -> Outcome<Vec<(String, String)>> {
    struct Nothing;
    impl Sink for Nothing {
        fn raw(&mut self, _: &str) {}
        fn reference(&mut self, _: Token<'_>) -> Result<(), String> {
            Ok(())
        }
    }
    let mut scan = Scan::new(text, "memory", Form::Canonical);
    if scan.peek() != Some(b'{') || scan.at_reference()? {
        return Err(scan.error("expected an object {...}"));
    }
    scan.at += 1;
    let mut entries = Vec::new();
    if scan.peek() == Some(b'}') {
        return Ok(entries);
    }
    loop {
        let key_at = scan.at;
        let key = scan.key(key_at)?;
        let name = if key.cow.starts_with("@@") { key.cow[1..].to_owned() } else { key.cow.into_owned() };
        scan.expect(b':', "`:`")?;
        let start = scan.at;
        scan.value(&mut Nothing, 1)?;
        entries.push((name, text[start..scan.at].to_owned()));
        if scan.peek() != Some(b',') {
            scan.expect(b'}', "`,` or `}`")?;
            return Ok(entries);
        }
        scan.at += 1;
    }
}
