//! Watching a vat: what is told, when, and to whom no longer.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use qrt_shared::control::{Client, Listing};
use qrt_shared::view::{Event, Turn};
use qrt_tests::{PATIENCE, Scratch};
use serde_json::json;

use super::request;

const COUNTER: &str = "function (args, power) { if (args < 0) throw 'less'; power.memory.n = args; }";

#[test]
fn a_watcher_hears_of_commits_and_what_they_have_come_to() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    vat.send("counter", "1");
    vat.send("counter", "-1");
    let totals = vat.ask(async |client| {
        let mut events = Client::open(vat.dir()).await?.events().await?;
        let is = client.info().await?.commit;
        // The first line may be of a moment ago.
        let (commit, totals) = loop {
            let Some(Event::Commit { commit, totals, .. }) = events.next().await? else { panic!("where it is") };
            assert!(commit <= is, "nothing happens meanwhile");
            if commit == is {
                break (commit, totals);
            }
        };
        let name = client
            .send(&qrt_shared::control::Send {
                target: "counter".parse().expect("a name"),
                args: serde_json::value::to_raw_value(&json!(2)).expect("JSON"),
                key: None,
            })
            .await?
            .message;
        client.outcome(name, PATIENCE / 12).await?;
        loop {
            let Some(Event::Commit { commit: later, totals: then, .. }) = events.next().await? else { continue };
            assert!(later > commit, "each line is of a later commit");
            if then.turns == totals.turns + 1 {
                return Ok(then);
            }
        }
    });
    let turns: Vec<Turn> = vat.list(&Listing::default());
    assert_eq!((totals.turns, totals.failed), (3, 1));
    assert_eq!(totals.ticks, turns.iter().map(|turn| turn.ticks).sum::<u64>());
    assert_eq!(totals.cpu_us, turns.iter().map(|turn| turn.cpu_us).sum::<u64>());
    assert!(totals.commits >= 4, "{totals:?}");
}

#[test]
fn whoever_knows_the_last_commit_waits_for_the_next() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    let commit = vat.qrt("info", &["--json"]).json()["commit"].as_u64().expect("a number");
    let mut socket = UnixStream::connect(vat.dir().join("control.sock")).expect("the socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(socket, "GET /v1/events?after={commit} HTTP/1.1\r\nhost: vat\r\n\r\n").expect("a request");
    let mut heard = String::new();
    while !heard.contains("\r\n\r\n") {
        heard.push_str(&some(&mut socket));
    }
    vat.send("counter", "1");
    while !heard.contains("\"commit\":") {
        heard.push_str(&some(&mut socket));
    }
    assert!(heard.contains("application/x-ndjson"), "{heard}");
    assert!(!heard.contains(&format!("\"commit\":{commit},")), "{heard}");
}

fn some(socket: &mut UnixStream) -> String {
    let mut part = [0; 4096];
    let count = socket.read(&mut part).expect("more in time");
    String::from_utf8_lossy(&part[..count]).into_owned()
}

#[test]
fn an_overview_says_what_goes_on_and_what_is_wrong() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    vat.send("counter", "1");
    vat.send("counter", "-1");
    vat.qrt("hold", &["counter"]).ok();
    let dir = vat.dir().to_str().expect("UTF-8");
    vat.scratch.qrt(&["send", "-d", dir, "counter", "2"]).ok();
    let overview = vat.ask(async |client| client.overview().await);
    assert_eq!((overview.info.objects, overview.info.inbox, overview.info.faults), (1, 1, 1));
    assert_eq!((overview.totals.turns, overview.totals.failed), (2, 1));
    assert_eq!(overview.accounts.iter().map(|row| row.used.objects).collect::<Vec<_>>(), [1]);
    let queued_at = overview.oldest_inbox_at.expect("one waits");
    assert!(queued_at <= overview.at && overview.at - queued_at < 120_000, "{queued_at} of {}", overview.at);
    assert_eq!(overview.oldest_outbox_at, None);
    assert!(overview.database_bytes > 4096);
    let wrong: Vec<_> = overview.wrong.iter().map(|why| why.sentence.as_str()).collect();
    assert_eq!(wrong, ["counter is held: it takes no turns", "1 message failed and waits for you"]);
    assert!(overview.wrong[0].command.as_ref().is_some_and(|command| command.starts_with("qrt release")));
    let (status, plain) = request(&vat, "GET", "/v1/overview", "");
    assert_eq!((status, &plain["totals"]["turns"]), (200, &json!(2)));
}

#[test]
fn so_many_watch_and_the_operator_still_gets_in() {
    let vat = Scratch::default().vat();
    let watch = || {
        let mut socket = UnixStream::connect(vat.dir().join("control.sock")).expect("the socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(socket, "GET /v1/events HTTP/1.1\r\nhost: vat\r\n\r\n").expect("a request");
        let head = some(&mut socket);
        (socket, head)
    };
    let watchers: Vec<_> = (0..32).map(|_| watch()).collect();
    assert!(watchers.iter().all(|(_, head)| head.starts_with("HTTP/1.1 200")), "{:?}", watchers[31].1);
    let (_socket, head) = watch();
    assert!(head.starts_with("HTTP/1.1 429"), "{head}");
    assert_eq!(vat.qrt("info", &["--json"]).json()["state"], "running");
}
