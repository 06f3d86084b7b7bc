//! Who can reach what.

use qrt_shared::id::Target;

use super::Refusal;
use super::router::{self, Asked, segment};
use crate::protocol::Native;

/// How many objects are looked at unless the asker says.
const LIMIT: u64 = 1000;

fn limit(asked: &Asked<'_>) -> Result<u64, Refusal> {
    Ok(asked.parameter("limit")?.unwrap_or(LIMIT))
}

/// `GET /v1/objects/{object}/reach?limit=`
pub(super) async fn reach(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let (target, limit): (Target, u64) = (segment(object)?, limit(asked)?);
    router::json(&asked.state.readers.ask(move |db| db.reach(db.resolve(&target)?, limit)).await?)
}

/// `GET /v1/objects/{object}/reach/{other}?limit=`
pub(super) async fn way(asked: &Asked<'_>, from: &str, to: &str) -> Result<Vec<u8>, Refusal> {
    let (from, to, limit): (Target, Target, u64) = (segment(from)?, segment(to)?, limit(asked)?);
    router::json(&asked.state.readers.ask(move |db| db.way(db.resolve(&from)?, db.resolve_any(&to)?, limit)).await?)
}

/// `GET /v1/natives/{native}?after=`
pub(super) async fn natives(asked: &Asked<'_>, native: &str) -> Result<Vec<u8>, Refusal> {
    let known = || format!("it is one of {}", Native::ALL.map(Native::name).join(", "));
    let unknown = || Refusal::bad(format!("no native power is called {native}"), known());
    let (native, after) = (Native::by_name(native).ok_or_else(unknown)?, asked.after()?);
    router::json(&asked.state.readers.ask(move |db| db.empowered(native, after)).await?)
}

/// `GET /v1/sweep?after=`
pub(super) async fn sweep(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let after = asked.after()?;
    router::json(&asked.state.readers.ask(move |db| db.sweep(after)).await?)
}
