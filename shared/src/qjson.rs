//! QJSON: JSON plus References, the values that args, memories, static power and results are.
//!
//! There are two textual forms of one value:
//!
//! - *outside*, what people, scripts and peers write and read: a Reference is
//!   `{"@qref": "qrt:<vat>/<object>"}`. [`parse`] takes it in, forgiving about blanks, key order
//!   and number spelling, strict about everything else; [`export`] gives it out.
//! - *inside*, what the database holds and the worker is given: a Reference is `{"@qref":17}`,
//!   the number of a row that only this vat knows. It is always canonical: no blanks, strings and
//!   numbers exactly as `JSON.stringify` writes them. [`check`] refuses any other text, so a
//!   worker that lies cannot leave a malformed value behind.
//!
//! In both forms a plain key that starts with `@` is written with one more `@`, so data can never
//! be mistaken for a Reference. No function here allocates by a length the text claims, recurses
//! deeper than [`DEPTH_MAX`], or runs anybody's code.

mod error;
mod number;
mod scan;
mod text;

pub use error::Error;
pub use text::{array_index, join_object, key_text, split_object, string_text, strings};

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::id::{ObjectId, Qrid, VatId};
use scan::{Form, Scan, Sink, Token};

/// The deepest nesting of arrays and objects a value may have.
pub const DEPTH_MAX: usize = 128;

/// The largest size of one message's args, in bytes as [`Checked::size_bytes`] counts them.
pub const ARGS_BYTES_MAX: usize = 1 << 20;

/// What a Reference adds to a value's size, however its text is spelled.
pub const REFERENCE_BYTES: usize = 128;

/// A value taken in from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The value in inside form, where a Reference's number is its index in `references`.
    pub text: String,
    /// Every Reference of the value in the order it first appears, each once, with the hints of all
    /// its appearances.
    pub references: Vec<Qrid>,
    /// The value's size in bytes: its canonical text, a Reference counted as [`REFERENCE_BYTES`].
    pub size_bytes: usize,
}

/// What [`check`] found out about an inside text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Every Reference's number in the order it first appears, each once.
    pub references: Vec<u64>,
    /// The value's size in bytes, as in [`Document::size_bytes`].
    pub size_bytes: usize,
}

/// Takes in `text`, a value in outside form; `root` names it in error paths (`args`, `memory`).
///
/// # Errors
/// The first thing that is wrong, with its path, line and column: not JSON, a key given twice, a
/// stray `@` key, a malformed QRID, a number a double cannot hold, nesting beyond [`DEPTH_MAX`].
pub fn parse(text: &str, root: &str) -> Result<Document, Error> {
    struct Take {
        out: String,
        references: Vec<Qrid>,
        known: HashMap<(VatId, ObjectId), usize>,
        size_bytes: usize,
    }
    impl Sink for Take {
        fn raw(&mut self, text: &str) {
            self.out.push_str(text);
            self.size_bytes += text.len();
        }
        fn reference(&mut self, token: Token<'_>) -> Result<(), String> {
            let Token::Text(text) = token else {
                return Err("a reference must be a QRID in quotes".to_owned());
            };
            let qrid: Qrid = text.parse().map_err(|e: crate::id::Error| e.to_string())?;
            let index = match self.known.entry((qrid.vat, qrid.object)) {
                Entry::Occupied(known) => {
                    self.references[*known.get()].learn(qrid);
                    *known.get()
                }
                Entry::Vacant(new) => {
                    self.references.push(qrid);
                    *new.insert(self.references.len() - 1)
                }
            };
            push_reference(&mut self.out, index as u64);
            self.size_bytes += REFERENCE_BYTES;
            Ok(())
        }
    }
    let (out, references, known) = (String::with_capacity(text.len()), Vec::new(), HashMap::new());
    let mut take = Take { out, references, known, size_bytes: 0 };
    Scan::new(text, root, Form::Loose).run(&mut take)?;
    Ok(Document { text: take.out, references: take.references, size_bytes: take.size_bytes })
}

/// Checks that `text` is one value in inside form whose every Reference satisfies `may_hold`.
///
/// # Errors
/// The first thing that is wrong, as for [`parse`]; also any text that is not canonical.
pub fn check(text: &str, root: &str, may_hold: impl FnMut(u64) -> bool) -> Result<Checked, Error> {
    struct Look<F> {
        found: Checked,
        may_hold: F,
    }
    impl<F: FnMut(u64) -> bool> Sink for Look<F> {
        fn raw(&mut self, text: &str) {
            self.found.size_bytes += text.len();
        }
        fn reference(&mut self, token: Token<'_>) -> Result<(), String> {
            let number = token.number()?;
            if !(self.may_hold)(number) {
                return Err("a reference that was never given out".to_owned());
            }
            if !self.found.references.contains(&number) {
                self.found.references.push(number);
            }
            self.found.size_bytes += REFERENCE_BYTES;
            Ok(())
        }
    }
    let mut look = Look { found: Checked::default(), may_hold };
    Scan::new(text, root, Form::Canonical).run(&mut look)?;
    Ok(look.found)
}

/// The References of `text`, an inside text this vat wrote: each once, in order of appearance.
///
/// # Errors
/// `text` is not in inside form, which means the database is damaged.
pub fn references(text: &str) -> Result<Vec<u64>, Error> {
    // Most values hold none, and plain data cannot contain this run of characters unescaped.
    if !text.contains("\"@qref\":") {
        return Ok(Vec::new());
    }
    Ok(check(text, "value", |_| true)?.references)
}

/// `text`, an inside text, with every Reference's number replaced by `map` of it.
///
/// # Errors
/// `text` is not in inside form.
pub fn renumber(text: &str, mut map: impl FnMut(u64) -> u64) -> Result<String, Error> {
    rewrite(text, |number, out| {
        push_reference(out, map(number));
        Ok(())
    })
}

/// `text`, an inside text, in outside form; `name` gives the QRID of a Reference's number.
///
/// # Errors
/// `text` is not in inside form, or `name` knows no such number: the database is damaged.
pub fn export(text: &str, name: impl FnMut(u64) -> Option<Qrid>) -> Result<String, Error> {
    export_hinted(text, 0, name)
}

/// As [`export`], for a peer: QRIDs are written with the location hints they have, as long as all
/// hints together take no more than `hint_bytes_max`. Later ones are left out.
///
/// # Errors
/// As for [`export`].
pub fn export_hinted(
    text: &str,
    hint_bytes_max: usize,
    mut name: impl FnMut(u64) -> Option<Qrid>,
) -> Result<String, Error> {
    let mut hint_bytes = 0;
    rewrite(text, |number, out| {
        let qrid = name(number).ok_or_else(|| format!("reference {number} has no row"))?;
        let (bare, hinted) = (qrid.to_string(), qrid.hinted().to_string());
        let more = hinted.len() - bare.len();
        out.push_str("{\"@qref\":\"");
        if hint_bytes + more <= hint_bytes_max {
            hint_bytes += more;
            out.push_str(&hinted);
        } else {
            out.push_str(&bare);
        }
        out.push_str("\"}");
        Ok(())
    })
}

fn push_reference(out: &mut String, number: u64) {
    out.push_str("{\"@qref\":");
    out.push_str(&number.to_string());
    out.push('}');
}

fn rewrite(text: &str, write: impl FnMut(u64, &mut String) -> Result<(), String>) -> Result<String, Error> {
    struct Rewrite<F> {
        out: String,
        write: F,
    }
    impl<F: FnMut(u64, &mut String) -> Result<(), String>> Sink for Rewrite<F> {
        fn raw(&mut self, text: &str) {
            self.out.push_str(text);
        }
        fn reference(&mut self, token: Token<'_>) -> Result<(), String> {
            (self.write)(token.number()?, &mut self.out)
        }
    }
    if !text.contains("\"@qref\":") {
        return Ok(text.to_owned());
    }
    let mut rewrite = Rewrite { out: String::with_capacity(text.len()), write };
    Scan::new(text, "value", Form::Canonical).run(&mut rewrite)?;
    Ok(rewrite.out)
}

#[cfg(test)]
mod tests;
