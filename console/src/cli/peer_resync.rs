//! `qrt peer-resync`: go on with a peer whose history is not ours any more, after asking.
//!
//! The first request changes nothing and says what would happen; the second says what it said, so
//! that nothing happens if it is not so any more.

use qrt_shared::control::{Resync, Resynced};

use super::{Call, Done};
use crate::failure::Failure;
use crate::format;

pub(super) async fn run(call: &mut Call) -> Done {
    let peer = call.peer()?;
    let mut client = call.client().await?;
    let plan = client.resync(&peer, &Resync { expect: None }).await?;
    if !call.flag("yes") && !call.operator.agrees(&question(&peer.to_string(), &plan))? {
        return Err(Failure::new(format!("nothing was changed for {peer}: answer y, or say --yes")));
    }
    let done = client.resync(&peer, &Resync { expect: Some(plan.expect) }).await?;
    if call.json() {
        call.out.json(&done)?;
        return Ok(());
    }
    let from = done.expect.last_in;
    let renumbered = match done.renumbered {
        Some((first, last)) => format!("; what is held has the numbers {first} to {last} now"),
        None => "; nothing is held".to_owned(),
    };
    call.out.line(format!(
        "the channel to {peer} goes on after message {from}{renumbered}; {} may be lost, {} may be repeated",
        format::count(done.may_be_lost, "message"),
        done.may_be_repeated
    ))?;
    Ok(())
}

/// What is so, what it costs, and the question.
pub(crate) fn question(peer: &str, plan: &Resynced) -> Vec<String> {
    let expect = &plan.expect;
    let renumbered = match plan.renumbered {
        Some((first, last)) => format!("what is held is numbered anew, {first} to {last}"),
        None => "nothing is held, so nothing is numbered anew".to_owned(),
    };
    vec![
        format!("{peer} has our messages up to number {}; our next is {}", expect.last_in, expect.next_out),
        format!(
            "may be lost: {} it had acknowledged and has not got any more",
            format::count(plan.may_be_lost, "message")
        ),
        format!(
            "may be repeated: {} held here that may have run there before",
            format::count(plan.may_be_repeated, "message")
        ),
        renumbered,
        "Go on from where the other vat stands?".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call_answered};

    fn answer(done: bool) -> Answer {
        Answer::Json(format!(
            r#"{{"vat":"{PEER}","done":{done},"expect":{{"last_in":40,"tip":"ab","next_out":103}},"may_be_lost":60,"may_be_repeated":2,"renumbered":[41,42]}}"#
        ))
    }

    #[tokio::test]
    async fn what_it_costs_is_said_before_it_is_done() {
        let fake = Fake::new(vec![answer(false), answer(false), answer(true)]);
        let dir = fake.dir().display().to_string();
        let (mut no, shown, asked) = call_answered(&["peer-resync", &dir, "bob"], "n\n");
        assert_eq!(run(&mut no).await.expect_err("not agreed").code(), 1);
        assert_eq!((shown.text().as_str(), fake.bodies()), ("", vec![r#"{"expect":null}"#.to_owned()]));
        for says in ["up to number 40; our next is 103", "lost: 60 messages", "repeated: 2 messages", "anew, 41 to 42"]
        {
            assert!(asked.text().contains(says), "{says}: {}", asked.text());
        }
        let (mut yes, shown, _) = call_answered(&["peer-resync", &dir, "bob"], "y\n");
        run(&mut yes).await.expect("done");
        assert!(shown.text().contains("goes on after message 40"), "{}", shown.text());
        assert_eq!(fake.bodies()[2], r#"{"expect":{"last_in":40,"tip":"ab","next_out":103}}"#);
    }

    #[tokio::test]
    async fn with_yes_it_still_says_what_it_expects() {
        let fake = Fake::new(vec![answer(false), answer(true)]);
        let dir = fake.dir().display().to_string();
        let (mut call, shown, asked) = call_answered(&["peer-resync", &dir, PEER, "--yes", "--json"], "");
        run(&mut call).await.expect("done");
        assert!(asked.text().is_empty() && shown.text().contains(r#""done":true"#), "{}", shown.text());
        assert!(fake.bodies()[1].contains(r#""last_in":40"#));
    }
}
