//! Turns: from a queued message to a delivery, from a worker's report to a checkpoint.

use std::mem;

use qrt_shared::budget::Budget;
use qrt_shared::id::Qrid;
use qrt_shared::qjson;
use qrt_shared::view::{Outcome, Used};
use qrt_shared::wire::Sequence;
use sha2::{Digest, Sha256};

use super::budget::{self, Passed};
use super::checkpoint::{Change, Turn, Write};
use super::death::Offenders;
use super::entropy::Entropy;
use super::fault::Failed;
use super::in_flight::{self, AsFound, Given, InFlight};
use super::install::NewSpec;
use super::lane::Lane;
use super::peer::post;
use super::schedule::Full;
use super::schedule::{BASE_US, BYTES_PER_US, Cost, Next};
use super::send::{self, Ending, New, Recipient};
use super::source::{PeerNumber, Source};
use super::view::{Message, Object, View};
use super::{Halt, Order, Start, Step, Vat, fault, memory, remove, verify};
use crate::protocol::{
    self, CodeError, Delivery, FIRST_MADE, Handle, Image, MadeMemory, MemoryHandle, Power, Report, Verdict,
};

/// A turn that takes longer, in microseconds of CPU time, is not what its source's turns were taken
/// for: what is streamed behind it is called back, at the cost of a new worker.
const SLOW_US: u64 = 100_000;

/// What part of a full journal goes at a time.
const PRUNE_PART: u64 = 64;

/// The next turn that may go to the worker.
pub(super) fn start(
    vat: &mut Vat,
    view: &impl View,
    now_ms: u64,
    entropy: &mut impl Entropy,
) -> Result<Option<Start>, Halt> {
    let offenders = match &mut vat.offenders {
        Some(offenders) => offenders,
        none => none.insert(Offenders::load(view)?),
    };
    let (limits, next_turn) = (vat.limits, vat.counters.next_turn);
    let lane = |object: &Object| {
        let offends = offenders.has(object.account, limits.quarantine_turns, next_turn, now_ms);
        Lane::of(limits.isolation, object.account, offends)
    };
    let Some(next) = vat.schedule.next(view, &mut vat.accounts, now_ms, vat.lane, lane)? else { return Ok(None) };
    let Next { message, object, estimate_us } = next;
    let (before, fresh) = (vat.lane, message.deaths > 0);
    vat.lane = lane(&object);
    if fresh || vat.lane != before {
        // It runs in another worker: what the one before has not answered nobody waits for.
        vat.schedule.in_flight.gone();
    }
    let delivery = vat.schedule.in_flight.next_delivery();
    // The clock may be set back; a vat's never goes.
    vat.counters.clock_ms = vat.counters.clock_ms.max(now_ms);
    let mut turn = in_flight::Turn {
        delivery,
        held: qjson::references(&message.args).map_err(damaged)?.into_iter().collect(),
        bytes: message.args.len(),
        message,
        objects: Vec::new(),
        refused: Vec::new(),
        memories: Vec::new(),
        clock_ms: vat.counters.clock_ms,
        seed: entropy.draw(),
        stale: false,
        budget: budget::of_turn(&vat.limits.turn, &object.budget),
        estimate_us,
    };
    let target = turn.message.target;
    let target = image(view, &mut turn, target, &object, Some(&vat.schedule.in_flight))?;
    let delivery = Delivery {
        delivery,
        target,
        args: turn.message.args.clone(),
        clock_ms: turn.clock_ms,
        seed: turn.seed,
        first_made: FIRST_MADE,
        budget: turn.budget,
    };
    vat.schedule.in_flight.push(turn);
    Ok(Some(Start { lane: vat.lane, fresh, delivery: Box::new(delivery) }))
}

/// Gives `turn` an object; its image. The worker runs the turn now (`None`) or after those in flight.
fn image(
    view: &impl View,
    turn: &mut in_flight::Turn,
    handle: Handle,
    object: &Object,
    before: Option<&InFlight>,
) -> Result<Image, Halt> {
    let Object { account, code, statics, natives, memory, budget, held: _ } = object;
    turn.held.extend(qjson::references(statics).map_err(damaged)?);
    turn.bytes += statics.len();
    let memory = match memory {
        Some(memory) => Some(protocol::Memory { memory: *memory, content: memory::give(view, turn, *memory, before)? }),
        None => None,
    };
    turn.objects.push(Given {
        object: handle,
        account: *account,
        code: *code,
        memory: memory.as_ref().map(|memory| memory.memory),
        natives: natives.values().copied().collect(),
        budget: budget.clone(),
    });
    let natives = natives.iter().map(|(property, native)| (property.clone(), *native)).collect();
    let power = Power { statics: statics.clone(), natives };
    Ok(Image { object: handle, code: *code, power, memory })
}

/// The running turn calls an object whose image it has not got.
pub(super) fn load<V: View, E>(
    step: &mut Step<'_, V, E>,
    delivery: u64,
    object: Handle,
) -> Result<Option<Order>, Halt> {
    if step.vat.schedule.in_flight.called_back(delivery) {
        return Ok(Some(Order::Loaded(Err("this turn was called back".to_owned()))));
    }
    let Some(turn) = step.vat.schedule.in_flight.front().filter(|turn| turn.delivery == delivery) else {
        return Ok(Some(condemn(step.vat, "asked for an object in a turn it does not run")));
    };
    if turn.stale {
        return Ok(Some(Order::Loaded(Err("this turn is called back".to_owned()))));
    }
    memory::look_up(step.view, turn)?;
    if !turn.held.contains(&object) {
        return Ok(Some(condemn(step.vat, "asked for an object it has no reference to")));
    }
    if turn.objects.iter().any(|given| given.object == object) || turn.has_refused(object) {
        return Ok(Some(condemn(step.vat, "asked for an object it has, or was refused")));
    }
    let refusal = match step.view.object(object)? {
        Some(row) if !row.held => {
            return Ok(Some(Order::Loaded(Ok(Box::new(image(step.view, turn, object, &row, None)?)))));
        }
        Some(_) => "the object is held",
        None => remove::GONE,
    };
    turn.refused.push((object, refusal.to_owned()));
    Ok(Some(Order::Loaded(Err(refusal.to_owned()))))
}

/// A turn has ended.
pub(super) fn finish<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    delivery: u64,
    report: Report,
) -> Result<Option<Order>, Halt> {
    let schedule = &mut step.vat.schedule;
    if schedule.in_flight.called_back(delivery) {
        schedule.in_flight.answered(delivery);
        return Ok(None);
    }
    let Some(turn) = schedule.in_flight.front().filter(|turn| turn.delivery == delivery) else {
        return Ok(Some(condemn(step.vat, "reported a turn it does not run")));
    };
    // Another account's code ran where this lane's own turns run.
    let spoilt = step.vat.lane.is_spoilt_by(turn.objects.iter().map(|given| given.account));
    if turn.stale {
        schedule.in_flight.answered(delivery);
        schedule.call_back_stale();
        return Ok(spoilt.then(|| discard(step.vat)));
    }
    memory::look_up(step.view, turn)?;
    memory::look_up_changes(step.view, turn, &report.memories)?;
    let sizes = match verify::report(turn, &report, &turn.budget) {
        Ok(sizes) => sizes,
        Err(lie) => return Ok(Some(condemn(step.vat, &lie))),
    };
    let cpu_us = report.cpu_us;
    schedule.in_flight.answered(delivery);
    if let Some(turn) = schedule.in_flight.pop() {
        let cost = Cost { cost_us: cost_us(&turn, &report), cpu_us };
        step.vat.schedule.handled(step.view, &mut step.vat.accounts, &turn, cost, step.now_ms)?;
        match report.verdict {
            Verdict::Ok { .. } => match budget::passed(step, &turn, &report)? {
                None => commit(step, turn, report, &sizes)?,
                Some(passed) => undo(step, turn, report, &passed)?,
            },
            Verdict::Error(ref error) => fail(step, turn, Outcome::Error, error.clone(), report)?,
            Verdict::Killed { ref message, .. } => {
                let error = CodeError { object: Some(turn.message.target), ..without_place(message) };
                fail(step, turn, Outcome::Killed, error, report)?;
            }
        }
    }
    if spoilt {
        return Ok(Some(discard(step.vat)));
    }
    // What was streamed behind a slow turn was planned for quick ones: others come first now.
    let slow = cpu_us > SLOW_US && !step.vat.schedule.in_flight.is_empty();
    Ok(slow.then_some(Order::Replace))
}

/// A turn that ended well for the worker has passed a limit: nothing of it happens. What it left of its
/// Memories with the worker counts for nothing.
fn undo<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    turn: in_flight::Turn,
    report: Report,
    passed: &Passed,
) -> Result<(), Halt> {
    for change in &report.memories {
        step.vat.schedule.in_flight.changed(change.memory, AsFound::default());
    }
    let error = CodeError { object: Some(passed.of), ..without_place(&passed.message) };
    fail(step, turn, Outcome::Killed, error, report)
}

/// The worker is nobody's any more: what was streamed to it is delivered again, whatever it says of it.
fn discard(vat: &mut Vat) -> Order {
    // Nor is it to their blame if it dies of what the other account left there.
    vat.schedule.call_back();
    vat.schedule.in_flight.condemned = true;
    Order::Replace
}

pub(super) fn condemn(vat: &mut Vat, lie: &str) -> Order {
    vat.schedule.in_flight.condemned = true;
    Order::Kill(lie.to_owned())
}

/// An object that did something in a turn.
struct Actor {
    /// Its handle in the turn's report.
    acted_as: Handle,
    /// Its lasting handle: another, when the turn made it.
    object: Handle,
    account: Handle,
    memory: Option<MemoryHandle>,
    budget: Budget,
}

impl Actor {
    fn of(given: &Given) -> Self {
        let Given { object, account, memory, .. } = *given;
        Self { acted_as: object, object, account, memory, budget: given.budget.clone() }
    }
}

/// Everything a turn did becomes rows of one checkpoint.
fn commit<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    turn: in_flight::Turn,
    mut report: Report,
    sizes: &[u64],
) -> Result<(), Halt> {
    let number = handled(step, &turn.message);
    let digest = digest(&report);
    let first_handle = step.vat.counters.next_reference;
    settle(&mut report, first_handle)?;
    let mut made = Vec::new();
    // Those that acted, the new ones under the handles they had in the turn.
    let mut actors: Vec<_> = turn.objects.iter().map(Actor::of).collect();
    for (object, made_as) in mem::take(&mut report.made).into_iter().zip(FIRST_MADE..) {
        let maker = actors.iter().find(|actor| actor.acted_as == object.maker).ok_or_else(gone)?;
        let handle = step.vat.counters.next_reference;
        let account = if object.account { handle } else { maker.account };
        if object.account {
            step.new_account(handle, maker.account)?;
        }
        let memory = match object.memory {
            MadeMemory::None => None,
            MadeMemory::Makers => maker.memory,
            MadeMemory::New(entries) => Some(step.new_memory(&entries, account)?),
        };
        let spec = NewSpec {
            account,
            maker: Some(maker.object),
            code: step.code(&object.code)?,
            statics: object.power.statics,
            natives: object.power.natives.into_iter().collect(),
            memory,
            budget: maker.budget.clone(),
            born: number,
        };
        let budget = spec.budget.clone();
        step.new_object(spec)?;
        actors.push(Actor { acted_as: made_as, object: handle, account, memory, budget });
        made.push(handle);
    }
    let mut changes = Vec::new();
    for change in mem::take(&mut report.memories) {
        let given = turn.memories.iter().find(|given| given.memory == change.memory);
        if let Some(found) = given.and_then(|given| given.found.as_ref()) {
            let memory = change.memory;
            // A turn that asked leaves no whole Memory with the worker, and where it made objects, the worker
            // still has the handles that those had in the turn.
            let keys = made.is_empty();
            let whole = keys && given.is_some_and(|given| !matches!(given.how, memory::How::ByKey(_)));
            memory::remember(step, found, change, &mut changes)?;
            step.vat.schedule.in_flight.changed(memory, AsFound { whole, keys });
        }
    }
    let chain = turn.message.chain + 1;
    let (sent, posted) = send_all(step, (number, chain), &actors, mem::take(&mut report.sent), sizes)?;
    let (result, result_error) = match &mut report.verdict {
        Verdict::Ok { result, result_error } => (mem::take(result), result_error.take()),
        _ => (String::new(), None),
    };
    let result = (result != "null").then_some(result);
    let ending = Ending {
        turn: Some(number),
        outcome: Outcome::Ok,
        result: result.clone(),
        result_error: result_error.clone(),
        error: None,
    };
    send::ended(step, &turn.message, ending)?;
    let row = Turn {
        result,
        result_error,
        made,
        sent,
        posted,
        changes,
        digest,
        ..journal(number, turn, Outcome::Ok, report)
    };
    record(step, row)
}

/// The messages a turn sent: their numbers here, and those in other vats.
type Away = (Vec<u64>, Vec<(PeerNumber, Sequence)>);

/// Queues or posts what the turn of that number sent.
fn send_all<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    (number, chain): (u64, u64),
    actors: &[Actor],
    messages: Vec<protocol::Sent>,
    sizes: &[u64],
) -> Result<Away, Halt> {
    let (mut sent, mut posted) = (Vec::new(), Vec::new());
    for (message, bytes) in messages.into_iter().zip(sizes) {
        let sender = actors.iter().find(|actor| actor.acted_as == message.sender);
        let source = Source::Account(sender.ok_or_else(gone)?.account);
        let target = message.target;
        let recipient = recipient(step, actors, target)?;
        if let To::Abroad(to) = &recipient {
            let new = post::New { to, target, args: &message.args, bytes: *bytes, turn: Some(number) };
            match post::post(step, &new) {
                Ok((peer, _, seq)) => {
                    send::exported(step, peer, &message.args)?;
                    posted.push((peer, seq));
                    continue;
                }
                Err(post::Refusal::Full | post::Refusal::NoNumbers) => {}
                Err(post::Refusal::Halt(halt)) => return Err(halt),
            }
        }
        let new = New { source, target, args: message.args, bytes: *bytes, cause: Some(number), abroad: None, chain };
        let message = send::number(step, new);
        sent.push(message.message);
        match recipient {
            To::Abroad(_) => fault::refused(step, message, Full::Outbox)?,
            To::Nobody => fault::undeliverable(step, message, remove::GONE)?,
            To::Here(recipient) => match send::room(step, source, (target, recipient.account), *bytes)? {
                None => drop(send::queue(step, message, recipient)?),
                Some(full) => fault::refused(step, message, full)?,
            },
        }
    }
    Ok((sent, posted))
}

/// There is no such object in a turn that was verified.
fn gone() -> Halt {
    Halt::Damaged("an object of a turn that was verified is gone".to_owned())
}

/// Where a message goes.
enum To {
    Here(Recipient),
    Abroad(Qrid),
    /// Its target was removed.
    Nobody,
}

fn recipient<V: View, E: Entropy>(step: &Step<'_, V, E>, actors: &[Actor], target: Handle) -> Result<To, Halt> {
    // Those that acted in the turn are not held, and the view does not know those that were made in it.
    if let Some(actor) = actors.iter().find(|actor| actor.object == target) {
        return Ok(To::Here(Recipient { account: actor.account, held: false, stranger: false }));
    }
    if let Some(object) = step.view.object(target)? {
        return Ok(To::Here(Recipient::of(&object)));
    }
    let qrid = step.qrid(target)?;
    Ok(if qrid.vat == step.vat.id { To::Nobody } else { To::Abroad(qrid) })
}

/// What a turn is charged, in microseconds.
fn cost_us(turn: &in_flight::Turn, report: &Report) -> u64 {
    let bytes = turn.message.bytes.saturating_add(report.used.bytes);
    BASE_US.saturating_add(report.cpu_us).saturating_add(bytes / BYTES_PER_US)
}

/// A turn is rolled back: its message becomes a fault.
pub(super) fn fail<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    turn: in_flight::Turn,
    outcome: Outcome,
    error: CodeError,
    report: Report,
) -> Result<(), Halt> {
    let number = handled(step, &turn.message);
    let protocol::Used { bytes, messages, objects, jobs } = report.used;
    let used = Used { cpu_us: report.cpu_us, bytes, messages, objects, jobs };
    let failed = Failed { turn: Some(number), outcome, error: error.clone(), ticks: report.ticks, used };
    fault::add(step, turn.message.clone(), failed);
    // Log lines are effects like any other: they are gone with the rest.
    let report = Report { log: Vec::new(), ..report };
    let shown = Some(error.one_line());
    let ending = Ending { turn: Some(number), outcome, result: None, result_error: None, error: shown };
    send::ended(step, &turn.message, ending)?;
    let row = Turn { error: Some(error), ..journal(number, turn, outcome, report) };
    record(step, row)
}

/// Takes a message out of the inbox; the number of the turn that handled it.
fn handled<V, E>(step: &mut Step<'_, V, E>, message: &Message) -> u64 {
    let number = step.vat.counters.next_turn;
    step.vat.counters.next_turn += 1;
    step.vat.counters.inbox -= 1;
    step.vat.counters.inbox_bytes -= message.bytes;
    step.checkpoint.writes.push(Write::NoMessage(message.message));
    number
}

/// Gives the objects a turn made their lasting handles, everywhere in its report.
fn settle(report: &mut Report, first_handle: Handle) -> Result<(), Halt> {
    if report.made.is_empty() {
        return Ok(());
    }
    let lasting = |handle: Handle| if handle >= FIRST_MADE { handle - FIRST_MADE + first_handle } else { handle };
    report.renumber(lasting).map_err(damaged)
}

/// What the messages sent and the objects made by a turn come to, in the worker's own words: enough to say
/// whether a replay does the same when they are long gone.
pub fn digest(report: &Report) -> Option<[u8; 32]> {
    let Report { made, sent, .. } = report;
    if made.is_empty() && sent.is_empty() {
        return None;
    }
    let bytes = postcard::to_allocvec(&(made, sent)).expect("plain data has no failing writer");
    Some(Sha256::digest(bytes).into())
}

/// The journal's row of a turn, but for what only a committed or only a failed turn has.
fn journal(number: u64, turn: in_flight::Turn, outcome: Outcome, report: Report) -> Turn {
    let Report { verdict, log, ticks, cpu_us, random_used, .. } = report;
    let by_key = turn.by_key().collect();
    Turn {
        turn: number,
        code: turn.objects.first().map_or(0, |target| target.code),
        called: turn.objects.iter().skip(1).map(|given| (given.object, given.code)).collect(),
        message: turn.message,
        outcome,
        result: None,
        result_error: None,
        error: None,
        made: Vec::new(),
        sent: Vec::new(),
        posted: Vec::new(),
        log,
        ticks,
        cpu_us,
        clock_ms: turn.clock_ms,
        seed: random_used.then_some(turn.seed),
        changes: Vec::new(),
        bytes: 0,
        refused: turn.refused,
        by_key,
        digest: None,
        undone: outcome != Outcome::Ok && matches!(verdict, Verdict::Ok { .. }),
    }
}

/// Writes a turn to the journal and charges its object.
fn record<V: View, E>(step: &mut Step<'_, V, E>, mut row: Turn) -> Result<(), Halt> {
    let limits = step.vat.limits.turn;
    if !mem::replace(&mut step.vat.limits_noted, true) && step.view.turn_limits()? != Some(limits) {
        step.checkpoint.writes.push(Write::TurnLimits { turn: row.turn, limits });
    }
    row.bytes = size(&row);
    let (turn, bytes) = (row.turn, row.bytes);
    let fault = row.outcome != Outcome::Ok;
    step.checkpoint.writes.push(Write::Use { object: row.message.target, fault, cpu_us: row.cpu_us });
    step.checkpoint.writes.push(Write::Turn(Box::new(row)));
    grow_journal(step, turn, bytes)
}

/// Counts a row that was added to the journal, and lets its oldest rows go when it is full.
pub(super) fn grow_journal<V: View, E>(step: &mut Step<'_, V, E>, turn: u64, bytes: u64) -> Result<(), Halt> {
    let limits = step.vat.limits;
    let counters = &mut step.vat.counters;
    let kept = turn + 1 - counters.journal_first;
    counters.journal_bytes += bytes;
    if kept > limits.journal_turns.max(1) || counters.journal_bytes > limits.journal_bytes {
        // A part at a time, so that few turns pay for it; never the turn just written.
        let first = counters.journal_first + (kept / PRUNE_PART).clamp(1, kept - 1);
        counters.journal_bytes -= step.view.journal_bytes(counters.journal_first, first)?;
        counters.journal_first = first;
        step.checkpoint.writes.push(Write::Prune { first });
    }
    Ok(())
}

fn size(row: &Turn) -> u64 {
    let texts = [row.result.as_ref(), row.result_error.as_ref(), row.error.as_ref().map(|error| &error.message)];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    let log = row.log.iter().map(String::len).sum::<usize>();
    let refused = row.refused.iter().map(|(_, why)| 8 + why.len()).sum::<usize>();
    let numbers = row.made.len() + row.sent.len();
    (row.message.args.len() + texts + log + refused + 8 * numbers) as u64 + changes_size(&row.changes)
}

/// The bytes of a turn's changes.
pub(super) fn changes_size(changes: &[Change]) -> u64 {
    let old = |change: &Change| change.key.len() + change.old.as_ref().map_or(0, |(value, _)| value.len());
    changes.iter().map(old).sum::<usize>() as u64
}

pub(super) fn without_place(message: &str) -> CodeError {
    CodeError { message: message.to_owned(), object: None, line: 0, column: 0, excerpt: String::new() }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
pub(super) fn damaged(error: qjson::Error) -> Halt {
    Halt::Damaged(error.to_string())
}
