//! Accounts: what each has used, with all accounts made under it, and what it may use.
//!
//! A row's totals count an account *and every account below*, so whatever changes one changes every
//! one above it, and a limit is looked at on the way up. Rows that steps have touched are written once
//! a commit; the store shows them before that.
//!
//! Objects and stored bytes are held at a limit: a turn that would pass it is killed, in the order of
//! turns. Queued bytes are too: a message beyond has no room. Compute is a *bucket* that time refills:
//! what a turn costs is known when it has ended, so the bucket may go below nothing, by no more than what
//! is with the worker at one time, and who finds it so waits until it is above again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use qrt_shared::budget::Budget;

use super::Halt;
use super::view::View;
use crate::protocol::Handle;

/// Rows that are remembered although no step has touched them since the last one.
const KNOWN_MAX: usize = 4096;

/// A bucket that is empty is not looked at again for so long, so that one who has spent his is no work.
const REFILL_MS: u64 = 100;

/// What an account may use; `None`: as much as there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// CPU time that can be saved up, in microseconds.
    pub compute_us: Option<u64>,
    /// CPU time that comes back, in microseconds a second.
    pub refill_us: u64,
    /// Objects.
    pub objects: Option<u64>,
    /// Bytes of Memories.
    pub memory_bytes: Option<u64>,
    /// Bytes of queued messages whose turns it pays for.
    pub queued_bytes: Option<u64>,
}

impl Totals {
    /// These, but for what `own` names.
    #[must_use]
    pub fn with(self, own: &Budget) -> Self {
        let cpu = own.figure("cpu").map(|ms| ms.saturating_mul(1000));
        Self {
            compute_us: cpu.or(self.compute_us),
            refill_us: match cpu {
                Some(_) => own.figure("refill").unwrap_or(0).saturating_mul(1000),
                None => self.refill_us,
            },
            objects: own.figure("objects").or(self.objects),
            memory_bytes: own.figure("memory").or(self.memory_bytes),
            queued_bytes: own.figure("queued").or(self.queued_bytes),
        }
    }
}

/// An account's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account whose `make_account` made it; `None` when it was installed.
    pub above: Option<Handle>,
    /// What the operator gave it.
    pub own: Budget,
    /// Objects, its own and of all accounts below.
    pub objects: u64,
    /// Bytes of the Memories it had first, likewise.
    pub memory_bytes: u64,
    /// Bytes of queued messages whose turns it pays for, likewise.
    pub queued_bytes: u64,
    /// CPU time it has paid for, likewise.
    pub cpu_us: u64,
    /// Its compute.
    pub compute: Compute,
}

/// A bucket of CPU time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compute {
    /// What is left, in microseconds, or owed.
    pub left_us: i64,
    /// When that was so.
    pub at_ms: u64,
    /// What it holds; `None`: no limit.
    pub most_us: Option<u64>,
    /// What comes back a second.
    pub refill_us: u64,
}

/// When a bucket that is empty is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refill {
    /// Then.
    At(u64),
    /// Nothing ever comes back.
    Never,
}

impl Compute {
    fn full(totals: &Totals, now_ms: u64) -> Self {
        let Totals { compute_us, refill_us, .. } = *totals;
        Self { left_us: signed(compute_us.unwrap_or(0)), at_ms: now_ms, most_us: compute_us, refill_us }
    }

    /// The bucket at `now_ms`. A clock that was set back brings nothing and takes nothing.
    #[must_use]
    pub fn at(self, now_ms: u64) -> Self {
        let Some(most_us) = self.most_us else { return Self { at_ms: now_ms, ..self } };
        let past_ms = now_ms.saturating_sub(self.at_ms);
        let back = u128::from(past_ms) * u128::from(self.refill_us) / 1000;
        let left_us = self.left_us.saturating_add(i64::try_from(back).unwrap_or(i64::MAX)).min(signed(most_us));
        Self { left_us, at_ms: now_ms, ..self }
    }

    /// When it is worth a look again, if it is empty at `now_ms`.
    pub fn empty(self, now_ms: u64) -> Option<Refill> {
        self.most_us?;
        let Self { left_us, refill_us, .. } = self.at(now_ms);
        if left_us > 0 {
            return None;
        }
        let needed = u128::from(left_us.unsigned_abs()) + 1;
        if refill_us == 0 {
            return Some(Refill::Never);
        }
        let wait_ms = (needed * 1000).div_ceil(u128::from(refill_us));
        let wait_ms = u64::try_from(wait_ms).unwrap_or(u64::MAX).max(REFILL_MS);
        Some(Refill::At(now_ms.saturating_add(wait_ms)))
    }
}

/// A figure as the difference from nothing.
pub(super) fn signed(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

/// What is added to an account and all above it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) objects: i64,
    pub(super) memory_bytes: i64,
    pub(super) queued_bytes: i64,
    pub(super) cpu_us: u64,
}

/// Which total of which account something would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) account: Handle,
    pub(super) what: &'static str,
    pub(super) most: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Accounts {
    defaults: Totals,
    known: HashMap<Handle, Account>,
    /// Those that the step has changed.
    touched: BTreeSet<Handle>,
}

impl Accounts {
    pub(super) fn new(defaults: Totals) -> Self {
        Self { defaults, known: HashMap::new(), touched: BTreeSet::new() }
    }

    /// Accounts without figures of their own have these from now on.
    pub(super) fn limit(&mut self, defaults: Totals) {
        self.defaults = defaults;
        // Rows are read again, and get the new figures as they are.
        self.known.clear();
    }

    /// An account begins.
    pub(super) fn open(&mut self, account: Handle, above: Option<Handle>, own: Budget, now_ms: u64) {
        let compute = Compute::full(&self.defaults.with(&own), now_ms);
        let row = Account { above, own, objects: 0, memory_bytes: 0, queued_bytes: 0, cpu_us: 0, compute };
        self.known.insert(account, row);
        self.touched.insert(account);
    }

    /// An account and those above it, the nearest first.
    pub(super) fn chain(&mut self, view: &impl View, account: Handle) -> Result<Arc<[Handle]>, Halt> {
        let mut chain = vec![account];
        let mut next = self.row(view, account)?.above;
        while let Some(above) = next {
            chain.push(above);
            next = self.row(view, above)?.above;
        }
        Ok(chain.into())
    }

    /// Adds to each of a chain.
    pub(super) fn add(&mut self, view: &impl View, chain: &[Handle], change: Change, now_ms: u64) -> Result<(), Halt> {
        for account in chain {
            let row = self.row(view, *account)?;
            row.objects = row.objects.saturating_add_signed(change.objects);
            row.memory_bytes = row.memory_bytes.saturating_add_signed(change.memory_bytes);
            row.queued_bytes = row.queued_bytes.saturating_add_signed(change.queued_bytes);
            row.cpu_us = row.cpu_us.saturating_add(change.cpu_us);
            if row.compute.most_us.is_some() && change.cpu_us > 0 {
                row.compute = row.compute.at(now_ms);
                row.compute.left_us = row.compute.left_us.saturating_sub(signed(change.cpu_us));
            }
            self.touched.insert(*account);
        }
        Ok(())
    }

    /// The first of a chain that has no room for a change.
    pub(super) fn over(&mut self, view: &impl View, chain: &[Handle], change: Change) -> Result<Option<Over>, Halt> {
        for account in chain {
            let defaults = self.defaults;
            let row = self.row(view, *account)?;
            let totals = defaults.with(&row.own);
            let figures = [
                ("objects", row.objects, change.objects, totals.objects),
                ("bytes of stored memory", row.memory_bytes, change.memory_bytes, totals.memory_bytes),
                ("bytes of queued messages", row.queued_bytes, change.queued_bytes, totals.queued_bytes),
            ];
            for (what, there, more, most) in figures {
                if let Some(most) = most.filter(|most| more > 0 && there.saturating_add_signed(more) > *most) {
                    return Ok(Some(Over { account: *account, what, most }));
                }
            }
        }
        Ok(None)
    }

    /// The first of a chain whose compute is spent, and when that is over.
    pub(super) fn spent(
        &mut self,
        view: &impl View,
        chain: &[Handle],
        now_ms: u64,
    ) -> Result<Option<(Handle, Refill)>, Halt> {
        for account in chain {
            if let Some(refill) = self.row(view, *account)?.compute.empty(now_ms) {
                return Ok(Some((*account, refill)));
            }
        }
        Ok(None)
    }

    /// The rows that the step has changed.
    pub(super) fn take(&mut self) -> Vec<(Handle, Account)> {
        let rows = std::mem::take(&mut self.touched).into_iter();
        let rows = rows.filter_map(|account| Some((account, self.known.get(&account)?.clone()))).collect();
        if self.known.len() > KNOWN_MAX {
            self.known.clear();
        }
        rows
    }

    /// What the step has changed did not happen.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.touched.clear();
    }

    fn row(&mut self, view: &impl View, account: Handle) -> Result<&mut Account, Halt> {
        use std::collections::hash_map::Entry;
        match self.known.entry(account) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let missing = || Halt::Damaged(format!("account {account} has no row"));
                let mut row = view.account_row(account)?.ok_or_else(missing)?;
                // The settings may be others than when it was written.
                let totals = self.defaults.with(&row.own);
                if row.compute.most_us.is_none() {
                    row.compute = Compute::full(&totals, row.compute.at_ms);
                }
                (row.compute.most_us, row.compute.refill_us) = (totals.compute_us, totals.refill_us);
                row.compute.left_us = row.compute.left_us.min(signed(totals.compute_us.unwrap_or(0)));
                Ok(unknown.insert(row))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_refilled_by_time_up_to_what_it_holds() {
        let bucket = Compute { left_us: -5_000, at_ms: 1_000, most_us: Some(20_000), refill_us: 10_000 };
        assert_eq!(bucket.empty(1_000), Some(Refill::At(1_501)));
        assert_eq!(bucket.empty(1_500), Some(Refill::At(1_600)), "it is not looked at for every microsecond");
        assert_eq!(bucket.empty(1_501), None);
        assert_eq!(bucket.at(100_000).left_us, 20_000);
        assert_eq!(bucket.at(10).left_us, -5_000, "a clock that is set back brings nothing");
        assert_eq!(Compute { refill_us: 0, ..bucket }.empty(5_000), Some(Refill::Never));
        assert_eq!(Compute { most_us: None, ..bucket }.empty(1_000), None);
    }
}
