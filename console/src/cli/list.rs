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

#[cfg(test)]
mod tests {
    use crate::cli::fake::{Answer, Fake, call};

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
    async fn nothing_is_written_when_the_daemon_refuses_at_once() {
        let fake = Fake::new(vec![Answer::Refusal(r#"{"error":"no","hint":"ask nicely"}"#.into())]);
        let (mut call, shown) = call(&["inbox", &fake.dir().display().to_string(), "--json"]);
        let failure = super::super::inbox::run(&mut call).await.expect_err("refused");
        assert_eq!((shown.text().as_str(), failure.to_string().as_str()), ("", "qrt: no: ask nicely"));
    }
}
