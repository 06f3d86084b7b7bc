//! `qrt peers`: the other vats, and how the channels to and from them stand.

use qrt_shared::control::Listing;
use qrt_shared::view::{Peer, PeerState};

use super::{Call, Done, list};
use crate::format;
use crate::output::{Cell, Table, Tone};

/// Characters of an error that are shown.
const ERROR_MAX: usize = 300;

pub(super) async fn run(call: &mut Call) -> Done {
    let dir = call.dir_word();
    let empty =
        format!("no other vat is known: `qrt gossip {dir} DIR2` or `qrt peer-add {dir} VATID URL` tells of one");
    let mut table = Table::new(&["PEER", "STATE", ">NEXT", ">ACKED", ">LAST IN", ">PENDING", "LAST CONTACT"]);
    let now = format::now_ms();
    list::write(
        call,
        Listing::default(),
        |out, peers| {
            let rows: Vec<_> = peers.iter().map(|peer| cells(peer, now)).collect();
            table.rows_with_details(out, &rows, |row| details(&peers[row], now))
        },
        &empty,
    )
    .await
}

fn cells(peer: &Peer, now: u64) -> Vec<Cell> {
    let state = match (peer.state, peer.held) {
        (PeerState::Ok, true) => Cell::toned(Tone::Bad, "held"),
        (PeerState::Ok, false) if peer.failing_since.is_some() => Cell::toned(Tone::Bad, "failing"),
        (PeerState::Ok, false) => Cell::toned(Tone::Good, "ok"),
        (state, false) => Cell::toned(Tone::Bad, state.as_str()),
        (state, true) => Cell::toned(Tone::Bad, format!("{}, held", state.as_str())),
    };
    vec![
        format::clip(&format::vat(peer.name.as_ref(), &peer.vat), 20).into(),
        state,
        peer.next_out.to_string().into(),
        peer.acked_out.to_string().into(),
        peer.last_in.to_string().into(),
        peer.pending.to_string().into(),
        peer.last_contact_at.map_or_else(|| "never".to_owned(), |at| format::age(at, now)).into(),
    ]
}

/// Its id, which is what other verbs take, where it answers, and what is wrong.
fn details(peer: &Peer, now: u64) -> Vec<String> {
    let urls = if peer.urls.is_empty() { "no URL is known".to_owned() } else { format::line(&peer.urls.join(" ")) };
    let mut details = vec![format!("{}  {urls}", peer.vat)];
    if peer.state == PeerState::Unsure {
        details.push("unsure: this vat went back, and nothing is sent before that one has said where it stands".into());
    } else if peer.state != PeerState::Ok {
        let since = peer.state_since.map(|at| format!(" since {} UTC", format::time(at))).unwrap_or_default();
        let theirs =
            peer.theirs.map(|number| format!(", it says it has {number} messages of ours")).unwrap_or_default();
        details.push(format!("{}{since}{theirs}: nothing is sent until `qrt peer-resync`", peer.state.as_str()));
    }
    if let Some(error) = &peer.last_error {
        let since = peer.failing_since.map(|at| format!(", first {}", format::age(at, now))).unwrap_or_default();
        let next = match peer.next_attempt_at {
            Some(at) => format!(", next try {}", format::due(at, now)),
            None => String::new(),
        };
        let tries = format::count(peer.attempts, "failed attempt");
        details.push(format!("{tries}{since}{next}: {}", format::clip(error, ERROR_MAX)));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Fake, PEER, call, page, peer_json};

    #[tokio::test]
    async fn a_peer_that_does_not_answer_shows_its_reason_in_80_columns() {
        let changes = format!(
            r#""name":"bob","pending":3,"next_out":1000003,"attempts":4,"failing_since":1,"next_attempt_at":{},"last_error":"connection refused \u001b[2J {}","last_contact_at":1"#,
            format::now_ms() + 3_600_000,
            "and more ".repeat(40)
        );
        let diverged = peer_json(r#""state":"diverged","state_since":951782400000,"theirs":9,"urls":[]"#);
        let fake = Fake::new(vec![page(&[peer_json(&changes), diverged])]);
        let (mut call, shown) = call(&["peers", &fake.dir().display().to_string()]);
        run(&mut call).await.expect("a list");
        let text = shown.text();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for says in [
            "bob",
            "failing",
            "1000003",
            "4 failed attempts",
            "next try in 60 min",
            "\\u{1b}[2J",
            "diverged since 2000-02-29 00:00:00 UTC, it says it has 9",
            "no URL is known",
        ] {
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(says), "{says}: {text}");
        }
        assert!(text.contains(PEER), "an id that can be used: {text}");
    }

    #[tokio::test]
    async fn scripts_read_the_contracts_fields() {
        let fake = Fake::new(vec![page(&[peer_json("")])]);
        let (mut call, shown) = call(&["peers", &fake.dir().display().to_string(), "--json"]);
        run(&mut call).await.expect("a list");
        let peers: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(&shown.text()).expect("one document");
        for field in
            ["vat", "urls", "next_out", "acked_out", "last_in", "pending", "state", "last_error", "last_contact_at"]
        {
            assert!(peers[0].contains_key(field), "{field}");
        }
    }

    #[tokio::test]
    async fn nobody_known_says_how_to_know_somebody() {
        let fake = Fake::new(vec![page(&[])]);
        let (mut call, shown) = call(&["peers", &fake.dir().display().to_string()]);
        run(&mut call).await.expect("a list");
        assert!(shown.text().contains("`qrt gossip "), "{}", shown.text());
    }
}
