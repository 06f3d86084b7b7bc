//! Lists that come in pages: fetched one at a time, written as they come.

use std::io;

use qrt_shared::control::{Client, ClientError};
use qrt_shared::view::Page;
use serde::Serialize;

use super::{Call, Done};
use crate::output::Output;

/// Writes the whole list that `fetch` gets page by page: with `--json` as one array, else as `show`
/// lays a page out, or `empty` when there is nothing in it.
///
/// # Errors
/// The daemon's refusal, before anything is written when it is the first page's.
pub(super) async fn write<T: Serialize>(
    call: &mut Call,
    mut fetch: impl AsyncFnMut(&mut Client, u64) -> Result<Page<T>, ClientError>,
    mut show: impl FnMut(&mut Output, &[T]) -> io::Result<()>,
    empty: &str,
) -> Done {
    let mut client = call.client().await?;
    let mut started = false;
    let mut after = 0;
    loop {
        let page = fetch(&mut client, after).await?;
        if call.json() {
            call.out.json_rows(&page.items, started)?;
        } else if !page.items.is_empty() {
            show(&mut call.out, &page.items)?;
        }
        started |= !page.items.is_empty();
        match page.next {
            Some(next) if next > after => after = next,
            _ => break,
        }
    }
    if call.json() {
        call.out.json_rows_end(started)?;
    } else if !started {
        call.out.line(empty)?;
    }
    Ok(())
}
