//! Pages of lists.
//!
//! A list goes by a key that is a number and never changes, so a page costs the same wherever it is, forwards and
//! backwards. A cursor is a key. What a page may cost is bounded in rows looked at, rows given, bytes and time: a
//! `filter` has no index to ask, so its page may be `partial`, and its cursor goes on where the look ended.

use std::time::{Duration, Instant};

use qrt_shared::control::{At, Listing};
use qrt_shared::view::Page;
use rusqlite::{Params, Row};

use super::{Asked, Read};

/// Rows of a page, at most.
pub(super) const PAGE_ROWS: u64 = 500;

/// Bytes of a page's texts, beyond which it ends early.
const PAGE_BYTES: usize = 4 << 20;

/// Rows a page looks at for those that fit.
pub(super) const SCANNED: u64 = 20_000;

/// How long it looks.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// Which way a page is read from its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In the list's order.
    On,
    /// Against it.
    Back,
}

/// Where a page begins, and which way it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct From {
    pub(super) way: Way,
    /// The key next to the first row, on its other side: what `?1` of the query is bound to.
    pub(super) cursor: i64,
    limit: u64,
}

impl From {
    pub(super) fn of(listing: &Listing) -> Self {
        // Every row's number is at most what SQLite can count to.
        let (way, cursor) = match listing.at {
            At::First => (Way::On, 0),
            At::Last => (Way::Back, i64::MAX),
            At::After(cursor) => (Way::On, i64::try_from(cursor).unwrap_or(i64::MAX)),
            At::Before(cursor) => (Way::Back, i64::try_from(cursor).unwrap_or(i64::MAX)),
        };
        Self { way, cursor, limit: listing.limit.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS) }
    }

    /// The condition and order of a query by `key`, a column with an index.
    pub(super) fn by(self, key: &str) -> String {
        match self.way {
            Way::On => format!("{key} > ?1 ORDER BY {key}"),
            Way::Back => format!("{key} < ?1 ORDER BY {key} DESC"),
        }
    }
}

/// An item, and the bytes of its texts.
pub(super) type Sized<T> = (T, usize);

impl Asked<'_> {
    /// The page of those rows of `sql` that `keep` wants, each made by `item`. The first column is the key; the
    /// query's order is that of `from`.
    pub(super) fn listed<T>(
        &self,
        from: From,
        sql: &str,
        params: impl Params,
        keep: impl Fn(&Row<'_>) -> Read<bool>,
        item: impl Fn(&Row<'_>) -> Read<Sized<T>>,
    ) -> Read<Page<T>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let (started, mut scanned, mut bytes) = (Instant::now(), 0, 0);
        let (mut items, mut first, mut seen) = (Vec::new(), None, None);
        let (mut more, mut partial) = (false, false);
        while let Some(row) = rows.next()? {
            more = items.len() as u64 == from.limit || bytes > PAGE_BYTES;
            partial = !more && scanned > 0 && (scanned == SCANNED || started.elapsed() > LOOK);
            if more || partial {
                break;
            }
            let key: u64 = row.get(0)?;
            seen = Some(key);
            scanned += 1;
            if keep(row)? {
                let (item, size) = item(row)?;
                first.get_or_insert(key);
                bytes += size;
                items.push(item);
            }
        }
        let ahead = seen.filter(|_| more || partial);
        let as_of = self.as_of;
        Ok(match from.way {
            Way::On => {
                let behind = || first.unwrap_or(from.cursor.unsigned_abs() + 1);
                Page { items, next: ahead, prev: (from.cursor > 0).then(behind), partial, as_of }
            }
            Way::Back => {
                items.reverse();
                let behind = || first.unwrap_or(from.cursor.unsigned_abs().saturating_sub(1));
                Page { items, next: (from.cursor < i64::MAX).then(behind), prev: ahead, partial, as_of }
            }
        })
    }
}

/// Whether a row has the text that a list is filtered by.
pub(super) struct Filter<'a>(&'a str);

impl<'a> Filter<'a> {
    pub(super) fn of(listing: &'a Listing) -> Self {
        Self(&listing.filter)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn text(&self, text: impl AsRef<str>) -> bool {
        text.as_ref().contains(self.0)
    }

    pub(super) fn some(&self, text: Option<impl AsRef<str>>) -> bool {
        text.is_some_and(|text| self.text(text))
    }
}
