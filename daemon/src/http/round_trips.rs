//! How long other vats take to answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use qrt_shared::id::VatId;

/// How long peers took to answer last, since the daemon started.
#[derive(Debug, Default)]
pub struct RoundTrips(Mutex<HashMap<VatId, Duration>>);

impl RoundTrips {
    /// How long that one took, if it answered.
    pub fn of(&self, vat: &VatId) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(vat).copied()
    }

    /// It took so long now.
    pub fn took(&self, vat: VatId, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(vat, time);
    }
}
