//! `qrt gossip`: tell several vats of each other.
//!
//! All are asked before any is told: a vat that is stopped or has no URL stops it before anything
//! is changed. Telling a vat what it knows already changes nothing, so it may be done again.

use std::path::{Path, PathBuf};

use qrt_shared::control::{Client, ClientError, PeerAdd};
use qrt_shared::id::{Location, VatId};
use serde::Serialize;

use super::{Call, Done};
use crate::failure::Failure;
use crate::format;

/// One of the vats, ready to be told.
struct Member {
    dir: PathBuf,
    client: Client,
    vat: VatId,
    url: Location,
}

/// What `--json` prints for each vat.
#[derive(Serialize)]
struct Told {
    dir: String,
    vat: VatId,
    url: Location,
    /// The vats it was told of.
    peers: Vec<VatId>,
}

pub(super) async fn run(call: &mut Call) -> Done {
    let dirs = call.paths("DIR");
    if dirs.len() < 2 {
        return Err(Failure::Usage("gossip is between two vats or more: give their directories".to_owned()));
    }
    let mut members: Vec<Member> = Vec::new();
    for dir in dirs {
        let member = ask(dir).await?;
        if let Some(same) = members.iter().find(|other| other.vat == member.vat) {
            return Err(Failure::new(format!(
                "{} and {} are the same vat: name each one once",
                same.dir.display(),
                member.dir.display()
            )));
        }
        members.push(member);
    }
    let known: Vec<_> = members.iter().map(|member| (member.vat, member.url.clone())).collect();
    let mut told = Vec::new();
    for member in &mut members {
        let mut peers = Vec::new();
        for (vat, url) in known.iter().filter(|(vat, _)| *vat != member.vat) {
            let add = PeerAdd { vat: *vat, urls: vec![url.clone()] };
            member.client.peer_add(&add).await.map_err(|error| of(&member.dir, error))?;
            peers.push(*vat);
        }
        let (dir, url) = (member.dir.display().to_string(), member.url.clone());
        told.push(Told { dir, vat: member.vat, url, peers });
    }
    if call.json() {
        call.out.json(&told)?;
        return Ok(());
    }
    for told in &told {
        let others = format::count(told.peers.len() as u64, "other vat");
        call.out.line(format!("{}: {} at {} knows {others}", told.dir, format::vat(None, &told.vat), told.url))?;
    }
    Ok(())
}

/// Who the vat in `dir` is and where it answers.
async fn ask(dir: PathBuf) -> Result<Member, Failure> {
    let mut client = Client::open(&dir).await?;
    let info = client.info().await?;
    let Some(url) = info.url else {
        return Err(Failure::new(format!(
            "{0} has no URL to tell: set `url` in {0}/settings.toml and start it again",
            dir.display()
        )));
    };
    Ok(Member { vat: info.vat, url: url.parse()?, dir, client })
}

/// A refusal, with the vat that refused: there are several.
fn of(dir: &Path, error: ClientError) -> Failure {
    match error {
        ClientError::Refused(mut problem) => {
            problem.error = format!("{}: {}", dir.display(), problem.error);
            ClientError::Refused(problem).into()
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call};

    const OTHER: &str = "beaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn info(vat: &str, url: &str) -> Answer {
        Answer::Json(format!(
            r#"{{"vat":"{vat}","url":{url},"pid":1,"state":"running","version":"0.1.0","objects":0,"inbox":0,"outbox":0,"faults":0,"turns":0,"commit":0,"started_at":null,"worker":null}}"#
        ))
    }

    fn is(vat: &str) -> Answer {
        Answer::Json(format!(r#"{{"vat":"{vat}","held":false,"pending":0}}"#))
    }

    #[tokio::test]
    async fn every_vat_learns_of_every_other() {
        let alice = Fake::new(vec![info(PEER, r#""http://127.0.0.1:1""#), is(OTHER)]);
        let bob = Fake::new(vec![info(OTHER, r#""http://127.0.0.1:2""#), is(PEER)]);
        let dirs = [alice.dir(), bob.dir()].map(|dir| dir.display().to_string());
        let (mut call, shown) = call(&["gossip", &dirs[0], &dirs[1], "--json"]);
        run(&mut call).await.expect("told");
        let told: serde_json::Value = serde_json::from_str(&shown.text()).expect("one document");
        assert_eq!((&told[0]["vat"], &told[0]["peers"][0]), (&PEER.into(), &OTHER.into()));
        assert_eq!(alice.bodies()[1], format!(r#"{{"vat":"{OTHER}","urls":["http://127.0.0.1:2"]}}"#));
        assert_eq!(bob.bodies()[1], format!(r#"{{"vat":"{PEER}","urls":["http://127.0.0.1:1"]}}"#));
    }

    #[tokio::test]
    async fn nobody_is_told_when_one_cannot_be() {
        let stopped = tempfile::tempdir().expect("a scratch directory");
        std::fs::write(stopped.path().join("vat.db"), "").expect("a file");
        let stopped = stopped.path().display().to_string();
        let silent = Fake::new(vec![info(OTHER, "null")]);
        let silent_dir = silent.dir().display().to_string();
        for (other, says, code) in [(&stopped, "no daemon is running", 3), (&silent_dir, "has no URL", 1)] {
            let alice = Fake::new(vec![info(PEER, r#""http://127.0.0.1:1""#)]);
            let (mut call, shown) = call(&["gossip", &alice.dir().display().to_string(), other]);
            let failure = run(&mut call).await.expect_err("one cannot");
            assert!(failure.to_string().contains(says) && failure.to_string().contains(other.as_str()), "{failure}");
            assert_eq!((failure.code(), alice.requests().len(), shown.text().as_str()), (code, 1, ""));
        }
    }

    #[tokio::test]
    async fn a_vat_is_not_told_of_itself() {
        // One vat under two paths, as through a symbolic link.
        let [one, other] = [1, 2].map(|_| Fake::new(vec![info(PEER, r#""http://127.0.0.1:1""#)]));
        let dirs = [one.dir(), other.dir()].map(|dir| dir.display().to_string());
        let (mut alone, _) = call(&["gossip", &dirs[0]]);
        assert_eq!(run(&mut alone).await.expect_err("one").code(), 2);
        let (mut twice, _) = call(&["gossip", &dirs[0], &dirs[1]]);
        assert!(run(&mut twice).await.expect_err("the same").to_string().contains("are the same vat"));
    }
}
