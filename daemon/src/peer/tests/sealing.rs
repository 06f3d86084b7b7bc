//! What boxes promise.

use std::collections::HashSet;

use proptest::prelude::*;
use qrt_shared::wire::{
    Frame, PLAINTEXT_BYTES_MAX, Plaintext, Request, RequestBuilder, RequestId, Response, Sequence, Tip, encode_response,
};

use super::super::seal::{BadAck, Channel, NonceKey, OwnKey, Refused, Stored, TooLong};
use super::{ack, id, key, position};

/// Both ends of one channel.
fn channels() -> (Channel, Channel) {
    let (a, b) = (key(1), key(2));
    (Channel::new(&a, b.vat()).expect("another"), Channel::new(&b, a.vat()).expect("another"))
}

fn text(json: &[u8]) -> Plaintext<'_> {
    Plaintext { id: id(1), prev: Tip::ZERO, json }
}

fn stored(number: u64, json: &[u8]) -> Stored<'_> {
    Stored { number: Sequence(number), random: [5; 14], text: text(json) }
}

/// A request from key 1 of these frames.
fn request(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut request = RequestBuilder::new(key(1).vat());
    for frame in frames {
        assert!(request.push(frame));
    }
    request.body(RequestId::from_bytes([7; 16]))
}

#[test]
fn a_message_is_the_same_bytes_at_every_attempt() {
    let (a, _) = channels();
    let (again, _) = channels();
    let seal = |channel: &Channel| channel.seal_message(&stored(3, b"{}")).expect("short");
    assert_eq!(seal(&a), seal(&again));
}

#[test]
fn a_box_opens_only_as_what_it_was_made_for() {
    let (a, b) = channels();
    let sealed = a.seal_message(&stored(1, b"{}")).expect("short");
    let body = request(&[sealed.frame()]);
    let opened = b.open_request(&Request::decode(&body).expect("well-formed")).expect("it opens");
    assert_eq!(opened.messages[0].json, b"{}");
    assert_eq!(opened.bad, None);

    // An ack is no message, though its box would open and hold enough.
    let answer = a.seal_ack([5; 14], &ack(7, position([])));
    let body = request(&[answer.frame()]);
    assert_eq!(b.open_request(&Request::decode(&body).expect("well-formed")), Err(Refused));

    // A message is no ack.
    let body = encode_response(key(1).vat(), &sealed.frame());
    assert_eq!(b.open_ack(&Response::decode(&body).expect("well-formed")), Err(BadAck::Kind));

    // What we sent does not open when it comes back, as a message or as an answer.
    let reflected = b.seal_message(&stored(1, b"{}")).expect("short");
    let body = request(&[reflected.frame()]);
    assert_eq!(b.open_request(&Request::decode(&body).expect("well-formed")), Err(Refused));
    let body = encode_response(key(1).vat(), &b.seal_ack([5; 14], &ack(7, position([]))).frame());
    assert_eq!(b.open_ack(&Response::decode(&body).expect("well-formed")), Err(BadAck::Kind));
}

#[test]
fn every_frame_before_the_first_bad_one_is_opened_and_none_after_it() {
    let (a, b) = channels();
    let seal = |number| a.seal_message(&stored(number, b"{}")).expect("short");
    let (first, second, third) = (seal(1), seal(2), seal(3));
    let mut broken = second.frame().boxed.to_vec();
    broken[20] ^= 1;
    let bad = Frame { nonce: second.frame().nonce, boxed: &broken };
    let body = request(&[first.frame(), bad, third.frame()]);
    let opened = b.open_request(&Request::decode(&body).expect("well-formed")).expect("the first opens");
    assert_eq!((opened.messages.len(), opened.bad), (1, Some(1)));
}

#[test]
fn an_ack_proves_itself_or_nothing() {
    let (a, b) = channels();
    let said = ack(7, position([id(1)]));
    let sealed = b.seal_ack([5; 14], &said);
    let read = |from, frame: &Frame<'_>| {
        let body = encode_response(from, frame);
        a.open_ack(&Response::decode(&body).expect("well-formed"))
    };
    assert_eq!(read(key(2).vat(), &sealed.frame()), Ok(said));
    assert_eq!(read(key(3).vat(), &sealed.frame()), Err(BadAck::From(key(3).vat())));
    let mut broken = sealed.frame().boxed.to_vec();
    broken[0] ^= 1;
    let frame = Frame { nonce: sealed.frame().nonce, boxed: &broken };
    assert_eq!(read(key(2).vat(), &frame), Err(BadAck::Sealed));
    let short = Frame { nonce: sealed.frame().nonce, boxed: &broken[..16] };
    assert_eq!(read(key(2).vat(), &short), Err(BadAck::Sealed));
}

#[test]
fn a_vat_is_no_peer_of_itself() {
    assert_eq!(Channel::new(&key(1), key(1).vat()).err(), Some(OwnKey));
}

#[test]
fn a_text_too_long_for_receivers_is_not_sealed() {
    let (a, _) = channels();
    let longest = vec![b' '; PLAINTEXT_BYTES_MAX - Plaintext::HEAD_BYTES + 1];
    let seal = |json| a.seal_message(&stored(1, json)).map(|_| ());
    assert_eq!(seal(&longest[1..]), Ok(()));
    assert_eq!(seal(&longest), Err(TooLong { bytes: PLAINTEXT_BYTES_MAX + 1 }));
}

#[test]
fn a_request_takes_the_oldest_messages_that_fit_and_each_attempt_has_its_own_id() {
    let (a, b) = channels();
    let long = vec![b' '; 1 << 20];
    let request = a.request((1..=9).map(|number| stored(number, &long))).expect("none is too long");
    assert_eq!(request.frames(), 3);
    for name in [[1; 16], [2; 16]] {
        let body = request.body(RequestId::from_bytes(name));
        let opened = b.open_request(&Request::decode(&body).expect("well-formed")).expect("it opens");
        assert_eq!(opened.id, RequestId::from_bytes(name));
        assert_eq!(opened.messages.iter().map(|m| m.head.number.0).collect::<Vec<_>>(), [1, 2, 3]);
    }
    assert_eq!(a.request([]).expect("a question").frames(), 0);
    assert_eq!(a.request((1..=300).map(|number| stored(number, b"{}"))).expect("short").frames(), 256);
}

#[test]
fn a_cloned_machine_draws_another_nonce_for_any_other_text() {
    let key = key(1);
    let nonces = NonceKey::new(&key);
    // The very same "randomness" every time.
    let fresh = [9; 32];
    let (two, three) = (super::key(2).vat(), super::key(3).vat());
    let mut drawn = HashSet::new();
    for peer in [two, three] {
        for number in [Sequence(1), Sequence(2)] {
            for id in [id(1), id(2)] {
                for json in [b"{}".as_slice(), b"{ }"] {
                    let text = Plaintext { id, prev: Tip::ZERO, json };
                    assert!(drawn.insert(nonces.message(&fresh, peer, number, &text)));
                    assert_eq!(nonces.message(&fresh, peer, number, &text).len(), 14);
                }
            }
        }
        assert!(drawn.insert(nonces.ack(&fresh, peer, &ack(1, position([id(1)])))));
    }
    let text = text(b"{}");
    assert_ne!(nonces.message(&[8; 32], two, Sequence(1), &text), nonces.message(&fresh, two, Sequence(1), &text));
    let other = NonceKey::new(&super::key(4));
    assert_ne!(other.message(&fresh, two, Sequence(1), &text), nonces.message(&fresh, two, Sequence(1), &text));
}

#[test]
fn no_secret_shows_in_debug() {
    let (a, _) = channels();
    let shown = format!("{a:?} {:?} {:?}", key(1), NonceKey::new(&key(1)));
    assert!(!shown.contains("0101") && !shown.contains("[1, 1"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_flipped_bit_makes_a_frame_bad(json in proptest::collection::vec(any::<u8>(), 0..64), flip in any::<prop::sample::Index>()) {
        let (a, b) = channels();
        let sealed = a.seal_message(&stored(1, &json)).expect("short");
        let mut body = request(&[sealed.frame()]);
        let bits = (body.len() - Request::HEAD_BYTES - 4) * 8;
        let bit = (Request::HEAD_BYTES + 4) * 8 + flip.index(bits);
        body[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(b.open_request(&Request::decode(&body).expect("well-formed")), Err(Refused));
    }
}
