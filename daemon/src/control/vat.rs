//! The vat as a whole: what it is, stopping it, and what can be asked of it.

use qrt_shared::VERSION;
use qrt_shared::action::ACTIONS;
use qrt_shared::control::Done;
use qrt_shared::view::{Info, State, Worker};
use serde_json::json;
use tokio::sync::oneshot;

use super::Refusal;
use super::router;
use crate::driver::Event;

/// `GET /v1/`
pub(super) fn description() -> Result<Vec<u8>, Refusal> {
    router::json(&json!({ "version": VERSION, "actions": ACTIONS }))
}

/// `GET /v1/info`
pub(super) async fn info(asked: &router::Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let state = asked.state;
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
    let info = state.readers.ask(|db| db.info()).await?;
    let pid = state.worker.pid();
    router::json(&Info {
        url: state.settings.url(),
        pid: Some(std::process::id()),
        state: State::Running,
        started_at: Some(state.started_at),
        worker: (pid != 0).then(|| Worker { pid, deaths: state.worker.deaths() }),
        ..info
    })
}

/// `POST /v1/stop`
pub(super) async fn stop(asked: &router::Asked<'_>) -> Result<Vec<u8>, Refusal> {
    tracing::info!(pid = asked.who.pid, uid = asked.who.uid, "asked to stop");
    let (stopped, done) = oneshot::channel();
    asked.state.news.events.send(Event::Stop { stopped }).map_err(|_| Refusal::stopping())?;
    done.await.map_err(|_| Refusal::stopping())?;
    asked.state.stopped.notify_one();
    router::json(&Done {})
}
