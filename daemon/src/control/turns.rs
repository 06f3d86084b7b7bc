//! The turn journal.

use qrt_shared::id::Target;
use qrt_shared::view::{Page, Turn};
use tokio::time::{Instant, timeout_at};

use super::Refusal;
use super::router::{self, Asked};
use crate::store::read::Turns;

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
