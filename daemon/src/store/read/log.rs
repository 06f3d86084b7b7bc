//! What turns logged.

use qrt_shared::view::LogLine;
use rusqlite::Params;

use super::list::PAGE_ROWS;
use super::{Asked, Read, list};
use crate::protocol::Handle;

/// A row of the journal that has log lines.
type Stored = (u64, u64, Handle, Option<String>);

impl Asked<'_> {
    /// The lines of turns after `after`, oldest first, a page of turns at most; and the last turn looked at.
    pub fn logged(&self, after: u64) -> Read<(Vec<LogLine>, u64)> {
        let sql = "SELECT turn, clock_ms, object, log FROM turn WHERE turn > ?1 AND log IS NOT NULL
            ORDER BY turn LIMIT ?2";
        let rows = self.logged_rows(sql, [after, PAGE_ROWS])?;
        let last = self.db.query_row("SELECT next_turn - 1 FROM vat", [], |row| row.get::<_, u64>(0))?;
        let seen = match rows.last() {
            Some((turn, ..)) if rows.len() as u64 == PAGE_ROWS => *turn,
            _ => last.max(after),
        };
        Ok((self.lines(rows)?, seen))
    }

    /// The lines of the newest turns that have any, oldest first, at least `count` lines if there are so many in
    /// a page of turns; and the last turn.
    pub fn logged_newest(&self, count: u64) -> Read<(Vec<LogLine>, u64)> {
        let sql = "SELECT turn, clock_ms, object, log FROM turn WHERE log IS NOT NULL ORDER BY turn DESC LIMIT ?1";
        let mut rows = self.logged_rows(sql, [count.min(PAGE_ROWS)])?;
        rows.reverse();
        let last = self.db.query_row("SELECT next_turn - 1 FROM vat", [], |row| row.get(0))?;
        Ok((self.lines(rows)?, last))
    }

    fn logged_rows(&self, sql: &str, params: impl Params) -> Read<Vec<Stored>> {
        self.rows(sql, params, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
    }

    fn lines(&self, rows: Vec<Stored>) -> Read<Vec<LogLine>> {
        let mut lines = Vec::new();
        for (turn, at, object, log) in rows {
            let (qrid, name) = (self.known(object), self.petname(object)?);
            for text in list::<String>(log.as_ref())? {
                lines.push(LogLine {
                    at,
                    turn: Some(turn),
                    object: qrid.clone(),
                    name: name.clone(),
                    level: None,
                    text,
                });
            }
        }
        Ok(lines)
    }
}
