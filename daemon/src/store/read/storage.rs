//! What takes how much room.
//!
//! SQLite's `dbstat` walks a tree page by page, which takes long for a huge one: each is walked for a while, and if it
//! is not through by then, how far it came among the root's children says about how large the whole is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use qrt_shared::view::TableSize;

use super::{Asked, Read};

/// How long one table or index is walked.
const WALK: Duration = Duration::from_millis(50);

/// The room of one tree.
struct Tree {
    bytes: u64,
    rows: u64,
    /// Whether it was walked to its end.
    whole: bool,
}

impl Asked<'_> {
    /// Bytes of the file that are free, and each table with its indexes, the largest first.
    pub fn storage(&self) -> Read<(u64, Vec<TableSize>)> {
        let pragma = |name: &str| self.db.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        let free = pragma("freelist_count")? * pragma("page_size")?;
        let sql = "SELECT name, tbl_name, type = 'table' AND sql LIKE '%WITHOUT ROWID%' FROM sqlite_schema
            WHERE type IN ('table', 'index') AND rootpage > 0";
        let trees: Vec<(String, String, bool)> =
            self.rows(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut tables: BTreeMap<String, TableSize> = BTreeMap::new();
        for (name, table, by_key) in trees {
            let tree = self.tree(&name, by_key)?;
            let size =
                tables.entry(table.clone()).or_insert(TableSize { table, rows: None, bytes: 0, estimated: false });
            size.bytes += tree.bytes;
            size.estimated |= !tree.whole;
            if name == size.table {
                size.rows = Some(tree.rows).filter(|_| tree.whole);
            }
        }
        let mut tables: Vec<_> = tables.into_values().collect();
        tables.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.table.cmp(&b.table)));
        Ok((free, tables))
    }

    /// The room of a table's or index's own tree. `by_key`: it is a table whose rows are on every level.
    fn tree(&self, name: &str, by_key: bool) -> Read<Tree> {
        let mut statement =
            self.db.prepare_cached("SELECT path, pagetype, ncell, pgsize FROM dbstat WHERE name = ?1")?;
        let mut pages = statement.query([name])?;
        let started = Instant::now();
        let mut tree = Tree { bytes: 0, rows: 0, whole: true };
        // Children of the root, and which of them was walked last.
        let (mut children, mut child) = (1, 0);
        while let Some(page) = pages.next()? {
            let path = page.get_ref(0)?.as_str().unwrap_or_default();
            let (kind, cells): (String, u64) = (page.get(1)?, page.get(2)?);
            if path == "/" && kind == "internal" {
                children = cells + 1;
            }
            let at = path.get(1..4).and_then(|hex| u64::from_str_radix(hex, 16).ok());
            if started.elapsed() > WALK && at.is_some_and(|at| at > child) {
                tree.whole = false;
                tree.bytes = tree.bytes / (child + 1) * children;
                break;
            }
            child = at.unwrap_or(child);
            tree.bytes += page.get::<_, u64>(3)?;
            tree.rows += if kind == "leaf" || (by_key && kind == "internal") { cells } else { 0 };
        }
        Ok(tree)
    }
}
