use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::id::VatId;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/wire.json")).expect("the vectors are JSON")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is a text"))
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text(value, field).as_bytes()).expect("hex")
}

fn array<const N: usize>(value: &Value, field: &str) -> [u8; N] {
    bytes(value, field).try_into().expect("its length")
}

fn exchanges() -> Vec<Value> {
    vectors()["exchanges"].as_array().expect("exchanges").clone()
}

fn messages(exchange: &Value) -> &Vec<Value> {
    exchange["messages"].as_array().expect("messages")
}

fn vat(byte: u8) -> VatId {
    let mut bytes = [byte; 32];
    bytes[31] = 0;
    VatId::from_bytes(bytes).expect("a usable key")
}

#[test]
fn requests_and_responses_of_the_vectors_are_taken_apart_and_put_together_to_the_byte() {
    for exchange in exchanges() {
        let body = bytes(&exchange, "request");
        let request = Request::decode(&body).expect("well-formed");
        assert_eq!(request.from, text(&exchange, "sender_vat").parse().expect("a vat"));
        assert_eq!(request.id.to_string(), text(&exchange, "request_id"));
        let mut builder = RequestBuilder::new(request.from);
        for (frame, message) in request.frames.iter().zip(messages(&exchange)) {
            assert_eq!(frame.nonce.as_bytes(), &array(message, "nonce"));
            let mut framed = Vec::new();
            framed.extend(u32::try_from(frame.wire_bytes() - 4).expect("small").to_be_bytes());
            framed.extend(frame.nonce.as_bytes());
            framed.extend(frame.boxed);
            assert_eq!(framed, bytes(message, "frame"));
            assert!(builder.push(frame));
        }
        assert_eq!(builder.frames(), messages(&exchange).len());
        assert_eq!(builder.body(request.id), body);

        let body = bytes(&exchange, "response");
        let response = Response::decode(&body).expect("well-formed");
        assert_eq!(response.from, text(&exchange, "receiver_vat").parse().expect("a vat"));
        assert_eq!(encode_response(response.from, &response.frame), body);
        assert_eq!(refusal(response.from), body[..36]);
    }
}

#[test]
fn nonces_say_kind_direction_and_counter() {
    for exchange in exchanges() {
        let (from, to): (VatId, VatId) = (
            text(&exchange, "sender_vat").parse().expect("a vat"),
            text(&exchange, "receiver_vat").parse().expect("a vat"),
        );
        for message in messages(&exchange) {
            let counter = Sequence(message["counter"].as_u64().expect("a number"));
            let nonce = Nonce::new(Kind::Message, Direction::of(from, to), array(message, "random"), counter);
            assert_eq!(nonce.as_bytes(), &array(message, "nonce"));
            assert_eq!(nonce.kind(), Some(Kind::Message));
            assert_eq!(nonce.direction(), Some(Direction::of(from, to)));
            assert_ne!(nonce.direction(), Some(Direction::of(to, from)), "a reflected box shows");
            assert_eq!(nonce.counter(), counter);
        }
    }
    let odd = Nonce::from_bytes([3; 24]);
    assert_eq!((odd.kind(), odd.direction()), (None, None));
}

#[test]
fn tips_name_the_whole_history() {
    for exchange in exchanges() {
        let tips = exchange["tips"].as_array().expect("tips");
        let mut position = Position::default();
        for (message, tips) in messages(&exchange).iter().zip(tips.windows(2)) {
            assert_eq!(position.tip.to_string(), tips[0].as_str().expect("hex"));
            assert_eq!(position.tip.as_bytes(), &array(message, "prev"));
            position = position.next(&MessageId::from_bytes(array(message, "id"))).expect("far from the end");
            assert_eq!(position.tip.to_string(), tips[1].as_str().expect("hex"));
        }
    }
}

#[test]
fn numbers_end_where_the_database_does() {
    let last = Position { number: Sequence::MAX, tip: Tip::ZERO };
    assert_eq!(last.next(&MessageId::from_bytes([0; 16])), None);
    assert_eq!(Sequence(u64::MAX).next(), None);
}

#[test]
fn acks_are_written_as_the_vectors_have_them() {
    for exchange in exchanges() {
        let plain = text(&exchange, "ack_plaintext");
        let ack = Ack::decode(plain.as_bytes()).expect("an ack");
        assert_eq!(ack.encode(), plain.as_bytes());
        let bad = Ack { bad: Some(1), ..ack };
        assert_eq!(String::from_utf8(bad.encode()).expect("JSON"), plain.replace('}', r#","bad":1}"#));
        assert_eq!(Ack::decode(&bad.encode()), Ok(bad));
        let newer = plain.replace('}', r#","later":[{}]}"#);
        assert_eq!(Ack::decode(newer.as_bytes()), Ok(ack));
    }
    let (re, tip) = ("00".repeat(16), "00".repeat(32));
    for bad in [
        String::new(),
        "{}".to_owned(),
        format!(r#"["{re}",0,"{tip}"]"#),
        format!(r#"{{"re":"{re}","ack":-1,"tip":"{tip}"}}"#),
        format!(r#"{{"re":"{re}","ack":1.5,"tip":"{tip}"}}"#),
        format!(r#"{{"re":"{re}","ack":0,"tip":"{}"}}"#, "AA".repeat(32)),
        format!(r#"{{"re":"{}","ack":0,"tip":"{tip}"}}"#, &re[1..]),
        format!(r#"{{"re":"{re}","ack":0,"tip":"{tip}"}} "#) + "x",
    ] {
        assert!(matches!(Ack::decode(bad.as_bytes()), Err(Error::Ack(_))), "{bad}");
    }
}

#[test]
fn messages_of_the_vectors_say_what_their_json_says() {
    for exchange in exchanges() {
        for message in messages(&exchange) {
            let json = text(message, "json");
            let id = MessageId::from_bytes(array(message, "id"));
            let plaintext = Plaintext { id, prev: Tip::from_bytes(array(message, "prev")), json: json.as_bytes() };
            assert_eq!(Plaintext::decode(&plaintext.encode()), Ok(plaintext));
            let Ok(Envelope::Delivery(read)) = Envelope::read(json.as_bytes()) else { panic!("{json}") };
            let args: Vec<_> = read.args.references.clone();
            let outgoing = Outgoing {
                to: read.to,
                args: &read.args.text,
                at: &read.at,
                cause: read.cause.as_deref(),
                resolver: read.resolver.as_ref(),
            };
            let name = |number| args.get(usize::try_from(number).ok()?).cloned();
            assert_eq!(outgoing.write(name).expect("inside form"), json);
        }
    }
}

const TO: &str = "7z2fziy4eazx2seb54ittqs77cr5lfj3";
const QRID: &str = "qrt:rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q/7z2fziy4eazx2seb54ittqs77cr5lfj3";

fn delivery(json: &str) -> Delivery {
    match Envelope::read(json.as_bytes()) {
        Ok(Envelope::Delivery(delivery)) => *delivery,
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn unknown_fields_and_unreadable_extras_do_not_cost_a_message() {
    let plain = delivery(&format!(r#"{{"to":"{TO}"}}"#));
    assert_eq!(plain.args.text, "null");
    let same = delivery(&format!(
        r#" {{"later":{{"a":[1]}},"to":"{TO}","at":7,"cause":[],"resolver":{{"@qref":1}},"args":null,"void":null}}"#
    ));
    assert_eq!(same, plain);
    let at: Vec<String> = (0..9).map(|n| format!(r#""http://h:{n}""#)).collect();
    let told = delivery(&format!(r#"{{"to":"{TO}","at":["ftp://x",3,{}]}}"#, at.join(",")));
    assert_eq!(told.at.len(), LOCATIONS_MAX - 2, "the first eight are looked at, two of them are no locations");
    let resolver = delivery(&format!(r#"{{"to":"{TO}","resolver":{{"@qref":"{QRID}"}}}}"#)).resolver;
    assert_eq!(resolver, Some(QRID.parse().expect("a QRID")));
}

#[test]
fn a_void_is_not_a_message() {
    let read = |reason: &str| Envelope::read(void(reason).as_bytes());
    assert_eq!(read("no \"use\""), Ok(Envelope::Void { reason: "no \"use\"".to_owned() }));
}

#[test]
fn what_means_nothing_is_told_apart_from_what_is_malformed() {
    use Meaningless as M;
    let args = |args: &str| format!(r#"{{"to":"{TO}","args":{args}}}"#).into_bytes();
    let read = |json: &[u8]| Envelope::read(json).expect_err("means nothing");
    assert!(matches!(read(b"\xff"), M::Utf8));
    assert!(matches!(read(b"not JSON"), M::Json(_)));
    assert!(matches!(read(b""), M::Json(_)));
    assert!(matches!(read(format!(r#"["{TO}",null]"#).as_bytes()), M::Json(_)));
    assert!(matches!(read(format!(r#"{{"to":"{TO}","to":"{TO}"}}"#).as_bytes()), M::Json(_)));
    assert!(matches!(read(format!(r#"{{"to":"{TO}","void":"x"}}"#).as_bytes()), M::Json(_)));
    assert!(matches!(read(br#"{"void":1}"#), M::Json(_)));
    assert!(matches!(read(b"{}"), M::To(_)));
    assert!(matches!(read(br#"{"to":"x"}"#), M::To(_)));
    assert!(matches!(read(&args(r#"{"@other":1}"#)), M::Args(_)));
    assert!(matches!(read(&args("1e999")), M::Args(_)));
    assert!(matches!(read(&args(&format!("{}{}", "[".repeat(129), "]".repeat(129)))), M::Args(_)));
    assert!(matches!(read(&args(&"[".repeat(100_000))), M::Json(_)), "and no stack is used up");
    assert!(matches!(read(&args(&format!("\"{}\"", "x".repeat(1 << 20)))), M::TooLarge { .. }));
}

#[test]
fn args_carry_hints_and_what_would_not_fit_is_left_out() {
    let hint = |n: usize| format!("http://{}.example:{n}", "h".repeat(200));
    let hinted = |n: usize| {
        format!("{QRID}?at={}", percent_encoding::utf8_percent_encode(&hint(n), percent_encoding::NON_ALPHANUMERIC))
    };
    let read = delivery(&format!(
        r#"{{"to":"{TO}","args":[{{"@qref":"{}"}},{{"@qref":"{QRID}"}},{{"@qref":"{}"}}]}}"#,
        hinted(1),
        hinted(2)
    ));
    assert_eq!(read.args.text, r#"[{"@qref":0},{"@qref":0},{"@qref":0}]"#);
    let at: Vec<String> = read.args.references[0].at.iter().map(ToString::to_string).collect();
    assert_eq!(at, [hint(1), hint(2)]);

    // As many References as args may have, each with four long hints, and the longest of all else.
    let mut qrid = read.args.references[0].clone();
    qrid.at = (0..4).map(|n| hint(n).parse().expect("a location")).collect();
    let references = vec![r#"{"@qref":0}"#; (1 << 20) / 129];
    let args = format!("[{}]", references.join(","));
    let long = format!("http://h/{}", "\"".repeat(1000)).parse();
    let at = vec![long.expect("the longest location"); 9];
    let cause = "\u{1}".repeat(CAUSE_BYTES_MAX);
    let outgoing = Outgoing { to: read.to, args: &args, at: &at, cause: Some(&cause), resolver: Some(&qrid) };
    let json = outgoing.write(|_| Some(qrid.clone())).expect("inside form");
    assert!(json.contains("?at="), "some hints fit");
    assert!(Plaintext::HEAD_BYTES + json.len() <= PLAINTEXT_BYTES_MAX);
    let back = delivery(&json);
    assert_eq!(back.args.text, args);
    assert_eq!(back.args.references[0].at, qrid.at);
    assert_eq!(back.at.len(), LOCATIONS_MAX);
}

/// A body of frames of these lengths, all zeros.
fn body(lengths: &[usize]) -> Vec<u8> {
    let mut bytes = RequestBuilder::new(vat(9)).body(RequestId::from_bytes([7; 16]));
    for length in lengths {
        bytes.extend(u32::try_from(*length).expect("small").to_be_bytes());
        bytes.resize(bytes.len() + length, 0);
    }
    bytes
}

#[test]
fn every_limit_is_held_at_its_edge() {
    assert_eq!(Request::decode(&body(&[])).expect("a question").frames, []);
    assert!(Request::decode(&body(&[88])).is_ok());
    assert_eq!(Request::decode(&body(&[87])), Err(Error::FrameShort { bytes: 87, min: 88 }));
    assert_eq!(Request::decode(&body(&[88; 256])).expect("full").frames.len(), 256);
    assert_eq!(Request::decode(&body(&[88; 257])), Err(Error::Frames));
    assert!(Request::decode(&body(&[FRAME_BYTES_MAX])).is_ok());
    let long = Request::decode(&body(&[FRAME_BYTES_MAX + 1])).expect_err("too long");
    assert!(long.is_size(), "{long}");
    let mut claims = body(&[88]);
    claims[Request::HEAD_BYTES] = 0xff;
    assert_eq!(Request::decode(&claims), Err(Error::Truncated { what: "a frame" }));
    let third = (REQUEST_BYTES_MAX - Request::HEAD_BYTES) / 4 - 4;
    let mut full = body(&[third, third, third, third]);
    assert_eq!(full.len(), REQUEST_BYTES_MAX);
    assert!(Request::decode(&full).is_ok());
    full.push(0);
    assert_eq!(Request::decode(&full), Err(Error::RequestLong { bytes: REQUEST_BYTES_MAX + 1 }));
}

#[test]
fn a_builder_says_beforehand_what_fits() {
    let boxed = vec![0; TAG_BYTES + PLAINTEXT_BYTES_MAX];
    let frame = Frame { nonce: Nonce::from_bytes([1; 24]), boxed: &boxed };
    let mut builder = RequestBuilder::new(vat(9));
    while builder.fits(PLAINTEXT_BYTES_MAX) {
        assert!(builder.push(&frame));
    }
    assert!(!builder.push(&frame));
    assert_eq!(builder.frames(), 3);
    let small = Frame { nonce: frame.nonce, boxed: &boxed[..64] };
    while builder.fits(48) {
        assert!(builder.push(&small));
    }
    assert!(!builder.push(&small));
    assert_eq!(builder.frames(), FRAMES_MAX);
    assert!(Request::decode(&builder.body(RequestId::from_bytes([7; 16]))).is_ok());
}

#[test]
fn a_request_cut_anywhere_but_between_frames_is_malformed() {
    let whole = body(&[88, 90]);
    let between = [Request::HEAD_BYTES, Request::HEAD_BYTES + 92, whole.len()];
    for end in 0..=whole.len() {
        assert_eq!(Request::decode(&whole[..end]).is_ok(), between.contains(&end), "{end}");
    }
    let (mut magic, mut key) = (whole.clone(), whole);
    magic[0] ^= 1;
    assert_eq!(Request::decode(&magic), Err(Error::Magic));
    key[35] = 0x80;
    assert!(matches!(Request::decode(&key), Err(Error::Key(_))));
}

#[test]
fn a_response_has_one_frame_and_nothing_after_it() {
    let boxed = [0; 40];
    let ack = Frame { nonce: Nonce::from_bytes([2; 24]), boxed: &boxed };
    let whole = encode_response(vat(9), &ack);
    assert_eq!(Response::decode(&whole), Ok(Response { from: vat(9), frame: ack }));
    for end in 0..whole.len() {
        assert!(Response::decode(&whole[..end]).is_err(), "{end}");
    }
    assert_eq!(Response::decode(&[whole.as_slice(), b"x"].concat()), Err(Error::Trailing { bytes: 1 }));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoders_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let framed = [body(&[]).as_slice(), &bytes].concat();
        for bytes in [&bytes, &framed] {
            if let Ok(request) = Request::decode(bytes) {
                let mut builder = RequestBuilder::new(request.from);
                prop_assert!(request.frames.iter().all(|frame| builder.push(frame)));
                prop_assert_eq!(&builder.body(request.id), bytes);
            }
            Response::decode(bytes).ok();
        }
        Ack::decode(&bytes).ok();
        Envelope::read(&bytes).ok();
        if let Ok(plaintext) = Plaintext::decode(&bytes) {
            prop_assert_eq!(plaintext.encode(), bytes);
        }
    }

    #[test]
    fn no_json_makes_the_envelope_panic(json in r#"\{("(to|args|at|void|cause|resolver|x)":(null|"[a-z2-7]{0,33}"|[0-9]{1,4}|\[\]|\{\}),?){0,5}\}"#) {
        Envelope::read(json.as_bytes()).ok();
    }
}
