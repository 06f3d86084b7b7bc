//! `qrt drop`: put a void in the place of a message to another vat, after asking.

use qrt_shared::control::{Client, ClientError, DropOut, Listing};
use qrt_shared::id::PeerName;
use qrt_shared::view::Outgoing;

use super::{Call, Done};
use crate::failure::Failure;
use crate::format;

pub(super) async fn run(call: &mut Call) -> Done {
    let peer = call.peer()?;
    let seq = call.number("SEQ").expect("the parser demands it");
    let reason = call.text("reason").expect("the parser demands it").to_owned();
    if reason.trim().is_empty() {
        return Err(Failure::Usage("--reason is empty: the other vat is told it".to_owned()));
    }
    let mut client = call.client().await?;
    if !call.flag("yes") {
        let Some(message) = find(&mut client, &peer, seq).await? else {
            let dir = call.dir_word();
            return Err(Failure::new(format!("{peer}#{seq} is not in the outbox: `qrt outbox {dir}` shows what is")));
        };
        if !call.operator.agrees(&question(&format!("{peer}#{seq}"), &message))? {
            return Err(Failure::new(format!("{peer}#{seq} was not dropped: answer y, or say --yes")));
        }
    }
    let dropped = client.drop_out(&peer, seq, &DropOut { reason }).await?;
    if call.json() {
        call.out.json(&dropped)?;
        return Ok(());
    }
    let arrived = if dropped.may_have_arrived {
        "; it may have arrived before, which nobody here can know"
    } else {
        ", and never left this vat"
    };
    call.out.line(format!("{peer}#{seq} is dropped: a void takes its number{arrived}"))?;
    Ok(())
}

/// The message as the outbox shows it.
async fn find(client: &mut Client, peer: &PeerName, seq: u64) -> Result<Option<Outgoing>, ClientError> {
    // Its cursors are the numbers on this channel.
    let listing = Listing { peer: Some(peer.clone()), limit: Some(1), ..Listing::after(seq.saturating_sub(1)) };
    let page = client.list::<Outgoing>(&listing).await?;
    Ok(page.items.into_iter().find(|message| message.seq == seq))
}

/// What is dropped, what that means, and whether it may be too late.
fn question(name: &str, message: &Outgoing) -> Vec<String> {
    let target =
        message.target.as_ref().map_or_else(|| "nothing: it is a void already".to_owned(), ToString::to_string);
    let arrived = match message.attempts {
        0 => "it may have arrived if it was ever on its way".to_owned(),
        attempts => format!("{}: it may have arrived all the same", format::count(attempts, "failed attempt")),
    };
    vec![
        format!(
            "{} for {target}, queued {}",
            format::size(message.bytes),
            format::age(message.queued_at, format::now_ms())
        ),
        arrived,
        format!("Drop {name}, for ever?"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call_answered, page};

    fn queued(seq: u64, attempts: u64) -> String {
        format!(
            r#"{{"peer":"{PEER}","name":"bob","seq":{seq},"target":"qrt:{PEER}/7z2fziy4eazx2seb54ittqs77cr5lfj3","bytes":9,"queued_at":1,"turn":null,"attempts":{attempts},"next_attempt_at":null,"last_error":null,"void":null}}"#
        )
    }

    fn dropped(may_have_arrived: bool) -> Answer {
        Answer::Json(format!(r#"{{"vat":"{PEER}","seq":6,"may_have_arrived":{may_have_arrived}}}"#))
    }

    #[tokio::test]
    async fn nothing_is_dropped_unless_the_operator_says_yes() {
        let fake = Fake::new(vec![page(&[queued(5, 0), queued(6, 3)]), page(&[queued(6, 3)]), dropped(true)]);
        let dir = fake.dir().display().to_string();
        let line = ["drop", &dir, "bob", "6", "--reason", "sent twice"];
        let (mut no, shown, asked) = call_answered(&line, "\n");
        assert_eq!(run(&mut no).await.expect_err("not agreed").code(), 1);
        assert_eq!((shown.text().as_str(), fake.requests().len()), ("", 1));
        assert!(asked.text().contains("3 failed attempts: it may have arrived all the same"), "{}", asked.text());
        assert!(asked.text().ends_with("Drop bob#6, for ever? [y/N]\n"), "{}", asked.text());
        let (mut yes, shown, _) = call_answered(&line, "y\n");
        run(&mut yes).await.expect("dropped");
        assert!(shown.text().contains("it may have arrived before"), "{}", shown.text());
        assert_eq!(fake.requests()[2], "POST /v1/peers/bob/outbox/6/drop HTTP/1.1");
        assert_eq!(fake.bodies()[2], r#"{"reason":"sent twice"}"#);
    }

    #[tokio::test]
    async fn with_yes_one_request_does_it() {
        let fake = Fake::new(vec![dropped(false)]);
        let dir = fake.dir().display().to_string();
        let (mut call, shown, asked) = call_answered(&["drop", &dir, PEER, "6", "--reason", "x", "--yes"], "");
        run(&mut call).await.expect("dropped");
        assert!(shown.text().contains("never left this vat") && asked.text().is_empty(), "{}", shown.text());
    }

    #[tokio::test]
    async fn what_is_not_queued_cannot_be_dropped() {
        let fake = Fake::new(vec![page(&[queued(5, 0)])]);
        let dir = fake.dir().display().to_string();
        let (mut call, _, asked) = call_answered(&["drop", &dir, "bob", "6", "--reason", "x"], "y\n");
        let failure = run(&mut call).await.expect_err("no such message");
        assert!(failure.to_string().contains("bob#6 is not in the outbox") && asked.text().is_empty(), "{failure}");
        let (mut call, _, _) = call_answered(&["drop", &dir, "bob", "6", "--reason", " "], "");
        assert_eq!(run(&mut call).await.expect_err("no reason").code(), 2);
    }
}
