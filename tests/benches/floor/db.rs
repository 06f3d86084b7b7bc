//! The floor's database: the product's schema and settings.

use std::path::Path;

use rusqlite::{Connection, Params, params};

const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;
    PRAGMA mmap_size = 0; PRAGMA cell_size_check = 1; PRAGMA foreign_keys = 0;";

/// A new database with a vat in it.
pub(crate) fn create(path: &Path) -> Connection {
    let db = Connection::open(path).expect("a file");
    db.set_prepared_statement_cache_capacity(128);
    db.execute_batch(SETTINGS).expect("the settings");
    db.execute_batch(include_str!("../../../daemon/src/store/schema.sql")).expect("the schema");
    write(&db, &zeros(&db, "vat", "1, zeroblob(32)", 2), []);
    db
}

/// The insertion of a row of `table` that starts with `first`, which is so many columns, and is zeros after that.
pub(crate) fn zeros(db: &Connection, table: &str, first: &str, columns: usize) -> String {
    let mut rest = db
        .prepare("SELECT iif(type = 'BLOB', 'zeroblob(16)', '0') FROM pragma_table_info(?1) WHERE cid >= ?2")
        .expect("the statement");
    let rest = rest.query_map(params![table, columns], |row| row.get::<_, String>(0)).expect("a table of the schema");
    let row: Vec<_> = std::iter::once(Ok(first.to_owned())).chain(rest).collect::<Result<_, _>>().expect("its columns");
    format!("INSERT INTO {table} VALUES ({})", row.join(", "))
}

pub(crate) fn write(db: &Connection, sql: &str, row: impl Params) {
    db.prepare_cached(sql).and_then(|mut statement| statement.execute(row)).expect("the row is written");
}
