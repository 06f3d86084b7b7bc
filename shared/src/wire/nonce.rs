//! A box's nonce, which says what the box is before it is opened.

use std::fmt;

use super::Sequence;
use crate::id::VatId;

/// Random bytes in a nonce. Both directions share one box key, and an operator may restore an old
/// copy: the counter alone would then come again with another text.
pub const RANDOM_BYTES: usize = 14;

/// What a box holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message, numbered.
    Message,
    /// What the other end has stored.
    Ack,
}

/// Who made a box, of the two who share its key. Without it a box could be reflected to its maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The one whose public key is less, as bytes.
    FromLess,
    /// The other.
    FromGreater,
}

impl Direction {
    /// The direction of what `boxer` makes for `other`.
    pub fn of(boxer: VatId, other: VatId) -> Self {
        if boxer < other { Self::FromLess } else { Self::FromGreater }
    }
}

/// 24 bytes: kind, direction, randomness, counter.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; 24]);

impl Nonce {
    /// The nonce of these parts.
    pub fn new(kind: Kind, direction: Direction, random: [u8; RANDOM_BYTES], counter: Sequence) -> Self {
        let mut bytes = [0; 24];
        bytes[0] = match kind {
            Kind::Message => 1,
            Kind::Ack => 2,
        };
        bytes[1] = match direction {
            Direction::FromLess => 0,
            Direction::FromGreater => 1,
        };
        bytes[2..16].copy_from_slice(&random);
        bytes[16..].copy_from_slice(&counter.0.to_be_bytes());
        Self(bytes)
    }

    /// Any 24 bytes: whether they say a known kind and direction is asked later.
    pub fn from_bytes(bytes: [u8; 24]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }

    /// The kind it says, if there is one.
    pub fn kind(&self) -> Option<Kind> {
        match self.0[0] {
            1 => Some(Kind::Message),
            2 => Some(Kind::Ack),
            _ => None,
        }
    }

    /// The direction it says, if there is one.
    pub fn direction(&self) -> Option<Direction> {
        match self.0[1] {
            0 => Some(Direction::FromLess),
            1 => Some(Direction::FromGreater),
            _ => None,
        }
    }

    /// The message's number, or the number acknowledged.
    pub fn counter(&self) -> Sequence {
        let counter = self.0.last_chunk().expect("a nonce is longer than eight bytes");
        Sequence(u64::from_be_bytes(*counter))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nonce:{}/{}#{}", self.0[0], self.0[1], self.counter())
    }
}
