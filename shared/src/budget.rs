//! Budgets as people write them: `ticks=5000,memory=64MiB`.
//!
//! Two tables say which figures there are, in which unit and within which bounds: [`OBJECT`], what an
//! object may keep and each of its turns may use, and [`ACCOUNT`], what an account may use in all. A
//! [`Budget`] holds some of them; what it does not name is as `settings.toml` says.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A figure of a budget.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// What it is called.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The least it may be.
    pub least: u64,
    /// The most it may be.
    pub most: u64,
    /// What it is, for help texts.
    pub what: &'static str,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes; `KiB`, `MiB` and `GiB` may follow.
    Bytes,
    /// Milliseconds; `ms`, `s` and `min` may follow.
    Ms,
    /// Milliseconds a second; `/s` may follow.
    MsPerS,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn figure(name: &'static str, unit: Unit, least: u64, most: u64, what: &'static str) -> Figure {
    Figure { name, unit, least, most, what }
}

/// What an object has: its own, and that of each of its turns.
pub const OBJECT: &[Figure] = &[
    figure("ticks", Unit::Count, 1, 1_000_000_000, "compute of a turn, in ticks of 10,000 branches and calls"),
    figure("memory", Unit::Bytes, MIB, GIB, "memory of the interpreter in a turn"),
    figure("cpu", Unit::Ms, 1, 600_000, "CPU time of a turn"),
    figure("wall", Unit::Ms, 1, 600_000, "wall-clock time of a turn"),
    figure("messages", Unit::Count, 0, 1_000_000, "messages sent in a turn"),
    figure("objects", Unit::Count, 0, 1_000_000, "objects made in a turn"),
    figure("bytes", Unit::Bytes, 1, 16 * MIB, "bytes that a turn writes, sends, makes, logs and returns"),
    figure("log", Unit::Count, 0, 1_000_000, "log lines of a turn"),
    figure("jobs", Unit::Count, 0, 1_000_000_000, "promise jobs of a turn"),
    figure("calls", Unit::Count, 0, 64, "levels of `call` in a turn"),
    figure("stored", Unit::Bytes, 0, 1 << 40, "size of its memory as it is stored, keys and values"),
];

/// What an account has, with all accounts made under it.
pub const ACCOUNT: &[Figure] = &[
    figure("cpu", Unit::Ms, 1, 1 << 40, "CPU time it may have saved up"),
    figure("refill", Unit::MsPerS, 0, 1_000_000, "CPU time it gets back each second"),
    figure("objects", Unit::Count, 1, 1 << 40, "objects"),
    figure("memory", Unit::Bytes, 0, 1 << 50, "bytes of all its memories as they are stored"),
    figure("queued", Unit::Bytes, 0, 1 << 50, "bytes of queued messages whose turns it pays for"),
];

/// Why a text is no budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something is not `name=figure`.
    #[error("`{0}` is not NAME=FIGURE")]
    Malformed(String),
    /// No figure has that name.
    #[error("no budget is called `{name}`: there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A name is there twice.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// A number is none, or has a unit it cannot have.
    #[error("`{name}={text}` is not a number of {unit}")]
    Number {
        /// The name.
        name: &'static str,
        /// What is there.
        text: String,
        /// What should be.
        unit: Unit,
    },
    /// A number is out of bounds.
    #[error("`{name}` is {number}, and may be {least} to {most} {unit}")]
    Bounds {
        /// The name.
        name: &'static str,
        /// The number.
        number: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
        /// Of what.
        unit: Unit,
    },
    /// A refill has nothing to fill.
    #[error("`refill` says how fast `cpu` comes back: give `cpu` too")]
    Refill,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "things",
            Self::Bytes => "bytes (KiB, MiB, GiB)",
            Self::Ms => "milliseconds (ms, s, min)",
            Self::MsPerS => "milliseconds a second",
        })
    }
}

/// Some figures by name, in base units: counts, bytes, milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budget(BTreeMap<String, u64>);

impl Budget {
    /// Reads `name=figure,name=figure`, names as in `table`.
    ///
    /// # Errors
    /// [`Error`]: which part of it is wrong and what it may be.
    pub fn parse(text: &str, table: &[Figure]) -> Result<Self, Error> {
        let mut figures = BTreeMap::new();
        for part in text.split(',').map(str::trim) {
            let (name, number) = part.split_once('=').ok_or_else(|| Error::Malformed(part.to_owned()))?;
            let figure = find(name.trim(), table)?;
            let number = number.trim();
            let malformed = || Error::Number { name: figure.name, text: number.to_owned(), unit: figure.unit };
            let number = self::number(number, figure.unit).ok_or_else(malformed)?;
            if figures.insert(figure.name.to_owned(), number).is_some() {
                return Err(Error::Twice(figure.name.to_owned()));
            }
        }
        let budget = Self(figures);
        budget.check(table)?;
        Ok(budget)
    }

    /// Whether every figure is one of `table` and within its bounds.
    ///
    /// # Errors
    /// [`Error`]: the first that is not.
    pub fn check(&self, table: &[Figure]) -> Result<(), Error> {
        for (name, number) in &self.0 {
            let Figure { name, unit, least, most, .. } = *find(name, table)?;
            if !(least..=most).contains(number) {
                return Err(Error::Bounds { name, number: *number, least, most, unit });
            }
        }
        if self.0.contains_key("refill") && !self.0.contains_key("cpu") {
            return Err(Error::Refill);
        }
        Ok(())
    }

    /// The figure of that name, if it holds it.
    pub fn figure(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, number)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{name}={number}")?;
        }
        Ok(())
    }
}

fn find<'a>(name: &str, table: &'a [Figure]) -> Result<&'a Figure, Error> {
    let known = || table.iter().map(|figure| figure.name).collect::<Vec<_>>().join(", ");
    table
        .iter()
        .find(|figure| figure.name == name)
        .ok_or_else(|| Error::Unknown { name: name.to_owned(), known: known() })
}

/// A number in base units.
fn number(text: &str, unit: Unit) -> Option<u64> {
    let text = if unit == Unit::MsPerS { text.strip_suffix("/s").unwrap_or(text) } else { text };
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(digits);
    let times = match (unit, suffix) {
        (_, "") | (Unit::Ms | Unit::MsPerS, "ms") => 1,
        (Unit::Bytes, "KiB") => 1 << 10,
        (Unit::Bytes, "MiB") => MIB,
        (Unit::Bytes, "GiB") => GIB,
        (Unit::Ms | Unit::MsPerS, "s") => 1000,
        (Unit::Ms, "min") => 60_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_reads_units_and_shows_base_units() {
        let read = |text, table| Budget::parse(text, table).expect("a budget").to_string();
        assert_eq!(read("ticks=50, memory=2MiB,cpu=3s", OBJECT), "cpu=3000,memory=2097152,ticks=50");
        assert_eq!(read("cpu=1min,refill=100ms/s,queued=1KiB", ACCOUNT), "cpu=60000,queued=1024,refill=100");
    }

    #[test]
    fn what_is_no_budget_is_refused_with_what_may_be_there() {
        let refusal = |text, table| Budget::parse(text, table).expect_err("no budget").to_string();
        assert!(refusal("tick=5", OBJECT).contains("there are ticks, memory"));
        assert!(refusal("ticks", OBJECT).contains("NAME=FIGURE"));
        assert!(refusal("ticks=5MiB", OBJECT).contains("not a number of things"));
        assert!(refusal("memory=-1", OBJECT).contains("bytes"));
        assert!(refusal("ticks=1,ticks=2", OBJECT).contains("twice"));
        assert!(refusal("ticks=0", OBJECT).contains("1 to 1000000000"));
        assert!(refusal("calls=65", OBJECT).contains("0 to 64"));
        assert!(refusal("memory=99999999999GiB", OBJECT).contains("not a number"));
        assert!(refusal("refill=5", ACCOUNT).contains("give `cpu` too"));
    }
}
