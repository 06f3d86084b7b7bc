//! One channel: what arrives, how often, in which order, and what waits for whom.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use qrt_shared::control::{Listing, PeerAdd, Send};
use qrt_shared::id::PeerName;
use qrt_shared::view::Outgoing;
use qrt_tests::Scratch;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::{SINK, deliver, friends, gossip, id, peer, send, until, until_got, until_peer, url};

/// Sends the numbers below `n` to `to`.
const BURST: &str = "function ({ to, n }) { for (let i = 0; i < n; i++) to.sendOnly(i); }";

#[test]
fn what_one_vat_sends_arrives_at_the_other_once_and_in_order() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    a.install("burst", BURST, &[]);
    a.result("burst", &json!({ "to": { "@qref": sink }, "n": 1000 }).to_string());
    let got = until_got(&b, "sink", 1000);
    assert_eq!(got, (0..1000).map(|n| json!(n)).collect::<Vec<_>>());
    let peer = until_peer(&a, id(&b), "the last ack", |peer| peer.pending == 0);
    assert_eq!((peer.next_out, peer.acked_out, peer.state.as_str()), (1001, 1000, "ok"));
    assert_eq!(super::peer(&b, id(&a)).last_in, 1000);
    assert_eq!(b.journal().len(), 1000, "and nothing else ran");
}

#[test]
fn messages_to_a_stopped_vat_wait_with_their_reason_and_go_when_it_is_back() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    b.qrt("stop", &[]).ok();
    for n in 0..5 {
        send(&a, &sink, &json!(n));
    }
    let other = id_of(&sink);
    let waiting = until_peer(&a, other, "a failure", |peer| peer.attempts > 0);
    assert!(waiting.last_error.expect("a reason").contains("refused"));
    // The schedule is rows: another daemon goes on with it.
    a.kill();
    a.start();
    let again = until_peer(&a, other, "another failure", |peer| peer.attempts > waiting.attempts);
    assert_eq!((again.pending, again.failing_since), (5, waiting.failing_since));
    let rows = a.list::<Outgoing>(&Listing::default());
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(rows.iter().all(|row| row.attempts > 0 && row.target.as_ref().is_some_and(|to| to.to_string() == sink)));
    b.start();
    a.qrt("retry", &[]).ok();
    assert_eq!(until_got(&b, "sink", 5), (0..5).map(|n| json!(n)).collect::<Vec<_>>());
    let done = until_peer(&a, other, "the ack", |peer| peer.pending == 0);
    assert_eq!((done.attempts, done.last_error, done.failing_since), (0, None, None), "success resets it");
}

fn id_of(qrid: &str) -> qrt_shared::id::VatId {
    qrid.parse::<qrt_shared::id::Qrid>().expect("a QRID").vat
}

#[test]
fn a_vat_that_nobody_knows_the_way_to_is_told_when_somebody_says_it() {
    let [a, b] = [Scratch::default().vat(), Scratch::default().vat()];
    let sink = b.install("sink", SINK, &[]);
    send(&a, &sink, &json!(1));
    let lost = until_peer(&a, id(&b), "an attempt", |peer| peer.last_error.is_some());
    assert_eq!((lost.next_attempt_at, lost.attempts), (None, 0), "there is nothing to try");
    // A hint in a QRID that the operator writes is learnt at once.
    let hinted = format!("{sink}?at={}", url(&b));
    deliver(&a, &hinted, &json!(2));
    assert_eq!(until_got(&b, "sink", 2), [json!(1), json!(2)]);
}

#[test]
fn of_several_urls_a_dead_one_and_one_of_another_vat_are_passed_over() {
    let [a, b] = [Scratch::default().vat(), Scratch::default().vat()];
    let third = Scratch::default().vat();
    let sink = b.install("sink", SINK, &[]);
    // Bound and closed again: nobody listens there.
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let urls = [format!("http://{dead}"), url(&third), url(&b)];
    let urls = urls.iter().map(|url| url.parse().expect("a URL")).collect();
    let vat = id(&b);
    a.ask(async |client| client.peer_add(&PeerAdd { vat, urls }).await);
    deliver(&a, &sink, &json!("hello"));
    assert_eq!(peer(&a, vat).urls[0], url(&b), "the one that worked is tried first from now on");
}

#[test]
fn vats_that_never_answer_delay_no_other_however_many_they_are() {
    let [a, b] = friends();
    let sink = b.install("sink", SINK, &[]);
    deliver(&a, &sink, &json!(0));
    // It takes connections and says nothing; more vats than the daemon has requests under way are there.
    let hole = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = hole.local_addr().expect("its address");
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let vats: Vec<_> = (1..=1000).map(|n| (stranger(n), if n <= 200 { at } else { dead })).collect();
    a.ask(async |client| {
        for (vat, at) in &vats {
            let to = format!("qrt:{vat}/{NOWHERE}?at=http://{at}").parse().expect("a QRID");
            client.send(&Send { target: to, args: to_raw_value(&0).expect("JSON"), key: None }).await?;
        }
        Ok(())
    });
    // As many as may have a request under way that nobody answers.
    let stuck: Vec<_> = (0..60).map(|_| hole.accept().expect("a connection")).collect();
    let started = Instant::now();
    for n in 1..=20 {
        deliver(&a, &sink, &json!(n));
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?} while the holes hold for 30 s", started.elapsed());
    assert_eq!(until_got(&b, "sink", 21).len(), 21);
    let waiting = a.qrt("info", &["--json"]).json()["outbox"].clone();
    assert_eq!(waiting, 1000, "theirs wait");
    // Each of the dead was tried a few times at most, and none again before its time.
    let other = a.ask(async |client| client.peer(&PeerName::Vat(stranger(1000))).await);
    assert!(other.attempts < 20, "{} attempts", other.attempts);
    drop(stuck);
}

/// An object of no vat.
const NOWHERE: &str = "7z2fziy4eazx2seb54ittqs77cr5lfj3";

/// The id of a vat that is nowhere.
fn stranger(n: u16) -> qrt_shared::id::VatId {
    let mut key = [1; 32];
    key[..2].copy_from_slice(&n.to_be_bytes());
    qrt_shared::id::VatId::from_bytes(key).expect("a canonical key")
}

#[test]
fn a_full_queue_at_the_receiver_is_a_fault_there_and_stops_no_channel() {
    let a = Scratch::default().vat();
    let b = Scratch::default().vat_with(&[("queue.messages", "3"), ("queue.faults", "2")]);
    let vats = [a, b];
    gossip(&vats);
    let [a, b] = vats;
    let (slow, quick) = (b.install("slow", SINK, &[]), b.install("quick", SINK, &[]));
    b.qrt("hold", &["slow"]).ok();
    for n in 0..8 {
        send(&a, &slow, &json!(n));
    }
    deliver(&a, &quick, &json!("through"));
    assert_eq!(until_got(&b, "quick", 1), [json!("through")]);
    let info = b.qrt("info", &["--json"]).json();
    assert_eq!((&info["inbox"], &info["faults"]), (&json!(3), &json!(2)), "three queued, two kept, three counted");
    assert_eq!(b.qrt("object", &["slow", "--json"]).json()["refused"], 3);
    b.qrt("release", &["slow"]).ok();
    assert_eq!(until_got(&b, "slow", 3), [json!(0), json!(1), json!(2)]);
}

#[test]
fn what_two_objects_in_two_vats_say_to_each_other_for_ever_disturbs_nobody() {
    let [a, b] = friends();
    let echo = "function (args, power) { args.to.sendOnly({ to: args.me, me: args.to }); }";
    let (ping, pong) = (a.install("ping", echo, &[]), b.install("pong", echo, &[]));
    a.result("ping", &json!({ "me": { "@qref": ping }, "to": { "@qref": pong } }).to_string());
    a.install("neighbour", "(n) => n", &[]);
    until(&b, "a few rounds", async |client| Ok((client.info().await?.turns > 20).then_some(())));
    for n in 0..20 {
        assert_eq!(a.result("neighbour", &n.to_string()), n);
    }
    // Held, it stops.
    a.qrt("hold", &["ping"]).ok();
    let name = PeerName::Vat(id(&b));
    until(&a, "quiet", async |client| Ok((client.peer(&name).await?.pending == 0).then_some(())));
}
