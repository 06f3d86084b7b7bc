//! `qrt sweep`: objects that nothing known can reach.

use super::{Call, Done};
use crate::format;
use crate::output::Table;

pub(super) async fn run(call: &mut Call) -> Done {
    let mut client = call.client().await?;
    let mut table = Table::new(&["OBJECT", "MADE (UTC)", ">MEMORY"]);
    let (mut after, mut started) = (Some(0), false);
    let (mut found, mut undecided, mut looked_at) = (0, 0, 0);
    while let Some(cursor) = after {
        let page = client.dry_sweep(cursor).await?;
        after = page.next;
        (undecided, looked_at) = (undecided + page.undecided, looked_at + page.looked_at);
        found += page.unreachable.len() as u64;
        if call.json() {
            call.out.json_rows(&page.unreachable, started)?;
        } else {
            let row = |object: &qrt_shared::view::Unreachable| {
                let (made, memory) = (format::time(object.created_at), format::size(object.memory_bytes));
                vec![object.object.to_string().into(), made.into(), memory.into()]
            };
            table.rows(&mut call.out, &page.unreachable.iter().map(row).collect::<Vec<_>>())?;
        }
        started |= !page.unreachable.is_empty();
    }
    if call.json() {
        call.out.json_rows_end(started)?;
        return Ok(());
    }
    let of = format::count(looked_at, "object");
    call.out.line(format!("nothing known can reach {found} of {of}; other vats that hold a QRID still can"))?;
    if undecided > 0 {
        let line = format!("{} would have taken too long to decide", format::count(undecided, "object"));
        call.out.line(line)?;
    }
    Ok(())
}
