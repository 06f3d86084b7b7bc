//! Workers that died, and whose fault it was.
//!
//! The turn that ran is the *suspect*: by the worker's page, if that names a turn the worker has not
//! answered, else the oldest of those. A suspect that crashed its worker runs once more, alone, in a
//! fresh one; a deadline, or the second crash, is the end of it. The *blame* goes to the object whose
//! code was innermost, again by the page, if the kernel gave that object to that turn, else to the
//! turn's target. So a lying worker can accuse nothing but what was given to it to run.
//!
//! An account that ended a turn this way is an *offender* for a while: its turns have a lane of
//! their own.

use std::collections::BTreeMap;

use super::checkpoint::{self, Effect, Write};
use super::entropy::Entropy;
use super::request::Who;
use super::schedule::Cost;
use super::view::{Offence, View};
use super::{Death, Halt, Step, hold, in_flight, turn};
use crate::protocol::{CodeError, Handle, Limit, Report, Running, Verdict};
use qrt_shared::view::Outcome;

/// How often a worker may die on a message.
const DEATHS_MAX: u32 = 2;

/// How long an offender is one at least.
const OFFENDER_MS: u64 = 24 * 60 * 60 * 1000;

/// Over which time an object's deaths are counted.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// How many deaths are remembered, the newest.
const REMEMBERED: u64 = 1000;

/// The accounts that killed a worker lately: the last time each did, as in the table `death`.
#[derive(Debug, Default)]
pub(super) struct Offenders(BTreeMap<Handle, Offence>);

impl Offenders {
    /// Those that the database remembers.
    pub(super) fn load(view: &impl View) -> Result<Self, Halt> {
        Ok(Self(view.offenders()?.into_iter().map(|offence| (offence.account, offence)).collect()))
    }

    /// Whether `account` is one, when the next turn's number and the time are these.
    pub(super) fn has(&self, account: Handle, quarantine_turns: u64, next_turn: u64, now_ms: u64) -> bool {
        self.0.get(&account).is_some_and(|Offence { turn, at, .. }| {
            now_ms < at + OFFENDER_MS || next_turn <= turn.saturating_add(quarantine_turns)
        })
    }

    fn add(&mut self, offence: Offence) {
        self.0.insert(offence.account, offence);
    }
}

/// The worker is gone: what it ran is to blame, the rest is delivered again.
pub(super) fn died<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    death: &Death,
    ran: Option<Running>,
) -> Result<(), Halt> {
    match death {
        Death::Replaced => {}
        Death::Deadline { clock, limit_ms } => {
            let how = format!("more than {limit_ms} ms of {clock} time in one turn");
            convict(step, Limit::Time, how, death.cost_us(), ran)?;
        }
        Death::Crashed(how) => convict(step, Limit::Crash, how.clone(), death.cost_us(), ran)?,
    }
    step.vat.schedule.gone();
    Ok(())
}

/// Writes down that a worker died on a turn; its message is a fault now, or to be delivered again.
fn convict<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    limit: Limit,
    how: String,
    cost_us: u64,
    ran: Option<Running>,
) -> Result<(), Halt> {
    let in_flight = &mut step.vat.schedule.in_flight;
    let Some(suspect) = in_flight.suspect(ran.map(|ran| ran.delivery)) else { return Ok(()) };
    let (delivery, message) = (suspect.delivery, suspect.message.message);
    let blamed = blamed(suspect, ran);
    // A turn before it on the same way may have ended and not been heard of: it must not be overtaken.
    let last = suspect.message.deaths + 1 >= DEATHS_MAX || limit == Limit::Time && !in_flight.has_before(suspect);
    let suspect = if last { in_flight.take(delivery) } else { None };
    let turn = last.then_some(step.vat.counters.next_turn);
    let mut repeated = 0;
    if let Some((object, account)) = blamed {
        let row = checkpoint::Death { at: step.now_ms, object, account, message, turn, how: how.clone() };
        repeated = step.view.deaths_since(object, step.now_ms.saturating_sub(HOUR_MS))? + 1;
        step.checkpoint.writes.push(Write::Death { row: Box::new(row), remembered: REMEMBERED });
        if let (Some(turn), Some(offenders)) = (turn, &mut step.vat.offenders) {
            offenders.add(Offence { account, turn, at: step.now_ms });
        }
    }
    let Some(suspect) = suspect else {
        step.checkpoint.writes.push(Write::DiedOn(message));
        return hold_offender(step, blamed, repeated);
    };
    let cost = Cost { cost_us, cpu_us: cost_us };
    step.vat.schedule.handled(step.view, &mut step.vat.accounts, &suspect, cost, step.now_ms)?;
    let error = match limit {
        Limit::Crash => crashed(&how),
        _ => how,
    };
    // Nobody says any more whether it had asked for random bytes.
    let report = Report { random_used: true, ..Report::empty(Verdict::Killed { limit, message: error.clone() }) };
    let error = CodeError { object: blamed.map(|(object, _)| object), ..turn::without_place(&error) };
    turn::fail(step, suspect, Outcome::Killed, error, report)?;
    hold_offender(step, blamed, repeated)
}

/// What the error of a turn says that crashed its workers.
pub(super) fn crashed(how: &str) -> String {
    format!("the interpreter died on it {DEATHS_MAX} times: {how}")
}

/// Holds an object whose code killed so many workers within an hour, if those are too many.
fn hold_offender<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    blamed: Option<(Handle, Handle)>,
    deaths: u64,
) -> Result<(), Halt> {
    let Some((object, _)) = blamed.filter(|_| deaths >= step.vat.limits.deaths_per_hour) else { return Ok(()) };
    if step.view.object(object)?.is_none_or(|row| row.held) {
        return Ok(());
    }
    let why = format!("its code killed {deaths} worker processes within an hour");
    step.checkpoint.effects.push(Effect::Log(format!("object {object} is held: {why}")));
    hold::set(step, Who::VAT, object, true, Some(why));
    Ok(())
}

/// The object whose code killed the worker, as far as that can be said, and its account.
pub(super) fn blamed(suspect: &in_flight::Turn, ran: Option<Running>) -> Option<(Handle, Handle)> {
    let innermost = ran.filter(|ran| ran.delivery == suspect.delivery).map(|ran| ran.object);
    let given = suspect.objects.iter().find(|given| Some(given.object) == innermost).or(suspect.objects.first());
    given.map(|given| (given.object, given.account))
}
