//! The client, the server, and bad servers.

use std::future::Future;

use qrt_shared::id::Location;
use qrt_shared::wire::{Response, encode_response};
use tokio::sync::mpsc;

use super::super::deliver::{self, Answered, Candidate, Courier, Failure};
use super::super::policy::{Named, Policy};
use super::*;

fn courier() -> Courier {
    let limits = deliver::Limits { connect: LONG, total: LONG, delivery: LONG, idle: LONG, kept: 8 };
    Courier::new(Policy { allow_private: false }, limits)
}

fn at(address: SocketAddr) -> Candidate {
    named(&format!("http://{address}"), Named::ByOperator)
}

fn named(url: &str, named: Named) -> Candidate {
    Candidate { url: url.parse::<Location>().expect("a location"), named }
}

/// Delivers the first message, a new request id for each try; says which ids were used.
async fn deliver(courier: &Courier, candidates: &[Candidate]) -> (Result<Answered<Ack>, Failure>, u8) {
    deliver_to(courier, candidates, None).await
}

/// The same, to a peer that proved itself at `good` last.
async fn deliver_to(
    courier: &Courier,
    candidates: &[Candidate],
    good: Option<&Candidate>,
) -> (Result<Answered<Ack>, Failure>, u8) {
    let mut tries = 0;
    let make = || {
        tries += 1;
        let id = RequestId::from_bytes([tries; 16]);
        (id, request(id, 1))
    };
    let channel = Channel::new(&key(SENDER), key(RECEIVER).vat()).expect("another");
    let open = |id, response: &Response<'_>| {
        let ack = channel.open_ack(response).map_err(|error| error.to_string())?;
        if ack.re == id { Ok(ack) } else { Err(format!("it answers {:?}", ack.re)) }
    };
    let good = good.map(|good| &good.url);
    let answer = courier.deliver(key(RECEIVER).vat(), candidates, good, make, open).await;
    (answer, tries)
}

/// A server that does `serve` with each connection, after reading one request's head and body; it tells
/// of each.
async fn bad<F, S>(serve: S) -> (SocketAddr, mpsc::UnboundedReceiver<()>)
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let (came, comes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            read_request(&mut stream).await;
            came.send(()).ok();
            serve(stream).await;
        }
    });
    (address, comes)
}

async fn read_request(stream: &mut TcpStream) {
    // A request's answer has the same shape but for the first line.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the head goes on"));
    }
    let head = String::from_utf8(head).expect("ASCII").to_ascii_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1"), "{head}");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.expect("a length").parse().expect("a number")];
    stream.read_exact(&mut body).await.expect("the body");
}

/// A server that answers with these bytes and closes.
async fn saying(answer: impl Into<Vec<u8>>) -> (SocketAddr, mpsc::UnboundedReceiver<()>) {
    let answer = answer.into();
    bad(move |mut stream| {
        let answer = answer.clone();
        async move {
            stream.write_all(&answer).await.ok();
            stream.shutdown().await.ok();
        }
    })
    .await
}

fn ok(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[tokio::test]
async fn a_message_arrives_is_acked_and_the_connection_is_used_again() {
    let server = server(limits()).await;
    let courier = courier();
    for _ in 0..3 {
        let (answer, tries) = deliver(&courier, &[at(server.address)]).await;
        let ack = answer.expect("an answer").opened;
        assert_eq!((ack.number, ack.re, tries), (Sequence(1), RequestId::from_bytes([1; 16]), 1));
        assert_eq!(server.receiver.connections(), 1);
    }
    assert_eq!(server.model.last_in(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_a_second_try_with_a_new_id() {
    // It answers once on each connection, and closes it without saying so.
    let answer = |re| {
        let channel = Channel::new(&key(RECEIVER), key(SENDER).vat()).expect("another");
        let ack = Ack { re: RequestId::from_bytes([re; 16]), number: Sequence(0), tip: Tip::ZERO, bad: None };
        ok(&encode_response(key(RECEIVER).vat(), &channel.seal_ack([1; 14], &ack).frame()))
    };
    let answers = [answer(1), answer(2)];
    let (again, mut wants_more) = mpsc::unbounded_channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a client");
            read_request(&mut stream).await;
            stream.write_all(&answer).await.expect("it reads");
            // The next request on this connection is read and never answered.
            read_request(&mut stream).await;
            again.send(()).ok();
        }
    });
    let courier = courier();
    let (answer, tries) = deliver(&courier, &[at(address)]).await;
    assert_eq!((answer.is_ok(), tries), (true, 1));
    let (answer, tries) = deliver(&courier, &[at(address)]).await;
    assert_eq!((answer.is_ok(), tries), (true, 2));
    wants_more.recv().await.expect("the first try went to the kept connection");
}

#[tokio::test]
async fn nobody_there_is_a_failure_to_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let (answer, _) = deliver(&courier(), &[at(address)]).await;
    assert!(matches!(answer, Err(Failure::Connect { .. })), "{answer:?}");
    let (answer, tries) = deliver(&courier(), &[]).await;
    assert!(matches!((&answer, tries), (Err(Failure::NowhereToGo), 0)), "{answer:?}");
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_times_out() {
    let (address, mut came) = bad(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let limits = deliver::Limits { total: SHORT, ..deliver::Limits::default() };
    let courier = Courier::new(Policy { allow_private: false }, limits);
    let (answer, _) = deliver(&courier, &[at(address)]).await;
    assert!(matches!(answer, Err(Failure::Timeout { .. })), "{answer:?}");
    came.recv().await.expect("it was asked");
}

#[tokio::test]
async fn a_peer_that_dribbles_its_answer_times_out_too() {
    let (address, _came) = bad(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await.ok();
        // A byte whenever the last has gone, never enough.
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while stream.write_all(b"x").await.is_ok() {
            tick.tick().await;
        }
    })
    .await;
    let limits = deliver::Limits { total: SHORT, ..deliver::Limits::default() };
    let (answer, _) = deliver(&Courier::new(Policy { allow_private: false }, limits), &[at(address)]).await;
    assert!(matches!(answer, Err(Failure::Timeout { .. })), "{answer:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, mut came) = saying(ok(b"")).await;
    let moved = format!("HTTP/1.1 307 Moved\r\nlocation: http://{elsewhere}/v1/messages\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = saying(moved).await;
    let (answer, _) = deliver(&courier(), &[at(address)]).await;
    assert!(matches!(answer, Err(Failure::Status { status, .. }) if status.as_u16() == 307), "{answer:?}");
    assert!(came.try_recv().is_err(), "nobody came to the new place");
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_apart_from_silence() {
    for (said, wanted) in [
        (ok(&vec![b'x'; 70 << 10]), "longer"),
        (ok(b"QRT1"), "malformed"),
        (ok(&[b"QRT1".as_slice(), key(RECEIVER).vat().as_bytes()].concat()), "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nQRT1".to_vec(), "broke"),
        (b"nonsense\r\n\r\n".to_vec(), "broke"),
        ([b"HTTP/1.1 200 OK\r\na: ".as_slice(), &vec![b'x'; 40_000], b"\r\n\r\n"].concat(), "broke"),
        (Vec::new(), "broke"),
    ] {
        let (address, _came) = saying(said.clone()).await;
        let (answer, _) = deliver(&courier(), &[at(address)]).await;
        let failure = answer.expect_err("no answer").to_string();
        assert!(failure.contains(wanted), "{failure} for {}", String::from_utf8_lossy(&said[..said.len().min(40)]));
    }
}

#[tokio::test]
async fn a_peer_that_wants_to_be_left_alone_says_for_how_long() {
    let retry_after = Duration::from_secs(30);
    for refused in [Refused::TooMuch { retry_after }, Refused::Unavailable { retry_after }] {
        let server = server(limits()).await;
        let courier = courier();
        let (other, mut asked) = saying(ok(b"")).await;
        let both = [at(server.address), at(other)];
        *server.model.refuses.lock().expect("not poisoned") = Some(refused);
        let (answer, tries) = deliver_to(&courier, &both, Some(&both[0])).await;
        let failure = answer.expect_err("no answer");
        assert_eq!((failure.retry_after(), tries), (Some(retry_after), 1), "{failure}");
        assert!(asked.try_recv().is_err(), "the peer has spoken: its other locations are left alone");
    }
}

fn busy(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} Busy\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n").into()
}

#[tokio::test]
async fn a_busy_server_where_the_peer_never_was_keeps_nobody_from_its_other_locations() {
    let server = server(limits()).await;
    let courier = courier();
    let (stale, mut asked) = saying(busy(503)).await;
    let (answer, tries) = deliver(&courier, &[at(stale), at(server.address)]).await;
    assert_eq!((answer.expect("an answer").opened.number, tries), (Sequence(1), 2));
    asked.recv().await.expect("it was asked");
    // If nobody else answers either, the wait it asked for is the best that is known.
    let (nobody, _came) = saying(b"nonsense\r\n\r\n".as_slice()).await;
    let (answer, _) = deliver(&courier, &[at(stale), at(nobody)]).await;
    assert_eq!(answer.expect_err("no answer").retry_after(), Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn who_claims_to_be_the_peer_and_cannot_box_as_it_keeps_nobody_from_the_peer() {
    let server = server(limits()).await;
    let forged = ok(&{
        let channel = Channel::new(&key(3), key(SENDER).vat()).expect("another");
        let ack = Ack { re: RequestId::from_bytes([1; 16]), number: Sequence(1), tip: Tip::ZERO, bad: None };
        encode_response(key(RECEIVER).vat(), &channel.seal_ack([1; 14], &ack).frame())
    });
    let (impostor, mut asked) = saying(forged).await;
    let courier = courier();
    let (answer, _) = deliver(&courier, &[at(impostor)]).await;
    assert!(matches!(answer, Err(Failure::Unproven { .. })), "{answer:?}");
    asked.recv().await.expect("it was asked");
    // The true one is reached, though the false one stands before it.
    let both = [at(impostor), at(server.address)];
    let (answer, tries) = deliver(&courier, &both).await;
    assert_eq!((answer.expect("an answer").url, tries), (both[1].url.clone(), 2));
}

#[tokio::test]
async fn an_old_answer_of_the_peers_shown_again_keeps_nobody_from_the_peer() {
    let server = server(limits()).await;
    let old = ok(&{
        let channel = Channel::new(&key(RECEIVER), key(SENDER).vat()).expect("another");
        let ack = Ack { re: RequestId::from_bytes([99; 16]), number: Sequence(1), tip: Tip::ZERO, bad: None };
        encode_response(key(RECEIVER).vat(), &channel.seal_ack([1; 14], &ack).frame())
    });
    let (replayer, _asked) = saying(old).await;
    let both = [at(replayer), at(server.address)];
    let (answer, tries) = deliver(&courier(), &both).await;
    assert_eq!((answer.expect("an answer").url, tries), (both[1].url.clone(), 2));
}

#[tokio::test]
async fn another_vat_that_answers_is_passed_over() {
    let server = server(limits()).await;
    let (stranger, mut asked) = saying(ok(&{
        let channel = Channel::new(&key(3), key(SENDER).vat()).expect("another");
        let ack = Ack { re: RequestId::from_bytes([1; 16]), number: Sequence(0), tip: Tip::ZERO, bad: None };
        encode_response(key(3).vat(), &channel.seal_ack([1; 14], &ack).frame())
    }))
    .await;
    let courier = courier();
    let (answer, _) = deliver(&courier, &[at(stranger)]).await;
    assert!(matches!(answer, Err(Failure::OtherVat { vat, .. }) if vat == key(3).vat()), "{answer:?}");
    asked.recv().await.expect("it was asked");

    let both = [at(stranger), at(server.address)];
    let (answer, tries) = deliver(&courier, &both).await;
    assert_eq!(answer.expect("an answer").url, both[1].url);
    assert_eq!(tries, 2);
}

#[tokio::test]
async fn a_private_address_is_used_only_if_an_operator_named_it_however_it_is_written() {
    let server = server(limits()).await;
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let told = named(&format!("http://{host}:{port}"), Named::ByPeer);
        let (answer, _) = deliver(&courier(), &[told]).await;
        assert!(matches!(answer, Err(Failure::Forbidden { .. })), "{host}: {answer:?}");
    }
    assert_eq!(server.model.last_in(), 0);

    // A connection made for an operator is none for a peer.
    let courier = courier();
    let (answer, _) = deliver(&courier, &[at(server.address)]).await;
    assert!(answer.is_ok(), "{answer:?}");
    let (answer, _) = deliver(&courier, &[named(&format!("http://127.0.0.1:{port}"), Named::ByPeer)]).await;
    assert!(matches!(answer, Err(Failure::Forbidden { .. })), "{answer:?}");

    let open = Courier::new(Policy { allow_private: true }, deliver::Limits::default());
    let (answer, _) = deliver(&open, &[named(&format!("http://localhost:{port}"), Named::ByPeer)]).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn link_local_addresses_are_never_used_and_https_says_that_it_is_not_there() {
    let (answer, _) = deliver(&courier(), &[named("http://169.254.169.254", Named::ByOperator)]).await;
    assert!(matches!(answer, Err(Failure::Forbidden { .. })), "{answer:?}");
    let (answer, _) = deliver(&courier(), &[named("https://example.org", Named::ByOperator)]).await;
    let failure = answer.expect_err("no https");
    assert!(matches!(failure, Failure::Https(_)) && failure.to_string().contains("not supported"), "{failure}");
}

#[tokio::test]
async fn a_location_may_have_a_path() {
    let (asked, mut heads) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n\r\n") {
            line.push(stream.read_u8().await.expect("the head goes on"));
        }
        asked.send(String::from_utf8(line).expect("ASCII")).ok();
    });
    let (answer, _) = deliver(&courier(), &[named(&format!("http://{address}/vats/a"), Named::ByOperator)]).await;
    assert!(matches!(answer, Err(Failure::Broken { .. })), "{answer:?}");
    let head = heads.recv().await.expect("it was asked");
    assert!(head.starts_with("POST /vats/a/v1/messages HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
}
