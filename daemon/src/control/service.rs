//! The service's manners: copies of the vat.

use std::path::PathBuf;

use hyper::StatusCode;
use qrt_shared::control::Backup;
use tokio::task::spawn_blocking;

use super::Refusal;
use super::router::{self, Asked};
use crate::backup;
use crate::driver::now_ms;

/// `POST /v1/backup`
pub(super) async fn backup(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let Backup { file, with_key } = asked.body()?;
    let file = PathBuf::from(file);
    if !file.is_absolute() {
        return Err(Refusal::bad("the file's path is relative", "give an absolute path: the daemon writes it"));
    }
    // One at a time: each reads the whole database.
    let Ok(_turn) = asked.state.backing_up.try_lock() else {
        return Err(Refusal::new(StatusCode::CONFLICT, "another backup is being made", "try again when it is done"));
    };
    tracing::info!(pid = asked.who.pid, uid = asked.who.uid, with_key, file = %file.display(), "asked for a backup");
    let dir = asked.state.dir.clone();
    let made = spawn_blocking(move || backup::write(&dir, &file, with_key, now_ms())).await;
    let made = made.map_err(Refusal::failed)?;
    // The error says what to do already.
    router::json(&made.map_err(|error| Refusal::new(StatusCode::CONFLICT, error.to_string(), ""))?)
}
