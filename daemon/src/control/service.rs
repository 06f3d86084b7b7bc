//! The service's manners: copies of the vat, whether it is well, what was done to it and what it said.

use std::path::PathBuf;
use std::time::Duration;

use hyper::StatusCode;
use qrt_shared::control::{Backup, Checkpointed};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::Refusal;
use super::router::{self, Asked};
use crate::backup;
use crate::check::{self, Running};
use crate::driver::{Event, now_ms};
use crate::log::{self, Begin};
use crate::{settings, store};

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
    let made = made.map_err(|error| Refusal::new(StatusCode::CONFLICT, error.to_string(), ""))?;
    asked.note("backup", json!({ "file": made.file, "with_key": with_key, "commit": made.commit })).await?;
    router::json(&made)
}

/// `POST /v1/checkpoint`
pub(super) async fn checkpoint(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let state = asked.state;
    let wal_bytes_before = state.size_of(store::WAL);
    let (answer, answered) = oneshot::channel();
    state.news.events.send(Event::Checkpoint { answer }).map_err(|_| Refusal::stopping())?;
    let emptied = answered.await.map_err(|_| Refusal::stopping())?;
    let done = Checkpointed { emptied, wal_bytes_before, wal_bytes: state.size_of(store::WAL) };
    asked.note("checkpoint", json!({ "emptied": emptied, "wal_bytes_before": wal_bytes_before })).await?;
    router::json(&done)
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

/// `GET /v1/audit`
pub(super) async fn audit(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    router::json(&asked.state.readers.ask(move |db| db.audit(&listing)).await?)
}

/// `GET /v1/settings`
pub(super) async fn settings(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let dir = asked.state.dir.clone();
    let now = spawn_blocking(move || settings::list(&dir)).await.map_err(Refusal::failed)?;
    let now = now.map_err(|error| Refusal::new(StatusCode::CONFLICT, error.to_string(), "mend the file"))?;
    let mut listed = asked.state.listed().clone();
    for (was, is) in listed.iter_mut().zip(now) {
        was.pending = (was.value != is.value).then_some(is.value);
    }
    router::json(&listed)
}

/// How often the log is looked at for somebody who waits.
const LOOK: Duration = Duration::from_millis(200);

/// `GET /v1/log?newest=|offset=&turn=&wait_ms=`
pub(super) async fn log(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let newest: Option<u64> = asked.parameter("newest")?;
    let turn = asked.parameter::<u64>("turn")?.unwrap_or(0).min(i64::MAX.unsigned_abs());
    let after = Begin::After { offset: asked.parameter("offset")?.unwrap_or(0), turn };
    let mut begin = newest.map_or(after, Begin::Newest);
    let until = Instant::now() + asked.wait()?;
    loop {
        let logged = asked.state.readers.ask(move |db| log::logged(db, begin)).await?;
        let dir = asked.state.dir.clone();
        let read = spawn_blocking(move || log::read(&dir, begin, logged)).await.map_err(Refusal::failed)?;
        let read = read.map_err(Refusal::failed)?;
        if !read.lines.is_empty() || newest.is_some() || Instant::now() >= until {
            return router::json(&read);
        }
        begin = Begin::After { offset: read.offset, turn: read.turn };
        // The daemon's own lines come without a commit, and most commits of a busy vat bring none.
        tokio::time::sleep_until(until.min(Instant::now() + LOOK)).await;
    }
}
