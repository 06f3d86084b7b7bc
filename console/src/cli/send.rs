//! `qrt send`: send a message to an object, and perhaps wait for its turn, or, when the object is
//! another vat's, for that vat's acknowledgement.
//!
//! A message has a durable name from the moment the daemon has answered. The wait is asked for by
//! that name again and again, so a daemon may be stopped, killed and started meanwhile.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use qrt_shared::control::{BODY_BYTES_MAX, Client, ClientError, Queued, Send, WAIT_MS_MAX};
use qrt_shared::hint;
use qrt_shared::id::{MessageName, VatId};
use qrt_shared::view::{Awaited, Ended, Outcome};
use serde::Serialize;
use tokio::time::Instant;

use super::patience::Patience;
use super::{Call, Done, input, value};
use crate::failure::Failure;
use crate::format;

/// The least time a message is given to become durable, however short the wait for its turn: then it has a name.
const QUEUED_MIN: Duration = Duration::from_secs(10);

pub(super) async fn run(call: &mut Call) -> Done {
    let timeout = call.args.get_one::<Duration>("timeout").copied();
    if timeout.is_some() && !call.flag("wait") {
        return Err(Failure::Usage("--timeout is how long --wait waits: give both".to_owned()));
    }
    let target = call.object()?;
    let mut args = call.text("ARGSJSON").expect("the parser demands it").to_owned();
    if args == "-" {
        // The system takes 128 KiB in one argument, where a message may have 1 MiB.
        args = input::text(std::io::stdin().lock(), "standard input", BODY_BYTES_MAX as u64)?;
    }
    if call.text("key") == Some("") {
        return Err(Failure::new("--key is empty: give a text of 1 to 256 bytes, another for each message"));
    }
    let send = Send { target, args: value(&args, "args")?, key: call.text("key").map(str::to_owned) };
    let dir = call.path("dir").to_owned();
    let mut client = Client::open(&dir).await?;
    if !call.flag("wait") {
        let queued = client.send(&send).await.map_err(|error| unanswered(error, &send))?;
        if call.json() {
            call.out.json(&queued)?;
        } else {
            call.out.line(queued.message.to_string())?;
        }
        return Ok(());
    }
    let within = |timeout: Option<Duration>| timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let queued = until(within(timeout.map(|timeout| timeout.max(QUEUED_MIN))), queue(&mut client, &dir, &send)).await;
    let message = queued.unwrap_or_else(|why| {
        Err(Failure::new(format!("stopped before the daemon answered ({why}); {}", perhaps(&send))))
    })?;
    match until(within(timeout), wait(&mut client, &dir, message)).await {
        Ok(done) => tell(call, done?, &dir),
        Err(why) => Err(Failure::new(still_queued(message, why, &dir))),
    }
}

/// What `future` comes to, or why it was not waited for any longer.
async fn until<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Result<T, &'static str> {
    let timeout = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = future => Ok(done),
        () = timeout => Err("timed out"),
        _ = tokio::signal::ctrl_c() => Err("interrupted"),
    }
}

/// Where to look for a message that is not waited for any longer.
fn still_queued(name: MessageName, why: &str, dir: &Path) -> String {
    let dir = hint::path(dir);
    let look = match name {
        MessageName::In(_) => format!("`qrt inbox {dir}` shows it until its turn, `qrt turns {dir}` afterwards"),
        MessageName::Out(..) => format!(
            "`qrt outbox {dir}` shows it until the other vat acknowledges it, `qrt why {dir} {name}` says what it waits for"
        ),
    };
    format!("stopped waiting for {name} ({why}), which stays queued: {look}")
}

/// What a wait ends with.
#[derive(Debug)]
enum Came {
    /// The message's turn has ended.
    Ended(MessageName, Ended),
    /// The other vat has acknowledged the message with this number.
    Acked(VatId, u64),
    /// The vat does not know its outcome any more.
    Unknown(MessageName),
}

/// What is printed of a message that another vat has acknowledged.
#[derive(Serialize)]
struct Receipt {
    peer: VatId,
    seq: u64,
    acked: bool,
}

/// Sends the message; its durable name.
async fn queue(client: &mut Client, dir: &Path, send: &Send) -> Result<MessageName, Failure> {
    let mut patience = Patience::new();
    loop {
        match client.send(send).await {
            Ok(Queued { message, .. }) => return Ok(message),
            // Under its key the message is queued once, however often it is asked for.
            Err(error) if send.key.is_some() => patience.pause_after(error, dir).await?,
            Err(error) => return Err(unanswered(error, send)),
        }
    }
}

/// Waits for what comes of the message.
async fn wait(client: &mut Client, dir: &Path, message: MessageName) -> Result<Came, Failure> {
    let mut patience = Patience::new();
    loop {
        match client.outcome(message, Duration::from_millis(WAIT_MS_MAX)).await {
            Ok(Awaited::Ended(ended)) => return Ok(Came::Ended(message, ended)),
            Ok(Awaited::Acked) => {
                return Ok(match message {
                    MessageName::Out(peer, seq) => Came::Acked(peer, seq),
                    // What stays in the vat has an outcome, and no acknowledgement.
                    MessageName::In(_) => Came::Unknown(message),
                });
            }
            Ok(Awaited::Unknown) => return Ok(Came::Unknown(message)),
            Ok(Awaited::Queued) => patience.answered(),
            Err(error) => patience.pause_after(error, dir).await?,
        }
    }
}

/// A daemon that goes away before it answers, or hangs, has queued the message, or not.
fn unanswered(error: ClientError, send: &Send) -> Failure {
    if !matches!(error, ClientError::Gone { .. } | ClientError::Hangs { .. }) {
        return error.into();
    }
    Failure::new(format!("{error}; {}", perhaps(send)))
}

/// What to do about a message of which nobody said whether it is queued.
fn perhaps(send: &Send) -> String {
    let again = if send.key.is_some() {
        "send it again with the same --key to have it queued once"
    } else {
        "--key makes it safe to send again"
    };
    format!("the message may be queued: {again}")
}

/// Prints the outcome.
///
/// # Errors
/// The outcome is not ok.
fn tell(call: &mut Call, came: Came, dir: &Path) -> Done {
    let dir = hint::path(dir);
    let (message, ended) = match came {
        Came::Acked(peer, seq) => return Ok(call.out.json(&Receipt { peer, seq, acked: true })?),
        Came::Unknown(message) => {
            call.out.json(&Unknown { turn: None, outcome: "unknown", result: (), error: None })?;
            let look = match message {
                MessageName::In(_) => format!("`qrt turns {dir}` shows turns for longer"),
                MessageName::Out(..) => format!("`qrt peers {dir}` shows which number is acknowledged"),
            };
            return Err(Failure::new(format!(
                "the outcome of {message} is not known any more: outcomes are kept an hour, with --key 24 hours; {look}"
            )));
        }
        Came::Ended(message, ended) => (message, ended),
    };
    call.out.json(&ended)?;
    if ended.outcome == Outcome::Ok {
        return Ok(());
    }
    let error = format::clip(ended.error.as_deref().unwrap_or("no reason given"), 500);
    Err(Failure::new(format!(
        "the turn of {message} ended as {}: {error}: `qrt faults {dir}` has the message",
        ended.outcome.as_str()
    )))
}

/// What is printed in place of [`Ended`] for a message the vat does not know.
#[derive(Serialize)]
struct Unknown {
    turn: Option<u64>,
    outcome: &'static str,
    result: (),
    error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call};

    const QUEUED: &str = r#"{"message":"in:5","target":"qrt:rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q/7z2fziy4eazx2seb54ittqs77cr5lfj3","repeated":false}"#;

    fn message(key: Option<&str>) -> Send {
        Send {
            target: "counter".parse().expect("a petname"),
            args: value("1", "args").expect("QJSON"),
            key: key.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn a_wait_outlives_the_daemon_and_asks_by_the_durable_name() {
        let ended = r#"{"state":"ended","turn":7,"outcome":"ok","result":{"n":1e+21},"error":null}"#;
        let fake = Fake::new(vec![
            Answer::Json(QUEUED.into()),
            Answer::HangUp,
            Answer::Stopping,
            Answer::Json(r#"{"state":"queued"}"#.into()),
            Answer::Away(Duration::from_millis(60)),
            Answer::Json(ended.into()),
        ]);
        let mut client = Client::open(fake.dir()).await.expect("it serves");
        let name = queue(&mut client, fake.dir(), &message(None)).await.expect("a name");
        let done = wait(&mut client, fake.dir(), name).await.expect("an outcome");
        let Came::Ended(MessageName::In(5), ended) = done else { panic!("{done:?}") };
        assert_eq!(ended.result.get(), r#"{"n":1e+21}"#);
        assert_eq!(name, MessageName::In(5));
        let asked = fake.requests();
        assert!(asked[0].starts_with("POST /v1/messages "), "{asked:?}");
        assert!(asked[1..].iter().all(|line| line.starts_with("GET /v1/messages/in%3A5/outcome?")), "{asked:?}");
    }

    #[tokio::test]
    async fn only_a_keyed_message_is_sent_again_unasked() {
        let fake = Fake::new(vec![Answer::HangUp]);
        let mut client = Client::open(fake.dir()).await.expect("it serves");
        let failure = queue(&mut client, fake.dir(), &message(None)).await.expect_err("it went away");
        assert!(failure.to_string().contains("the message may be queued"), "{failure}");
        assert_eq!(fake.requests().len(), 1);

        let gone = r#"{"state":"unknown"}"#;
        let fake = Fake::new(vec![Answer::HangUp, Answer::Json(QUEUED.into()), Answer::Json(gone.into())]);
        let mut client = Client::open(fake.dir()).await.expect("it serves");
        let name = queue(&mut client, fake.dir(), &message(Some("k"))).await.expect("a name");
        let done = wait(&mut client, fake.dir(), name).await.expect("an answer");
        assert!(matches!(done, Came::Unknown(MessageName::In(5))), "{done:?}");
        assert_eq!(fake.requests().len(), 3);
    }

    const TO_PEER: &str = r#"{"message":"rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q#9","target":"qrt:rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q/7z2fziy4eazx2seb54ittqs77cr5lfj3","repeated":false}"#;

    #[tokio::test]
    async fn a_message_to_another_vat_is_waited_for_until_it_is_acknowledged() {
        let fake = Fake::new(vec![
            Answer::Json(TO_PEER.into()),
            Answer::Json(r#"{"state":"queued"}"#.into()),
            Answer::Json(r#"{"state":"acked"}"#.into()),
        ]);
        let (mut call, shown) = call(&["send", "-d", &fake.dir().display().to_string(), "--wait", "far", "1"]);
        run(&mut call).await.expect("acknowledged");
        assert_eq!(shown.text(), format!("{{\"peer\":\"{PEER}\",\"seq\":9,\"acked\":true}}\n"));
        assert!(fake.requests()[2].starts_with(&format!("GET /v1/messages/{PEER}%239/outcome?")));
    }

    #[tokio::test]
    async fn without_waiting_the_durable_name_is_printed() {
        let fake = Fake::new(vec![Answer::Json(TO_PEER.into())]);
        let (mut call, shown) = call(&["send", "-d", &fake.dir().display().to_string(), "far", "1"]);
        run(&mut call).await.expect("queued");
        assert_eq!(shown.text(), format!("{PEER}#9\n"));
    }

    #[tokio::test]
    async fn an_empty_key_is_no_key() {
        let (mut call, _) = call(&["send", "-d", "none", "--key", "", "counter", "1"]);
        let told = run(&mut call).await.expect_err("no key").to_string();
        assert!(told.starts_with("qrt: --key is empty"), "{told}");
    }

    #[test]
    fn a_wait_that_ends_early_says_where_to_look() {
        let name = MessageName::Out(PEER.parse().expect("a vat id"), 9);
        let line = still_queued(name, "timed out", Path::new("/v"));
        assert!(line.starts_with(&format!("stopped waiting for {PEER}#9 (timed out)")), "{line}");
        assert!(line.contains("`qrt outbox /v`") && line.contains(&format!("`qrt why /v {PEER}#9`")), "{line}");
        assert!(still_queued(MessageName::In(5), "interrupted", Path::new("/v")).contains("`qrt inbox /v`"));
    }

    #[tokio::test]
    async fn a_wait_of_no_time_still_names_the_message() {
        let fake = Fake::new(vec![Answer::Json(QUEUED.into()), Answer::Away(Duration::ZERO)]);
        let dir = fake.dir().display().to_string();
        let (mut call, shown) = call(&["send", "-d", &dir, "--wait", "--timeout", "0", "counter", "1"]);
        let failure = run(&mut call).await.expect_err("no time");
        assert!(failure.to_string().starts_with("qrt: stopped waiting for in:5 (timed out)"), "{failure}");
        assert_eq!(shown.text(), "");
    }

    #[tokio::test]
    async fn a_wait_ends_with_its_deadline_or_what_it_waits_for() {
        let soon = Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(until(soon, std::future::pending::<()>()).await, Err("timed out"));
        assert_eq!(until(soon, async { 5 }).await, Ok(5), "an answer that is there wins over a late deadline");
        assert_eq!(until(None, async { 5 }).await, Ok(5));
    }

    #[test]
    fn an_unknown_outcome_has_the_fields_of_any_other() {
        let unknown = Unknown { turn: None, outcome: "unknown", result: (), error: None };
        let text = serde_json::to_string(&unknown).expect("JSON");
        assert_eq!(text, r#"{"turn":null,"outcome":"unknown","result":null,"error":null}"#);
    }
}
