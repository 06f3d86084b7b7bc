//! What a console was told, written down: for a bug report, and for the pictures of the screens.
//!
//! A line each, JSON: when it came, the question, the answer. Whoever reads it sees what the console showed, QRIDs
//! included: knowing one is the authority to send to that object.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::app::query::{Data, Query};
use crate::format;

/// Something that was read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told<Q = Query, D = Data> {
    /// Milliseconds since the epoch.
    pub at: u64,
    /// What was asked.
    pub query: Q,
    /// What was answered.
    pub data: D,
}

/// A file that is written to.
#[derive(Debug, Clone)]
pub struct Record(Arc<Mutex<File>>);

impl Record {
    /// Begins a file, readable by its owner only; it must not exist.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Writes down an answer.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, query: &Query, data: &Data) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Told { at: format::now_ms(), query, data })?;
        line.push(b'\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }
}

/// What a recording holds, in the order it was told.
///
/// # Errors
/// A line is none of a recording of this version.
pub fn read(text: &str) -> serde_json::Result<Vec<Told>> {
    text.lines().map(serde_json::from_str).collect()
}
