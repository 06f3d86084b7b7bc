//! A message's JSON: whom it is for, and with what.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{CAUSE_BYTES_MAX, LOCATIONS_MAX};
use crate::id::{Location, ObjectId, Qrid};
use crate::qjson::{self, ARGS_BYTES_MAX, Document, string_text};

/// Bytes that the hints in one message's args may take. With 8 locations of 1 KiB, each character
/// escaped, and the rest, this stays below what a plaintext may have beyond its args of 1 MiB.
const HINT_BYTES_MAX: usize = 40 << 10;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// It is for an object.
    Delivery(Box<Delivery>),
    /// Its sender dropped it: it takes its number and runs nothing.
    Void {
        /// Why, as the sender's operator put it.
        reason: String,
    },
}

/// A message for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The object, of the receiving vat.
    pub to: ObjectId,
    /// The arguments; their References carry the hints they came with.
    pub args: Document,
    /// Where the sender says it is reached; it is believed, because it is authenticated.
    pub at: Vec<Location>,
    /// The turn that sent it, as the sender calls it: for tracing only.
    pub cause: Option<String>,
    /// Reserved for promises.
    pub resolver: Option<Qrid>,
}

/// Why an accepted message cannot be delivered to anybody. It becomes a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Meaningless {
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// Not a JSON object, or a field given twice.
    #[error("not a message: {0}")]
    Json(String),
    /// It is for nobody, or for nobody who can be.
    #[error("no object to deliver to: {0}")]
    To(String),
    /// Its arguments are not QJSON.
    #[error("{0}")]
    Args(#[from] qjson::Error),
    /// Its arguments are too large.
    #[error("args of {bytes} bytes, more than {ARGS_BYTES_MAX}")]
    TooLarge {
        /// Their size, as [`Document::size_bytes`] counts.
        bytes: usize,
    },
}

/// The fields as they stand. The optional ones are read leniently: a message whose `at` this
/// version cannot read is still for its object.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    at: Option<&'a RawValue>,
    #[serde(borrow)]
    cause: Option<&'a RawValue>,
    #[serde(borrow)]
    resolver: Option<&'a RawValue>,
    #[serde(borrow)]
    void: Option<&'a RawValue>,
}

impl Envelope {
    /// Reads a message's JSON. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`Meaningless`]: the message was accepted all the same.
    pub fn read(json: &[u8]) -> Result<Self, Meaningless> {
        let text = std::str::from_utf8(json).map_err(|_| Meaningless::Utf8)?;
        // A derived struct would take an array of the fields too.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(Meaningless::Json("expected an object".to_owned()));
        }
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| Meaningless::Json(error.to_string()))?;
        let to = match (fields.to, fields.void) {
            (Some(to), None) => to,
            (None, Some(void)) => {
                let reason = string(void).ok_or_else(|| Meaningless::Json("a void's reason is a text".to_owned()))?;
                return Ok(Self::Void { reason });
            }
            (None, None) => return Err(Meaningless::To("it names none".to_owned())),
            (Some(_), Some(_)) => return Err(Meaningless::Json("both a message and a void".to_owned())),
        };
        let to = string(to).ok_or_else(|| Meaningless::To("`to` is not a text".to_owned()))?;
        let to = to.parse().map_err(|error: crate::id::Error| Meaningless::To(error.to_string()))?;
        // A missing args is null.
        let args = qjson::parse(fields.args.map_or("null", RawValue::get), "args")?;
        if args.size_bytes > ARGS_BYTES_MAX {
            return Err(Meaningless::TooLarge { bytes: args.size_bytes });
        }
        let at = fields.at.map(locations).unwrap_or_default();
        let cause = fields.cause.and_then(string).filter(|cause| cause.len() <= CAUSE_BYTES_MAX);
        let resolver = fields.resolver.and_then(reference);
        Ok(Self::Delivery(Box::new(Delivery { to, args, at, cause, resolver })))
    }
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn locations(raw: &RawValue) -> Vec<Location> {
    let all: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    all.into_iter().take(LOCATIONS_MAX).filter_map(string).filter_map(|text| text.parse().ok()).collect()
}

fn reference(raw: &RawValue) -> Option<Qrid> {
    let document = qjson::parse(raw.get(), "resolver").ok()?;
    (document.text == r#"{"@qref":0}"#).then(|| document.references.into_iter().next()).flatten()
}

/// A message as its sender makes it.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The object, of the receiving vat.
    pub to: ObjectId,
    /// The arguments in inside form, of at most [`ARGS_BYTES_MAX`].
    pub args: &'a str,
    /// Where this vat is reached; the first [`LOCATIONS_MAX`] are told.
    pub at: &'a [Location],
    /// The sending turn.
    pub cause: Option<&'a str>,
    /// Reserved for promises.
    pub resolver: Option<&'a Qrid>,
}

impl Outgoing<'_> {
    /// Its JSON; `name` gives the QRID of a Reference's number, with the hints it should carry.
    /// Hints that would make a message too large are left out, so what fits as args fits as a frame.
    ///
    /// # Errors
    /// `args` are not in inside form, or `name` knows no such number.
    pub fn write(&self, name: impl FnMut(u64) -> Option<Qrid>) -> Result<String, qjson::Error> {
        let mut out = format!(r#"{{"to":"{}","args":"#, self.to);
        out.push_str(&qjson::export_hinted(self.args, HINT_BYTES_MAX, name)?);
        let at: Vec<_> = self.at.iter().take(LOCATIONS_MAX).map(|at| string_text(&at.to_string())).collect();
        if !at.is_empty() {
            out += ",\"at\":[";
            out += &at.join(",");
            out.push(']');
        }
        if let Some(cause) = self.cause {
            out += ",\"cause\":";
            out += &string_text(cause);
        }
        if let Some(resolver) = self.resolver {
            out += ",\"resolver\":{\"@qref\":\"";
            out += &resolver.to_string();
            out += "\"}";
        }
        out.push('}');
        Ok(out)
    }
}

/// The JSON that takes the place of a dropped message.
pub fn void(reason: &str) -> String {
    format!(r#"{{"void":{}}}"#, string_text(reason))
}
