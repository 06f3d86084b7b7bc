//! Names of vats and objects: what they look like as text, and which byte strings are one.
//!
//! A name is parsed once, where it enters the program; inside, these types are trusted.
//! Knowing an [`ObjectId`] is the authority to invoke it, so ids print whole only where a
//! person or a script asked for them (`Display`), and as a short prefix in logs (`Debug`).

use std::fmt;
use std::str::FromStr;

use data_encoding::{Encoding, Specification};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::LazyLock;

/// RFC 4648 base32, lower case, no padding, trailing bits zero.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    spec.encoding().expect("the alphabet is 32 distinct symbols")
});

/// Why a text is not the name it should be. Each message says what the right form is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a vat id.
    #[error("{0:?} is not a vat id: 52 characters of lower-case base32 (a-z, 2-7)")]
    VatId(String),
    /// Base32, but no X25519 key a vat may have.
    #[error("{0:?} is not a usable key: it is not in canonical form or of low order")]
    Key(String),
    /// Not an object id.
    #[error("{0:?} is not an object id: 32 characters of lower-case base32 (a-z, 2-7)")]
    ObjectId(String),
    /// Not a QRID.
    #[error("{0:?} is not a QRID: write qrt:<vat id>/<object id>")]
    Qrid(String),
    /// A QRID's location hint that is no URL of a vat.
    #[error("{0:?} is not a location: write http://host:port")]
    Location(String),
    /// Not a petname.
    #[error(
        "{0:?} is not a petname: 1 to 64 of a-z 0-9 . _ - starting with a letter or digit, \
         not all digits, not 52 characters of base32"
    )]
    Petname(String),
    /// Not the name of a queued message.
    #[error("{0:?} is not a message: write in:<number>, or <vat id>#<number> for one to another vat")]
    MessageName(String),
    /// Nothing an operator can ask about.
    #[error(
        "{0:?} names nothing of a vat: write a QRID, a vat id, a petname, a message (in:<number>, PEER#<number>) \
         or a turn's number"
    )]
    Subject(String),
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE32.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// A vat's X25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VatId([u8; 32]);

/// Encodings below 2^255-19 of the points whose order divides 8: with one of these a shared
/// secret is all zero. Source: RFC 7748 section 6.1; the list is the canonical part of
/// libsodium's `has_small_order`.
const LOW_ORDER: [[u8; 32]; 5] = {
    let zero = [0u8; 32];
    let mut one = [0u8; 32];
    one[0] = 1;
    let eight_a = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ];
    let eight_b = [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ];
    let mut minus_one = [0xffu8; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    [zero, one, eight_a, eight_b, minus_one]
};

impl VatId {
    /// The vat whose public key is `bytes`.
    ///
    /// # Errors
    /// [`Error::Key`] when the key is not canonical (bit 255 set, or not below 2^255-19) or of
    /// low order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Error> {
        let refused = || Error::Key(BASE32.encode(&bytes));
        let at_least_p = bytes[31] == 0x7f && bytes[1..31].iter().all(|b| *b == 0xff) && bytes[0] >= 0xed;
        if bytes[31] & 0x80 != 0 || at_least_p || LOW_ORDER.contains(&bytes) {
            return Err(refused());
        }
        Ok(Self(bytes))
    }

    /// The public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 20 random bytes that name an object; knowing them is the authority to invoke it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId([u8; 20]);

impl ObjectId {
    /// The object named by `bytes`, which the caller drew from the operating system or read back.
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

macro_rules! base32_name {
    ($name:ident, $prefix:literal, $parse:expr, $error:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32.encode(&self.0))
            }
        }

        /// Kind and short prefix: enough to tell two apart in a log, not enough to use.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, ":{}.."), &BASE32.encode(&self.0)[..6])
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                let bytes = decode(text).ok_or_else(|| Error::$error(text.to_owned()))?;
                $parse(bytes)
            }
        }

        text_serde!($name);
    };
}

/// Serialises as the `Display` text and parses by `FromStr`.
macro_rules! text_serde {
    ($name:ident) => {
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

base32_name!(VatId, "vat", VatId::from_bytes, VatId);
base32_name!(ObjectId, "object", |bytes| Ok(ObjectId::from_bytes(bytes)), ObjectId);

/// A vat's location: `http://host:port` or `https://...`, without userinfo, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location(String);

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Location {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Location(text.to_owned());
        let uri: hyper::Uri = text.parse().map_err(|_| refused())?;
        let authority = uri.authority().ok_or_else(refused)?.as_str();
        let plain = matches!(uri.scheme_str(), Some("http" | "https"))
            && !authority.contains('@')
            && !uri.host().unwrap_or_default().is_empty()
            && uri.query().is_none()
            && !text.contains('#')
            && text.len() <= 1024;
        if !plain {
            return Err(refused());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

text_serde!(Location);

/// A reference to an object anywhere, as text: `qrt:<vat id>/<object id>`.
///
/// Location hints (`?at=http://host:port`) are carried along but are no part of identity:
/// two QRIDs that differ only in hints are equal, and `Display` writes none.
#[derive(Clone, Debug)]
pub struct Qrid {
    /// The vat that hosts the object.
    pub vat: VatId,
    /// The object.
    pub object: ObjectId,
    /// Where that vat was said to answer; not believed, only tried. The first [`HINTS_MAX`] are kept.
    pub at: Vec<Location>,
}

impl Qrid {
    /// The object `object` of `vat`, without hints.
    pub fn new(vat: VatId, object: ObjectId) -> Self {
        Self { vat, object, at: Vec::new() }
    }

    /// It as peers write it to each other: with its first [`HINTS_MAX`] hints, percent-encoded.
    pub fn hinted(&self) -> Hinted<'_> {
        Hinted(self)
    }

    /// Takes over the hints of `other`, another text of the same QRID, as far as they are new.
    pub fn learn(&mut self, other: Self) {
        for hint in other.at {
            if self.at.len() < HINTS_MAX && !self.at.contains(&hint) {
                self.at.push(hint);
            }
        }
    }
}

/// Location hints a QRID carries, at most.
pub const HINTS_MAX: usize = 4;

/// Everything but what may stand anywhere in a URL.
const IN_HINT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Shows a QRID with its hints. It holds nothing that JSON would escape.
#[derive(Debug, Clone, Copy)]
pub struct Hinted<'a>(&'a Qrid);

impl fmt::Display for Hinted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        for (index, at) in self.0.at.iter().take(HINTS_MAX).enumerate() {
            let before = if index == 0 { '?' } else { '&' };
            write!(f, "{before}at={}", utf8_percent_encode(&at.0, IN_HINT))?;
        }
        Ok(())
    }
}

impl PartialEq for Qrid {
    fn eq(&self, other: &Self) -> bool {
        (self.vat, self.object) == (other.vat, other.object)
    }
}

impl Eq for Qrid {}

impl fmt::Display for Qrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "qrt:{}/{}", self.vat, self.object)
    }
}

impl FromStr for Qrid {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Qrid(text.to_owned());
        let rest = text.strip_prefix("qrt:").ok_or_else(refused)?;
        let (name, query) = rest.split_once('?').map_or((rest, None), |(n, q)| (n, Some(q)));
        let (vat, object) = name.split_once('/').ok_or_else(refused)?;
        let mut at = Vec::new();
        for pair in query.into_iter().flat_map(|q| q.split('&')) {
            let hint = pair.strip_prefix("at=").ok_or_else(refused)?;
            let hint = percent_encoding::percent_decode_str(hint)
                .decode_utf8()
                .map_err(|_| Error::Location(hint.to_owned()))?;
            let hint = hint.parse()?;
            if at.len() < HINTS_MAX && !at.contains(&hint) {
                at.push(hint);
            }
        }
        Ok(Self { vat: vat.parse()?, object: object.parse()?, at })
    }
}

text_serde!(Qrid);

/// The operator's own name for an object or a peer, unique in its vat. Code never sees one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Petname(String);

impl Petname {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Petname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Petname {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let well_formed = (1..=64).contains(&bytes.len())
            && alphanumeric(bytes[0])
            && bytes.iter().all(|b| alphanumeric(*b) || b"._-".contains(b));
        // All digits reads as a turn's number, 52 characters of base32 as a vat id.
        let all_digits = bytes.iter().all(u8::is_ascii_digit);
        let like_vat_id =
            bytes.len() == 52 && bytes.iter().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(b));
        if !well_formed || all_digits || like_vat_id {
            return Err(Error::Petname(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

text_serde!(Petname);

/// What an operator may write for an object of this vat or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A QRID.
    Qrid(Qrid),
    /// A petname of the vat that is asked.
    Petname(Petname),
}

impl FromStr for Target {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.starts_with("qrt:") {
            return text.parse().map(Self::Qrid);
        }
        match text.parse() {
            Ok(petname) => Ok(Self::Petname(petname)),
            Err(_) => Err(Error::Qrid(text.to_owned())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // With its hints: they are learnt where it is used, which is the vat that is asked.
            Self::Qrid(qrid) => qrid.hinted().fmt(f),
            Self::Petname(petname) => petname.fmt(f),
        }
    }
}

text_serde!(Target);

/// What an operator may write for another vat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerName {
    /// Its id.
    Vat(VatId),
    /// A petname of the vat that is asked.
    Petname(Petname),
}

impl FromStr for PeerName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match (text.parse(), text.parse()) {
            (Ok(vat), _) => Ok(Self::Vat(vat)),
            (_, Ok(petname)) => Ok(Self::Petname(petname)),
            (Err(error), _) => Err(error),
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vat(vat) => vat.fmt(f),
            Self::Petname(petname) => petname.fmt(f),
        }
    }
}

text_serde!(PeerName);

/// A message by its durable name. Numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageName {
    /// One of the inbox: `in:<number>`.
    In(u64),
    /// One to another vat: `<vat id>#<number on its channel>`.
    Out(VatId, u64),
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(number) => write!(f, "in:{number}"),
            Self::Out(peer, number) => write!(f, "{peer}#{number}"),
        }
    }
}

fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl FromStr for MessageName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = match text.split_once('#') {
            Some((peer, number)) => peer.parse().ok().zip(digits(number)).map(|(peer, number)| Self::Out(peer, number)),
            None => text.strip_prefix("in:").and_then(digits).map(Self::In),
        };
        name.ok_or_else(|| Error::MessageName(text.to_owned()))
    }
}

text_serde!(MessageName);

/// Anything of a vat that an operator may ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An object by its QRID.
    Object(Qrid),
    /// Another vat by its id.
    Peer(VatId),
    /// An object or a peer by its petname.
    Petname(Petname),
    /// A message of the inbox.
    In(u64),
    /// A message to another vat.
    Out(PeerName, u64),
    /// A turn.
    Turn(u64),
}

impl FromStr for Subject {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Subject(text.to_owned());
        if text.starts_with("qrt:") {
            return text.parse().map(Self::Object);
        }
        if let Some((peer, number)) = text.split_once('#') {
            return Ok(Self::Out(peer.parse().map_err(|_| refused())?, digits(number).ok_or_else(refused)?));
        }
        if let Some(number) = text.strip_prefix("in:") {
            return digits(number).map(Self::In).ok_or_else(refused);
        }
        let turn = digits(text).map(Self::Turn);
        turn.or_else(|| text.parse().ok().map(Self::Peer))
            .or_else(|| text.parse().ok().map(Self::Petname))
            .ok_or_else(refused)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(qrid) => qrid.fmt(f),
            Self::Peer(vat) => vat.fmt(f),
            Self::Petname(petname) => petname.fmt(f),
            Self::In(number) => write!(f, "in:{number}"),
            Self::Out(peer, number) => write!(f, "{peer}#{number}"),
            Self::Turn(turn) => turn.fmt(f),
        }
    }
}

text_serde!(Subject);

#[cfg(test)]
mod tests {
    use super::*;

    const VAT: &str = "rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q";
    const OBJECT: &str = "7z2fziy4eazx2seb54ittqs77cr5lfj3";

    #[test]
    fn a_qrid_reads_back_as_written_and_forgets_its_hints() {
        let text = format!("qrt:{VAT}/{OBJECT}");
        let bare: Qrid = text.parse().expect("a QRID");
        assert_eq!(bare.to_string(), text);
        let hinted: Qrid = format!("{text}?at=http://10.0.0.1:80&at=https%3A%2F%2Fa.example").parse().expect("hints");
        assert_eq!(hinted, bare);
        assert_eq!(hinted.to_string(), text);
        assert_eq!(
            hinted.at.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["http://10.0.0.1:80", "https://a.example"]
        );
    }

    #[test]
    fn hints_are_written_percent_encoded_and_read_back_and_only_four_are_kept() {
        let text = format!("qrt:{VAT}/{OBJECT}");
        let hints: Vec<String> = (0..6).map(|n| format!("at=http://10.0.0.{n}:80/a%26b")).collect();
        let read: Qrid = format!("{text}?{}&{}", hints[0], hints.join("&")).parse().expect("hints");
        assert_eq!(read.at.len(), HINTS_MAX);
        let written = read.hinted().to_string();
        assert!(written.starts_with(&format!("{text}?at=http%3A%2F%2F10.0.0.0%3A80%2Fa%26b&at=")), "{written}");
        let again: Qrid = written.parse().expect("what was written");
        assert_eq!(again.at, read.at);
        assert_eq!(Qrid::new(read.vat, read.object).hinted().to_string(), text);
    }

    #[test]
    fn only_canonical_text_is_a_qrid() {
        for bad in [
            String::new(),
            format!("qrt:{VAT}"),
            format!("qrt:{VAT}/"),
            format!("qrt:{VAT}/{}", &OBJECT[1..]),
            format!("qrt:{VAT}/{OBJECT}a"),
            format!("qrt:{VAT}/{}", OBJECT.to_uppercase()),
            format!("qrt:{}/{OBJECT}", &VAT[1..]),
            format!("qrt:{VAT}/{OBJECT}?to=http://a"),
            format!("qrt:{VAT}/{OBJECT}?at=ftp://a"),
            format!("qrt:{VAT}/{OBJECT}?at=http://me@a"),
            format!("QRT:{VAT}/{OBJECT}"),
        ] {
            assert!(bad.parse::<Qrid>().is_err(), "{bad}");
        }
        // 52 characters carry 260 bits: the last four must be zero.
        let loose = format!("{}r", &VAT[..51]);
        assert!(matches!(loose.parse::<VatId>(), Err(Error::VatId(_))));
    }

    #[test]
    fn keys_that_are_no_keys_are_refused() {
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        let mut above = p;
        above[0] = 0xee;
        let mut high_bit = [9; 32];
        high_bit[31] = 0x80;
        for bytes in LOW_ORDER.into_iter().chain([p, above, high_bit]) {
            assert!(matches!(VatId::from_bytes(bytes), Err(Error::Key(_))), "{bytes:02x?}");
        }
        let mut base_point = [0; 32];
        base_point[0] = 9;
        assert!(VatId::from_bytes(base_point).is_ok());
    }

    #[test]
    fn petnames_cannot_be_mistaken_for_turns_or_vats() {
        for good in ["a", "0x", "counter", "a.b_c-d", &"a".repeat(64)] {
            assert!(good.parse::<Petname>().is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "A", "12", "a b", "é", VAT, &"a".repeat(65)] {
            assert!(bad.parse::<Petname>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_subject_reads_back_as_it_is_written() {
        let qrid = format!("qrt:{VAT}/{OBJECT}");
        let out = format!("{VAT}#7");
        for text in [&qrid, VAT, "counter", "in:3", &out, "shop#7", "12"] {
            let subject: Subject = text.parse().expect("a subject");
            assert_eq!(subject.to_string(), text);
        }
        assert!(matches!("12".parse(), Ok(Subject::Turn(12))));
        assert!(matches!(VAT.parse(), Ok(Subject::Peer(_))));
        for bad in ["", "in:", "in:-1", "#1", "shop#", "shop#x", "Shop", "qrt:x", "in:99999999999999999999"] {
            assert!(bad.parse::<Subject>().is_err(), "{bad}");
        }
        assert_eq!(out.parse::<MessageName>().expect("a name").to_string(), out);
        assert!("shop#7".parse::<MessageName>().is_err(), "a durable name has no petname in it");
    }

    #[test]
    fn logs_show_a_prefix_of_an_id_only() {
        let id: ObjectId = OBJECT.parse().expect("an id");
        assert_eq!(format!("{id:?}"), "object:7z2fzi..");
    }
}
