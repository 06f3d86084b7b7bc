//! Messages whose turn failed.

use qrt_shared::control::Listing;
use qrt_shared::id::MessageName;
use qrt_shared::view::{Fault, Page};
use rusqlite::Row;

use super::list::{Filter, From};
use super::{Asked, Read, from_json, outcome};
use crate::protocol::Handle;
use crate::vat::source::Source;

struct Stored {
    fault: u64,
    message: u64,
    turn: Option<u64>,
    source: Source,
    target: Option<Handle>,
    args: Option<String>,
    head: Option<Vec<u8>>,
    outcome: String,
    error: String,
    ticks: u64,
    used: String,
    at: u64,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        fault: row.get(0)?,
        message: row.get(1)?,
        turn: row.get(2)?,
        source: row.get(3)?,
        target: row.get(4)?,
        args: row.get(5)?,
        outcome: row.get(6)?,
        error: row.get(7)?,
        ticks: row.get(8)?,
        at: row.get(9)?,
        used: row.get(10)?,
        head: row.get(11)?,
    })
}

impl Asked<'_> {
    /// A page of faults, oldest first; `filter` is of names and ids of the target and the source, and of the error.
    pub fn faults(&self, listing: &Listing) -> Read<Page<Fault>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let object = listing.object.as_ref().map(|target| self.resolve_ever(target)).transpose()?;
        let sql = format!(
            "SELECT fault, message, turn, source, target, args, outcome, error, ticks, at, used, head FROM fault
            WHERE {}",
            from.by("fault")
        );
        let keep = |row: &Row<'_>| {
            let target: Option<Handle> = row.get(4)?;
            Ok((object.is_none() || object == target)
                && (filter.is_empty()
                    || target.map_or(Ok(false), |target| self.named_by(&filter, target))?
                    || self.source_by(&filter, row.get(3)?)?
                    || filter.text(self.error(&row.get::<_, String>(7)?)?.message)))
        };
        self.listed(from, &sql, [from.cursor], keep, |row| {
            let row = stored(row)?;
            let size = row.args.as_ref().map_or(0, String::len) + row.error.len();
            Ok((self.fault(&row)?, size))
        })
    }

    fn fault(&self, row: &Stored) -> Read<Fault> {
        Ok(Fault {
            id: row.fault,
            message: MessageName::In(row.message),
            turn: row.turn,
            target: row.target.map(|target| self.qrid(target)).transpose()?,
            name: row.target.map(|target| self.petname(target)).transpose()?.flatten(),
            source: self.source(row.source)?,
            source_name: self.source_name(row.source)?,
            args: self.outside(row.args.as_deref())?,
            head: row.head.as_ref().map(|head| String::from_utf8_lossy(head).into_owned()),
            outcome: outcome(&row.outcome)?,
            error: self.error(&row.error)?,
            ticks: row.ticks,
            used: from_json(&row.used)?,
            at: row.at,
        })
    }
}
