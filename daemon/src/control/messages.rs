//! Messages: sending one, what became of it, and those that wait.

use qrt_shared::control::Send;
use qrt_shared::id::MessageName;
use qrt_shared::qjson;
use qrt_shared::view::Awaited;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::Refusal;
use super::router::{self, Asked, segment};
use crate::driver::Heard;
use crate::vat::request::{self, Action};

/// `POST /v1/messages`
pub(super) async fn send(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let Send { target, args, key } = asked.body()?;
    let args = qjson::parse(args.get(), "args").map_err(|error| Refusal::bad(error, "mend the arguments"))?;
    asked.change(Action::Send(request::Send { target, args, key })).await
}

/// `GET /v1/messages/{message}/outcome?wait_ms=`
pub(super) async fn outcome(asked: &Asked<'_>, message: &str) -> Result<Vec<u8>, Refusal> {
    let name: MessageName = segment(message)?;
    let until = Instant::now() + asked.wait()?;
    // Listening starts before the first look, so no ending falls between the two.
    let mut heard = asked.state.news.heard.subscribe();
    loop {
        let found = asked.state.readers.ask(move |db| match name {
            MessageName::In(number) => db.awaited(number),
            MessageName::Out(vat, seq) => db.awaited_out(vat, seq),
        });
        let found = found.await?;
        if !matches!(found, Awaited::Queued) {
            return router::json(&found);
        }
        loop {
            match timeout_at(until, heard.recv()).await {
                Ok(Ok(news)) if !is_of(news, name) => {}
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => break,
                Ok(Err(RecvError::Closed)) => return Err(Refusal::stopping()),
                Err(_) => return router::json(&found),
            }
        }
    }
}

/// Whether it is news of that message.
fn is_of(news: Heard, name: MessageName) -> bool {
    match (news, name) {
        (Heard::Ended(ended), MessageName::In(number)) => ended == number,
        (Heard::Acked(vat, to), MessageName::Out(other, seq)) => vat == other && seq <= to,
        _ => false,
    }
}

/// `GET /v1/inbox`
pub(super) async fn inbox(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    router::json(&asked.state.readers.ask(move |db| db.inbox(&listing)).await?)
}
