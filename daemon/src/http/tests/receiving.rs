//! The server and bad clients.

use qrt_shared::wire::{Request, Response, refusal};
use tokio::time::timeout;

use super::super::gate::Rate;
use super::*;

const ID: [u8; 16] = [7; 16];

fn good(count: u8) -> Vec<u8> {
    post(&request(RequestId::from_bytes(ID), count))
}

#[tokio::test]
async fn what_is_accepted_is_acked_in_a_box_that_opens() {
    let server = server(limits()).await;
    let seen = ask(&server, &good(3)).await;
    assert_eq!(seen.status, 200);
    assert!(seen.head.contains("content-type: application/vnd.qrt.box"));
    let channel = Channel::new(&key(SENDER), key(RECEIVER).vat()).expect("another");
    let ack = channel.open_ack(&Response::decode(&seen.body).expect("well-formed")).expect("an ack");
    assert_eq!((ack.re, ack.number, ack.bad), (RequestId::from_bytes(ID), Sequence(3), None));
    assert_eq!(server.model.last_in(), 3);
}

#[tokio::test]
async fn an_answer_waits_for_the_commit() {
    let server = server(limits()).await;
    let commits = server.model.commits.lock().await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    stream.write_all(&good(1)).await.expect("it reads");
    server.model.came.notified().await;
    let mut byte = [0];
    assert!(timeout(SHORT, stream.read(&mut byte)).await.is_err(), "nothing is said before the commit");
    drop(commits);
    assert_eq!(read_answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn a_commit_that_does_not_come_is_no_ack() {
    let server = server(Limits { answer: SHORT, ..limits() }).await;
    let _commits = server.model.commits.lock().await;
    let seen = ask(&server, &good(1)).await;
    assert_eq!(seen.status, 503);
    assert!(seen.head.contains("retry-after: "), "{}", seen.head);
}

#[tokio::test]
async fn only_post_v1_messages_is_served() {
    let server = server(limits()).await;
    for (line, status) in [
        ("GET / HTTP/1.1", 404),
        ("POST /v1/message HTTP/1.1", 404),
        ("POST /v1/messages/ HTTP/1.1", 404),
        ("GET /v1/messages HTTP/1.1", 405),
        ("PUT /v1/messages HTTP/1.1", 405),
        ("POST /v1/messages HTTP/1.1", 415),
    ] {
        let seen = ask(&server, format!("{line}\r\nhost: x\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        assert_eq!(seen.status, status, "{line}");
        assert_eq!(seen.head.contains("allow: post"), status == 405, "{line}");
    }
    let whole = good(1);
    let shouted = String::from_utf8_lossy(&whole[..100]).replace("vnd.qrt.box", "VND.QRT.box; v=1").into_bytes();
    assert_eq!(ask(&server, &[&shouted, &whole[100..]].concat()).await.status, 200);
    let json = good(1);
    let json = String::from_utf8_lossy(&json).replace("application/vnd.qrt.box", "application/json");
    assert_eq!(ask(&server, json.as_bytes()).await.status, 415);
    assert_eq!(server.model.last_in(), 1, "only the one with the right type");
}

#[tokio::test]
async fn what_is_malformed_or_does_not_open_gets_one_and_the_same_answer() {
    let server = server(limits()).await;
    let whole = request(RequestId::from_bytes(ID), 2);
    let mut unopened = whole.clone();
    unopened[Request::HEAD_BYTES + 60] ^= 1;
    let mut own = whole.clone();
    own[4..36].copy_from_slice(key(RECEIVER).vat().as_bytes());
    let mut stranger = whole.clone();
    stranger[4..36].copy_from_slice(key(3).vat().as_bytes());
    let mut no_key = whole.clone();
    no_key[4..36].fill(0);
    for bad in [b"".to_vec(), b"QRT2".to_vec(), whole[..whole.len() - 1].to_vec(), unopened, own, stranger, no_key] {
        let seen = ask(&server, &post(&bad)).await;
        assert_eq!((seen.status, seen.body), (400, refusal(key(RECEIVER).vat())), "{} bytes", bad.len());
    }
    assert_eq!(server.model.last_in(), 0);
}

#[tokio::test]
async fn a_bad_frame_behind_good_ones_is_named_in_the_ack() {
    let server = server(limits()).await;
    let mut body = request(RequestId::from_bytes(ID), 2);
    let end = body.len() - 1;
    body[end] ^= 1;
    let seen = ask(&server, &post(&body)).await;
    assert_eq!(seen.status, 200);
    let channel = Channel::new(&key(SENDER), key(RECEIVER).vat()).expect("another");
    let ack = channel.open_ack(&Response::decode(&seen.body).expect("well-formed")).expect("an ack");
    assert_eq!((ack.number, ack.bad), (Sequence(1), Some(1)));
}

#[tokio::test]
async fn a_body_too_large_is_refused_by_what_it_claims_and_by_what_it_is() {
    let server = server(limits()).await;
    let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/vnd.qrt.box\r\n";
    let seen = ask(&server, format!("{head}content-length: 4194305\r\n\r\n").as_bytes()).await;
    assert_eq!((seen.status, seen.body), (413, refusal(key(RECEIVER).vat())));
    assert!(seen.head.contains("connection: close"), "{}", seen.head);

    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.expect("it reads");
    let chunk = [b"10000\r\n".as_slice(), &vec![0; 0x10000], b"\r\n"].concat();
    for _ in 0..64 {
        stream.write_all(&chunk).await.expect("it reads 4 MiB");
    }
    stream.write_all(b"1\r\n").await.expect("it reads");
    stream.write_all(b"x").await.expect("it reads");
    assert_eq!(read_answer(&mut stream).await.status, 413);

    // 4 MiB exactly are read, and then found to be no request.
    assert_eq!(ask(&server, &post(&vec![0; 4 << 20])).await.status, 400);
}

#[tokio::test]
async fn heads_too_large_are_refused() {
    let server = server(limits()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(ask(&server, long.as_bytes()).await.status, 431);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(40));
    assert_eq!(ask(&server, many.as_bytes()).await.status, 431);
    assert_eq!(ask(&server, b"\x16\x03\x01\x02\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn a_slow_head_an_idle_connection_and_a_silent_one_lose_their_place() {
    let server = server(Limits { head: SHORT, ..limits() }).await;
    let mut silent = TcpStream::connect(server.address).await.expect("it listens");
    let mut slow = TcpStream::connect(server.address).await.expect("it listens");
    slow.write_all(b"POST /v1/messages HTTP/1.1\r\nhost").await.expect("it reads");
    let mut idle = TcpStream::connect(server.address).await.expect("it listens");
    idle.write_all(&good(1)).await.expect("it reads");
    assert_eq!(read_answer(&mut idle).await.status, 200);
    timeout(LONG, async { tokio::join!(closed(&mut silent), closed(&mut slow), closed(&mut idle)) })
        .await
        .expect("all are closed");
}

#[tokio::test]
async fn a_slow_body_is_late() {
    let server = server(Limits { body: SHORT, ..limits() }).await;
    let whole = good(1);
    let seen = ask(&server, &whole[..whole.len() - 1]).await;
    assert_eq!((seen.status, seen.body), (408, refusal(key(RECEIVER).vat())));
    assert_eq!(server.model.last_in(), 0);
}

#[tokio::test]
async fn a_client_that_breaks_off_changes_nothing() {
    let server = server(limits()).await;
    let whole = good(1);
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    stream.write_all(&whole[..whole.len() - 1]).await.expect("it reads");
    stream.shutdown().await.expect("it was open");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    assert_eq!(server.model.last_in(), 0);
    assert_eq!(ask(&server, &whole).await.status, 200);
}

#[tokio::test]
async fn a_client_that_never_reads_its_answers_is_cut() {
    let server = server(Limits { head: SHORT, ..limits() }).await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let bad = post(b"QRT2").repeat(100);
    let cut = async { while stream.write_all(&bad).await.is_ok() {} };
    timeout(LONG, cut).await.expect("writing fails once the server has cut the connection");
}

#[tokio::test]
async fn connections_of_one_address_are_limited_and_a_free_place_is_used() {
    let gate = gate::Limits { connections_per_address: 2, ..limits().gate };
    let server = server(Limits { gate, ..limits() }).await;
    let mut first = TcpStream::connect(server.address).await.expect("it listens");
    first.write_all(&good(1)).await.expect("it reads");
    assert_eq!(read_answer(&mut first).await.status, 200);
    let mut second = TcpStream::connect(server.address).await.expect("it listens");
    second.write_all(&good(1)).await.expect("it reads");
    assert_eq!(read_answer(&mut second).await.status, 200);
    assert_eq!(server.receiver.connections(), 2);
    let mut third = TcpStream::connect(server.address).await.expect("the system accepts it");
    assert_eq!(read_answer(&mut third).await.status, 503);
    closed(&mut third).await;

    first.shutdown().await.expect("it was open");
    closed(&mut first).await;
    // The place is free once the server's task has ended, which nobody tells: ask until then.
    let free = async {
        while server.receiver.connections() > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, free).await.expect("the place comes back");
    assert_eq!(ask(&server, &good(1)).await.status, 200);
}

#[tokio::test]
async fn requests_of_one_address_are_limited() {
    let requests = Rate { per_second: 0.001, burst: 2.0 };
    let gate = gate::Limits { requests, ..limits().gate };
    let server = server(Limits { gate, ..limits() }).await;
    assert_eq!(ask(&server, &good(1)).await.status, 200);
    assert_eq!(ask(&server, &good(1)).await.status, 200);
    let seen = ask(&server, &good(1)).await;
    assert_eq!(seen.status, 429);
    assert!(seen.head.contains("retry-after: 10"), "about a thousand seconds: {}", seen.head);
}

#[tokio::test]
async fn senders_whose_keys_are_not_kept_are_limited_and_those_who_proved_themselves_are_not() {
    let strangers = Rate { per_second: 0.001, burst: 1.0 };
    let gate = gate::Limits { strangers, ..limits().gate };
    let server = server(Limits { gate, ..limits() }).await;
    assert_eq!(ask(&server, &good(1)).await.status, 200);
    let mut stranger = request(RequestId::from_bytes(ID), 1);
    stranger[4..36].copy_from_slice(key(3).vat().as_bytes());
    assert_eq!(ask(&server, &post(&stranger)).await.status, 429);
    assert_eq!(ask(&server, &good(1)).await.status, 200);
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_refused() {
    let gate = gate::Limits { body_bytes: 1000, ..limits().gate };
    let server = server(Limits { gate, ..limits() }).await;
    let seen = ask(&server, &post(&[0; 1001])).await;
    assert_eq!(seen.status, 503);
    assert_eq!(ask(&server, &good(1)).await.status, 200, "and the memory comes back");
}

#[tokio::test]
async fn an_inbox_that_refuses_is_told_with_a_time() {
    let server = server(limits()).await;
    let retry_after = Duration::from_secs(7);
    for (refused, status) in [(Refused::TooMuch { retry_after }, 429), (Refused::Unavailable { retry_after }, 503)] {
        *server.model.refuses.lock().expect("not poisoned") = Some(refused);
        let seen = ask(&server, &good(1)).await;
        assert_eq!(seen.status, status);
        assert!(seen.head.contains("retry-after: 7"), "{}", seen.head);
    }
    assert_eq!(server.model.last_in(), 0);
}
