//! `qrt outbox`: messages to other vats that are not yet acknowledged.

use qrt_shared::control::Listing;
use qrt_shared::id::MessageName;
use qrt_shared::view::Outgoing;

use super::{Call, Done, list, peer};
use crate::format;
use crate::output::{Cell, Table, Tone};

/// Characters of an error or a reason that are shown.
const NOTE_MAX: usize = 300;

pub(super) async fn run(call: &mut Call) -> Done {
    let only = call.text("peer").map(peer).transpose()?;
    let empty = "the outbox is empty: what was sent to other vats is acknowledged";
    let mut table = Table::new(&["MESSAGE", "FOR", ">SIZE", "QUEUED", ">TRIES", "NEXT TRY"]);
    let now = format::now_ms();
    let mut first = None;
    let mut told: Option<String> = None;
    list::write(
        call,
        Listing { peer: only, ..Listing::default() },
        |out, messages: &[Outgoing]| {
            first = first.or_else(|| messages.first().map(|message| MessageName::Out(message.peer, message.seq)));
            let rows: Vec<_> = messages.iter().map(|message| cells(message, now)).collect();
            let mut notes = Vec::new();
            for message in messages {
                let note = note(message);
                // A peer that does not answer has the same to say of every message: once is enough.
                notes.push(note.clone().filter(|note| told.as_ref() != Some(note)));
                told = note.or(told.take());
            }
            table.rows_with_details(out, &rows, |row| notes[row].clone().into_iter().collect())
        },
        empty,
    )
    .await?;
    if let Some(first) = first.filter(|_| !call.json()) {
        let dir = call.dir_word();
        call.out.line(format!("\nWhy the first one waits: `qrt why {dir} {first}`."))?;
    }
    Ok(())
}

fn cells(message: &Outgoing, now: u64) -> Vec<Cell> {
    let next = match message.next_attempt_at {
        Some(at) => Cell::from(format::due(at, now)),
        None => Cell::toned(Tone::Bad, "none"),
    };
    let target = match &message.target {
        Some(target) => format::object(None, target),
        None => "(void)".to_owned(),
    };
    let peer = format::clip(&format::vat(message.name.as_ref(), &message.peer), 20);
    vec![
        format!("{peer}#{}", message.seq).into(),
        target.into(),
        format::size(message.bytes).into(),
        format::age(message.queued_at, now).into(),
        message.attempts.to_string().into(),
        next,
    ]
}

/// What is the matter with a message.
fn note(message: &Outgoing) -> Option<String> {
    let note = match (&message.void, &message.last_error) {
        (Some(reason), _) => format!("dropped: {reason}"),
        (None, error) => error.clone()?,
    };
    Some(format::clip(&note, NOTE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Fake, PEER, call, page};

    fn outgoing(seq: u64, name: &str, next: &str, void: &str) -> String {
        let target = if void == "null" {
            format!(r#""qrt:{PEER}/7z2fziy4eazx2seb54ittqs77cr5lfj3""#)
        } else {
            "null".to_owned()
        };
        format!(
            r#"{{"peer":"{PEER}","name":{name},"seq":{seq},"target":{target},"bytes":1536,"queued_at":1,"turn":null,"attempts":2,"next_attempt_at":{next},"last_error":"cannot connect to 127.0.0.1:4001: connection refused","void":{void}}}"#
        )
    }

    #[tokio::test]
    async fn people_see_when_the_next_try_is_due_and_where_to_ask_why() {
        let soon = (format::now_ms() + 90_500).to_string();
        let rows = [
            outgoing(6, r#""bob""#, &soon, "null"),
            outgoing(7, r#""bob""#, &soon, "null"),
            outgoing(8, "null", "null", r#""a mistake""#),
        ];
        let fake = Fake::new(vec![page(&rows)]);
        let dir = fake.dir().display().to_string();
        let (mut call, shown) = call(&["outbox", &dir, "--peer", "bob"]);
        run(&mut call).await.expect("a list");
        let text = shown.text();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("bob#6") && lines[1].contains("in 9"), "{text}");
        assert_eq!(lines[2], "    cannot connect to 127.0.0.1:4001: connection refused");
        assert!(lines[3].starts_with("bob#7"), "what was said is not said again: {text}");
        assert!(lines[4].starts_with("rnll4p..#8  (void)") && lines[4].ends_with("none"), "{text}");
        assert_eq!(lines[5], "    dropped: a mistake");
        assert!(lines[..6].iter().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(lines[7], format!("Why the first one waits: `qrt why {dir} {PEER}#6`."));
        assert_eq!(fake.requests(), ["GET /v1/outbox?peer=bob HTTP/1.1"]);
    }

    #[tokio::test]
    async fn scripts_read_one_array_and_nothing_else() {
        let fake = Fake::new(vec![page(&[outgoing(6, "null", "null", "null")])]);
        let (mut call, shown) = call(&["outbox", &fake.dir().display().to_string(), "--json"]);
        run(&mut call).await.expect("a list");
        let rows: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(&shown.text()).expect("one document");
        for field in ["peer", "seq", "target", "bytes", "queued_at", "attempts", "next_attempt_at", "last_error"] {
            assert!(rows[0].contains_key(field), "{field}");
        }
    }
}
