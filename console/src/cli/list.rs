//! Lists that come in pages: fetched one at a time, written as they come.

use std::io;

use qrt_shared::control::{At, Client, ClientError, Listed, Listing};
use qrt_shared::view::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Call, Done};
use crate::output::Output;

/// Writes the list, or the last rows of it that [`Listing::last`] asks for: with `--json` as one array, else as `show` lays a page
/// out, or `empty` when there is nothing in it.
///
/// # Errors
/// The daemon's refusal, before anything is written when it is the first page's.
pub(super) async fn write<T: Listed + Serialize + DeserializeOwned>(
    call: &mut Call,
    mut listing: Listing,
    mut show: impl FnMut(&mut Output, &[T]) -> io::Result<()>,
    empty: &str,
) -> Done {
    let mut client = call.client().await?;
    let mut started = false;
    let mut page = newest::<T>(&mut client, &listing).await?;
    let is_for_none = listing.limit == Some(0);
    if is_for_none {
        // A page has one row at least.
        page = Page { items: Vec::new(), next: None, ..page };
    }
    loop {
        if call.json() {
            call.out.json_rows(&page.items, started)?;
        } else if !page.items.is_empty() {
            show(&mut call.out, &page.items)?;
        }
        started |= !page.items.is_empty();
        let Some(next) = page.next else { break };
        listing = Listing { at: At::After(next), limit: None, ..listing };
        page = client.list(&listing).await?;
    }
    if call.json() {
        call.out.json_rows_end(started)?;
    } else if !started && !is_for_none {
        call.out.line(empty)?;
    }
    Ok(())
}

/// The first page of a list; of its last rows when those are asked for, however many pages they are: then where they
/// begin is looked for from the end.
///
/// # Errors
/// The daemon's.
pub(super) async fn newest<T: Listed + DeserializeOwned>(
    client: &mut Client,
    listing: &Listing,
) -> Result<Page<T>, ClientError> {
    let mut page: Page<T> = client.list(listing).await?;
    let (At::Last, Some(count)) = (listing.at, listing.limit) else { return Ok(page) };
    let mut left = count.saturating_sub(page.items.len() as u64);
    if left == 0 || page.prev.is_none() {
        return Ok(page);
    }
    while let (1.., Some(prev)) = (left, page.prev) {
        page = client.list(&Listing { at: At::Before(prev), limit: Some(left), ..listing.clone() }).await?;
        left = left.saturating_sub(page.items.len() as u64);
    }
    // Those before the first of them are known not to be wanted.
    let at = page.prev.map_or(At::First, |first| At::After(first - 1));
    client.list(&Listing { at, limit: None, ..listing.clone() }).await
}

#[cfg(test)]
mod tests {
    use crate::cli::fake::{self, Answer, Fake, call};

    const VAT: &str = "qrt:rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q/7z2fziy4eazx2seb54ittqs77cr5lfj3";

    fn page(number: u64, next: &str) -> Answer {
        let item = format!(
            r#"{{"message":"in:{number}","target":"{VAT}","name":null,"source":"operator","args":{{"n":1.50}},"bytes":9,"queued_at":1,"deaths":0}}"#
        );
        Answer::Json(format!(r#"{{"items":[{item}],"next":{next},"as_of":1}}"#))
    }

    #[tokio::test]
    async fn all_pages_become_one_array_with_values_untouched() {
        let fake = Fake::new(vec![page(1, "7"), page(2, "null")]);
        let (mut call, shown) = call(&["inbox", &fake.dir().display().to_string(), "--json"]);
        super::super::inbox::run(&mut call).await.expect("a list");
        let text = shown.text();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text).expect("one document");
        assert_eq!((rows.len(), text.matches(r#""args":{"n":1.50}"#).count()), (2, 2));
        assert!(fake.requests()[1].starts_with("GET /v1/inbox?after=7 "));
    }

    #[tokio::test]
    async fn the_newest_none_are_none() {
        let row = r#"{"audit":1,"at":1,"uid":0,"pid":1,"action":"install","detail":{}}"#.to_owned();
        for (flags, expected) in [(&["--json"][..], "[]\n"), (&[], "")] {
            let fake = Fake::new(vec![fake::page(std::slice::from_ref(&row))]);
            let dir = fake.dir().display().to_string();
            let (mut call, shown) = call(&[&["audit", &dir, "-n", "0"], flags].concat());
            super::super::audit::run(&mut call).await.expect("a list");
            assert_eq!(shown.text(), expected);
        }
    }

    #[tokio::test]
    async fn nothing_is_written_when_the_daemon_refuses_at_once() {
        let fake = Fake::new(vec![Answer::Refusal(r#"{"error":"no","hint":"ask nicely"}"#.into())]);
        let (mut call, shown) = call(&["inbox", &fake.dir().display().to_string(), "--json"]);
        let failure = super::super::inbox::run(&mut call).await.expect_err("refused");
        assert_eq!((shown.text().as_str(), failure.to_string().as_str()), ("", "qrt: no: ask nicely"));
    }
}
