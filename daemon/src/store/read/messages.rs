//! Queued messages, and what became of those that were sent from the command line.

use qrt_shared::control::Listing;
use qrt_shared::id::MessageName;
use qrt_shared::view::{Awaited, Ended, Message, Page};

use super::list::{Filter, From};
use super::{Asked, Read, outcome};
use crate::protocol::Handle;
use crate::vat::source::Source;

/// A row of `message`, as far as it is shown.
struct Row {
    message: u64,
    source: Source,
    target: Handle,
    args: String,
    bytes: u64,
    queued_at: u64,
    deaths: u32,
    seq: Option<u64>,
    chain: u64,
}

impl Asked<'_> {
    /// A page of queued messages, oldest first; `filter` is of names and ids of the target and the source.
    pub fn inbox(&self, listing: &Listing) -> Read<Page<Message>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let object = listing.object.as_ref().map(|target| self.resolve_ever(target)).transpose()?;
        let sql = format!(
            "SELECT message, source, target, args, bytes, queued_at, deaths, seq, chain FROM message WHERE {}",
            from.by("message")
        );
        let keep = |row: &rusqlite::Row<'_>| {
            let target = row.get(2)?;
            Ok(object.is_none_or(|object| object == target)
                && (filter.is_empty()
                    || self.named_by(&filter, target)?
                    || self.source_by(&filter, row.get(1)?)?
                    || filter.text(MessageName::In(row.get(0)?).to_string())))
        };
        self.listed(from, &sql, [from.cursor], keep, |row| {
            let row = Row {
                message: row.get(0)?,
                source: row.get(1)?,
                target: row.get(2)?,
                args: row.get(3)?,
                bytes: row.get(4)?,
                queued_at: row.get(5)?,
                deaths: row.get(6)?,
                seq: row.get(7)?,
                chain: row.get(8)?,
            };
            let size = row.args.len();
            Ok((self.queued(row)?, size))
        })
    }

    fn queued(&self, row: Row) -> Read<Message> {
        let Row { message, source, target, args, bytes, queued_at, deaths, seq, chain } = row;
        Ok(Message {
            message: MessageName::In(message),
            target: self.qrid(target)?,
            name: self.petname(target)?,
            source: self.source(source)?,
            source_name: self.source_name(source)?,
            args: self.outside(Some(&args))?,
            bytes,
            queued_at,
            seq,
            deaths,
            chain,
        })
    }

    /// What became of a message.
    pub fn awaited(&self, message: u64) -> Read<Awaited> {
        // A script may name any number; a row has none beyond this.
        let Ok(message) = i64::try_from(message) else { return Ok(Awaited::Unknown) };
        let sql = "SELECT turn, outcome, result, result_error, error FROM outcome WHERE message = ?1";
        let row = self.one(sql, [message], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?, row.get(3)?, row.get(4)?))
        });
        if let Some((turn, word, result, result_error, error)) = row? {
            let (outcome, result) = (outcome(&word)?, self.outside(result.as_deref())?);
            return Ok(Awaited::Ended(Ended { turn, outcome, result, result_error, error }));
        }
        let queued = self.db.prepare_cached("SELECT 1 FROM message WHERE message = ?1")?.exists([message])?;
        Ok(if queued { Awaited::Queued } else { Awaited::Unknown })
    }
}
