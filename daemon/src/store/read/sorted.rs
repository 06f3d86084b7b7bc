//! Lists in the order of what changes with every turn.
//!
//! An index on such a column would cost each turn more than all it has to write, so nothing is indexed: a narrow
//! table is read through, and the rows that are greatest so far are kept. That is bounded in time; what was not
//! looked at then is missing, and the page is `partial`. Whoever asks often is answered from a memory of the last
//! answer (`control/recent.rs`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::{Duration, Instant};

use qrt_shared::control::Listing;
use qrt_shared::view::{AccountRow, ObjectRow, Page};
use rusqlite::Params;

use super::list::{Filter, PAGE_ROWS};
use super::{Asked, Read};
use crate::protocol::Handle;

/// How long a list is looked through for the head of an order.
const LOOK: Duration = Duration::from_secs(1);

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of a row that has its name")]
pub enum By {
    Name,
    Turns,
    Faults,
    Memory,
    Cpu,
    Queue,
    Objects,
}

impl By {
    /// What objects may be sorted by.
    pub const OBJECTS: &'static [Self] = &[Self::Name, Self::Turns, Self::Faults, Self::Memory, Self::Cpu, Self::Queue];
    /// What accounts may be sorted by.
    pub const ACCOUNTS: &'static [Self] = &[Self::Cpu, Self::Memory, Self::Objects, Self::Queue];

    fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Turns => "turns",
            Self::Faults => "faults",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Queue => "queue",
            Self::Objects => "objects",
        }
    }
}

/// An order: the greatest first, and names from a to z; or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    by: By,
    reversed: bool,
}

/// A word that is no order of a list.
#[derive(Debug, thiserror::Error)]
#[error("nothing is sorted by {word:?} here")]
pub struct NoOrder {
    word: String,
    known: &'static [By],
}

impl NoOrder {
    /// What would be one.
    pub fn hint(&self) -> String {
        let words: Vec<_> = self.known.iter().map(|by| by.word()).collect();
        format!("sort by {}, with a - before it for the reverse", words.join(", "))
    }
}

impl Order {
    /// What used the most CPU time first.
    pub const BUSIEST: Self = Self { by: By::Cpu, reversed: false };
    /// What has the largest memory first.
    pub const LARGEST: Self = Self { by: By::Memory, reversed: false };

    /// The order that `text` means, one of `known` with or without a `-` before it.
    pub fn parse(text: &str, known: &'static [By]) -> Result<Self, NoOrder> {
        let (word, reversed) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
        let by = known.iter().find(|by| by.word() == word);
        by.map(|by| Self { by: *by, reversed }).ok_or_else(|| NoOrder { word: text.to_owned(), known })
    }
}

/// How many messages are queued for each object that has any.
#[derive(Debug, Default)]
pub struct Queues(HashMap<Handle, u64>);

impl Queues {
    pub(super) fn of(&self, object: Handle) -> u64 {
        self.0.get(&object).copied().unwrap_or_default()
    }
}

/// The first so many of an order.
struct Head {
    reversed: bool,
    /// What has the last place on top: the greatest value stands first, of equal ones the older row.
    heap: BinaryHeap<Reverse<(u64, Reverse<Handle>)>>,
}

impl Head {
    fn place(&self, row: Handle, value: u64) -> Reverse<(u64, Reverse<Handle>)> {
        Reverse((if self.reversed { u64::MAX - value } else { value }, Reverse(row)))
    }

    fn wants(&self, row: Handle, value: u64) -> bool {
        (self.heap.len() as u64) < PAGE_ROWS || self.heap.peek().is_some_and(|last| self.place(row, value) < *last)
    }

    fn push(&mut self, row: Handle, value: u64) {
        if self.heap.len() as u64 == PAGE_ROWS {
            self.heap.pop();
        }
        self.heap.push(self.place(row, value));
    }

    fn rows(self) -> Vec<Handle> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse((_, Reverse(row)))| row).collect()
    }
}

impl Asked<'_> {
    /// How many messages are queued for whom: the index of queues, read through.
    pub fn queues(&self) -> Read<Queues> {
        let mut queues = Queues::default();
        let sql = "SELECT target, count(*) FROM message GROUP BY source, target";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            *queues.0.entry(row.get(0)?).or_default() += row.get::<_, u64>(1)?;
        }
        Ok(queues)
    }

    /// The head of all objects in an order.
    pub fn objects_by(&self, order: Order, listing: &Listing, queues: &Queues) -> Read<Page<ObjectRow>> {
        let account = listing.account.as_ref().map(|target| self.resolve_ever(target)).transpose()?;
        let filter = Filter::of(listing);
        let keep = |object: Handle| {
            let sql = "SELECT account FROM object WHERE object = ?1";
            Ok((filter.is_empty() || self.named_by(&filter, object)?)
                && (account.is_none() || account == self.one(sql, [object], |row| row.get(0))?))
        };
        let column = |value: &str| format!("SELECT object, {value} FROM object_use ORDER BY object");
        let (objects, partial) = match order.by {
            By::Name => self.by_name(order, keep)?,
            By::Memory if order.reversed => {
                let sql = "SELECT object, coalesce((SELECT bytes FROM memory WHERE memory.memory = object.memory), 0)
                    FROM object ORDER BY object";
                self.head(order, sql, [], |_, bytes| bytes, keep)?
            }
            By::Memory => self.by_memory(order, keep)?,
            By::Queue | By::Objects => self.head(order, &column("0"), [], |object, _| queues.of(object), keep)?,
            By::Turns | By::Faults => self.head(order, &column(order.by.word()), [], |_, value| value, keep)?,
            By::Cpu => self.head(order, &column("cpu_us"), [], |_, value| value, keep)?,
        };
        let rows = objects.into_iter().map(|object| self.object_row(object, queues));
        Ok(Page { items: rows.collect::<Read<_>>()?, next: None, prev: None, partial, as_of: self.as_of })
    }

    /// The head of all accounts in an order.
    pub fn accounts_by(&self, order: Order, listing: &Listing) -> Read<Page<AccountRow>> {
        let filter = Filter::of(listing);
        let keep = |account| Ok(filter.is_empty() || self.named_by(&filter, account)?);
        let column = match order.by {
            By::Memory => "memory_bytes",
            By::Objects => "objects",
            By::Queue => "queued_bytes",
            By::Cpu | By::Name | By::Turns | By::Faults => "cpu_us",
        };
        let sql = format!("SELECT account, {column} FROM account ORDER BY account");
        let (accounts, partial) = self.head(order, &sql, [], |_, value| value, keep)?;
        let rows = accounts.into_iter().map(|account| self.account(account));
        Ok(Page { items: rows.collect::<Read<_>>()?, next: None, prev: None, partial, as_of: self.as_of })
    }

    /// The head of the rows of `sql`, of a number and a value each, and whether the look ended before they did.
    fn head(
        &self,
        order: Order,
        sql: &str,
        params: impl Params,
        value: impl Fn(Handle, u64) -> u64,
        keep: impl Fn(Handle) -> Read<bool>,
    ) -> Read<(Vec<Handle>, bool)> {
        let mut head = Head { reversed: order.reversed, heap: BinaryHeap::new() };
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let started = Instant::now();
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            let value = value(number, row.get(1)?);
            if head.wants(number, value) && keep(number)? {
                head.push(number, value);
            }
            if started.elapsed() > LOOK {
                return Ok((head.rows(), true));
            }
        }
        Ok((head.rows(), false))
    }

    /// The largest memories are found first, then who has them: the rows of objects are wide.
    fn by_memory(&self, order: Order, keep: impl Fn(Handle) -> Read<bool>) -> Read<(Vec<Handle>, bool)> {
        let sql = "SELECT memory, bytes FROM memory ORDER BY memory";
        let kept = |memory| {
            for object in self.havers(memory)? {
                if keep(object)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let (memories, partial) = self.head(order, sql, [], |_, bytes| bytes, kept)?;
        let mut objects = Vec::new();
        for memory in memories {
            for object in self.havers(memory)? {
                if (objects.len() as u64) < PAGE_ROWS && keep(object)? {
                    objects.push(object);
                }
            }
        }
        self.filled(objects, partial, keep)
    }

    fn havers(&self, memory: Handle) -> Read<Vec<Handle>> {
        let sql = "SELECT object FROM object WHERE memory = ?1 ORDER BY object LIMIT ?2";
        self.rows(sql, [memory, PAGE_ROWS], |row| row.get(0))
    }

    /// Those with a name by their names, then the others.
    fn by_name(&self, order: Order, keep: impl Fn(Handle) -> Read<bool>) -> Read<(Vec<Handle>, bool)> {
        let way = if order.reversed { "DESC" } else { "ASC" };
        let sql = format!("SELECT reference FROM petname JOIN object ON object = reference ORDER BY name {way}");
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let (mut objects, started) = (Vec::new(), Instant::now());
        while let Some(row) = rows.next()?
            && (objects.len() as u64) < PAGE_ROWS
        {
            let object = row.get(0)?;
            if keep(object)? {
                objects.push(object);
            }
            if started.elapsed() > LOOK {
                return Ok((objects, true));
            }
        }
        self.filled(objects, false, keep)
    }

    /// `objects`, and what else fits, oldest first, until the page is full.
    fn filled(
        &self,
        mut objects: Vec<Handle>,
        mut partial: bool,
        keep: impl Fn(Handle) -> Read<bool>,
    ) -> Read<(Vec<Handle>, bool)> {
        let there: HashSet<Handle> = objects.iter().copied().collect();
        let mut statement = self.db.prepare_cached("SELECT object FROM object_use ORDER BY object")?;
        let mut rows = statement.query([])?;
        let started = Instant::now();
        while (objects.len() as u64) < PAGE_ROWS
            && let Some(row) = rows.next()?
        {
            let object = row.get(0)?;
            if !there.contains(&object) && keep(object)? {
                objects.push(object);
            }
            if started.elapsed() > LOOK {
                partial = true;
                break;
            }
        }
        Ok((objects, partial))
    }
}
