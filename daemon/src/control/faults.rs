//! Faults.

use super::Refusal;
use super::router::{self, Asked, segment};
use crate::vat::request::Action;

/// `GET /v1/faults`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    router::json(&asked.state.readers.ask(move |db| db.faults(&listing)).await?)
}

/// `POST /v1/faults/{fault}/retry`
pub(super) async fn retry(asked: &Asked<'_>, fault: &str) -> Result<Vec<u8>, Refusal> {
    asked.change(Action::FaultRetry(segment(fault)?)).await
}

/// `DELETE /v1/faults/{fault}`
pub(super) async fn drop(asked: &Asked<'_>, fault: &str) -> Result<Vec<u8>, Refusal> {
    asked.change(Action::FaultDrop(segment(fault)?)).await
}
