//! The service's manners: copies of the vat, and whether it is well.

use std::path::PathBuf;

use hyper::StatusCode;
use qrt_shared::control::Backup;
use tokio::task::spawn_blocking;

use super::Refusal;
use super::router::{self, Asked};
use crate::backup;
use crate::check::{self, Running};
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
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "a backup or a check is under way",
            "try again when it is done",
        ));
    };
    tracing::info!(pid = asked.who.pid, uid = asked.who.uid, with_key, file = %file.display(), "asked for a backup");
    let dir = asked.state.dir.clone();
    let made = spawn_blocking(move || backup::write(&dir, &file, with_key, now_ms())).await;
    let made = made.map_err(Refusal::failed)?;
    // The error says what to do already.
    router::json(&made.map_err(|error| Refusal::new(StatusCode::CONFLICT, error.to_string(), ""))?)
}

/// `GET /v1/check?full=`
pub(super) async fn check(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let full = asked.parameter("full")?.unwrap_or(false);
    // One at a time: each reads much of the database.
    let Ok(_turn) = asked.state.backing_up.try_lock() else {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "a backup or a check is under way",
            "try again when it is done",
        ));
    };
    let dir = asked.state.dir.clone();
    let cage = asked.state.worker.alive().last().map(|seen| seen.layers);
    let report = spawn_blocking(move || check::check(&dir, Some(Running { cage }), full, now_ms())).await;
    router::json(&report.map_err(Refusal::failed)?)
}
