//! Numbers, ids and tips: where in a channel's history something stands.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A message's number on its channel, from 1; 0 stands before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The highest number a channel can count to: what the database holds.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// The number after this one, if there is one.
    pub fn next(self) -> Option<Self> {
        (self < Self::MAX).then(|| Self(self.0 + 1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes that are written in lower-case hex.
macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// These bytes.
            pub fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, ":{}.."), &HEXLOWER.encode(&self.0[..4]))
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let bytes = HEXLOWER.decode(text.as_bytes()).ok();
                let bytes = bytes.and_then(|bytes| <[u8; $bytes]>::try_from(bytes).ok());
                bytes.map(Self).ok_or_else(|| format!("expected {} bytes in lower-case hex", $bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_bytes!(
    /// A message's name for its whole life: drawn once, kept when the message is numbered anew.
    MessageId,
    16,
    "message"
);
hex_bytes!(
    /// One HTTP attempt's name: the answer must repeat it.
    RequestId,
    16,
    "request"
);
hex_bytes!(
    /// A channel's whole history up to a number, as 32 bytes: `tip_0` is zeros,
    /// `tip_n = SHA-256(tip_(n-1) | id of message n)`.
    Tip,
    32,
    "tip"
);

impl Tip {
    /// `tip_0`, before the first message.
    pub const ZERO: Self = Self([0; 32]);

    /// The tip after one more message.
    #[must_use]
    pub fn next(&self, id: &MessageId) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(id.0).finalize().into())
    }
}

impl Default for Tip {
    fn default() -> Self {
        Self::ZERO
    }
}

/// A place in a channel's history: a number, and the tip there. Two ends that hold equal positions
/// agree on every message up to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// The last message's number.
    pub number: Sequence,
    /// The tip after it.
    pub tip: Tip,
}

impl Position {
    /// The position after one more message; `None` at the end of numbers.
    #[must_use]
    pub fn next(&self, id: &MessageId) -> Option<Self> {
        Some(Self { number: self.number.next()?, tip: self.tip.next(id) })
    }
}
