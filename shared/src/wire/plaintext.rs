//! What the box of a message holds.

use super::{Error, MessageId, Tip, take};

/// An opened message, or one that is to be boxed: whose JSON says what is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plaintext<'a> {
    /// The message's name.
    pub id: MessageId,
    /// The tip before it.
    pub prev: Tip,
    /// Its JSON, or whatever else a peer wrote there.
    pub json: &'a [u8],
}

impl<'a> Plaintext<'a> {
    /// What stands in front of the JSON: id and `prev`.
    pub const HEAD_BYTES: usize = 16 + 32;

    /// Takes `bytes` apart.
    ///
    /// # Errors
    /// [`Error::Truncated`].
    pub fn decode(mut bytes: &'a [u8]) -> Result<Self, Error> {
        let id = MessageId::from_bytes(*take(&mut bytes, "a message's id")?);
        let prev = Tip::from_bytes(*take(&mut bytes, "a message's prev")?);
        Ok(Self { id, prev, json: bytes })
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        [self.id.as_bytes(), self.prev.as_bytes().as_slice(), self.json].concat()
    }
}
