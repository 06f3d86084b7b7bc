//! What `hold`, `release` and `name` are about: an object or a peer.
//!
//! A QRID is an object and a vat id is a peer, without asking. A petname is unique in its vat over
//! both, so the peers are asked for it first: what is no peer's name is an object's.

use qrt_shared::control::{Client, ClientError};
use qrt_shared::id::{PeerName, Target};

use crate::failure::Failure;

/// An object or a peer, as the operator wrote it.
#[derive(Debug, PartialEq)]
pub(super) enum Named {
    Object(Target),
    Peer(PeerName),
}

/// What `text` names in the vat of `client`.
pub(super) async fn find(client: &mut Client, text: &str) -> Result<Named, Failure> {
    if text.starts_with("qrt:") {
        return Ok(Named::Object(super::target(text)?));
    }
    let peer: PeerName = text.parse().map_err(|_| {
        Failure::new(format!(
            "{text:?} is no QRID (qrt:<vat id>/<object id>), vat id or petname: `qrt objects` and `qrt peers` list them"
        ))
    })?;
    let PeerName::Petname(petname) = &peer else { return Ok(Named::Peer(peer)) };
    match client.peer(&peer).await {
        // By its id: the name may mean another by now.
        Ok(found) => Ok(Named::Peer(PeerName::Vat(found.vat))),
        Err(ClientError::Refused(_)) => Ok(Named::Object(Target::Petname(petname.clone()))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, peer_json};

    #[tokio::test]
    async fn only_a_petname_has_to_be_asked_about() {
        let no = Answer::Refusal(r#"{"error":"no such peer","hint":""}"#.into());
        let fake = Fake::new(vec![Answer::Json(peer_json("")), no]);
        let mut client = Client::open(fake.dir()).await.expect("it serves");
        let vat = PeerName::Vat(PEER.parse().expect("a vat id"));
        assert_eq!(find(&mut client, PEER).await.expect("a peer"), Named::Peer(vat.clone()));
        let qrid = format!("qrt:{PEER}/7z2fziy4eazx2seb54ittqs77cr5lfj3");
        assert!(matches!(find(&mut client, &qrid).await, Ok(Named::Object(Target::Qrid(_)))));
        assert_eq!(fake.requests().len(), 0);
        assert_eq!(find(&mut client, "bob").await.expect("a peer"), Named::Peer(vat));
        assert_eq!(
            find(&mut client, "counter").await.expect("an object"),
            Named::Object("counter".parse().expect("a name"))
        );
        assert!(find(&mut client, "No").await.expect_err("upper case").to_string().contains("`qrt peers`"));
        assert_eq!(fake.requests().len(), 2);
    }
}
