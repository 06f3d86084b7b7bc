//! `qrt peer-add`: learn where another vat answers.

use qrt_shared::control::PeerAdd;
use qrt_shared::id::{Location, VatId};

use super::{Call, Done};
use crate::format;

pub(super) async fn run(call: &mut Call) -> Done {
    let vat: VatId = call.text("VATID").expect("the parser demands it").parse()?;
    let url: Location = call.text("URL").expect("the parser demands it").parse()?;
    let add = PeerAdd { vat, urls: vec![url.clone()] };
    let peer = call.client().await?.peer_add(&add).await?;
    if call.json() {
        call.out.json(&peer)?;
        return Ok(());
    }
    let waiting = if peer.pending == 0 {
        String::new()
    } else {
        let tried = if peer.held { "waiting, held" } else { "waiting, tried now" };
        format!("; {} {tried}", format::count(peer.pending, "message"))
    };
    call.out.line(format!("{vat} answers at {url}{waiting}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call};

    #[tokio::test]
    async fn names_are_checked_before_the_daemon_is_asked() {
        let fake = Fake::new(vec![Answer::Json(format!(r#"{{"vat":"{PEER}","held":false,"pending":2}}"#))]);
        let dir = fake.dir().display().to_string();
        for (vat, url) in [("bob", "http://h:1"), (PEER, "ftp://h"), (PEER, "h:1"), (PEER, "http://me@h:1")] {
            let (mut bad, _) = call(&["peer-add", &dir, vat, url]);
            assert_eq!(run(&mut bad).await.expect_err("bad").code(), 1, "{vat} {url}");
        }
        assert!(fake.requests().is_empty());
        let (mut good, shown) = call(&["peer-add", &dir, PEER, "http://h:1/"]);
        run(&mut good).await.expect("learnt");
        assert_eq!(shown.text(), format!("{PEER} answers at http://h:1; 2 messages waiting, tried now\n"));
        assert_eq!(fake.bodies(), [format!(r#"{{"vat":"{PEER}","urls":["http://h:1"]}}"#)]);
    }
}
