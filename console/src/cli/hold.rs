//! `qrt hold` and `qrt release`: whether an object takes turns, or a peer gets deliveries.

use super::named::{self, Named};
use super::{Call, Done};
use crate::format;

pub(super) async fn run(call: &mut Call, held: bool) -> Done {
    let text = call.text("QRID").expect("the parser demands it").to_owned();
    let dir = call.dir_word();
    let mut client = call.client().await?;
    let line = match named::find(&mut client, &text).await? {
        Named::Object(object) => {
            let answer = client.hold(&object, held).await?;
            if call.json() {
                return Ok(call.out.json(&answer)?);
            }
            if held {
                format!("{text} is held; let it go on with `qrt release {dir} {text}`")
            } else {
                format!("{text} takes turns")
            }
        }
        Named::Peer(peer) => {
            let answer = client.hold_peer(&peer, held).await?;
            if call.json() {
                return Ok(call.out.json(&answer)?);
            }
            let waiting = format::count(answer.pending, "message");
            if held {
                format!("{text} gets no deliveries, {waiting} in its queue; go on with `qrt release {dir} {text}`")
            } else {
                format!("{text} gets deliveries, {waiting} in its queue")
            }
        }
    };
    call.out.line(line)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call, peer_json};

    #[tokio::test]
    async fn a_peer_is_held_by_its_id_or_its_petname() {
        let held = format!(r#"{{"vat":"{PEER}","held":true,"pending":3}}"#);
        let fake = Fake::new(vec![Answer::Json(peer_json("")), Answer::Json(held.clone()), Answer::Json(held)]);
        let dir = fake.dir().display().to_string();
        let (mut by_name, shown) = call(&["hold", &dir, "bob"]);
        run(&mut by_name, true).await.expect("held");
        assert!(shown.text().starts_with("bob gets no deliveries, 3 messages in its queue; "), "{}", shown.text());
        let (mut by_id, shown) = call(&["hold", &dir, PEER, "--json"]);
        run(&mut by_id, true).await.expect("held");
        assert!(shown.text().contains(r#""pending":3"#));
        let to = format!("POST /v1/peers/{PEER}/hold HTTP/1.1");
        assert_eq!(fake.requests()[1..], [to.clone(), to]);
    }

    #[tokio::test]
    async fn what_is_no_peer_is_an_object() {
        let no = r#"{"error":"no such peer","hint":""}"#;
        let held = format!(r#"{{"qrid":"qrt:{PEER}/7z2fziy4eazx2seb54ittqs77cr5lfj3","held":false}}"#);
        let fake = Fake::new(vec![Answer::Refusal(no.into()), Answer::Json(held)]);
        let (mut call, shown) = call(&["release", &fake.dir().display().to_string(), "counter"]);
        run(&mut call, false).await.expect("released");
        assert_eq!(shown.text(), "counter takes turns\n");
        assert_eq!(fake.requests()[1], "POST /v1/objects/counter/release HTTP/1.1");
    }
}
