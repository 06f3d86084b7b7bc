//! What the vat has done since its daemon started, counted where commits are made.
//!
//! The loop counts what each step writes anyway; what is committed is added up. A number that nobody can see before
//! the commit that it is of is [`Committed`].

use qrt_shared::view::{Outcome, Totals};

use crate::vat::checkpoint::Write;
use crate::vat::{Checkpoint, Counters};

/// A commit that is on the disk, and what the vat has done by then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub commit: u64,
    /// What has been done.
    pub totals: Totals,
}

/// See the module.
#[derive(Debug)]
pub struct Tally {
    totals: Totals,
    next_outbox: u64,
    outbox: u64,
}

impl Tally {
    /// Nothing was done yet by a vat that stands at `counters`.
    pub fn new(counters: &Counters) -> Self {
        Self { totals: Totals::default(), next_outbox: counters.next_outbox, outbox: counters.outbox }
    }

    /// A step has made this.
    pub fn step(&mut self, checkpoint: &Checkpoint) {
        let totals = &mut self.totals;
        for write in &checkpoint.writes {
            if let Write::Turn(turn) = write {
                totals.turns += 1;
                totals.failed += u64::from(turn.outcome != Outcome::Ok);
                totals.ticks += turn.ticks;
                totals.cpu_us += turn.cpu_us;
            }
        }
        totals.received += checkpoint.received;
    }

    /// An attempt to deliver has ended.
    pub fn attempt(&mut self, failed: bool) {
        self.totals.attempts += 1;
        self.totals.attempts_failed += u64::from(failed);
    }

    /// All steps until here are on the disk, as `commit`; the vat stands at `counters`.
    pub fn committed(&mut self, commit: u64, counters: &Counters) -> Committed {
        // The outbox grows by what is sent and shrinks by what is acknowledged, and by nothing else.
        let sent = counters.next_outbox - self.next_outbox;
        self.totals.sent += sent;
        self.totals.acknowledged += (self.outbox + sent).saturating_sub(counters.outbox);
        (self.next_outbox, self.outbox) = (counters.next_outbox, counters.outbox);
        self.totals.commits += 1;
        Committed { commit, totals: self.totals }
    }
}
