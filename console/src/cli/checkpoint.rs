//! `qrt checkpoint`: empty the write-ahead log.

use super::{Call, Done};
use crate::format;

pub(super) async fn run(call: &mut Call) -> Done {
    let done = call.client().await?.checkpoint().await?;
    if call.json() {
        call.out.json(&done)?;
    } else if done.emptied {
        call.out.line(format!("the write-ahead log is empty: it was {}", format::size(done.wal_bytes_before)))?;
    } else {
        call.out.line("somebody reads what is in the write-ahead log: it is emptied later")?;
    }
    Ok(())
}
