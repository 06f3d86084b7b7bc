//! The vat as a whole: what it is, stopping it, and what can be asked of it.

use qrt_shared::VERSION;
use qrt_shared::action::ACTIONS;
use qrt_shared::control::{Done, Listing};
use qrt_shared::view::{Info, Overview, Sandbox, State, Storage, Worker, WorkerProcess};
use serde_json::json;
use tokio::sync::oneshot;

use super::Refusal;
use super::{objects, router};
use crate::driver::{Event, now_ms};
use crate::executor::Seen;
use crate::protocol::Layers;
use crate::store::{self, read::Order};

/// `GET /v1/`
pub(super) fn description() -> Result<Vec<u8>, Refusal> {
    router::json(&json!({ "version": VERSION, "actions": ACTIONS }))
}

/// `GET /v1/info`
pub(super) async fn info(asked: &router::Asked<'_>) -> Result<Vec<u8>, Refusal> {
    router::json(&look(asked).await?)
}

async fn look(asked: &router::Asked<'_>) -> Result<Info, Refusal> {
    let state = asked.state;
    let (alive, deaths) = (state.worker.alive(), state.worker.deaths());
    let info = state.readers.ask(move |db| {
        let process = |seen: &Seen| WorkerProcess {
            pid: seen.pid,
            account: seen.lane.account().and_then(|account| db.known(account)),
            running: seen.running().and_then(|object| db.known(object)),
        };
        let worker = alive.last().map(|Seen { pid, layers: Layers { seccomp, landlock }, .. }| Worker {
            pid: *pid,
            deaths,
            sandbox: Sandbox { seccomp: *seccomp, landlock: *landlock },
            processes: alive.iter().map(process).collect(),
        });
        Ok(Info { worker, ..db.info()? })
    });
    let info = info.await?;
    Ok(Info {
        url: state.settings.url(),
        pid: Some(std::process::id()),
        state: State::Running,
        started_at: Some(state.started_at),
        ..info
    })
}

/// Accounts that an overview shows.
const ACCOUNTS: u64 = 10;

/// `GET /v1/overview`
pub(super) async fn overview(asked: &router::Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let state = asked.state;
    let info = look(asked).await?;
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
    let (oldest_inbox_at, oldest_outbox_at) = state.readers.ask(|db| db.oldest()).await?;
    let some = Listing { limit: Some(ACCOUNTS), ..Listing::default() };
    let accounts = objects::accounts_by(asked, Order::BUSIEST, some).await?;
    let queues = state.queues().await?;
    let at = now_ms();
    let wrong = state.readers.ask(move |db| db.wrong(&queues, at));
    let wrong = state.sorted.wrong.answer((), wrong).await?;
    router::json(&Overview {
        info,
        totals: state.news.commits.borrow().totals,
        oldest_inbox_at,
        oldest_outbox_at,
        accounts: accounts.items,
        wrong: wrong.to_vec(),
        database_bytes: state.size_of(store::FILE),
        wal_bytes: state.size_of(store::WAL),
        at,
    })
}

/// Objects that are shown by the room they take.
const LARGEST: u64 = 20;

/// `GET /v1/storage`
pub(super) async fn storage(asked: &router::Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let state = asked.state;
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
    let tables = state.sorted.storage.answer((), state.readers.ask(|db| db.storage())).await?;
    let some = Listing { limit: Some(LARGEST), ..Listing::default() };
    let objects = objects::objects_by(asked, Order::LARGEST, some).await?;
    let (free_bytes, tables) = &*tables;
    router::json(&Storage {
        database_bytes: state.size_of(store::FILE),
        wal_bytes: state.size_of(store::WAL),
        free_bytes: *free_bytes,
        tables: tables.clone(),
        objects: objects.items,
    })
}

/// `POST /v1/stop`
pub(super) async fn stop(asked: &router::Asked<'_>) -> Result<Vec<u8>, Refusal> {
    tracing::info!(pid = asked.who.pid, uid = asked.who.uid, "asked to stop");
    asked.note("stop", json!({})).await?;
    let (stopped, done) = oneshot::channel();
    asked.state.news.events.send(Event::Stop { stopped }).map_err(|_| Refusal::stopping())?;
    done.await.map_err(|_| Refusal::stopping())?;
    asked.state.stopped.notify_one();
    router::json(&Done {})
}
