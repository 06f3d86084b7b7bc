//! The only way to standard output: lines, tables and paragraphs for people, or JSON for scripts.
//!
//! Everything is written to one `io::Write`, so verbs can be tested on a buffer, and a reader that
//! goes away (`qrt turns ... | head`) is an error like any other, not a panic.

use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

use crate::format;

/// The width people's output is laid out for when it does not go to a terminal.
const WIDTH: usize = 80;

/// The least width of a last column, even where the line has no room for it.
const EDGE_MIN: usize = 20;

/// What stands before a line of detail under a row.
const INDENT: &str = "    ";

/// What a piece of text means; on a terminal it has a colour, everywhere its words say it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// A heading.
    Title,
    /// Something is as it should be.
    Good,
    /// Something is not.
    Bad,
    /// Less important than what stands around it.
    Dim,
}

impl Tone {
    /// The SGR parameter of ECMA-48.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Title => "1",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Dim => "2",
        }
    }
}

/// Standard output, or what stands for it in a test.
pub struct Output {
    to: Box<dyn Write>,
    width: usize,
    terminal: bool,
    colour: bool,
}

impl Output {
    /// The process's standard output.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let columns = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
        Self {
            // Not line-buffered: a list of a million rows is written in blocks.
            to: Box::new(BufWriter::new(stdout)),
            width: if terminal && columns >= 40 { columns } else { WIDTH },
            terminal,
            colour: terminal && !no_colour && !dumb,
        }
    }

    /// An output that is no terminal.
    pub fn to(to: impl Write + 'static) -> Self {
        Self { to: Box::new(to), width: WIDTH, terminal: false, colour: false }
    }

    /// Whether a person looks at it as it is written.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Characters in a line.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `text` in the colour of `tone`.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colour && tone != Tone::Plain { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_owned() }
    }

    /// One line, or several with line breaks between them.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.to.write_all(text.as_ref().as_bytes())?;
        self.to.write_all(b"\n")
    }

    /// One JSON document on one line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json(&mut self, document: &impl Serialize) -> io::Result<()> {
        self.document(document)?;
        self.to.write_all(b"\n")
    }

    /// A document may hold what object code or another vat wrote.
    fn document(&mut self, document: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(document)?;
        self.to.write_all(format::json(&text).as_bytes())
    }

    /// Rows of one JSON array; `started` says whether it has rows already.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json_rows<T: Serialize>(&mut self, rows: &[T], started: bool) -> io::Result<()> {
        for (number, row) in rows.iter().enumerate() {
            self.to.write_all(if number == 0 && !started { b"[" } else { b",\n" })?;
            self.document(row)?;
        }
        Ok(())
    }

    /// The end of that array.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json_rows_end(&mut self, started: bool) -> io::Result<()> {
        self.to.write_all(if started { b"]\n" } else { b"[]\n" })
    }

    /// Hands everything written so far to the reader.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// One cell of a [`Table`].
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell whose text has a meaning of its own.
    pub fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

/// A table that is written page by page: a column is as wide as its widest cell so far.
pub struct Table {
    titles: &'static [&'static str],
    widths: Vec<usize>,
    headed: bool,
}

impl Table {
    /// A table with these columns; those whose title starts with `>` are aligned to the right.
    pub fn new(titles: &'static [&'static str]) -> Self {
        let widths = titles.iter().map(|title| title.trim_start_matches('>').len()).collect();
        Self { titles, widths, headed: false }
    }

    /// Writes these rows under those written before. The last column is not padded.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn rows(&mut self, out: &mut Output, rows: &[Vec<Cell>]) -> io::Result<()> {
        for row in rows {
            self.widen(row);
        }
        if !self.headed && !rows.is_empty() {
            self.headed = true;
            let titles = self.titles.iter().map(|title| Cell::toned(Tone::Title, title.trim_start_matches('>')));
            self.row(out, &titles.collect::<Vec<_>>())?;
        }
        for row in rows {
            self.row(out, row)?;
        }
        Ok(())
    }

    /// The same, with each row followed by its lines of detail (by its index), indented.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn rows_with_details(
        &mut self,
        out: &mut Output,
        rows: &[Vec<Cell>],
        details: impl Fn(usize) -> Vec<String>,
    ) -> io::Result<()> {
        for row in rows {
            self.widen(row);
        }
        for (number, row) in rows.iter().enumerate() {
            self.rows(out, std::slice::from_ref(row))?;
            for detail in details(number) {
                let lines = format::wrap(&detail, out.width.saturating_sub(INDENT.len()));
                for line in lines.lines() {
                    let line = out.paint(Tone::Dim, line);
                    out.line(format!("{INDENT}{line}"))?;
                }
            }
        }
        Ok(())
    }

    /// The same for rows that lack their last cell, which `last` makes for each row (by its index)
    /// so that it fits the given width: what is left of the line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn rows_to_the_edge(
        &mut self,
        out: &mut Output,
        mut rows: Vec<Vec<Cell>>,
        last: impl Fn(usize, usize) -> String,
    ) -> io::Result<()> {
        let columns = self.titles.len() - 1;
        for row in &rows {
            self.widen(row);
        }
        let taken: usize = self.widths[..columns].iter().map(|width| width + 2).sum();
        let room = out.width.saturating_sub(taken).max(EDGE_MIN);
        for (number, row) in rows.iter_mut().enumerate() {
            row.push(last(number, room).into());
        }
        self.rows(out, &rows)
    }

    fn widen(&mut self, row: &[Cell]) {
        for (width, cell) in self.widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }

    fn row(&self, out: &mut Output, row: &[Cell]) -> io::Result<()> {
        let mut line = String::new();
        for (number, cell) in row.iter().enumerate() {
            let padding = " ".repeat(self.widths[number].saturating_sub(cell.text.chars().count()));
            let text = out.paint(cell.tone, &cell.text);
            if number > 0 {
                line.push_str("  ");
            }
            if self.titles[number].starts_with('>') {
                line.push_str(&padding);
                line.push_str(&text);
            } else {
                line.push_str(&text);
                if number + 1 < row.len() {
                    line.push_str(&padding);
                }
            }
        }
        out.line(line.trim_end())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A buffer that can be read while an [`Output`] writes to it.
    #[derive(Clone, Default)]
    pub(crate) struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Shared {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).expect("UTF-8")
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_document_of_strangers_cannot_steer_the_terminal() {
        let shared = Shared::default();
        let mut out = Output::to(shared.clone());
        out.json(&"\u{9b}31m").expect("a buffer");
        out.json_rows(&["\u{202e}"], false).expect("a buffer");
        assert_eq!(shared.text(), "\"\\u009b31m\"\n[\"\\u202e\"");
    }

    #[test]
    fn a_table_is_aligned_over_its_pages() {
        let shared = Shared::default();
        let mut out = Output::to(shared.clone());
        let mut table = Table::new(&["NAME", ">TURNS", "LAST"]);
        table.rows(&mut out, &[]).expect("a buffer");
        table.rows(&mut out, &[vec!["counter".into(), "5".into(), "x".into()]]).expect("a buffer");
        table.rows(&mut out, &[vec!["é".into(), "123456".into(), "".into()]]).expect("a buffer");
        assert_eq!(shared.text(), "NAME     TURNS  LAST\ncounter      5  x\né        123456\n");
    }

    #[test]
    fn details_stand_under_their_row_and_rows_stay_aligned() {
        let shared = Shared::default();
        let mut out = Output::to(shared.clone());
        let mut table = Table::new(&["NAME", ">N"]);
        let rows = [vec!["a".into(), "1".into()], vec!["longer".into(), "22".into()]];
        let details = |row: usize| if row == 0 { vec!["word ".repeat(30)] } else { Vec::new() };
        table.rows_with_details(&mut out, &rows, details).expect("a buffer");
        let text = shared.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines[0], lines[1], lines[4]), ("NAME     N", "a        1", "longer  22"));
        assert!(lines[2].starts_with("    word") && lines.iter().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn a_last_column_may_fill_the_line() {
        let shared = Shared::default();
        let mut out = Output::to(shared.clone());
        let mut table = Table::new(&["NAME", "ARGS"]);
        let rows = vec![vec!["a".into()], vec!["0123456789".into()]];
        table.rows_to_the_edge(&mut out, rows, |_, width| "x".repeat(width)).expect("a buffer");
        assert_eq!(shared.text().lines().map(str::len).collect::<Vec<_>>(), [16, 80, 80]);
    }

    #[test]
    fn an_array_is_one_document_however_many_pages_it_came_in() {
        for pages in [vec![], vec![vec![1]], vec![vec![1, 2], vec![], vec![3]]] {
            let shared = Shared::default();
            let mut out = Output::to(shared.clone());
            let mut started = false;
            for page in &pages {
                out.json_rows(page, started).expect("a buffer");
                started |= !page.is_empty();
            }
            out.json_rows_end(started).expect("a buffer");
            let read: Vec<u32> = serde_json::from_str(&shared.text()).expect("one document");
            assert_eq!(read, pages.concat());
        }
    }

    #[test]
    fn what_is_no_terminal_has_no_colours() {
        let out = Output::to(Shared::default());
        assert_eq!(out.paint(Tone::Bad, "FAILED"), "FAILED");
    }
}
