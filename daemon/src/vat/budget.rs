//! Budgets of objects: what each turn may use and what an object may keep; and who pays for a turn.
//!
//! An object has the figures of the settings but for those it was installed with, which whatever it
//! makes inherits. The worker holds a turn to what it can count; here, when the turn has ended, it is
//! held to what only the kernel knows: how large Memories are, and what accounts have in all.

use std::collections::BTreeMap;
use std::sync::Arc;

use qrt_shared::budget;
use qrt_shared::control::Problem;

use super::account::{Accounts, Change, signed};
use super::in_flight::Turn;
use super::request::Install;
use super::source::Source;
use super::view::View;
use super::{Halt, Limits, Step};
use crate::protocol::{Budget, FIRST_MADE, Handle, MadeMemory, Report};

/// What a turn of an object with these figures of its own may use, when `most` turns may use that.
pub(super) fn of_turn(most: &Budget, own: &budget::Budget) -> Budget {
    let small = |name, default| own.figure(name).map_or(default, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let Budget { ticks, memory_bytes, messages, objects, bytes, log_lines, jobs, calls, cpu_ms, wall_ms } = *most;
    Budget {
        ticks: own.figure("ticks").unwrap_or(ticks),
        memory_bytes: own.figure("memory").unwrap_or(memory_bytes),
        messages: small("messages", messages),
        objects: small("objects", objects),
        bytes: own.figure("bytes").unwrap_or(bytes),
        log_lines: small("log", log_lines),
        jobs: small("jobs", jobs),
        calls: small("calls", calls),
        cpu_ms: own.figure("cpu").unwrap_or(cpu_ms),
        wall_ms: own.figure("wall").unwrap_or(wall_ms),
    }
}

fn stored_max(limits: &Limits, own: &budget::Budget) -> u64 {
    own.figure("stored").unwrap_or(limits.stored_bytes)
}

/// Who pays for what `source` sends to an object of `account`, with all above, the nearest first: the
/// source, but for an account under it, which pays itself. Nobody pays for operators and peers.
pub(super) fn payers(
    accounts: &mut Accounts,
    view: &impl View,
    source: Source,
    account: Handle,
) -> Result<Arc<[Handle]>, Halt> {
    let Source::Account(source) = source else { return Ok(Arc::default()) };
    let targets = accounts.chain(view, account)?;
    if targets.contains(&source) { Ok(targets) } else { accounts.chain(view, source) }
}

/// Whether the first memory, of so many bytes, of what an operator installs fits what the object may keep, and what its
/// account may, which is new.
///
/// # Errors
/// It does not.
pub fn fits(limits: &Limits, install: &Install, bytes: u64) -> Result<(), Problem> {
    let total = limits.account.with(&install.account).memory_bytes.unwrap_or(u64::MAX);
    for (whose, most, flag) in [
        ("the object", stored_max(limits, &install.budget), "--budget stored=..."),
        ("its account", total, "--account-budget memory=..."),
    ] {
        if bytes > most {
            let what = format!("the first memory is {bytes} bytes, and {whose} may keep {most}");
            return Err(Problem::new(what, format!("give it less, or more room: `{flag}`")));
        }
    }
    Ok(())
}

/// A limit that a turn has passed which the worker cannot know of.
pub(super) struct Passed {
    /// What it says, with the figure.
    pub(super) message: String,
    /// The object whose limit it is, or the first of the account whose it is.
    pub(super) of: Handle,
}

/// The first limit that the oldest turn, which ended well and was looked up, has passed.
pub(super) fn passed<V: View, E>(
    step: &mut Step<'_, V, E>,
    turn: &Turn,
    report: &Report,
) -> Result<Option<Passed>, Halt> {
    let limits = step.vat.limits;
    let mut changes: Vec<(Handle, Change)> = Vec::new();
    for change in &report.memories {
        let Some(found) =
            turn.memories.iter().find(|given| given.memory == change.memory).and_then(|g| g.found.as_ref())
        else {
            continue;
        };
        let (before, account) = found.size();
        let after = found.size_after(change);
        if after == before {
            continue;
        }
        let havers = turn.objects.iter().filter(|given| given.memory == Some(change.memory));
        let tightest = havers.map(|given| (stored_max(&limits, &given.budget), given.object)).min();
        if let Some((most, object)) = tightest.filter(|(most, _)| after > before && after > *most) {
            let message = format!("a stored memory of {after} bytes, more than {most}");
            return Ok(Some(Passed { message, of: object }));
        }
        changes.push((account, Change { memory_bytes: signed(after) - signed(before), ..Change::default() }));
    }
    // Of objects made in the turn: the account that pays, which may be new, and whose figures they have.
    let mut made: Vec<(Handle, &budget::Budget)> = Vec::new();
    for object in &report.made {
        let given = turn.objects.iter().find(|given| given.object == object.maker);
        let earlier = object.maker.checked_sub(FIRST_MADE).and_then(|index| usize::try_from(index).ok());
        let maker = given.map(|given| (given.account, &given.budget));
        let Some((account, own)) = maker.or_else(|| made.get(earlier?).copied()) else { continue };
        made.push((account, own));
        let bytes = if let MadeMemory::New(entries) = &object.memory { entries_bytes(entries) } else { 0 };
        let most = stored_max(&limits, own);
        if bytes > most {
            let message = format!("a new object's memory of {bytes} bytes, more than {most}");
            return Ok(Some(Passed { message, of: given.map_or(turn.message.target, |given| given.object) }));
        }
        changes.push((account, Change { objects: 1, memory_bytes: signed(bytes), ..Change::default() }));
    }
    over(step, &changes)
}

/// The first total of an account that these pass together.
fn over<V: View, E>(step: &mut Step<'_, V, E>, changes: &[(Handle, Change)]) -> Result<Option<Passed>, Halt> {
    let mut sums = BTreeMap::<Handle, Change>::new();
    for (account, change) in changes {
        for account in &*step.vat.accounts.chain(step.view, *account)? {
            let sum = sums.entry(*account).or_default();
            sum.objects += change.objects;
            sum.memory_bytes += change.memory_bytes;
        }
    }
    for (account, sum) in sums {
        if let Some(over) = step.vat.accounts.over(step.view, &[account], sum)? {
            let message = format!("more than {} {} in this account and those made under it", over.most, over.what);
            return Ok(Some(Passed { message, of: over.account }));
        }
    }
    Ok(None)
}

/// The bytes of keys and values.
pub fn entries_bytes(entries: &[(String, String)]) -> u64 {
    entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() as u64
}
