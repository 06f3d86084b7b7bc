//! What operators did.

use qrt_shared::view::{Audited, Page};
use rusqlite::OptionalExtension;
use serde_json::Value;

use super::{Asked, PAGE_ROWS, Read, from_json};

impl Asked<'_> {
    /// A page of the audit after the cursor `after`, oldest first; with `newest`, of so many of the newest.
    pub fn audit(&self, after: u64, newest: Option<u64>) -> Read<Page<Audited>> {
        let before_newest = match newest {
            None => None,
            Some(count) => {
                let sql = "SELECT audit FROM audit ORDER BY audit DESC LIMIT 1 OFFSET ?1";
                let count = count.min(i64::MAX.unsigned_abs());
                self.db.prepare_cached(sql)?.query_row([count], |row| row.get::<_, u64>(0)).optional()?
            }
        };
        let after = after.max(before_newest.unwrap_or_default());
        let sql = "SELECT audit, at, uid, pid, action, detail FROM audit WHERE audit > ?1 ORDER BY audit LIMIT ?2";
        let rows = self.rows(sql, [after, PAGE_ROWS], |row| {
            let detail: String = row.get(5)?;
            let audited = Audited {
                audit: row.get(0)?,
                at: row.get(1)?,
                uid: row.get(2)?,
                pid: row.get(3)?,
                action: row.get(4)?,
                detail: Value::Null,
            };
            Ok((audited, detail))
        })?;
        let item = |(mut audited, detail): (Audited, String)| {
            audited.detail = self.detail(&detail)?;
            Ok((audited.audit, audited))
        };
        self.page(rows, item, |(_, detail)| detail.len())
    }

    /// What is written down with numbers of this database, for people.
    fn detail(&self, json: &str) -> Read<Value> {
        let mut detail: Value = from_json(json)?;
        if let Some(object) = detail.get("object").and_then(Value::as_u64)
            && let Some(qrid) = self.known(object)
        {
            detail["object"] = Value::String(qrid.to_string());
        }
        Ok(detail)
    }
}
