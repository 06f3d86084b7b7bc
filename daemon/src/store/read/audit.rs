//! What operators did.

use qrt_shared::control::Listing;
use qrt_shared::view::{Audited, Page};
use rusqlite::Row;
use serde_json::Value;

use super::list::{Filter, From};
use super::{Asked, Read, from_json};

impl Asked<'_> {
    /// A page of the audit, oldest first; `filter` is of the verb and of what it was done to.
    pub fn audit(&self, listing: &Listing) -> Read<Page<Audited>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let sql = format!("SELECT audit, at, uid, pid, action, detail FROM audit WHERE {}", from.by("audit"));
        let keep = |row: &Row<'_>| {
            Ok(filter.is_empty()
                || filter.text(row.get::<_, String>(4)?)
                || filter.text(self.detail(&row.get::<_, String>(5)?)?.to_string()))
        };
        self.listed(from, &sql, [from.cursor], keep, |row| {
            let detail: String = row.get(5)?;
            let audited = Audited {
                audit: row.get(0)?,
                at: row.get(1)?,
                uid: row.get(2)?,
                pid: row.get(3)?,
                action: row.get(4)?,
                detail: self.detail(&detail)?,
            };
            Ok((audited, detail.len()))
        })
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
