//! `qrt name`: give an object or a peer a petname, show it, or take it away.

use qrt_shared::control::{Client, Name};
use qrt_shared::id::{PeerName, Petname, Target, VatId};
use serde::Serialize;

use super::named::{self, Named};
use super::{Call, Done};
use crate::failure::Failure;

/// What is to be done about a name.
enum Wish {
    Show,
    Give(Petname),
    Take,
}

/// What `--json` prints of a peer; of an object it is the daemon's own document.
#[derive(Serialize)]
struct PeerNamed {
    vat: VatId,
    name: Option<Petname>,
}

pub(super) async fn run(call: &mut Call) -> Done {
    let name: Option<Petname> = call.text("PETNAME").map(str::parse).transpose()?;
    let wish = match (name, call.flag("remove")) {
        (Some(_), true) => return Err(Failure::Usage("--remove takes no PETNAME".to_owned())),
        (Some(name), false) => Wish::Give(name),
        (None, true) => Wish::Take,
        (None, false) => Wish::Show,
    };
    let text = call.text("QRID").expect("the parser demands it").to_owned();
    let mut client = call.client().await?;
    let taken = matches!(wish, Wish::Take);
    let (name, written) = match named::find(&mut client, &text).await? {
        Named::Object(target) => {
            let named = object(&mut client, &target, wish).await?;
            if call.json() {
                return Ok(call.out.json(&named)?);
            }
            (named.name, named.qrid.to_string())
        }
        Named::Peer(name) => {
            let named = peer(&mut client, &name, wish).await?;
            if call.json() {
                return Ok(call.out.json(&named)?);
            }
            (named.name, named.vat.to_string())
        }
    };
    match &name {
        Some(name) => call.out.line(name.as_str())?,
        None if taken => call.out.line("it has no name now")?,
        None => {
            let dir = call.dir_word();
            call.out.line(format!("it has no name: give it one with `qrt name {dir} {written} PETNAME`"))?;
        }
    }
    Ok(())
}

async fn object(client: &mut Client, object: &Target, wish: Wish) -> Result<qrt_shared::control::Named, Failure> {
    Ok(match wish {
        Wish::Give(name) => client.name(object, Name { name }).await?,
        Wish::Take => client.unname(object).await?,
        Wish::Show => {
            let row = client.object(object).await?.row;
            qrt_shared::control::Named { qrid: row.qrid, name: row.name }
        }
    })
}

async fn peer(client: &mut Client, peer: &PeerName, wish: Wish) -> Result<PeerNamed, Failure> {
    Ok(match wish {
        Wish::Give(name) => {
            let vat = client.name_peer(peer, Name { name: name.clone() }).await?.vat;
            PeerNamed { vat, name: Some(name) }
        }
        Wish::Take => PeerNamed { vat: client.unname_peer(peer).await?.vat, name: None },
        Wish::Show => {
            let peer = client.peer(peer).await?;
            PeerNamed { vat: peer.vat, name: peer.name }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call, peer_json};

    #[tokio::test]
    async fn a_peer_has_a_petname_like_an_object() {
        let is = format!(r#"{{"vat":"{PEER}","held":false,"pending":0}}"#);
        let named = peer_json(r#""name":"bob""#);
        let fake = Fake::new(vec![
            Answer::Json(is.clone()),
            Answer::Json(peer_json("")),
            Answer::Json(named.clone()),
            Answer::Json(is),
        ]);
        let dir = fake.dir().display().to_string();
        let mut said = Vec::new();
        for line in
            [&["name", &dir, PEER, "bob", "--json"][..], &["name", &dir, PEER], &["name", &dir, "bob", "--remove"]]
        {
            let (mut call, shown) = call(line);
            run(&mut call).await.expect("done");
            said.push(shown.text());
        }
        assert_eq!(said[0], format!("{{\"vat\":\"{PEER}\",\"name\":\"bob\"}}\n"));
        assert_eq!(said[1], format!("it has no name: give it one with `qrt name {dir} {PEER} PETNAME`\n"));
        assert_eq!(said[2], "it has no name now\n");
        let asked = fake.requests();
        assert_eq!(asked[0], format!("PUT /v1/peers/{PEER}/name HTTP/1.1"));
        assert_eq!(asked[3], format!("DELETE /v1/peers/{PEER}/name HTTP/1.1"));
        assert_eq!(fake.bodies()[0], r#"{"name":"bob"}"#);
    }
}
