//! An object's memory, key by key.
//!
//! A memory may have a million keys and values of megabytes: a page shows some keys, of long values the head, and one
//! key is asked for to see it whole.

use std::collections::HashMap;

use qrt_shared::control::Listing;
use qrt_shared::view::{Entry, Page};
use rusqlite::{Row, params};

use super::list::{From, SCANNED, Way};
use super::{Asked, Read, ReadError};
use crate::protocol::{Handle, MemoryHandle};

/// The longest value that a page shows whole, and how much of a longer one it shows, in bytes.
const WHOLE: usize = 4096;

/// A value whose head is shown was read all the same, at a fraction of the cost of showing it.
const READ: usize = 16;

impl Asked<'_> {
    /// A page of an object's memory, in the order of its keys. With `filter`, of those keys that begin with it, in the
    /// order of their texts: a name is looked for in an index, however large the memory.
    pub fn entries(&self, object: Handle, listing: &Listing) -> Read<Page<Entry>> {
        let Some(memory) = self.memory_of(object)? else {
            return Ok(Page { items: Vec::new(), next: None, prev: None, partial: false, as_of: self.as_of });
        };
        let from = From::of(listing);
        // An ordinal may be 0, which is no cursor: a cursor is one more.
        let columns = "SELECT ordinal + 1, key, value FROM memory_entry WHERE memory = ?1";
        let item = |row: &Row<'_>| self.entry_row(row, false);
        let mut page = if listing.filter.is_empty() {
            let (sign, order) = if from.way == Way::On { (">", "") } else { ("<", "DESC") };
            let sql = format!("{columns} AND ordinal {sign} ?2 - 1 ORDER BY ordinal {order}");
            self.listed(from, &sql, params![memory, from.cursor], |_| Ok(true), item)?
        } else {
            // No text is between these two but those that begin with it: none has a byte like this.
            let (start, mut end) = (listing.filter.clone().into_bytes(), listing.filter.clone().into_bytes());
            end.push(0xff);
            let bounds = match (self.cursor_key(memory, from.cursor)?, from.way) {
                (None, _) => (start, end),
                (Some(mut key), Way::On) => {
                    // The least text behind it.
                    key.push(0);
                    (key.max(start), end)
                }
                (Some(key), Way::Back) => (start, key.min(end)),
            };
            let order = if from.way == Way::On { "" } else { "DESC" };
            let sql = format!("{columns} AND key >= CAST(?2 AS TEXT) AND key < CAST(?3 AS TEXT) ORDER BY key {order}");
            self.listed(from, &sql, params![memory, bounds.0, bounds.1], |_| Ok(true), item)?
        };
        self.date(memory, &mut page.items)?;
        Ok(page)
    }

    /// One key of an object's memory, its value whole.
    pub fn entry(&self, object: Handle, key: &str) -> Read<Entry> {
        let nothing = || ReadError::Nothing(format!("its memory has no key {key:?}"));
        let memory = self.memory_of(object)?.ok_or_else(nothing)?;
        let sql = "SELECT ordinal, key, value FROM memory_entry WHERE memory = ?1 AND key = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![memory, key])?;
        let mut entry = [self.entry_row(rows.next()?.ok_or_else(nothing)?, true)?.0];
        self.date(memory, &mut entry)?;
        let [entry] = entry;
        Ok(entry)
    }

    pub(super) fn memory_of(&self, object: Handle) -> Read<Option<MemoryHandle>> {
        Ok(self.one("SELECT memory FROM object WHERE object = ?1", [object], |row| row.get(0))?.flatten())
    }

    /// The key that a cursor stands for; `None` for the ends of the list.
    fn cursor_key(&self, memory: MemoryHandle, cursor: i64) -> Read<Option<Vec<u8>>> {
        if cursor == 0 || cursor == i64::MAX {
            return Ok(None);
        }
        let sql = "SELECT key FROM memory_entry WHERE memory = ?1 AND ordinal = ?2 - 1";
        let key = self.one(sql, params![memory, cursor], |row| row.get::<_, String>(0))?;
        let gone = || ReadError::Nothing("the key at that cursor is gone: begin again".to_owned());
        key.map(|key| Some(key.into_bytes())).ok_or_else(gone)
    }

    fn entry_row(&self, row: &Row<'_>, whole: bool) -> Read<(Entry, usize)> {
        let (key, value): (String, String) = (row.get(1)?, row.get(2)?);
        let size = key.len() + value.len();
        let outside = self.outside(Some(&value))?;
        let (value, head, cost) = if whole || value.len() <= WHOLE {
            (Some(outside), None, size)
        } else {
            let text = outside.get();
            let head = text[..text.floor_char_boundary(WHOLE)].to_owned();
            (None, Some(head), WHOLE + size / READ)
        };
        Ok((Entry { key, bytes: size as u64, value, head, turn: None }, cost))
    }

    /// Says which turn changed each of them last, as far as the newest changes of the journal tell.
    fn date(&self, memory: MemoryHandle, entries: &mut [Entry]) -> Read<()> {
        let mut undated: HashMap<&str, &mut Option<u64>> =
            entries.iter_mut().map(|entry| (entry.key.as_str(), &mut entry.turn)).collect();
        let sql = "SELECT turn, memory, key FROM turn_change ORDER BY turn DESC LIMIT ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([SCANNED])?;
        while !undated.is_empty()
            && let Some(row) = rows.next()?
        {
            if row.get::<_, MemoryHandle>(1)? == memory
                && let Some(turn) = undated.remove(row.get_ref(2)?.as_str().unwrap_or_default())
            {
                *turn = Some(row.get(0)?);
            }
        }
        Ok(())
    }
}
