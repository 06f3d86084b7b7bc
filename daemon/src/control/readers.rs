//! A few read-only connections, shared by all clients.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Refusal;
use crate::store::read::{Asked, ReadError, Reader};

/// Questions answered at one time; further ones wait.
const READERS_MAX: usize = 4;

/// The connections.
#[derive(Clone)]
pub struct Readers {
    pool: Arc<Pool>,
    places: Arc<Semaphore>,
}

struct Pool {
    dir: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    /// Readers of the database in `dir`; none is opened before it is needed.
    pub(super) fn new(dir: &Path) -> Self {
        let pool = Arc::new(Pool { dir: dir.to_owned(), idle: Mutex::default() });
        Self { pool, places: Arc::new(Semaphore::new(READERS_MAX)) }
    }

    /// The answer to `question`, which runs in one transaction on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Asked<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _place = self.places.acquire().await.map_err(Refusal::failed)?;
        let pool = Arc::clone(&self.pool);
        let answer = spawn_blocking(move || {
            let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => Reader::open(&pool.dir)?,
            };
            let answer = reader.ask(question);
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            answer
        });
        Ok(answer.await.map_err(Refusal::failed)??)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoObject(_) => {
                Refusal::new(StatusCode::NOT_FOUND, error.to_string(), "`qrt objects` lists the objects of this vat")
            }
            ReadError::NoPeer(_) => {
                Refusal::new(StatusCode::NOT_FOUND, error.to_string(), "`qrt peers` lists the peers of this vat")
            }
            ReadError::NoName(_) => {
                let hint = "`qrt objects` and `qrt peers` list the names";
                Refusal::new(StatusCode::NOT_FOUND, error.to_string(), hint)
            }
            ReadError::Nothing(_) => {
                Refusal::new(StatusCode::NOT_FOUND, error.to_string(), "`qrt turns`, `inbox` and `outbox` list them")
            }
            ReadError::Refused(problem) => Refusal { status: StatusCode::CONFLICT, problem },
            // It says what is known instead.
            ReadError::Lost(_) => Refusal::new(StatusCode::CONFLICT, error.to_string(), ""),
            other => Refusal::failed(other),
        }
    }
}
