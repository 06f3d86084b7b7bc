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
    /// The CPU time of turns, in microseconds.
    pub cpu_us: Histogram,
    /// The compute of turns, in ticks.
    pub ticks: Histogram,
    /// How the vat stands.
    pub stands: Stands,
}

/// Counters of the vat, as a commit left them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stands {
    /// Messages in the inbox.
    pub inbox: u64,
    /// Messages in the outbox.
    pub outbox: u64,
    /// The number of the next turn.
    pub next_turn: u64,
    /// The number of the next fault.
    pub next_fault: u64,
}

impl From<&Counters> for Stands {
    fn from(&Counters { inbox, outbox, next_turn, next_fault, .. }: &Counters) -> Self {
        Self { inbox, outbox, next_turn, next_fault }
    }
}

/// How many turns used how much: counts by powers of four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; Self::BUCKETS],
    sum: u64,
}

impl Histogram {
    const BUCKETS: usize = 13;

    fn add(&mut self, value: u64) {
        // 0 and 1 are in the first, up to 4 in the second, ...
        let bucket = value.max(1).next_power_of_two().ilog2().div_ceil(2) as usize;
        self.counts[bucket.min(Self::BUCKETS - 1)] += 1;
        self.sum += value;
    }

    /// How many there are up to each bound and beyond the one before; the last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bound = |bucket: usize| (bucket + 1 < Self::BUCKETS).then(|| 1 << (2 * bucket));
        self.counts.iter().enumerate().map(move |(bucket, count)| (bound(bucket), *count))
    }

    /// All of it.
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

/// See the module.
#[derive(Debug)]
pub struct Tally {
    done: Committed,
    next_outbox: u64,
    outbox: u64,
}

impl Tally {
    /// Nothing was done yet by a vat that stands at `counters`.
    pub fn new(counters: &Counters) -> Self {
        let done = Committed { commit: counters.commits, stands: counters.into(), ..Committed::default() };
        Self { done, next_outbox: counters.next_outbox, outbox: counters.outbox }
    }

    /// A step has made this.
    pub fn step(&mut self, checkpoint: &Checkpoint) {
        let Committed { totals, cpu_us, ticks, .. } = &mut self.done;
        for write in &checkpoint.writes {
            if let Write::Turn(turn) = write {
                totals.turns += 1;
                totals.failed += u64::from(turn.outcome != Outcome::Ok);
                totals.ticks += turn.ticks;
                totals.cpu_us += turn.cpu_us;
                cpu_us.add(turn.cpu_us);
                ticks.add(turn.ticks);
            }
        }
        totals.received += checkpoint.received;
    }

    /// An attempt to deliver has ended.
    pub fn attempt(&mut self, failed: bool) {
        self.done.totals.attempts += 1;
        self.done.totals.attempts_failed += u64::from(failed);
    }

    /// All steps until here are on the disk, as `commit`; the vat stands at `counters`.
    pub fn committed(&mut self, commit: u64, counters: &Counters) -> Committed {
        // The outbox grows by what is sent and shrinks by what is acknowledged, and by nothing else.
        let sent = counters.next_outbox - self.next_outbox;
        self.done.totals.sent += sent;
        self.done.totals.acknowledged += (self.outbox + sent).saturating_sub(counters.outbox);
        (self.next_outbox, self.outbox) = (counters.next_outbox, counters.outbox);
        self.done.totals.commits += 1;
        (self.done.commit, self.done.stands) = (commit, counters.into());
        self.done
    }

    /// The last commit.
    pub fn last(&self) -> Committed {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_in_the_first_bucket_whose_bound_it_does_not_pass() {
        let mut histogram = Histogram::default();
        let values = [0, 1, 2, 4, 5, 16, 17, u64::from(u32::MAX)];
        for value in values {
            histogram.add(value);
        }
        let counted: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(Some(1), 2), (Some(4), 2), (Some(16), 2), (Some(64), 1), (None, 1)]);
        assert_eq!(histogram.sum(), values.iter().sum::<u64>());
    }
}
