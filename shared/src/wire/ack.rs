//! What the box of an ack holds.

use serde::{Deserialize, Serialize};

use super::{Error, Position, RequestId, Sequence, Tip};

/// The receiver's word, inside its box: what it has stored, and which request it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The request this answers.
    pub re: RequestId,
    /// The receiver's last number.
    #[serde(rename = "ack")]
    pub number: Sequence,
    /// Its tip there.
    pub tip: Tip,
    /// Which frame of the request ended it: it did not open, or had a wrong kind or direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<u32>,
}

impl Ack {
    /// Its plaintext.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an ack is two texts and two numbers")
    }

    /// Reads a plaintext. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`Error::Ack`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        // A derived struct would take an array of the fields too.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::Ack("expected an object".to_owned()));
        }
        serde_json::from_slice(bytes).map_err(|error| Error::Ack(error.to_string()))
    }

    /// Where the receiver says it stands.
    pub fn position(&self) -> Position {
        Position { number: self.number, tip: self.tip }
    }
}
