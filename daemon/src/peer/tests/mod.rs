//! The protocol's claims: against the vectors, by hand, and against a model that knows everything.

mod model;
mod sealing;
mod sessions;
mod vectors;

use qrt_shared::wire::{Ack, MessageId, Position, Request, encode_response, refusal};

use super::seal::{Channel, NonceKey, Opened};
use super::session::intake_request;
use crate::key::Key;

/// A receiver as small as one can be: what `http/receive` and the kernel do together, without either.
pub(super) struct Receiver {
    pub(super) key: Key,
    pub(super) position: Position,
    /// What was accepted, in order.
    pub(super) accepted: Vec<Opened>,
}

impl Receiver {
    pub(super) fn new(key: Key, position: Position) -> Self {
        Self { key, position, accepted: Vec::new() }
    }

    /// Status and body of the answer; `nonce` is the random part to seal it under, or drawn.
    pub(super) fn receive(&mut self, body: &[u8], nonce: Option<[u8; 14]>) -> (u16, Vec<u8>) {
        let refused = |status| (status, refusal(self.key.vat()));
        let request = match Request::decode(body) {
            Ok(request) => request,
            Err(error) => return refused(if error.is_size() { 413 } else { 400 }),
        };
        let Ok(channel) = Channel::new(&self.key, request.from) else { return refused(400) };
        let Ok(opened) = channel.open_request(&request) else { return refused(400) };
        let intake = intake_request(self.position, &opened);
        let accepted = intake.verdicts.iter().zip(&opened.messages);
        let accepted = accepted.filter(|(verdict, _)| **verdict == super::session::Verdict::Accepted);
        self.accepted.extend(accepted.map(|(_, message)| message.clone()));
        self.position = intake.position;
        let ack = intake.ack(opened.id);
        let nonce = nonce.unwrap_or_else(|| NonceKey::new(&self.key).ack(&[0; 32], request.from, &ack));
        (200, encode_response(self.key.vat(), &channel.seal_ack(nonce, &ack).frame()))
    }
}

pub(super) fn key(seed: u8) -> Key {
    Key::from_bytes([seed; 32]).expect("a usable key")
}

pub(super) fn id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

pub(super) fn position(ids: impl IntoIterator<Item = MessageId>) -> Position {
    ids.into_iter().try_fold(Position::default(), |position, id| position.next(&id)).expect("few")
}

pub(super) fn ack(re: u8, position: Position) -> Ack {
    let re = qrt_shared::wire::RequestId::from_bytes([re; 16]);
    Ack { re, number: position.number, tip: position.tip, bad: None }
}
