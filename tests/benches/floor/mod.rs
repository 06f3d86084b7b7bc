//! The floor: the least program that writes the rows and bytes the product writes for counter turns.
//!
//! It shares the schema and data with the product and no code. A child process runs the counter in
//! QuickJS, with no cage and no checks; this one keeps [`WINDOW`] turns in its pipe and commits in
//! groups as large as the product's were, with the product's settings of SQLite. It schedules
//! nothing, verifies nothing, measures no turn and serves nobody, and one engine context serves all
//! turns: what the product takes longer than this is the price of what it promises.

mod db;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, BufWriter, Write, stdin, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

pub(crate) use db::create;
use db::{write, zeros};
use rquickjs::{CatchResultExt, Context, Function, Object, Runtime, Value};
use rusqlite::{Connection, params};

/// The argument that makes the benchmark the floor's child.
pub(crate) const CHILD: &str = "--floor-child";

/// The code of a counter.
pub(crate) const COUNTER: &str =
    "function (args, power) { power.memory.count = (power.memory.count || 0) + args.by; return power.memory.count; }";

/// The arguments of each message.
pub(crate) const ARGS: &str = r#"{"by":1}"#;

const WINDOW: u64 = 64;
const FIRST_ORDINAL: u64 = 1 << 32;

const ENTRY: &str = "INSERT INTO memory_entry VALUES (?1, 'count', ?2, ?3)
    ON CONFLICT DO UPDATE SET ordinal = excluded.ordinal, value = excluded.value";
const USE: &str = "UPDATE object_use SET turns = turns + 1, cpu_us = cpu_us + 9 WHERE object = ?1";
const MESSAGE: &str = "INSERT INTO message (message, source, target, args, bytes, queued_at, cause, deaths, chain)
    VALUES (?1, 1, ?2, ?3, ?4, ?5, 1, 0, 1)";
const TURN: &str = "INSERT INTO turn (turn, message, source, object, code, args, cause, outcome, result, ticks, cpu_us,
    clock_ms, bytes, undone) VALUES (?1, ?1, 1, ?2, 1, ?3, 1, 'ok', ?4, 0, 9, ?5, ?6, 0)";
const CHANGE: &str = "INSERT INTO turn_change VALUES (?1, ?2, 'count', ?3, ?4)";
const VAT: &str = "UPDATE vat SET commits = ?1, next_turn = ?2, inbox = ?3, journal_bytes = ?4, clock_ms = ?5";

/// Runs turns for the parent: a memory's number, arguments and content in, result and content out. A
/// memory is kept as text, so that turns on one need not wait for the parent.
pub(crate) fn child() {
    let context = Context::full(&Runtime::new().expect("a runtime")).expect("a context");
    context.with(|ctx| {
        let counter: Function = ctx.eval(format!("({COUNTER})")).catch(&ctx).expect("the code is a function");
        let text = |value| ctx.json_stringify(value).expect("JSON").map(|text| text.to_string().expect("UTF-8"));
        let (mut input, mut output) = (BufReader::new(stdin()), BufWriter::new(stdout()));
        let (mut memories, mut line) = (HashMap::<String, String>::new(), String::new());
        while input.read_line(&mut line).expect("the parent's pipe") > 0 {
            let fields: Vec<&str> = line.trim_end().splitn(3, '\t').collect();
            let [number, args, given] = fields[..] else { panic!("three fields") };
            let kept = memories.entry(number.to_owned()).or_insert_with(|| given.to_owned());
            let (args, power) = (ctx.json_parse(args).expect("JSON"), Object::new(ctx.clone()).expect("an object"));
            let memory = ctx.json_parse(kept.as_str()).expect("JSON");
            power.set("memory", memory.clone()).expect("a plain object");
            let result: Value = counter.call((args, power)).catch(&ctx).expect("a counter counts");
            *kept = text(memory).expect("a value");
            writeln!(output, "{}\t{kept}", text(result).expect("a value")).expect("the parent's pipe");
            if input.buffer().is_empty() {
                output.flush().expect("the parent's pipe");
            }
            line.clear();
        }
    });
}

/// How long `turns` turns over `counters` counters take, `group` to a commit, in a new database at
/// `path`. The messages are there before the clock starts.
pub(crate) fn run(path: &Path, turns: u64, counters: u64, group: u64) -> Duration {
    let db = create(path);
    db.execute_batch("BEGIN").expect("a transaction");
    let unused = zeros(&db, "object_use", "?1", 1);
    for object in 1..=counters {
        write(&db, &unused, [object]);
        write(&db, "INSERT INTO memory VALUES (?1, 6, ?2, ?1)", [object, FIRST_ORDINAL + 1]);
        write(&db, "INSERT INTO memory_entry VALUES (?1, 'count', ?2, '0')", [object, FIRST_ORDINAL]);
    }
    for message in 1..=turns {
        write(&db, MESSAGE, params![message, message % counters + 1, ARGS, ARGS.len(), now_ms()]);
    }
    db.execute_batch("COMMIT").expect("a transaction");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    let mut child = child.arg(CHILD).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child");
    let mut orders = BufWriter::new(child.stdin.take().expect("a pipe"));
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut memories = vec!["{\"count\":0}".to_owned(); usize::try_from(counters).expect("a few")];
    let (mut sent, mut journal_bytes, mut commits) = (0, 0, 0);
    let place = |turn: u64| usize::try_from(turn % counters).expect("a few");

    let started = Instant::now();
    db.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    for turn in 1..=turns {
        if sent < turn + WINDOW / 2 {
            for message in sent + 1..=turns.min(turn + WINDOW) {
                writeln!(orders, "{}\t{ARGS}\t{}", place(message), memories[place(message)]).expect("the child's pipe");
                sent = message;
            }
            orders.flush().expect("the child's pipe");
        }
        let line = answers.next().and_then(Result::ok).expect("the child's pipe");
        let (result, memory) = line.split_once('\t').expect("two fields");
        let (object, clock_ms) = (turn % counters + 1, now_ms());
        let old = std::mem::replace(&mut memories[place(turn)], memory.to_owned());
        let [old, new] = [&old, memory].map(|memory| &memory["{\"count\":".len()..memory.len() - 1]);
        let bytes = ARGS.len() + result.len() + "count".len() + old.len();
        journal_bytes += bytes;
        write(&db, "DELETE FROM message WHERE message = ?1", [turn]);
        write(&db, ENTRY, params![object, FIRST_ORDINAL, new]);
        if old.len() != new.len() {
            let row = params![object, "count".len() + new.len(), FIRST_ORDINAL + 1];
            write(&db, "UPDATE memory SET bytes = ?2, next_ordinal = ?3 WHERE memory = ?1", row);
        }
        write(&db, USE, [object]);
        write(&db, TURN, params![turn, object, ARGS, result, clock_ms, bytes]);
        write(&db, CHANGE, params![turn, object, old, FIRST_ORDINAL]);
        if turn % group == 0 || turn == turns {
            commits += 1;
            write(&db, VAT, params![commits, turn + 1, turns - turn, journal_bytes, clock_ms]);
            db.execute_batch(if turn == turns { "COMMIT" } else { "COMMIT; BEGIN IMMEDIATE" }).expect("a commit");
        }
    }
    let took = started.elapsed();
    drop(orders);
    assert!(child.wait().expect("the child ends").success());
    let counted = db.query_row("SELECT sum(value) FROM memory_entry", [], |row| row.get(0));
    assert_eq!(counted, Ok(turns), "the floor counts every turn once");
    took
}

/// Queues message number `message`.
pub(crate) fn queue(db: &Connection, message: usize) {
    write(db, MESSAGE, params![message, 1, "1", 1, 0]);
}

fn now_ms() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock that is set").as_millis().try_into().expect("a time of this age")
}
