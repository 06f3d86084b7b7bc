//! Code, which is what it was when its SHA-256 was taken.

use rusqlite::Connection;
use sha2::{Digest, Sha256};

/// What comes of looking at every text of code.
pub(super) enum Texts {
    /// So many are as they were installed.
    Whole(u64),
    /// This one is not.
    Altered(u64),
}

/// Looks at every text of code.
pub(super) fn look(db: &Connection) -> rusqlite::Result<Texts> {
    let mut texts = db.prepare("SELECT code, sha256, text FROM code")?;
    let (mut rows, mut looked) = (texts.query([])?, 0);
    while let Some(row) = rows.next()? {
        let text = row.get_ref(2)?.as_bytes()?;
        if row.get::<_, [u8; 32]>(1)? != <[u8; 32]>::from(Sha256::digest(text)) {
            return Ok(Texts::Altered(row.get(0)?));
        }
        looked += 1;
    }
    Ok(Texts::Whole(looked))
}
