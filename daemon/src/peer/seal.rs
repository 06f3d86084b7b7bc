//! Boxes: the one place that seals and opens, and where nonces are drawn.
//!
//! A [`Channel`] is what this vat and one peer share; making one costs a Diffie-Hellman, so callers keep
//! it. Keys are wiped from memory when dropped.

use std::fmt;

use crypto_box::SalsaBox;
use crypto_box::aead::{Aead, AeadInPlace};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use qrt_shared::id::VatId;
use qrt_shared::wire::{
    self, Ack, Direction, Frame, Kind, MessageId, Nonce, PLAINTEXT_BYTES_MAX, Plaintext, RANDOM_BYTES, Request,
    RequestBuilder, RequestId, Response, Sequence, TAG_BYTES, Tip,
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key::Key;

/// Draws ids and the random part of nonces: HMAC of fresh randomness, the peer, the number and the text.
/// A machine that was cloned, randomness included, still never seals two texts under one nonce.
#[derive(Clone)]
pub struct NonceKey(Zeroizing<[u8; 32]>);

impl NonceKey {
    /// The nonce key of a vat, made from its secret, from which nobody can go back.
    pub fn new(key: &Key) -> Self {
        let secret = Zeroizing::new(key.secret().to_bytes());
        Self(Zeroizing::new(hmac(secret.as_slice(), &[b"qrt nonce key"])))
    }

    /// The id of a message to `peer` after `prev`: as random as `fresh`, and another for another text, so
    /// that the messages of a cloned machine do not pass for those of the other.
    pub fn id(&self, fresh: &[u8; 32], peer: VatId, number: Sequence, prev: &Tip, json: &[u8]) -> MessageId {
        let full = self.draw(0, fresh, peer, number, &[prev.as_bytes(), json]);
        MessageId::from_bytes(*full.first_chunk().expect("32 bytes hold 16"))
    }

    /// The random part of the nonce of message `number` to `peer`, whose whole plaintext is `text`.
    /// `fresh` comes from the operating system, for this nonce alone. Store it with the message: it is
    /// drawn once.
    pub fn message(&self, fresh: &[u8; 32], peer: VatId, number: Sequence, text: &Plaintext<'_>) -> [u8; RANDOM_BYTES] {
        nonce_part(&self.draw(1, fresh, peer, number, &[text.id.as_bytes(), text.prev.as_bytes(), text.json]))
    }

    /// The random part of the nonce of an ack to `peer`.
    pub fn ack(&self, fresh: &[u8; 32], peer: VatId, ack: &Ack) -> [u8; RANDOM_BYTES] {
        nonce_part(&self.draw(2, fresh, peer, ack.number, &[&ack.encode()]))
    }

    /// What a peer is told of the turn that sent a message: it says nothing, and stands for that turn.
    pub fn cause(&self, turn: u64) -> String {
        HEXLOWER.encode(&hmac(self.0.as_slice(), &[&[3], &turn.to_be_bytes()])[..8])
    }

    fn draw(&self, kind: u8, fresh: &[u8; 32], peer: VatId, number: Sequence, text: &[&[u8]]) -> [u8; 32] {
        let number = number.0.to_be_bytes();
        // Every part before the text has a fixed length, so no two inputs read the same.
        let mut parts: Vec<&[u8]> = vec![std::slice::from_ref(&kind), fresh, peer.as_bytes(), &number];
        parts.extend(text);
        hmac(self.0.as_slice(), &parts)
    }
}

fn nonce_part(full: &[u8; 32]) -> [u8; RANDOM_BYTES] {
    *full.first_chunk().expect("32 bytes hold 14")
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey")
    }
}

/// A peer whose key is the vat's own: both directions would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a vat is no peer of itself")]
pub struct OwnKey;

/// A text longer than any receiver need take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of {bytes} bytes, more than {PLAINTEXT_BYTES_MAX}")]
pub struct TooLong {
    /// Its plaintext's size.
    pub bytes: usize,
}

/// The first frame of a request did not open, or had a wrong kind or direction: the whole request is
/// refused, and nobody is told why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the first frame does not open, or is no message to this vat")]
pub struct Refused;

/// Why an answer is no ack of the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAck {
    /// Another vat answers at that URL.
    #[error("another vat answers there: {0}")]
    From(VatId),
    /// Its box is no ack from the peer to us.
    #[error("the answer is not an ack to this vat")]
    Kind,
    /// Its box does not open.
    #[error("the answer does not open")]
    Sealed,
    /// What was in the box is no ack.
    #[error("the answer is malformed: {0}")]
    Malformed(#[from] wire::Error),
    /// Nonce and text name different numbers.
    #[error("the answer contradicts itself: {nonce} outside, {text} inside")]
    Number {
        /// The nonce's.
        nonce: Sequence,
        /// The text's.
        text: Sequence,
    },
}

/// Which place in the channel a message claims, and whose successor it says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: Sequence,
    /// Its name.
    pub id: MessageId,
    /// The tip before it.
    pub prev: Tip,
}

/// A message whose box opened: its head, and its JSON, which nobody has looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Where it belongs.
    pub head: Head,
    /// What it says.
    pub json: Vec<u8>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({:?}, {} bytes)", self.head, self.json.len())
    }
}

/// A request whose boxes are open, as far as they open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRequest {
    /// The attempt's name, which the ack repeats.
    pub id: RequestId,
    /// The messages before the first bad frame.
    pub messages: Vec<Opened>,
    /// The first bad frame's index, if there is one: it is the number of `messages`.
    pub bad: Option<u32>,
}

/// A message as its sender keeps it: all that its frame is made of, drawn and numbered once.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// Its number.
    pub number: Sequence,
    /// The random part of its nonce.
    pub random: [u8; RANDOM_BYTES],
    /// Its id, `prev` and JSON.
    pub text: Plaintext<'a>,
}

/// A frame that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    nonce: Nonce,
    boxed: Vec<u8>,
}

impl Sealed {
    /// It as it stands in a request or response.
    pub fn frame(&self) -> Frame<'_> {
        Frame { nonce: self.nonce, boxed: &self.boxed }
    }
}

/// What this vat and one peer share.
pub struct Channel {
    us: VatId,
    peer: VatId,
    cipher: SalsaBox,
}

impl Channel {
    /// The channel with `peer`.
    ///
    /// # Errors
    /// [`OwnKey`].
    pub fn new(key: &Key, peer: VatId) -> Result<Self, OwnKey> {
        if peer == key.vat() {
            return Err(OwnKey);
        }
        // A `VatId` is canonical and not of low order, so the shared secret is never all zero.
        let public = crypto_box::PublicKey::from(*peer.as_bytes());
        Ok(Self { us: key.vat(), peer, cipher: SalsaBox::new(&public, key.secret()) })
    }

    /// The other end.
    pub fn peer(&self) -> VatId {
        self.peer
    }

    /// The frame of a message: the same at every attempt.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn seal_message(&self, message: &Stored<'_>) -> Result<Sealed, TooLong> {
        let bytes = Plaintext::HEAD_BYTES + message.text.json.len();
        if bytes > PLAINTEXT_BYTES_MAX {
            return Err(TooLong { bytes });
        }
        let nonce = Nonce::new(Kind::Message, Direction::of(self.us, self.peer), message.random, message.number);
        Ok(self.seal(nonce, &message.text.encode()))
    }

    /// A request of `messages`, the oldest first, as many as fit; of none, a question. Its body gets an id
    /// at each attempt.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn request<'a>(&self, messages: impl IntoIterator<Item = Stored<'a>>) -> Result<RequestBuilder, TooLong> {
        let mut request = RequestBuilder::new(self.us);
        for message in messages {
            let fits = request.fits(Plaintext::HEAD_BYTES + message.text.json.len());
            if !fits || !request.push(&self.seal_message(&message)?.frame()) {
                break;
            }
        }
        Ok(request)
    }

    /// The frame of an ack.
    pub fn seal_ack(&self, random: [u8; RANDOM_BYTES], ack: &Ack) -> Sealed {
        let nonce = Nonce::new(Kind::Ack, Direction::of(self.us, self.peer), random, ack.number);
        self.seal(nonce, &ack.encode())
    }

    fn seal(&self, nonce: Nonce, text: &[u8]) -> Sealed {
        let boxed = self.cipher.encrypt(nonce.as_bytes().into(), text);
        let boxed = boxed.expect("only associated data makes a box fail, and there is none");
        Sealed { nonce, boxed }
    }

    /// Opens a frame of the peer's that must be of `kind`.
    fn open(&self, kind: Kind, frame: &Frame<'_>) -> Option<Vec<u8>> {
        let direction = Direction::of(self.peer, self.us);
        if (frame.nonce.kind(), frame.nonce.direction()) != (Some(kind), Some(direction)) {
            return None;
        }
        let (tag, text) = frame.boxed.split_first_chunk::<TAG_BYTES>()?;
        let mut text = text.to_vec();
        self.cipher.decrypt_in_place_detached(frame.nonce.as_bytes().into(), b"", &mut text, tag.into()).ok()?;
        Some(text)
    }

    /// Opens a request of the peer's, frame by frame: old ones too, and before any number is looked at.
    /// The first that does not open, or has a wrong kind or direction, ends it.
    ///
    /// # Errors
    /// [`Refused`]: that was the first frame.
    pub fn open_request(&self, request: &Request<'_>) -> Result<OpenedRequest, Refused> {
        debug_assert_eq!(request.from, self.peer, "the channel is the sender's");
        let mut messages = Vec::with_capacity(request.frames.len());
        let mut bad = None;
        for (frame, index) in request.frames.iter().zip(0..) {
            let Some(message) = self.open_message(frame) else {
                bad = Some(index);
                break;
            };
            messages.push(message);
        }
        match bad {
            Some(0) => Err(Refused),
            bad => Ok(OpenedRequest { id: request.id, messages, bad }),
        }
    }

    fn open_message(&self, frame: &Frame<'_>) -> Option<Opened> {
        let mut text = self.open(Kind::Message, frame)?;
        let Plaintext { id, prev, .. } = Plaintext::decode(&text).ok()?;
        text.drain(..Plaintext::HEAD_BYTES);
        Some(Opened { head: Head { number: frame.nonce.counter(), id, prev }, json: text })
    }

    /// Opens the peer's answer.
    ///
    /// # Errors
    /// [`BadAck`]: it proves nothing, as if none had come.
    pub fn open_ack(&self, response: &Response<'_>) -> Result<Ack, BadAck> {
        if response.from != self.peer {
            return Err(BadAck::From(response.from));
        }
        let nonce = response.frame.nonce;
        if (nonce.kind(), nonce.direction()) != (Some(Kind::Ack), Some(Direction::of(self.peer, self.us))) {
            return Err(BadAck::Kind);
        }
        let text = self.open(Kind::Ack, &response.frame).ok_or(BadAck::Sealed)?;
        let ack = Ack::decode(&text)?;
        if ack.number != nonce.counter() {
            return Err(BadAck::Number { nonce: nonce.counter(), text: ack.number });
        }
        Ok(ack)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?} <-> {:?})", self.us, self.peer)
    }
}
