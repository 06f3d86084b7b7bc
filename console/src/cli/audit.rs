//! `qrt audit`: what operators did.

use qrt_shared::control::Listing;
use qrt_shared::view::Audited;

use super::{Call, Done, list};
use crate::format;
use crate::output::Table;

pub(super) async fn run(call: &mut Call) -> Done {
    let listing = call.number("count").map_or_else(Listing::default, Listing::last);
    let mut table = Table::new(&[">NUMBER", "WHEN (UTC)", "WHO", "VERB", "WHAT"]);
    list::write(
        call,
        listing,
        |out, rows: &[Audited]| {
            let cells = rows.iter().map(|row| {
                vec![
                    row.audit.to_string().into(),
                    format::time(row.at).into(),
                    who(row).into(),
                    format::line(&row.action).into(),
                ]
            });
            table.rows_to_the_edge(out, cells.collect(), |row, width| {
                format::clip(&format::line(&rows[row].detail.to_string()), width)
            })
        },
        "nobody has changed anything yet",
    )
    .await
}

fn who(row: &Audited) -> String {
    if row.pid == 0 { "the vat".to_owned() } else { format!("user {}, process {}", row.uid, row.pid) }
}
