//! The vat as a whole.

use qrt_shared::VERSION;
use qrt_shared::id::VatId;
use qrt_shared::view::{Info, State};

use super::{Asked, Read, Reader};
use crate::mark::Mark;
use crate::store::history::History;
use crate::store::view;

impl Reader {
    /// See [`Asked::info`].
    pub fn info(&mut self) -> Read<Info> {
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
        self.ask(|db| db.info())
    }
}

impl Reader {
    /// Whose database it is.
    pub fn vat(&self) -> VatId {
        self.vat
    }

    /// Where it stands, and the latest time any turn was told.
    pub fn stands(&mut self) -> Read<(Mark, u64)> {
        self.ask(|db| {
            let history = db.db.query_row("SELECT history FROM vat", [], |row| row.get(0))?;
            Ok((Mark { history: History(history), commit: db.as_of }, view::counters(db.db)?.clock_ms))
        })
    }
}

impl Asked<'_> {
    /// When the oldest messages of the inbox and of the outbox were queued.
    pub fn oldest(&self) -> Read<(Option<u64>, Option<u64>)> {
        let inbox = self.one("SELECT queued_at FROM message ORDER BY message LIMIT 1", [], |row| row.get(0))?;
        let outbox = self.one("SELECT queued_at FROM outbox ORDER BY outbox LIMIT 1", [], |row| row.get(0))?;
        Ok((inbox, outbox))
    }

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
