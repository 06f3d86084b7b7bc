//! Checkpoint rows to SQL, one arm a kind of row.

use qrt_shared::budget::Budget;
use qrt_shared::view::Outcome;
use rusqlite::{Connection, Params, Result, params};
use serde::Serialize;

use super::peers;
use crate::protocol::{Handle, MemoryHandle, Native};
use crate::vat::Counters;
use crate::vat::account::{Account, Compute};
use crate::vat::checkpoint::{Change, Death, Edit, Ended, Fault, Keyed, NewObject, Turn, Write};
use crate::vat::source::{PeerNumber, Source};
use crate::vat::view::{Entry, Message};

/// Writes one row.
pub(super) fn apply(db: &Connection, write: Write) -> Result<()> {
    match write {
        Write::Code { code, sha256, text } => {
            run(db, "INSERT INTO code VALUES (?1, ?2, ?3)", params![code, sha256, text])
        }
        Write::Object(new) => object(db, &new),
        Write::NoObject(object) => no_object(db, object),
        Write::Held { object, held, why } => self::held(db, object, held, why.as_deref()),
        Write::Upgrade { object, version, old, new, turn } => {
            run(db, "INSERT INTO object_code VALUES (?1, ?2, ?3, ?4)", params![object, version, old, turn])?;
            run(db, "UPDATE object SET code = ?2 WHERE object = ?1", params![object, new])
        }
        Write::NoMemory(memory) => {
            for table in ["memory", "memory_entry", "memory_edge"] {
                run(db, &format!("DELETE FROM {table} WHERE memory = ?1"), [memory])?;
            }
            Ok(())
        }
        Write::Reference { reference, vat, id } => {
            let vat = vat.map(|vat| *vat.as_bytes());
            let vat = vat.as_ref().map_or(&[][..], |vat| vat);
            run(db, "INSERT INTO reference VALUES (?1, ?2, ?3)", params![reference, vat, id.as_bytes()])
        }
        Write::Peer(write) => peers::apply(db, write),
        Write::Export { reference, peer } => export(db, reference, peer),
        Write::Refused(object) => run(db, "UPDATE object_use SET refused = refused + 1 WHERE object = ?1", [object]),
        Write::Memory { memory, account } => {
            run(db, "INSERT INTO memory VALUES (?1, 0, 0, ?2)", params![memory, account])
        }
        Write::Entry { memory, entry, edges } => entry_row(db, memory, &entry, edges.as_deref()),
        Write::NoEntry { memory, key, edges } => {
            if edges {
                run(db, "DELETE FROM memory_edge WHERE memory = ?1 AND key = ?2", params![memory, key])?;
            }
            run(db, "DELETE FROM memory_entry WHERE memory = ?1 AND key = ?2", params![memory, key])
        }
        Write::MemorySize { memory, bytes, next_ordinal } => run(
            db,
            "UPDATE memory SET bytes = ?2, next_ordinal = ?3 WHERE memory = ?1",
            params![memory, bytes, next_ordinal],
        ),
        Write::Message(row) => message(db, &row),
        Write::NoMessage(message) => run(db, "DELETE FROM message WHERE message = ?1", [message]),
        Write::DiedOn(message) => run(db, "UPDATE message SET deaths = deaths + 1 WHERE message = ?1", [message]),
        Write::Death { row, remembered } => death(db, &row, remembered),
        Write::Turn(row) => turn(db, &row),
        Write::Edit(row) => edit(db, &row),
        Write::TurnLimits { turn, limits } => {
            run(db, "INSERT OR REPLACE INTO turn_limits VALUES (?1, ?2)", params![turn, json(&limits)])
        }
        Write::Prune { first } => {
            run(db, "DELETE FROM turn_change WHERE turn < ?1", [first])?;
            run(db, "DELETE FROM turn WHERE turn < ?1", [first])
        }
        Write::Use { object, fault, cpu_us } => run(
            db,
            "UPDATE object_use SET turns = turns + 1, faults = faults + ?2, cpu_us = cpu_us + ?3 WHERE object = ?1",
            params![object, fault, cpu_us],
        ),
        Write::Fault(row) => fault(db, &row),
        Write::NoFault(fault) => run(db, "DELETE FROM fault WHERE fault = ?1", [fault]),
        Write::Outcome(row) => outcome(db, &row),
        Write::Key { key, target, message, queued_at } => self::key(db, &key, target, message, queued_at),
        Write::Forget { now_ms, keys_before_ms, unkeyed_max } => {
            run(db, "DELETE FROM outcome WHERE keep_until < ?1", [now_ms])?;
            run(db, "DELETE FROM send_key WHERE queued_at < ?1", [keys_before_ms])?;
            run(
                db,
                "DELETE FROM outcome WHERE keyed = 0 AND message <=
                    (SELECT message FROM outcome WHERE keyed = 0 ORDER BY message DESC LIMIT 1 OFFSET ?1)",
                [unkeyed_max],
            )
        }
        Write::Petname { object, name } => {
            run(db, "DELETE FROM petname WHERE reference = ?1", [object])?;
            match name {
                Some(name) => run(db, "INSERT INTO petname VALUES (?1, ?2)", params![name.as_str(), object]),
                None => Ok(()),
            }
        }
        Write::Audit { at, who, action, detail } => run(
            db,
            "INSERT INTO audit (at, uid, pid, action, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![at, who.uid, who.pid, action, detail],
        ),
    }
}

fn no_object(db: &Connection, object: Handle) -> Result<()> {
    for table in ["object", "object_use", "object_code", "power_edge"] {
        run(db, &format!("DELETE FROM {table} WHERE object = ?1"), [object])?;
    }
    for table in ["petname", "export"] {
        run(db, &format!("DELETE FROM {table} WHERE reference = ?1"), [object])?;
    }
    Ok(())
}

fn key(db: &Connection, key: &str, target: Handle, message: Keyed, queued_at: u64) -> Result<()> {
    let (message, peer, seq) = match message {
        Keyed::In(message) => (Some(message), None, None),
        Keyed::Out(peer, seq) => (None, Some(peer), Some(seq.0)),
    };
    let sql = "INSERT OR REPLACE INTO send_key VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    run(db, sql, params![key, target, message, peer, seq, queued_at])
}

/// Whoever is released is forgiven.
fn held(db: &Connection, object: Handle, held: bool, why: Option<&str>) -> Result<()> {
    let sql = if held {
        "UPDATE object SET held = 1, held_why = ?2 WHERE object = ?1"
    } else {
        "UPDATE object SET held = 0, held_why = ?2, forgiven = coalesce((SELECT max(death) FROM death), 0)
            WHERE object = ?1"
    };
    run(db, sql, params![object, why])
}

/// Writes the counters.
pub(super) fn counters(db: &Connection, counters: &Counters) -> Result<()> {
    let Counters {
        commits,
        next_reference,
        next_memory,
        next_code,
        next_message,
        next_turn,
        next_fault,
        next_peer,
        next_outbox,
        objects,
        inbox,
        inbox_bytes,
        outbox,
        outbox_bytes,
        faults,
        undeliverable,
        strangers,
        journal_first,
        journal_bytes,
        clock_ms,
    } = counters;
    run(
        db,
        "UPDATE vat SET commits = ?1, next_reference = ?2, next_memory = ?3, next_code = ?4,
            next_message = ?5, next_turn = ?6, next_fault = ?7, next_peer = ?8, next_outbox = ?9, objects =
            ?10, inbox = ?11, inbox_bytes = ?12, outbox = ?13, outbox_bytes = ?14, faults = ?15,
            undeliverable = ?16, strangers = ?17, journal_first = ?18, journal_bytes = ?19, clock_ms = ?20",
        params![
            commits,
            next_reference,
            next_memory,
            next_code,
            next_message,
            next_turn,
            next_fault,
            next_peer,
            next_outbox,
            objects,
            inbox,
            inbox_bytes,
            outbox,
            outbox_bytes,
            faults,
            undeliverable,
            strangers,
            journal_first,
            journal_bytes,
            clock_ms,
        ],
    )
}

/// Writes an account's row.
pub(super) fn account(db: &Connection, account: Handle, row: &Account) -> Result<()> {
    let Account { above, own, objects, memory_bytes, queued_bytes, cpu_us, compute } = row;
    let Compute { left_us, at_ms, most_us, refill_us } = compute;
    run(
        db,
        "INSERT OR REPLACE INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            account,
            above,
            figures(own),
            objects,
            memory_bytes,
            queued_bytes,
            cpu_us,
            left_us,
            at_ms,
            most_us,
            refill_us
        ],
    )
}

/// A budget's column: NULL when it names nothing.
fn figures(budget: &Budget) -> Option<String> {
    (!budget.is_empty()).then(|| json(budget))
}

/// A budget's column, read back.
pub(super) fn budget(text: Option<&str>) -> Option<Budget> {
    text.map_or_else(|| Some(Budget::default()), |text| serde_json::from_str(text).ok())
}

pub(super) fn run(db: &Connection, sql: &str, params: impl Params) -> Result<()> {
    db.prepare_cached(sql)?.execute(params).map(drop)
}

fn object(db: &Connection, new: &NewObject) -> Result<()> {
    let NewObject { object, id, account, maker, code, statics, natives, memory, created_at, budget, edges, born } = new;
    run(db, "INSERT INTO reference VALUES (?1, x'', ?2)", params![object, id.as_bytes()])?;
    let natives = natives.iter().map(|(property, native)| (property, native.name()));
    let natives = natives.collect::<std::collections::BTreeMap<_, _>>();
    run(
        db,
        "INSERT INTO object VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, NULL, 0, ?10)",
        params![object, account, maker, code, statics, json(&natives), memory, created_at, figures(budget), born],
    )?;
    run(db, "INSERT INTO object_use VALUES (?1, 0, 0, 0, 0, 0)", [object])?;
    for (key, references) in edges {
        for reference in references {
            run(db, "INSERT INTO power_edge VALUES (?1, ?2, ?3)", params![reference, object, key])?;
        }
    }
    Ok(())
}

/// A key that is there keeps its ordinal: the kernel has one that moves deleted first.
fn entry_row(db: &Connection, memory: MemoryHandle, entry: &Entry, edges: Option<&[Handle]>) -> Result<()> {
    let Entry { key, ordinal, value } = entry;
    run(
        db,
        "INSERT INTO memory_entry VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (memory, key) DO UPDATE SET value = excluded.value",
        params![memory, key, ordinal, value],
    )?;
    let Some(references) = edges else { return Ok(()) };
    run(db, "DELETE FROM memory_edge WHERE memory = ?1 AND key = ?2", params![memory, key])?;
    for reference in references {
        run(db, "INSERT INTO memory_edge VALUES (?1, ?2, ?3)", params![reference, memory, key])?;
    }
    Ok(())
}

/// Of an object of another vat, that vat is told nothing new.
fn export(db: &Connection, reference: Handle, peer: PeerNumber) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO export
        SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM object WHERE object = ?1)";
    run(db, sql, params![reference, peer])
}

fn message(db: &Connection, message: &Message) -> Result<()> {
    let Message { message, source, target, args, bytes, queued_at, cause, deaths, abroad, chain } = message;
    if let Source::Peer(peer) = source {
        export(db, *target, *peer)?;
    }
    let (seq, abroad) = abroad.as_ref().map(|abroad| (abroad.seq, abroad.cause.as_ref())).unzip();
    run(
        db,
        "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![message, source, target, args, bytes, queued_at, cause, deaths, seq, abroad.flatten(), chain],
    )
}

fn death(db: &Connection, row: &Death, remembered: u64) -> Result<()> {
    let Death { at, object, account, message, turn, how } = row;
    run(db, "UPDATE object_use SET deaths = deaths + 1 WHERE object = ?1", [object])?;
    run(
        db,
        "INSERT INTO death (at, object, account, message, turn, how) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![at, object, account, message, turn, how],
    )?;
    let sql = "DELETE FROM death WHERE death <= (SELECT max(death) FROM death) - ?1";
    run(db, sql, [remembered])
}

fn turn(db: &Connection, row: &Turn) -> Result<()> {
    let (seq, abroad) = row.message.abroad.as_ref().map(|abroad| (abroad.seq, abroad.cause.as_ref())).unzip();
    let posted: Vec<_> = row.posted.iter().map(|(peer, seq)| (peer, seq.0)).collect();
    run(
        db,
        "INSERT INTO turn VALUES (?1, ?2, NULL, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
        params![
            row.turn,
            row.message.message,
            row.message.source,
            row.message.target,
            row.code,
            row.message.args,
            row.message.cause,
            row.outcome.as_str(),
            row.result,
            row.result_error,
            row.error.as_ref().map(json),
            list(&row.called),
            list(&row.made),
            list(&row.sent),
            list(&row.log),
            row.ticks,
            row.cpu_us,
            row.clock_ms,
            seq,
            abroad.flatten(),
            list(&posted),
            row.seed,
            row.bytes,
            list(&row.refused),
            list(&row.by_key),
            row.digest,
            row.undone,
        ],
    )?;
    changes(db, row.turn, &row.changes)
}

fn edit(db: &Connection, row: &Edit) -> Result<()> {
    run(
        db,
        "INSERT INTO turn (turn, edit, source, object, code, args, outcome, ticks, cpu_us, clock_ms, bytes, undone)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'ok', 0, 0, ?7, ?8, 0)",
        params![row.turn, row.verb, Source::Operator, row.object, row.code, row.args, row.clock_ms, row.bytes],
    )?;
    changes(db, row.turn, &row.changes)
}

fn changes(db: &Connection, turn: u64, changes: &[Change]) -> Result<()> {
    for change in changes {
        let (old, ordinal) = change.old.as_ref().map(|(old, ordinal)| (old, ordinal)).unzip();
        run(
            db,
            "INSERT INTO turn_change VALUES (?1, ?2, ?3, ?4, ?5)",
            params![turn, change.memory, change.key, old, ordinal],
        )?;
    }
    Ok(())
}

fn fault(db: &Connection, row: &Fault) -> Result<()> {
    let Fault { fault, message, head, turn, outcome, error, ticks, used, at } = row;
    let whole = head.is_none();
    let (seq, abroad) = message.abroad.as_ref().map(|abroad| (abroad.seq, abroad.cause.as_ref())).unzip();
    run(
        db,
        "INSERT INTO fault VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            fault,
            message.message,
            turn,
            message.source,
            whole.then_some(message.target),
            whole.then_some(&message.args),
            head,
            message.bytes,
            message.cause,
            seq,
            abroad.flatten(),
            outcome.as_str(),
            json(error),
            ticks,
            json(used),
            at
        ],
    )
}

fn outcome(db: &Connection, row: &Ended) -> Result<()> {
    let Ended { message, turn, outcome, result, result_error, error, keyed, keep_until } = row;
    let outcome: &Outcome = outcome;
    // A message that is retried may end twice: the first answer stands. Its number is new then, so
    // this only says that a row is never replaced.
    run(
        db,
        "INSERT OR IGNORE INTO outcome VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![message, turn, outcome.as_str(), result, result_error, error, keyed, keep_until],
    )
}

/// A JSON array, or NULL for an empty one.
fn list<T: Serialize>(items: &[T]) -> Option<String> {
    (!items.is_empty()).then(|| json(items))
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("plain data has no map with odd keys and no failing writer")
}

/// The natives column, read back.
pub(super) fn natives(text: &str) -> Option<std::collections::BTreeMap<String, Native>> {
    let natives: std::collections::BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    natives.into_iter().map(|(property, native)| Some((property, Native::by_name(&native)?))).collect()
}
