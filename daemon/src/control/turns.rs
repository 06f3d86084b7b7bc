//! The turn journal.

use qrt_shared::control::{At, Replay, Upgrade};
use qrt_shared::qjson;
use qrt_shared::view::{Page, Turn};
use tokio::time::{Instant, timeout_at};

use super::Refusal;
use super::objects;
use super::router::{self, Asked, segment};
use crate::replay::{self, Instead};

/// `GET /v1/turns/{turn}`
pub(super) async fn one(asked: &Asked<'_>, turn: &str) -> Result<Vec<u8>, Refusal> {
    let turn: u64 = segment(turn)?;
    router::json(&asked.state.readers.ask(move |db| db.turn(turn)).await?)
}

/// `POST /v1/turns/{turn}/replay`
pub(super) async fn again(asked: &Asked<'_>, turn: &str) -> Result<Vec<u8>, Refusal> {
    let Replay { code, args, memory } = asked.body()?;
    let turn = segment(turn)?;
    if let Some(Upgrade { label, code }) = &code {
        objects::check(asked, label, code)?;
    }
    let args = args.map(|args| qjson::parse(args.get(), "args")).transpose();
    let args = args.map_err(|error| Refusal::bad(error, "mend the arguments"))?;
    let memory = memory.map(|memory| objects::object(memory.get(), "memory")).transpose()?;
    let instead = Instead { code: code.map(|code| code.code), args, memory };
    router::json(&asked.state.replays.run(turn, instead).await?)
}

/// `GET /v1/turns`: with `wait_ms`, the turns after a cursor are waited for when there are none yet.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    let until = Instant::now() + asked.wait()?;
    let mut commits = asked.state.news.commits.clone();
    loop {
        commits.mark_unchanged();
        let asking = listing.clone();
        let page: Page<Turn> = asked.state.readers.ask(move |db| db.turns(&asking)).await?;
        let waits = matches!(listing.at, At::First | At::After(_)) && page.items.is_empty() && !page.partial;
        if !waits {
            return router::json(&page);
        }
        match timeout_at(until, commits.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Refusal::stopping()),
            Err(_) => return router::json(&page),
        }
    }
}

impl From<replay::Error> for Refusal {
    fn from(error: replay::Error) -> Self {
        match error {
            replay::Error::Read(error) => error.into(),
            replay::Error::Stopping(_) => Self::stopping(),
            other => Self::failed(other),
        }
    }
}
