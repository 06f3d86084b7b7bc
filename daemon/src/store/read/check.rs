//! Whether the database keeps what its schema promises.
//!
//! Every question is asked in one transaction, so a vat that goes on meanwhile does not disturb the sums. Unless
//! all is to be read, each check has a little time, after which it says how it was until there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use qrt_shared::qjson;
use qrt_shared::wire::{MessageId, Position, Tip};
use rusqlite::{ErrorCode, OptionalExtension, ToSql};

use super::{Asked, Read, ReadError, Reader, why};
use crate::protocol::Handle;
use crate::store::code::{self, Texts};
use crate::store::{peers, view};

/// How long one check may take unless all is to be read.
const PATIENCE: Duration = Duration::from_secs(2);

/// Instructions of SQLite between two looks at the clock.
const INSTRUCTIONS: i32 = 10_000;

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// All is well; this was looked at.
    Well(String),
    /// There was no time to look at all of it.
    Unfinished,
    /// This is wrong.
    Wrong(String),
}

/// The checks but the file's own, by name, in order.
const CHECKS: [(&str, Check); 8] = [
    ("counters", |db| db.check_counters()),
    ("code", |db| db.check_code()),
    ("queues", |db| db.check_queues()),
    ("memories", |db| db.check_memories()),
    ("references", |db| db.check_references()),
    ("accounts", |db| db.check_accounts()),
    ("channels", |db| db.check_channels()),
    ("journal", |db| db.check_journal()),
];

type Check = for<'a, 'b> fn(&'a Asked<'b>) -> Read<Found>;

/// What is wrong, or how much was looked at.
type Looked = Result<String, String>;

impl Reader {
    /// Runs every check; with `full` each reads all there is, however long it takes.
    pub fn check(&mut self, full: bool) -> Read<Vec<(&'static str, Found)>> {
        let limit = Limit { since: Instant::now(), until_ms: Arc::new(AtomicU64::new(u64::MAX)), full };
        let (since, until_ms) = (limit.since, Arc::clone(&limit.until_ms));
        let late = move || since.elapsed().as_millis() > u128::from(until_ms.load(Ordering::Relaxed));
        self.connection.progress_handler(INSTRUCTIONS, Some(late))?;
        let found = self.ask(|db| {
            let mut found = vec![("database", limit.keep(|| db.check_file(full)))];
            found.extend(CHECKS.iter().map(|(name, check)| (*name, limit.keep(|| check(db)))));
            Ok(found)
        });
        self.connection.progress_handler(0, None::<fn() -> bool>)?;
        found
    }
}

/// How long a check may take: SQLite looks at it as it works.
struct Limit {
    since: Instant,
    until_ms: Arc<AtomicU64>,
    full: bool,
}

impl Limit {
    /// One check, within its time.
    fn keep(&self, check: impl FnOnce() -> Read<Found>) -> Found {
        if !self.full {
            let until = self.since.elapsed() + PATIENCE;
            self.until_ms.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        match check() {
            Ok(found) => found,
            Err(ReadError::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Found::Unfinished
            }
            // What cannot be read is what this is here to find.
            Err(error) => Found::Wrong(error.to_string()),
        }
    }
}

impl Asked<'_> {
    /// SQLite's own idea of the file.
    fn check_file(&self, full: bool) -> Read<Found> {
        let check = if full { "integrity_check" } else { "quick_check" };
        let said: String = self.db.pragma_query_value(None, check, |row| row.get(0))?;
        if said != "ok" {
            return Ok(Found::Wrong(said.replace('\n', " ")));
        }
        let sql = "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1";
        let broken = self.db.query_row(sql, [], |row| row.get::<_, String>(0)).optional()?;
        Ok(match broken {
            Some(table) => Found::Wrong(format!("a row of {table} belongs to one that is not there")),
            None => Found::Well(format!("SQLite's {check} and its foreign keys are fine")),
        })
    }

    /// The first number that `sql` finds is wrong.
    fn finds(&self, sql: &str, what: &str) -> Read<Result<(), String>> {
        let found = self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional()?;
        Ok(found.map_or(Ok(()), |number| Err(format!("{what} {number}"))))
    }

    fn number(&self, sql: &str, params: &[&dyn ToSql]) -> Read<u64> {
        Ok(self.db.query_row(sql, params, |row| row.get(0))?)
    }

    /// The vat's row says what the tables hold.
    fn check_counters(&self) -> Read<Found> {
        let counters = view::counters(self.db)?;
        let sums = [
            ("objects", counters.objects, "SELECT count(*) FROM object"),
            ("inbox", counters.inbox, "SELECT count(*) FROM message"),
            ("inbox_bytes", counters.inbox_bytes, "SELECT coalesce(sum(bytes), 0) FROM message"),
            ("outbox", counters.outbox, "SELECT count(*) FROM outbox"),
            ("outbox_bytes", counters.outbox_bytes, "SELECT coalesce(sum(bytes), 0) FROM outbox"),
            ("faults", counters.faults, "SELECT count(*) FROM fault"),
            ("undeliverable", counters.undeliverable, "SELECT count(*) FROM fault WHERE target IS NULL"),
            ("strangers", counters.strangers, "SELECT count(*) FROM peer WHERE named = 0"),
        ];
        for (name, counted, sql) in sums {
            let rows = self.number(sql, &[])?;
            if rows != counted {
                return Ok(Found::Wrong(format!("{name} is {counted}, the rows say {rows}")));
            }
        }
        for (name, next, sql) in [
            ("reference", counters.next_reference, "SELECT coalesce(max(reference), 0) FROM reference"),
            ("memory", counters.next_memory, "SELECT coalesce(max(memory), 0) FROM memory"),
            ("code", u64::from(counters.next_code), "SELECT coalesce(max(code), 0) FROM code"),
            ("message", counters.next_message, "SELECT coalesce(max(message), 0) FROM message"),
            ("fault", counters.next_fault, "SELECT coalesce(max(fault), 0) FROM fault"),
            ("peer", u64::from(counters.next_peer), "SELECT coalesce(max(peer), 0) FROM peer"),
            ("outbox", counters.next_outbox, "SELECT coalesce(max(outbox), 0) FROM outbox"),
        ] {
            let last = self.number(sql, &[])?;
            if last >= next {
                return Ok(Found::Wrong(format!("{name} {last} is there, and the next is to be {next}")));
            }
        }
        Ok(Found::Well(format!("{} sums fit their rows", sums.len())))
    }

    /// Code is what it was when its SHA-256 was taken.
    fn check_code(&self) -> Read<Found> {
        Ok(match code::look(self.db)? {
            Texts::Whole(looked) => Found::Well(format!("{} of it as installed", why::count(looked, "text"))),
            Texts::Altered(code) => Found::Wrong(format!("code {code} is not what was installed")),
        })
    }

    /// Whoever a message is for is there.
    fn check_queues(&self) -> Read<Found> {
        let sql = "SELECT message FROM message LEFT JOIN object ON object = target WHERE object IS NULL LIMIT 1";
        let checked = self.finds(sql, "nobody is there for message")?;
        let queued = self.number("SELECT inbox FROM vat", &[])?;
        Ok(told(checked.map(|()| format!("the target of each of {queued} messages is there"))))
    }

    /// A memory's size is that of its keys, and an edge stands for each reference in it, and for no other.
    fn check_memories(&self) -> Read<Found> {
        let sql = "SELECT memory FROM memory WHERE bytes != (SELECT coalesce(sum(octet_length(key) +
            octet_length(value)), 0) FROM memory_entry WHERE memory_entry.memory = memory.memory) LIMIT 1";
        let mut wrong = self.finds(sql, "the size is not that of the keys of memory")?;
        if wrong.is_ok() {
            let sql = "SELECT memory FROM memory_entry WHERE memory NOT IN (SELECT memory FROM memory) LIMIT 1";
            wrong = self.finds(sql, "keys are left of memory")?;
        }
        if wrong.is_ok() {
            let sql = "SELECT object FROM object WHERE memory NOT IN (SELECT memory FROM memory) LIMIT 1";
            wrong = self.finds(sql, "there is no memory for object")?;
        }
        if let Err(wrong) = wrong {
            return Ok(Found::Wrong(wrong));
        }
        let edges = self.memory_edges()?;
        Ok(told(edges.map(|edges| format!("sizes fit their keys, {edges} edges their values"))))
    }

    fn memory_edges(&self) -> Read<Result<u64, String>> {
        let mut edges = 0;
        let mut entries = self.db.prepare(
            "SELECT memory, key, value FROM memory_entry WHERE instr(value, '\"@qref\":') > 0
                OR EXISTS (SELECT 1 FROM memory_edge e WHERE e.memory = memory_entry.memory AND e.key = memory_entry.key)",
        )?;
        let mut of = self.db.prepare("SELECT reference FROM memory_edge WHERE memory = ?1 AND key = ?2")?;
        let mut rows = entries.query([])?;
        while let Some(row) = rows.next()? {
            let (memory, key, value): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Ok(held) = qjson::references(&value) else {
                return Ok(Err(format!("a value of memory {memory} is not in inside form")));
            };
            let found = of.query_map((memory, &key), |row| row.get(0))?.collect::<Result<BTreeSet<u64>, _>>()?;
            if found != held.into_iter().collect() {
                return Ok(Err(format!("the edges of memory {memory} are not those of the value of key {key:?}")));
            }
            edges += found.len() as u64;
        }
        let all = self.number("SELECT count(*) FROM memory_edge", &[])?;
        Ok(if all == edges { Ok(edges) } else { Err(format!("{} edges are of keys that are gone", all - edges)) })
    }

    /// What is held is known, and each object's power has its edges.
    fn check_references(&self) -> Read<Found> {
        for (table, sql) in [
            (
                "memory_edge",
                "SELECT reference FROM memory_edge WHERE reference NOT IN (SELECT reference FROM reference) LIMIT 1",
            ),
            (
                "power_edge",
                "SELECT reference FROM power_edge WHERE reference NOT IN (SELECT reference FROM reference) LIMIT 1",
            ),
        ] {
            if let Err(wrong) = self.finds(sql, &format!("{table} tells of a reference that nobody knows:"))? {
                return Ok(Found::Wrong(wrong));
            }
        }
        let mut objects = self.db.prepare("SELECT object, statics FROM object")?;
        let mut of = self.db.prepare("SELECT DISTINCT reference FROM power_edge WHERE object = ?1")?;
        let (mut rows, mut count) = (objects.query([])?, 0_u64);
        while let Some(row) = rows.next()? {
            let (object, statics): (Handle, String) = (row.get(0)?, row.get(1)?);
            let Ok(held) = qjson::references(&statics) else {
                return Ok(Found::Wrong(format!("the power of object {object} is not in inside form")));
            };
            let found = of.query_map([object], |row| row.get(0))?.collect::<Result<BTreeSet<u64>, _>>()?;
            if found != held.into_iter().collect() {
                return Ok(Found::Wrong(format!(
                    "the edges of the power of object {object} are not those of its text"
                )));
            }
            count += 1;
        }
        Ok(Found::Well(format!("what {} hold is known", why::count(count, "object"))))
    }

    /// The totals of each account are those of its objects and memories, and of the accounts below it.
    fn check_accounts(&self) -> Read<Found> {
        let accounts = self.rows("SELECT account, above, objects, memory_bytes FROM account", [], |row| {
            Ok((
                row.get::<_, Handle>(0)?,
                row.get::<_, Option<Handle>>(1)?,
                row.get::<_, u64>(2)?,
                row.get::<_, u64>(3)?,
            ))
        })?;
        let above: BTreeMap<_, _> = accounts.iter().map(|(account, above, ..)| (*account, *above)).collect();
        let mut sums: BTreeMap<Handle, [u64; 2]> = BTreeMap::new();
        let own = [
            "SELECT account, count(*) FROM object GROUP BY account",
            "SELECT account, sum(bytes) FROM memory GROUP BY account",
        ];
        for (index, sql) in own.into_iter().enumerate() {
            for (account, sum) in self.rows(sql, [], |row| Ok((row.get::<_, Handle>(0)?, row.get::<_, u64>(1)?)))? {
                let mut at = Some(account);
                // An account is made under one that was there before, so this ends.
                while let Some(account) = at {
                    sums.entry(account).or_default()[index] += sum;
                    let next = above.get(&account).copied().flatten();
                    at = next.filter(|next| *next < account);
                }
            }
        }
        for (account, _, objects, bytes) in &accounts {
            let found = sums.remove(account).unwrap_or_default();
            if found != [*objects, *bytes] {
                return Ok(Found::Wrong(format!(
                    "account {account} counts {objects} objects and {bytes} bytes, the rows say {} and {}",
                    found[0], found[1]
                )));
            }
        }
        Ok(match sums.keys().next() {
            Some(account) => Found::Wrong(format!("account {account} has something and no row")),
            None => Found::Well(format!("the totals of {} accounts fit", accounts.len())),
        })
    }

    /// What is held for each peer leads from what it acknowledged to the last that was numbered.
    fn check_channels(&self) -> Read<Found> {
        let mut letters = 0;
        let peers = self.rows("SELECT * FROM peer ORDER BY peer", [], peers::row)?;
        for peer in &peers {
            match self.channel(peer)? {
                Ok(held) => letters += held,
                Err(wrong) => return Ok(Found::Wrong(format!("the channel to {}: {wrong}", peer.vat))),
            }
        }
        let sql = "SELECT outbox FROM outbox WHERE peer NOT IN (SELECT peer FROM peer) LIMIT 1";
        let checked = self.finds(sql, "nobody is there for message")?;
        Ok(told(checked.map(|()| {
            format!(
                "numbers follow each other: {} in {}",
                why::count(letters, "message"),
                why::count(peers.len() as u64, "channel")
            )
        })))
    }

    fn channel(&self, peer: &crate::vat::peer::Peer) -> Read<Result<u64, String>> {
        let sql = "SELECT seq, id, prev, bytes, octet_length(text) FROM outbox WHERE peer = ?1 ORDER BY seq";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([peer.peer])?;
        let (mut at, mut bytes): (Position, u64) = (peer.outbound.acked, 0);
        while let Some(row) = rows.next()? {
            let (seq, size): (u64, u64) = (row.get(0)?, row.get(3)?);
            if at.tip != Tip::from_bytes(row.get(2)?) {
                return Ok(Err(format!("message {seq} does not name the one before it")));
            }
            let next = at.next(&MessageId::from_bytes(row.get(1)?)).filter(|next| next.number.0 == seq);
            let Some(next) = next else { return Ok(Err(format!("message {seq} follows {}", at.number))) };
            if size != row.get::<_, u64>(4)? {
                return Ok(Err(format!("message {seq} is not as long as it says")));
            }
            (at, bytes) = (next, bytes + size);
        }
        if at != peer.outbound.last {
            return Ok(Err(format!(
                "the last message is to be {}, and what is held ends at {}",
                peer.outbound.last.number, at.number
            )));
        }
        if bytes != peer.pending_bytes {
            return Ok(Err(format!("{} bytes are to wait, and {bytes} do", peer.pending_bytes)));
        }
        Ok(Ok(peer.outbound.held()))
    }

    /// The journal has no hole, and its bytes are those of its turns.
    fn check_journal(&self) -> Read<Found> {
        let counters = view::counters(self.db)?;
        let (first, next) = (counters.journal_first, counters.next_turn);
        let sql =
            "SELECT count(*), coalesce(min(turn), ?1), coalesce(max(turn), ?1 - 1), coalesce(sum(bytes), 0) FROM turn";
        let (count, least, last, bytes) = self.db.query_row(sql, [first], |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?, row.get::<_, u64>(2)?, row.get::<_, u64>(3)?))
        })?;
        if (least, last + 1, count) != (first, next, next - first) {
            let wrong = format!("turns {first} to {} are to be there, and {count} of {least} to {last} are", next - 1);
            return Ok(Found::Wrong(wrong));
        }
        if bytes != counters.journal_bytes {
            return Ok(Found::Wrong(format!("journal_bytes is {}, the rows say {bytes}", counters.journal_bytes)));
        }
        let sql = "SELECT turn FROM turn_change WHERE turn < (SELECT journal_first FROM vat) LIMIT 1";
        let checked = self.finds(sql, "changes are left of turn")?;
        Ok(told(checked.map(|()| format!("{count} turns in a row, {bytes} bytes"))))
    }
}

fn told(looked: Looked) -> Found {
    match looked {
        Ok(well) => Found::Well(well),
        Err(wrong) => Found::Wrong(wrong),
    }
}
