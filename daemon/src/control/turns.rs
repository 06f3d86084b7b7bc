//! The turn journal.

use qrt_shared::control::{Replay, Upgrade};
use qrt_shared::id::Target;
use qrt_shared::qjson;
use qrt_shared::view::{Page, Turn};
use tokio::time::{Instant, timeout_at};

use super::Refusal;
use super::objects;
use super::router::{self, Asked, segment};
use crate::replay::{self, Instead};
use crate::store::read::Turns;

/// `POST /v1/turns/{turn}/replay`
pub(super) async fn replay(asked: &Asked<'_>, turn: &str) -> Result<Vec<u8>, Refusal> {
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

/// `GET /v1/turns?after=|newest=&object=&wait_ms=`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let newest: Option<u64> = asked.parameter("newest")?;
    let after = asked.after()?;
    let which = newest.map_or(Turns::After(after), Turns::Newest);
    let object: Option<Target> = asked.parameter("object")?;
    let until = Instant::now() + asked.wait()?;
    let mut commits = asked.state.news.commits.clone();
    loop {
        commits.mark_unchanged();
        let target = object.clone();
        let page: Page<Turn> = asked
            .state
            .readers
            .ask(move |db| {
                let object = target.map(|target| db.resolve_ever(&target)).transpose()?;
                db.turns(which, object)
            })
            .await?;
        if !page.items.is_empty() || newest.is_some() {
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
