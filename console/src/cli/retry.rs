//! `qrt retry`: try waiting deliveries now.

use qrt_shared::control::Retry;

use super::{Call, Done, peer};
use crate::format;

pub(super) async fn run(call: &mut Call) -> Done {
    let peer = call.text("peer").map(peer).transpose()?;
    let due = call.client().await?.retry(&Retry { peer }).await?;
    if call.json() {
        call.out.json(&due)?;
    } else if due.peers == 0 {
        call.out.line("nothing waits to be tried")?;
    } else {
        let dir = call.dir_word();
        let peers = format::count(due.peers, "peer");
        call.out.line(format!("{peers} tried now: `qrt outbox {dir}` shows what is left"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, call};

    #[tokio::test]
    async fn all_peers_are_tried_unless_one_is_named() {
        let fake = Fake::new(vec![Answer::Json(r#"{"peers":2}"#.into()), Answer::Json(r#"{"peers":0}"#.into())]);
        let dir = fake.dir().display().to_string();
        let (mut all, shown) = call(&["retry", &dir]);
        run(&mut all).await.expect("tried");
        assert!(shown.text().starts_with("2 peers tried now: "), "{}", shown.text());
        let (mut one, shown) = call(&["retry", &dir, "--peer", "bob"]);
        run(&mut one).await.expect("tried");
        assert_eq!(shown.text(), "nothing waits to be tried\n");
        assert_eq!(fake.bodies(), [r#"{"peer":null}"#, r#"{"peer":"bob"}"#]);
    }
}
