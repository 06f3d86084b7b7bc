//! Requests and responses: lengths, keys and frames, nothing opened.

use super::{
    Error, FRAME_BYTES_MAX, FRAMES_MAX, MAGIC, MESSAGE_FRAME_BYTES_MIN, Nonce, REQUEST_BYTES_MAX, RequestId, TAG_BYTES,
    take,
};
use crate::id::VatId;

const LENGTH_BYTES: usize = 4;

/// A nonce and what was boxed under it, tag first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The nonce.
    pub nonce: Nonce,
    /// The box.
    pub boxed: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes one frame off the front of `bytes`, of which at least `min` must follow the length.
    fn take(bytes: &mut &'a [u8], min: usize) -> Result<Self, Error> {
        let length = u32::from_be_bytes(*take(bytes, "a frame's length")?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length < min {
            return Err(Error::FrameShort { bytes: length, min });
        }
        // What only claims to be long is malformed; what is long is too large.
        let (mut frame, rest) = bytes.split_at_checked(length).ok_or(Error::Truncated { what: "a frame" })?;
        if length > FRAME_BYTES_MAX {
            return Err(Error::FrameLong { bytes: length });
        }
        *bytes = rest;
        let nonce = Nonce::from_bytes(*take(&mut frame, "a nonce")?);
        Ok(Self { nonce, boxed: frame })
    }

    /// The bytes it takes in a request, its length included.
    pub fn wire_bytes(&self) -> usize {
        LENGTH_BYTES + self.nonce.as_bytes().len() + self.boxed.len()
    }

    fn put(&self, out: &mut Vec<u8>) {
        let length = self.nonce.as_bytes().len() + self.boxed.len();
        let length = u32::try_from(length).expect("a sealed text is at most FRAME_BYTES_MAX long");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self.nonce.as_bytes());
        out.extend_from_slice(self.boxed);
    }
}

/// A request, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// Who sends it, as it says; only a frame that opens proves it.
    pub from: VatId,
    /// The attempt's name.
    pub id: RequestId,
    /// Its frames, in order.
    pub frames: Vec<Frame<'a>>,
}

impl<'a> Request<'a> {
    /// What stands in front of the frames.
    pub const HEAD_BYTES: usize = 4 + 32 + 16;

    fn head(mut bytes: &[u8]) -> Result<(VatId, RequestId), Error> {
        let bytes = &mut bytes;
        if take(bytes, "the magic")? != MAGIC {
            return Err(Error::Magic);
        }
        let from = VatId::from_bytes(*take(bytes, "the sender's key")?)?;
        Ok((from, RequestId::from_bytes(*take(bytes, "the request's id")?)))
    }

    /// Takes a whole body apart.
    ///
    /// # Errors
    /// It is malformed or too large ([`Error::is_size`]): nothing of it may be opened.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(Error::RequestLong { bytes: bytes.len() });
        }
        let (from, id) = Self::head(bytes)?;
        let mut rest = &bytes[Self::HEAD_BYTES..];
        let mut frames = Vec::new();
        while !rest.is_empty() {
            if frames.len() == FRAMES_MAX {
                return Err(Error::Frames);
            }
            frames.push(Frame::take(&mut rest, MESSAGE_FRAME_BYTES_MIN)?);
        }
        Ok(Self { from, id, frames })
    }
}

/// Makes requests, frame by frame, and knows when one is full. Every attempt has an id of its own, while
/// the frames stay: so the id comes last.
#[derive(Debug)]
pub struct RequestBuilder {
    /// A body whose id is still zeros.
    bytes: Vec<u8>,
    frames: usize,
}

impl RequestBuilder {
    /// A request without frames, which asks for number and tip.
    pub fn new(from: VatId) -> Self {
        let bytes = [MAGIC, from.as_bytes().as_slice(), &[0; 16]].concat();
        Self { bytes, frames: 0 }
    }

    /// Whether a frame of a plaintext of `plaintext_bytes` still fits.
    pub fn fits(&self, plaintext_bytes: usize) -> bool {
        let frame = LENGTH_BYTES + 24 + TAG_BYTES + plaintext_bytes;
        self.frames < FRAMES_MAX && self.bytes.len() + frame <= REQUEST_BYTES_MAX
    }

    /// Adds a frame, unless the request is full: then it changes nothing and says false.
    #[must_use]
    pub fn push(&mut self, frame: &Frame<'_>) -> bool {
        if self.frames == FRAMES_MAX || self.bytes.len() + frame.wire_bytes() > REQUEST_BYTES_MAX {
            return false;
        }
        frame.put(&mut self.bytes);
        self.frames += 1;
        true
    }

    /// How many frames it has.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The body of one attempt.
    pub fn body(&self, id: RequestId) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[Request::HEAD_BYTES - 16..Request::HEAD_BYTES].copy_from_slice(id.as_bytes());
        bytes
    }
}

/// A response of status 200, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// Who answers, as it says; only the frame proves it.
    pub from: VatId,
    /// The ack.
    pub frame: Frame<'a>,
}

impl<'a> Response<'a> {
    /// Takes a whole body apart.
    ///
    /// # Errors
    /// It is malformed.
    pub fn decode(mut bytes: &'a [u8]) -> Result<Self, Error> {
        let bytes = &mut bytes;
        if take(bytes, "the magic")? != MAGIC {
            return Err(Error::Magic);
        }
        let from = VatId::from_bytes(*take(bytes, "the receiver's key")?)?;
        let frame = Frame::take(bytes, 24 + TAG_BYTES)?;
        match bytes.len() {
            0 => Ok(Self { from, frame }),
            bytes => Err(Error::Trailing { bytes }),
        }
    }
}

/// The body of a response of status 200.
pub fn encode_response(from: VatId, ack: &Frame<'_>) -> Vec<u8> {
    let mut out = refusal(from);
    ack.put(&mut out);
    out
}

/// The body of status 400: who answers, and nothing else.
pub fn refusal(from: VatId) -> Vec<u8> {
    [MAGIC, from.as_bytes().as_slice()].concat()
}
