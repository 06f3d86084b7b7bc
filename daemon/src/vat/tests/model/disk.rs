//! The whole database, and whether it says what the model says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use qrt_shared::qjson;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};

use super::oracle::{Model, abroad, size};
use super::turns::{hex, natives};

/// A row: its columns by name.
type Row = Map<String, Value>;

/// Every table's rows, in the order of its first columns, which are its key.
pub(super) type Tables = BTreeMap<String, Vec<Row>>;

/// Has a new vat's messages start with this number.
pub(super) fn count_messages_from(file: &Path, first: u64) {
    let db = Connection::open(file).expect("the database");
    db.execute("UPDATE vat SET next_message = ?1", [first]).expect("one row");
}

/// Reads all of a database, as of its last commit.
pub(super) fn read(file: &Path) -> Tables {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags).expect("the database");
    let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("the schema");
    let names = names.query_map([], |row| row.get::<_, String>(0)).expect("names").map(|name| name.expect("a name"));
    names.map(|name| (name.clone(), rows(&db, &name))).collect()
}

fn rows(db: &Connection, table: &str) -> Vec<Row> {
    let mut all = db.prepare(&format!("SELECT * FROM {table}")).expect("a table");
    let columns: Vec<String> = all.column_names().map(str::to_owned).collect();
    let key = &["1", "1, 2", "1, 2, 3"][columns.len().min(3) - 1];
    if columns.len() > 1 {
        all = db.prepare(&format!("SELECT * FROM {table} ORDER BY {key}")).expect("a table");
    }
    let rows = all.query_map([], |row| {
        let value = |index| -> rusqlite::Result<Value> {
            Ok(match row.get_ref(index)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => json!(number),
                ValueRef::Real(number) => json!(number),
                ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                ValueRef::Blob(blob) => json!(hex(blob)),
            })
        };
        columns.iter().enumerate().map(|(index, name)| Ok((name.clone(), value(index)?))).collect()
    });
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

/// Whether the database holds what the model holds, and nothing else.
pub(super) fn compare(disk: &Tables, model: &Model) {
    for (table, expected) in tables(model) {
        let found = &disk[table];
        let pruned = if table == "turn" { number(&disk["vat"][0], "journal_first") - 1 } else { 0 };
        let expected = expected.into_iter().skip(usize::try_from(pruned).expect("few"));
        let expected: Vec<Value> = expected.collect();
        for (found, expected) in found.iter().zip(&expected) {
            let differs = |(name, value): (&String, &Value)| found.get(name) != Some(value);
            if let Some(column) =
                expected.as_object().expect("a row").iter().find(|column| differs((column.0, column.1)))
            {
                panic!("{table}: {column:?} was expected in {found:?}\nof {expected}");
            }
        }
        assert_eq!(found.len(), expected.len(), "rows of {table}: {found:#?}\n{expected:#?}");
    }
    consistent(disk, model);
}

fn tables(model: &Model) -> BTreeMap<&'static str, Vec<Value>> {
    let mut tables = BTreeMap::new();
    tables.insert(
        "vat",
        vec![json!({
            "next_reference": model.next_reference(), "next_memory": model.next_memory(),
            "next_code": model.codes.len() + 1, "next_message": model.messages + 1, "next_turn": model.next_turn(),
            "next_fault": model.faults_ever + 1, "objects": model.objects.len(), "inbox": model.queue.len(),
            "faults": model.faults.len(), "inbox_bytes": model.queue.values().map(|message| size(&message.args)).sum::<usize>(),
            "next_peer": 1, "next_outbox": 1, "outbox": 0, "outbox_bytes": 0, "undeliverable": 0, "strangers": 0,
        })],
    );
    tables.insert("reference", (1..model.next_reference()).map(|n| json!({ "reference": n, "vat": "" })).collect());
    let codes = model.codes.iter().enumerate();
    tables.insert("code", codes.map(|(index, text)| json!({ "code": index + 1, "text": text })).collect());
    let natives = natives();
    let objects = model.objects.iter().map(|(handle, object)| {
        json!({
            "object": handle, "account": object.account, "maker": object.maker, "code": object.code,
            "statics": object.statics, "natives": if object.natives { &natives } else { "{}" },
            "memory": object.memory, "held": u64::from(object.held), "created_at": object.created_at,
        })
    });
    tables.insert("object", objects.collect());
    let used = model.objects.iter().map(|(handle, object)| {
        json!({ "object": handle, "turns": object.turns, "faults": object.faults, "cpu_us": object.cpu_us,
            "deaths": object.deaths, "refused": object.refused })
    });
    tables.insert("object_use", used.collect());
    let accounts = model.accounts.iter().map(|(account, above)| json!({ "account": account, "above": above }));
    tables.insert("account", accounts.collect());
    tables.insert("death", model.deaths.iter().map(|row| (**row).clone()).collect());
    for table in ["peer", "peer_url", "outbox"] {
        tables.insert(table, Vec::new());
    }
    let versions = model.objects.iter().flat_map(|(handle, object)| {
        object.versions.iter().zip(1..).map(move |((code, until), version)| {
            json!({ "object": handle, "version": version, "code": code, "until": until })
        })
    });
    tables.insert("object_code", versions.collect());
    let names = model.names.iter().map(|(name, object)| json!({ "name": name, "reference": object }));
    tables.insert("petname", names.collect());
    let queue = model.queue.iter().map(|(number, message)| {
        let (seq, of) = abroad(message);
        json!({
            "seq": seq, "abroad": of,
            "message": number, "source": message.source.number(), "target": message.target, "args": message.args,
            "bytes": size(&message.args), "queued_at": message.queued_at, "cause": message.cause,
            "deaths": message.deaths,
        })
    });
    tables.insert("message", queue.collect());
    tables.insert("turn", model.turns.iter().map(|row| (**row).clone()).collect());
    tables.insert("fault", model.faults.values().map(|fault| (*fault.row).clone()).collect());
    tables.insert("outcome", model.outcomes.values().map(|row| (**row).clone()).collect());
    let keys = model.keys.iter().map(
        |((key, target), (message, at))| json!({ "key": key, "target": target, "message": message, "peer": null, "seq": null, "queued_at": at }),
    );
    tables.insert("send_key", keys.collect());
    let audit = model.audit.iter().map(|(action, at)| json!({ "at": at, "uid": 1, "pid": 2, "action": action }));
    tables.insert("audit", audit.collect());
    memories(model, &mut tables);
    tables
}

/// Memories, and the edges that follow from what they and static powers hold.
fn memories(model: &Model, tables: &mut BTreeMap<&'static str, Vec<Value>>) {
    let (mut memory_rows, mut entry_rows, mut memory_edges) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for (number, memory) in &model.memories {
        let bytes: usize = memory.0.iter().map(|(key, value)| key.len() + value.len()).sum();
        memory_rows.push(json!({ "memory": number, "bytes": bytes }));
        for (key, value) in &memory.0 {
            let row = json!({ "memory": number, "key": key, "value": value });
            entry_rows.insert((*number, key.clone()), row);
            let held = qjson::references(value).expect("a value");
            memory_edges.extend(held.into_iter().map(|reference| (reference, *number, key.clone())));
        }
    }
    let mut power_edges = BTreeSet::new();
    for (handle, object) in &model.objects {
        for (key, value) in qjson::split_object(&object.statics).expect("static power") {
            let held = qjson::references(&value).expect("a value");
            power_edges.extend(held.into_iter().map(|reference| (reference, *handle, key.clone())));
        }
    }
    let edges = |edges: BTreeSet<(u64, u64, String)>, of: &str| -> Vec<Value> {
        edges.iter().map(|(reference, holder, key)| json!({ "reference": reference, of: holder, "key": key })).collect()
    };
    tables.insert("memory", memory_rows);
    tables.insert("memory_entry", entry_rows.into_values().collect());
    tables.insert("memory_edge", edges(memory_edges, "memory"));
    tables.insert("power_edge", edges(power_edges, "object"));
}

fn number(row: &Row, column: &str) -> u64 {
    row[column].as_u64().unwrap_or_else(|| panic!("{column} is no number in {row:?}"))
}

fn string(row: &Row, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("{column} is no text in {row:?}")).to_owned()
}

/// What the tables say of each other: no number handed out twice, sums that add up, the order of
/// keys, every message in exactly one place.
fn consistent(disk: &Tables, model: &Model) {
    let vat = &disk["vat"][0];
    let journal = &disk["turn"];
    let bytes: u64 = journal.iter().map(|row| number(row, "bytes")).sum();
    assert_eq!(number(vat, "journal_bytes"), bytes, "the journal's bytes add up");
    let first = number(vat, "journal_first");
    assert!(journal.iter().map(|row| number(row, "turn")).eq(first..model.next_turn()), "the journal has no hole");
    let changes = disk["turn_change"].iter().map(|row| number(row, "turn")).min();
    assert!(changes.is_none_or(|oldest| oldest >= first), "changes go with their turns");
    for row in &disk["memory"] {
        let memory = number(row, "memory");
        let entries = content(disk, memory);
        let ordered: Vec<_> = entries.values().cloned().collect();
        assert_eq!(ordered, model.memories[&memory].ordered(), "the keys of memory {memory}, in order");
        let last = entries.keys().next_back().copied().unwrap_or_default();
        assert!(last < number(row, "next_ordinal"), "the next key goes to the end");
        assert_eq!(entries.len(), model.memories[&memory].0.len(), "no ordinal twice");
    }
    let mut places: Vec<u64> = disk["message"].iter().map(|row| number(row, "message")).collect();
    places.extend(model.turns.iter().filter_map(|row| row["message"].as_u64()));
    places.extend(disk["fault"].iter().filter(|row| row["turn"].is_null()).map(|row| number(row, "message")));
    places.extend(&model.forgotten);
    places.sort_unstable();
    assert!(places.into_iter().eq(model.first_message..=model.messages), "each message is in one place");
}

/// A Memory's keys and values by ordinal.
fn content(disk: &Tables, memory: u64) -> BTreeMap<u64, (String, String)> {
    let entries = disk["memory_entry"].iter().filter(|row| number(row, "memory") == memory);
    entries.map(|row| (number(row, "ordinal"), (string(row, "key"), string(row, "value")))).collect()
}

/// Undoes the journal's changes from the present back to its first turn: before each turn every
/// Memory is what the model had then, and in the end what it was when it was made.
pub(super) fn undo(disk: &Tables, model: &Model) -> u64 {
    let mut memories: BTreeMap<u64, BTreeMap<u64, (String, String)>> =
        disk["memory"].iter().map(|row| number(row, "memory")).map(|memory| (memory, content(disk, memory))).collect();
    let first = number(&disk["vat"][0], "journal_first");
    let mut undone = 0;
    for turn in (first..model.next_turn()).rev() {
        for row in disk["turn_change"].iter().filter(|row| number(row, "turn") == turn) {
            // Of a Memory that is gone, its old values are of no use.
            let Some(memory) = memories.get_mut(&number(row, "memory")) else { continue };
            let key = string(row, "key");
            memory.retain(|_, (known, _)| *known != key);
            if !row["old"].is_null() {
                let clash = memory.insert(number(row, "old_ordinal"), (key, string(row, "old")));
                assert!(clash.is_none(), "two keys in one place before turn {turn}: {clash:?}");
            }
            undone += 1;
        }
        for (_, memory, before) in model.before.iter().filter(|(at, ..)| *at == turn) {
            let Some(found) = memories.get(memory) else { continue };
            let found: Vec<_> = found.values().cloned().collect();
            assert_eq!(found, **before, "memory {memory} before turn {turn}");
        }
    }
    for (memory, found) in memories.iter().filter(|_| first == 1) {
        let found: Vec<_> = found.values().cloned().collect();
        assert_eq!(found, *model.born[memory], "memory {memory} when it was made");
    }
    undone
}
