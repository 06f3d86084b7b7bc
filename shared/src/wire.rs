//! What vats say to each other, as bytes: no I/O, no keys, no state.
//!
//! ```text
//! request   = "QRT1" | sender public key (32) | request id (16 random) | frame*
//! response  = "QRT1" | receiver public key (32) | frame          (status 200)
//! refusal   = "QRT1" | receiver public key (32)                  (status 400)
//! frame     = length of what follows (4) | nonce (24) | NaCl box of the plaintext
//! nonce     = kind (1) | direction (1) | random (14) | counter (8)
//! message   = id (16 random) | prev (32) | JSON, UTF-8
//! ```
//!
//! Integers are big-endian. The layers are taken off one at a time, because they fail differently:
//!
//! - [`Request::decode`] and [`Response::decode`] see lengths and keys only. What they refuse is
//!   malformed: nothing of it may be opened.
//! - The daemon opens boxes. A frame that does not open, or has a wrong kind or direction, ends its
//!   request.
//! - [`Plaintext::decode`] takes an opened message apart: the number, id and `prev` decide whether
//!   it is accepted.
//! - [`Envelope::read`] reads its JSON, *after* that decision: what opened but means nothing
//!   ([`Meaningless`]) was accepted all the same, and becomes a fault at the receiver.
//!
//! Read next: the daemon's `peer` module, which says what the two ends do with all this.

mod ack;
mod envelope;
mod frame;
mod history;
mod nonce;
mod plaintext;

pub use ack::Ack;
pub use envelope::{Delivery, Envelope, Meaningless, Outgoing, void};
pub use frame::{Frame, Request, RequestBuilder, Response, encode_response, refusal};
pub use history::{MessageId, Position, RequestId, Sequence, Tip};
pub use nonce::{Direction, Kind, Nonce, RANDOM_BYTES};
pub use plaintext::Plaintext;

/// What every body starts with.
pub const MAGIC: &[u8; 4] = b"QRT1";

/// Where requests are posted, below a vat's URL.
pub const PATH: &str = "/v1/messages";

/// The content type of requests and responses.
pub const CONTENT_TYPE: &str = "application/vnd.qrt.box";

/// Frames in one request, at most.
pub const FRAMES_MAX: usize = 256;

/// The largest request body, in bytes.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The largest response body that is read, in bytes. An honest one has about 250.
pub const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// The largest plaintext of one frame, in bytes: a message's args of 1 MiB, and what stands around them.
pub const PLAINTEXT_BYTES_MAX: usize = (1 << 20) + (64 << 10);

/// What a box adds to its plaintext: the Poly1305 tag.
pub const TAG_BYTES: usize = 16;

/// What follows the length of the shortest message frame: nonce, tag, id and `prev`.
pub const MESSAGE_FRAME_BYTES_MIN: usize = 24 + TAG_BYTES + 16 + 32;

/// What follows the length of the longest frame.
pub const FRAME_BYTES_MAX: usize = 24 + TAG_BYTES + PLAINTEXT_BYTES_MAX;

/// The sender's own locations in one message, at most.
pub const LOCATIONS_MAX: usize = 8;

/// The longest `cause` that is kept, in bytes.
pub const CAUSE_BYTES_MAX: usize = 128;

/// Why bytes are no request, response or message. None of these changed anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends before it should.
    #[error("truncated: {what} ends early")]
    Truncated {
        /// What does.
        what: &'static str,
    },
    /// It does not start with [`MAGIC`].
    #[error("not of this protocol: it does not start with QRT1")]
    Magic,
    /// The public key in it is not one a vat may have.
    #[error("the key in it is refused: {0}")]
    Key(#[from] crate::id::Error),
    /// A frame is too short to hold what it must.
    #[error("a frame of {bytes} bytes, fewer than {min}")]
    FrameShort {
        /// What it has.
        bytes: usize,
        /// What it must have.
        min: usize,
    },
    /// A frame is longer than any plaintext makes it.
    #[error("a frame of {bytes} bytes, more than {FRAME_BYTES_MAX}")]
    FrameLong {
        /// What it claims.
        bytes: usize,
    },
    /// More frames than a request may have.
    #[error("more than {FRAMES_MAX} frames in a request")]
    Frames,
    /// More bytes than a request may have.
    #[error("a request of {bytes} bytes, more than {REQUEST_BYTES_MAX}")]
    RequestLong {
        /// What it has.
        bytes: usize,
    },
    /// Something follows the end.
    #[error("{bytes} bytes follow the end")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// An ack's plaintext is none.
    #[error("not an ack: {0}")]
    Ack(String),
}

impl Error {
    /// Whether it was refused for its size alone (413 where others are 400).
    pub fn is_size(&self) -> bool {
        matches!(self, Self::FrameLong { .. } | Self::Frames | Self::RequestLong { .. })
    }
}

/// Takes fixed-size pieces off the front of `bytes`.
pub(crate) fn take<'a, const N: usize>(bytes: &mut &'a [u8], what: &'static str) -> Result<&'a [u8; N], Error> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Error::Truncated { what })?;
    *bytes = rest;
    Ok(head)
}

#[cfg(test)]
mod tests;
