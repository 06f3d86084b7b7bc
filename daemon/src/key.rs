//! The vat's key pair: its identity, and what its letters are sealed with.
//!
//! The secret is in `DIR/key` alone: it never enters the database, a log, an error, an argument, or
//! the worker process, and its memory is wiped when dropped.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crypto_box::SecretKey;
use data_encoding::HEXLOWER;
use qrt_shared::id::VatId;
use zeroize::{Zeroize, Zeroizing};

/// The key file's name in a vat's base directory.
pub const FILE: &str = "key";

/// Why there is no key. None of these says what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the key {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no key.
    #[error("{} does not hold a key (64 hexadecimal digits): put the vat's own key file back", .0.display())]
    Malformed(PathBuf),
}

/// A vat's key pair.
pub struct Key {
    secret: SecretKey,
    vat: VatId,
}

impl Key {
    /// A new key pair from the operating system's randomness.
    pub fn generate() -> Self {
        loop {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).expect("the operating system has randomness");
            let key = Self::from_bytes(bytes);
            bytes.zeroize();
            if let Some(key) = key {
                return key;
            }
        }
    }

    /// The pair of a secret, unless its public half is not a vat id (which no clamped scalar's is).
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        let secret = SecretKey::from(bytes);
        let vat = VatId::from_bytes(*secret.public_key().as_bytes()).ok()?;
        Some(Self { secret, vat })
    }

    /// Reads the key in the base directory `dir`.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        Self::read_file(&dir.join(FILE))
    }

    /// Reads a key file that lies anywhere.
    pub(crate) fn read_file(path: &Path) -> Result<Self, Error> {
        // Not as text: that error would hold the bytes.
        let bytes = fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let bytes = Zeroizing::new(bytes);
        let key = std::str::from_utf8(&bytes).ok().and_then(Self::from_text);
        key.ok_or_else(|| Error::Malformed(path.to_owned()))
    }

    /// The key that a key file with this text holds.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(HEXLOWER.decode(text.trim_end().as_bytes()).ok()?);
        Self::from_bytes(<[u8; 32]>::try_from(bytes.as_slice()).ok()?)
    }

    /// What the key file holds.
    pub(crate) fn file_text(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.secret.to_bytes());
        Zeroizing::new(HEXLOWER.encode(bytes.as_slice()) + "\n")
    }

    /// The secret half, for the one module that seals and opens with it.
    pub(crate) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The vat this is the key of.
    pub fn vat(&self) -> VatId {
        self.vat
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.vat)
    }
}
