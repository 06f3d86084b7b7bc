//! What an operator sees of a channel, and does to it.

use qrt_shared::control::{DropOut, Listing, PeerAdd};
use qrt_shared::id::{MessageName, PeerName, Subject};
use serde_json::json;

use super::{SINK, deliver, friends, id, peer, send, until_got, until_peer, url, why};
use qrt_shared::view::{Message, Outgoing};
use qrt_tests::Scratch;

#[test]
fn why_says_the_present_reason_with_the_command_that_clears_it() {
    let [a, b] = [Scratch::default().vat(), Scratch::default().vat()];
    let sink = b.install("sink", SINK, &[]);
    let (vat, at) = (id(&b), url(&b));
    let stuck = send(&a, &sink, &json!(1)).to_string();
    let command = |subject: &str| why(&a, subject).command.unwrap_or_default();
    until_peer(&a, vat, "an attempt", |peer| peer.last_error.is_some());
    for subject in ["", &stuck, &vat.to_string(), &sink] {
        let why = why(&a, subject);
        assert!(why.blocked && why.sentence.contains("no URL"), "{subject}: {why:?}");
        assert!(command(subject).starts_with(&format!("qrt peer-add DIR {vat}")), "{subject}");
    }
    // A place where nobody listens.
    b.qrt("stop", &[]).ok();
    let urls = vec![at.parse().expect("a URL")];
    a.ask(async |client| client.peer_add(&PeerAdd { vat, urls }).await);
    until_peer(&a, vat, "a failure", |peer| peer.attempts > 0);
    let refused = why(&a, &stuck);
    assert!(refused.sentence.contains("refused"), "{refused:?}");
    assert_eq!(command(&stuck), format!("qrt retry DIR --peer {vat}"));
    // Held: that comes first, whatever else is wrong.
    a.qrt("hold", &[&vat.to_string()]).ok();
    assert!(why(&a, "").sentence.contains("held"));
    assert_eq!(command(&stuck), format!("qrt release DIR {vat}"));
    let second = send(&a, &sink, &json!(2)).to_string();
    assert!(why(&a, &second).evidence.iter().any(|fact| fact.contains("1 message to go before it")));
    a.qrt("name", &[&vat.to_string(), "far"]).ok();
    assert_eq!(command(&stuck), "qrt release DIR far", "what has a name is called so");
    b.start();
    a.qrt("release", &["far"]).ok();
    assert_eq!(until_got(&b, "sink", 2), [json!(1), json!(2)]);
    until_peer(&a, vat, "the ack", |peer| peer.pending == 0);
    for subject in ["", &stuck, &vat.to_string()] {
        let why = why(&a, subject);
        assert!(!why.blocked && why.command.is_none(), "{subject}: {why:?}");
    }
    // At the receiver: an object that is held, then one that fails.
    b.qrt("hold", &["sink"]).ok();
    deliver(&a, &sink, &json!(3));
    assert!(why(&b, "").sentence.contains("held"));
    assert_eq!(why(&b, "sink").command.as_deref(), Some("qrt release DIR sink"));
    let waits = b.list::<Message>(&Listing::default()).pop().expect("it waits");
    assert_eq!((waits.source.as_str(), waits.seq), (id(&a).to_string().as_str(), Some(3)));
    assert!(why(&b, &waits.message.to_string()).sentence.contains("held"));
    b.qrt("release", &["sink"]).ok();
    until_got(&b, "sink", 3);
    let bad = b.install("bad", "() => { throw new Error('no'); }", &[]);
    deliver(&a, &bad, &json!(4));
    b.wait_for_turn(4);
    assert!(why(&b, "bad").sentence.contains("Error: no"));
    assert!(why(&b, "").command.expect("a command").starts_with("qrt faults"));
}

#[test]
fn a_dropped_message_is_a_void_that_takes_its_number_and_runs_nothing() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    let name = PeerName::Vat(id(&b));
    a.ask(async |client| client.hold_peer(&name, true).await);
    for n in 0..3 {
        send(&a, &sink, &json!(n));
    }
    let void = DropOut { reason: "a mistake".to_owned() };
    let dropped = a.ask(async |client| client.drop_out(&name, 2, &void).await);
    assert!(dropped.seq == 2 && dropped.may_have_arrived);
    let rows = a.list::<Outgoing>(&Listing { peer: Some(name.clone()), ..Listing::default() });
    assert_eq!(rows[1].void.as_deref(), Some("a mistake"));
    a.ask(async |client| client.hold_peer(&name, false).await);
    until_peer(&a, id(&b), "all acks", |peer| peer.pending == 0);
    assert_eq!(until_got(&b, "sink", 2), [json!(0), json!(2)]);
    assert_eq!(peer(&b, id(&a)).last_in, 3, "the channel has no hole");
    assert_eq!(b.journal().len(), 2);
}

#[test]
fn a_cause_is_followed_from_vat_to_vat() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    a.install("sender", "function ({ to }) { to.sendOnly('caused'); }", &[]);
    a.result("sender", &json!({ "to": { "@qref": sink } }).to_string());
    until_got(&b, "sink", 1);
    let sent = a.ask(async |client| client.traced(&Subject::Turn(1)).await);
    let [MessageName::Out(vat, seq)] = sent.sent[..] else { panic!("one message abroad: {sent:?}") };
    assert_eq!((vat, seq), (id(&b), 1));
    let from = id(&a);
    let ran = b.ask(async |client| client.traced_from(&from, seq).await);
    let origin = ran.from.expect("it came from there");
    assert_eq!((ran.state.as_str(), origin.vat, origin.seq), ("ok", from, 1));
    let turn = b.journal().pop().expect("a turn");
    assert_eq!(turn.from.expect("an origin").cause, origin.cause);
    assert!(origin.cause.is_some_and(|cause| !cause.contains('1') || cause.len() > 8), "opaque, not a count of turns");
    let dirs = [&a, &b].map(|vat| vat.dir().to_str().expect("UTF-8").to_owned());
    let tree = a.scratch.qrt(&["trace", &dirs[0], "1", "--also", &dirs[1]]).ok();
    assert!(tree.contains("sink") && tree.contains("sender"), "{tree}");
}
