//! The vat as a whole.

use qrt_shared::VERSION;
use qrt_shared::view::{Info, State};

use super::{Asked, Read, Reader};
use crate::store::view;

impl Reader {
    /// See [`Asked::info`].
    pub fn info(&mut self) -> Read<Info> {
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
        self.ask(|db| db.info())
    }
}

impl Asked<'_> {
    /// What the database says of the vat; the daemon adds what only it knows.
    pub fn info(&self) -> Read<Info> {
        let counters = view::counters(self.db)?;
        Ok(Info {
            vat: self.vat,
            url: None,
            pid: None,
            state: State::Stopped,
            version: VERSION.to_owned(),
            objects: counters.objects,
            inbox: counters.inbox,
            outbox: counters.outbox,
            faults: counters.faults,
            turns: counters.next_turn - 1,
            commit: counters.commits,
            started_at: None,
            worker: None,
        })
    }
}
