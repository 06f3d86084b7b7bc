//! What vats say to each other: what is read is written as it was, at every layer.

use qrt_shared::id::VatId;
use qrt_shared::wire::{
    Ack, Direction, Envelope, Frame, Kind, MessageId, Nonce, Plaintext, Request, RequestBuilder, RequestId, Response,
    Sequence, Tip, encode_response, refusal, void,
};

/// A layer: the first byte of an input says which one the rest is of.
const LAYERS: u8 = 5;

/// Something of each layer.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let from = VatId::from_bytes([9; 32]).expect("a key that a vat may have");
    let nonce = |kind| Nonce::new(kind, Direction::FromGreater, [3; 14], Sequence(7));
    let (message, ack) = (vec![5; 80], vec![6; 60]);
    let mut builder = RequestBuilder::new(from);
    let empty = builder.body(RequestId::from_bytes([1; 16]));
    for _ in 0..2 {
        assert!(builder.push(&Frame { nonce: nonce(Kind::Message), boxed: &message }), "two fit");
    }
    let (id, prev) = (MessageId::from_bytes([1; 16]), Tip::from_bytes([2; 32]));
    let json = r#"{"to":"25dm7gtavirl3bip5n3wr6xbwcetolul","args":[1,{"@qref":"qrt:hh46ccdcgbbpeemvlx6ddo3gwz4oxgw7bdmd4ago4a4b7gqjkjja/25dm7gtavirl3bip5n3wr6xbwcetolul"}],"at":["http://127.0.0.1:80"],"cause":"turn:1"}"#;
    let answer = Ack { re: RequestId::from_bytes([1; 16]), number: Sequence(7), tip: prev, bad: Some(1) };
    [
        (0, empty),
        (0, builder.body(RequestId::from_bytes([1; 16]))),
        (1, encode_response(from, &Frame { nonce: nonce(Kind::Ack), boxed: &ack })),
        (1, refusal(from)),
        (2, Plaintext { id, prev, json: json.as_bytes() }.encode()),
        (3, json.as_bytes().to_vec()),
        (3, void("dropped \"here\"").into_bytes()),
        (4, answer.encode()),
    ]
    .into_iter()
    .map(|(layer, bytes)| [&[layer], bytes.as_slice()].concat())
    .collect()
}

pub(super) fn run(input: &[u8]) {
    let Some((layer, bytes)) = input.split_first() else { return };
    match layer % LAYERS {
        0 => {
            let Ok(request) = Request::decode(bytes) else { return };
            let mut builder = RequestBuilder::new(request.from);
            assert!(request.frames.iter().all(|frame| builder.push(frame)), "what came in one request fits in one");
            assert_eq!(builder.body(request.id), bytes);
        }
        1 => {
            let Ok(response) = Response::decode(bytes) else { return };
            assert_eq!(encode_response(response.from, &response.frame), bytes);
        }
        2 => {
            let Ok(plaintext) = Plaintext::decode(bytes) else { return };
            assert_eq!(plaintext.encode(), bytes);
        }
        3 => match Envelope::read(bytes) {
            Ok(Envelope::Void { reason }) => {
                let again = Envelope::read(void(&reason).as_bytes());
                assert_eq!(again, Ok(Envelope::Void { reason }));
            }
            Ok(Envelope::Delivery(_)) => {
                serde_json::from_slice::<serde::de::IgnoredAny>(bytes).expect("a message is JSON");
            }
            Err(_) => {}
        },
        _ => {
            let Ok(ack) = Ack::decode(bytes) else { return };
            assert_eq!(Ack::decode(&ack.encode()), Ok(ack));
        }
    }
}
