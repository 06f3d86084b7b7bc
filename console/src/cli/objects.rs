//! `qrt objects`: the objects of a vat.

use qrt_shared::control::Listing;
use qrt_shared::view::ObjectRow;

use super::{Call, Done, list};
use crate::format;
use crate::output::{Cell, Table, Tone};

pub(super) async fn run(call: &mut Call) -> Done {
    let filter = call.text("filter").map(str::to_owned);
    let empty = match &filter {
        Some(filter) => format!("no object has {filter:?} in its petname or QRID"),
        None => format!("no objects yet: `qrt install {} sample-methods --name counter`", call.dir_word()),
    };
    let mut table = Table::new(&[">TURNS", ">FAULTS", ">MEMORY", ">CPU", "MADE", "OBJECT"]);
    let now = format::now_ms();
    list::write(
        call,
        Listing { filter: filter.unwrap_or_default(), ..Listing::default() },
        |out, rows| table.rows(out, &rows.iter().map(|row| cells(row, now)).collect::<Vec<_>>()),
        &empty,
    )
    .await
}

/// An object without a petname shows its whole QRID: what stands here can be used as an argument.
fn cells(row: &ObjectRow, now: u64) -> Vec<Cell> {
    let mut object = row.name.as_ref().map_or_else(|| row.qrid.to_string(), ToString::to_string);
    if row.held {
        object += " (held)";
    }
    let tone = if row.faults > 0 { Tone::Bad } else { Tone::Plain };
    vec![
        row.turns.to_string().into(),
        Cell::toned(tone, row.faults.to_string()),
        format::size(row.memory_bytes).into(),
        format::duration(row.cpu_us).into(),
        format::age(row.created_at, now).into(),
        object.into(),
    ]
}
