//! Every exchange and every case of the vectors, in both directions.

use data_encoding::HEXLOWER;
use qrt_shared::wire::{
    Envelope, Frame, Meaningless, MessageId, Plaintext, Request, RequestBuilder, RequestId, Response, Sequence, Tip,
    refusal,
};
use serde_json::Value;

use super::super::seal::{Channel, Stored};
use super::super::session::{Answer, Outbound};
use super::{Receiver, position};
use crate::key::Key;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/wire.json")).expect("the vectors are JSON")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is a text"))
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(text(value, field).as_bytes()).expect("hex")
}

fn array<const N: usize>(value: &Value, field: &str) -> [u8; N] {
    bytes(value, field).try_into().expect("its length")
}

fn list<'a>(value: &'a Value, field: &str) -> &'a Vec<Value> {
    value[field].as_array().unwrap_or_else(|| panic!("{field} is a list"))
}

fn key(exchange: &Value, end: &str) -> Key {
    let key = Key::from_bytes(array(exchange, &format!("{end}_secret_key"))).expect("a usable key");
    assert_eq!(key.vat().to_string(), text(exchange, &format!("{end}_vat")));
    key
}

fn ids(exchange: &Value) -> Vec<MessageId> {
    list(exchange, "messages").iter().map(|message| MessageId::from_bytes(array(message, "id"))).collect()
}

/// What the sender of an exchange makes of its messages: its half of the channel, and the request.
fn sent(exchange: &Value) -> (Channel, Outbound, RequestId, Vec<u8>) {
    let sender = key(exchange, "sender");
    let channel = Channel::new(&sender, text(exchange, "receiver_vat").parse().expect("a vat")).expect("another");
    let id = RequestId::from_bytes(array(exchange, "request_id"));
    let mut outbound = Outbound::default();
    let mut request = RequestBuilder::new(sender.vat());
    for message in list(exchange, "messages") {
        let id = MessageId::from_bytes(array(message, "id"));
        let numbered = outbound.push(&id).expect("far from the end");
        assert_eq!(numbered.number, Sequence(message["counter"].as_u64().expect("a number")));
        assert_eq!(numbered.prev, Tip::from_bytes(array(message, "prev")));
        let plaintext = Plaintext { id, prev: numbered.prev, json: text(message, "json").as_bytes() };
        let stored = Stored { number: numbered.number, random: array(message, "random"), text: plaintext };
        let sealed = channel.seal_message(&stored).expect("short");
        assert!(request.push(&sealed.frame()));
    }
    (channel, outbound, id, request.body(id))
}

/// The random part of the nonce the vectors' receiver used.
fn random_of(frame: &Frame<'_>) -> [u8; 14] {
    frame.nonce.as_bytes()[2..16].try_into().expect("fourteen")
}

#[test]
fn every_exchange_goes_both_ways_to_the_byte() {
    let vectors = vectors();
    assert_eq!(list(&vectors, "exchanges").len(), 2, "one each way");
    for exchange in list(&vectors, "exchanges") {
        let (channel, mut outbound, id, request) = sent(exchange);
        assert_eq!(request, bytes(exchange, "request"));

        let wanted = bytes(exchange, "response");
        let nonce = random_of(&Response::decode(&wanted).expect("well-formed").frame);
        let mut receiver = Receiver::new(key(exchange, "receiver"), position([]));
        assert_eq!(receiver.receive(&request, Some(nonce)), (200, wanted.clone()));
        let accepted: Vec<&[u8]> = receiver.accepted.iter().map(|message| message.json.as_slice()).collect();
        let sent: Vec<&[u8]> = list(exchange, "messages").iter().map(|m| text(m, "json").as_bytes()).collect();
        assert_eq!(accepted, sent);

        let ack = channel.open_ack(&Response::decode(&wanted).expect("well-formed")).expect("an ack");
        assert_eq!(ack.encode(), text(exchange, "ack_plaintext").as_bytes());
        let answer = outbound.answer(&outbound.asked(id), &ack, ids(exchange));
        assert_eq!(answer, Answer::Fits { drop_to: outbound.last.number, cleared: false });
        assert_eq!((outbound.held(), outbound.acked), (0, receiver.position));
    }
}

#[test]
fn every_case_ends_as_the_vectors_say() {
    let vectors = vectors();
    let exchange = &list(&vectors, "exchanges")[0];
    let ids = ids(exchange);
    assert!(list(&vectors, "cases").len() >= 18);
    for case in list(&vectors, "cases") {
        let why = text(case, "why");
        let before = usize::try_from(case["receiver_last_in_before"].as_u64().expect("a number")).expect("few");
        let mut receiver = Receiver::new(key(exchange, "receiver"), position(ids[..before].iter().copied()));
        let request = bytes(case, "request");
        let (status, body) = receiver.receive(&request, None);
        assert_eq!(u64::from(status), case["status"].as_u64().expect("a status"), "{why}");
        assert_eq!(receiver.position.number.0, case["receiver_last_in_after"].as_u64().expect("a number"), "{why}");
        if status != 200 {
            assert_eq!(body, refusal(receiver.key.vat()), "{why}");
            continue;
        }
        // The sender reads the answer: it names this request, the receiver's place, and the bad frame.
        let sender = key(exchange, "sender");
        let channel = Channel::new(&sender, receiver.key.vat()).expect("another");
        let ack = channel.open_ack(&Response::decode(&body).expect("well-formed")).expect("an ack");
        assert_eq!(ack.re, Request::decode(&request).expect("well-formed").id, "{why}");
        assert_eq!(ack.position(), receiver.position, "{why}");
        assert_eq!(ack.bad.map(u64::from), case["bad"].as_u64(), "{why}");
        let said: Vec<_> = receiver.accepted.iter().map(|message| Envelope::read(&message.json)).collect();
        if why.starts_with("void") {
            assert!(matches!(said.as_slice(), [Ok(Envelope::Void { .. }), Ok(Envelope::Delivery(_))]), "{said:?}");
        }
        if why.contains("not JSON") {
            assert!(matches!(said.as_slice(), [Err(Meaningless::Utf8 | Meaningless::Json(_))]), "{said:?}");
        }
    }
}
