//! The language of scripted objects: what a message's arguments tell the object to do.
//!
//! Every object runs the same interpreter. A text of code adds one number to it, so that an upgrade
//! can be told from none. An operation that cannot be done (a memory that is not there, a reference
//! that does not resolve, a power that was not granted) is passed over, but for `call`, which throws.
//! The worker and the model each have an interpreter of their own.

use serde::{Deserialize, Serialize};

use super::dice::Dice;
use crate::protocol::Handle;

/// A message's arguments: `{"refs":[...],"script":[...]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Args {
    pub(super) refs: Vec<Ref>,
    pub(super) script: Vec<Op>,
}

/// A Reference in inside form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Ref {
    #[serde(rename = "@qref")]
    pub(super) handle: Handle,
}

/// Where an operation finds a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Find {
    /// In the arguments, counted around.
    Arg(usize),
    /// The first in the value of a key of memory.
    Memory(String),
    /// Among the objects that this run of the script has made, counted around.
    Made(usize),
    /// The last of those.
    Newest,
    /// In static power's `refs`, counted around.
    Static(usize),
}

/// What a new object's memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Share {
    None,
    Makers,
    Own,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    Set {
        key: String,
        to: u32,
    },
    Delete {
        key: String,
    },
    /// Adds the code's number.
    Increment {
        key: String,
    },
    /// Deletes the key and puts it back, which moves it to the end.
    Move {
        key: String,
    },
    /// Writes down which keys there are, in order.
    Keys {
        key: String,
    },
    /// Keeps references in memory.
    Keep {
        key: String,
        of: Vec<Find>,
    },
    Send {
        to: Find,
        with: Vec<Find>,
        script: Vec<Op>,
    },
    Call {
        to: Find,
        with: Vec<Find>,
        script: Vec<Op>,
        catch: bool,
    },
    Make {
        account: bool,
        code: u32,
        memory: Share,
        with: Vec<Find>,
        grant: bool,
    },
    /// Makes an account whose first object makes the next, so many deep.
    Dynasty {
        levels: u32,
    },
    Clock {
        key: String,
    },
    Random {
        key: String,
    },
    Log {
        line: u32,
    },
    /// Takes so long that what was streamed behind it is planned anew.
    Slow,
    Fail,
    /// Goes over the tick budget.
    Spend,
    /// Crashes the interpreter: every time, or only the first time anybody meets this mark.
    Die {
        once: Option<u32>,
    },
    /// Runs past the deadline.
    Late,
}

/// A text of code and the number it stands for.
pub(super) fn code(number: u32) -> String {
    format!("() => {number}")
}

/// The number of a text of code.
pub(super) fn code_number(text: &str) -> u64 {
    text.trim_start_matches("() => ").parse().expect("a text of code of these tests")
}

/// A value of `Set`: a number, or a text; a long one of what is at least [`LONG`].
pub(super) fn value(to: u32) -> String {
    match to {
        LONG.. => format!("\"{}\"", "y".repeat(to as usize)),
        _ if to.is_multiple_of(5) => format!("\"{}\"", "x".repeat(to as usize % 97)),
        _ => to.to_string(),
    }
}

/// See [`value`].
const LONG: u32 = 1000;

/// What [`Op::Keys`] writes.
pub(super) fn keys<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    text(&keys.collect::<Vec<_>>().join(" "))
}

/// What [`Op::Dynasty`] is short for.
pub(super) fn dynasty(levels: u32) -> [Op; 2] {
    let next = levels.checked_sub(1).map(|levels| Op::Dynasty { levels });
    let made = Op::Make { account: true, code: 1, memory: Share::None, with: Vec::new(), grant: true };
    [made, Op::Send { to: Find::Newest, with: Vec::new(), script: next.into_iter().collect() }]
}

/// What `Increment` makes of a value.
pub(super) fn incremented(value: Option<&str>, by: u64) -> String {
    let number: u64 = value.and_then(|value| value.parse().ok()).unwrap_or_default();
    (number + by).to_string()
}

/// The first reference in a value.
pub(super) fn first_ref(value: &str) -> Option<Ref> {
    let refs: Vec<Ref> = serde_json::from_str(value).ok()?;
    refs.first().copied()
}

/// The text of anything that is plain data.
pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// Keys that scripts use: integer-like ones have an order of their own.
pub(super) const KEYS: [&str; 5] = ["a", "b", "3", "12", "@k"];

/// Keys that make a memory large.
pub(super) const LARGE_KEYS: [&str; 4] = ["p", "q", "7000", "r"];

/// How often the operations that hurt come up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taste {
    /// Failures, spent budgets, deaths and deadlines in a thousand operations.
    pub(super) bad: u64,
    /// Memories that are too large to travel with each turn.
    pub(super) large: bool,
    /// Many messages for one object from one turn, as many as a turn may send.
    pub(super) crowded: bool,
}

/// Makes scripts up.
pub(super) struct Author {
    pub(super) dice: Dice,
    pub(super) taste: Taste,
    marks: u32,
}

impl Author {
    pub(super) fn new(dice: Dice, taste: Taste) -> Self {
        Self { dice, taste, marks: 0 }
    }

    pub(super) fn script(&mut self, depth: u32) -> Vec<Op> {
        let mut script: Vec<Op> = (0..=self.dice.below(4)).map(|_| self.op(depth)).collect();
        if self.taste.crowded && self.dice.one_in(2) {
            let sends = script.iter().find(|op| matches!(op, Op::Send { .. })).cloned();
            script.extend(sends.into_iter().cycle().take(2));
        }
        script
    }

    pub(super) fn key(&mut self) -> String {
        let large = self.taste.large && self.dice.one_in(4);
        (*self.dice.pick(if large { &LARGE_KEYS[..] } else { &KEYS }).expect("keys")).to_owned()
    }

    /// What a key is set to: of one that makes memories large, mostly a long text.
    pub(super) fn to(&mut self, key: &str) -> u32 {
        if LARGE_KEYS.contains(&key) && !self.dice.one_in(4) {
            return 8_000 + self.small(24_000);
        }
        self.small(LONG.into())
    }

    fn small(&mut self, end: u64) -> u32 {
        u32::try_from(self.dice.below(end)).expect("small")
    }

    fn index(&mut self) -> usize {
        self.small(4) as usize
    }

    fn find(&mut self) -> Find {
        match self.dice.below(10) {
            0..5 => Find::Arg(self.index()),
            5..7 => Find::Memory(self.key()),
            7..9 => Find::Made(self.index()),
            _ => Find::Static(self.index()),
        }
    }

    fn finds(&mut self) -> Vec<Find> {
        (0..=self.dice.below(3)).map(|_| self.find()).collect()
    }

    fn op(&mut self, depth: u32) -> Op {
        if self.dice.below(1000) < self.taste.bad {
            return self.bad();
        }
        match self.dice.below(100) {
            0..10 => {
                let key = self.key();
                Op::Set { to: self.to(&key), key }
            }
            18..28 | 95..99 if self.taste.large => Op::Keys { key: self.key() },
            27 => Op::Keys { key: self.key() },
            28..34 => Op::Delete { key: self.key() },
            34..40 => Op::Move { key: self.key() },
            40..48 => Op::Keep { key: self.key(), of: self.finds() },
            48..64 if depth > 0 => Op::Send { to: self.find(), with: self.finds(), script: self.script(depth - 1) },
            64..82 if depth > 0 => Op::Call {
                to: self.find(),
                with: self.finds(),
                script: self.script(depth - 1),
                catch: self.dice.one_in(2),
            },
            82..89 => self.make(),
            89..92 => Op::Clock { key: self.key() },
            92..95 => Op::Random { key: self.key() },
            95..99 => Op::Log { line: self.small(100) },
            99 => Op::Slow,
            _ => Op::Increment { key: self.key() },
        }
    }

    fn make(&mut self) -> Op {
        let memory = match self.dice.below(4) {
            0 => Share::None,
            1 => Share::Own,
            _ => Share::Makers,
        };
        let (account, grant) = (self.dice.one_in(3), !self.dice.one_in(4));
        Op::Make { account, code: 1 + self.small(5), memory, with: self.finds(), grant }
    }

    fn bad(&mut self) -> Op {
        self.marks += 1;
        match self.dice.below(12) {
            0..4 => Op::Fail,
            4..6 => Op::Spend,
            6..9 => Op::Die { once: Some(self.marks) },
            9 => Op::Die { once: None },
            _ => Op::Late,
        }
    }
}
