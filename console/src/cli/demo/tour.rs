//! The script: what is done to the two vats, and what must then hold.
//!
//! Every check compares what the vats say in two places: the journal on one side, memories, faults or
//! counts on the other; or the journal of the vat that sent and that of the vat that received. Nothing is compared with what the script remembers, but for how much
//! work it gave.

use std::collections::BTreeMap;

use qrt_shared::id::{MessageName, Qrid, Target};
use qrt_shared::view::{Outcome, Turn};
use serde_json::{Value, json};

use super::report::Report;
use super::vat::{Vat, both_quiet};
use crate::failure::Failure;

/// Increments sent one by one.
const INCREMENTS: i64 = 100;

/// Rounds of trade in peace. A round is an order and an answer, each in a turn of its own vat, sent
/// to the other vat and acknowledged there.
const ROUNDS: i64 = 200;

/// Rounds begun while the other vat is away.
const ROUNDS_AWAY: i64 = 10;

/// Rounds begun before the daemons are killed.
const ROUNDS_CROWD: i64 = 400;

/// Messages queued before the daemons are killed.
const CROWD: i64 = 4000;

/// Messages that one turn of the crowd sends.
const CROWD_TURN: i64 = 500;

/// Sends the counter as many increments as it is told, each with a number of its own.
const CROWD_CODE: &str = "function crowd(args, power) {
  for (let id = args.from; id < args.to; id += 1) {
    power.counter.sendOnly({ method: \"increment\", by: 1, id });
  }
}
";

/// # Errors
/// Something could not be done or read. A check that fails is no error here: the report counts it.
pub(super) async fn run(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat) -> Result<(), Failure> {
    make(report, alice, bob).await?;
    let taker = install(report, alice, bob).await?;
    count(report, alice).await?;
    fail(report, alice).await?;
    trade(report, alice, bob, &taker).await?;
    wait_in_outbox(report, alice, bob, &taker).await?;
    restart(report, alice, bob).await?;
    crash(report, alice, bob, &taker).await?;
    report.step("Stop both daemons and clean up")?;
    for vat in [alice, bob] {
        vat.stop().await?;
        let info = vat.info_of_files()?;
        let found = (info.pid, info.inbox, info.outbox);
        report.equal(&format!("{} has stopped with nothing queued", vat.name), &found, &(None, 0, 0))?;
    }
    Ok(())
}

async fn make(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat) -> Result<(), Failure> {
    report.step("Make two vats, start their daemons, and tell them of each other")?;
    for vat in [&mut *alice, &mut *bob] {
        let id = vat.create()?;
        let pid = vat.start().await?;
        report.tell(&format!("{}: vat {}.., process {pid}", vat.name, &id[..6.min(id.len())]))?;
        let info = vat.info().await?;
        let found = (info.vat.to_string(), info.pid, info.turns);
        report.equal(&format!("{} serves, and has run nothing yet", vat.name), &found, &(id, Some(pid), 0))?;
    }
    let (of_alice, of_bob) = (alice.info().await?, bob.info().await?);
    alice.tell_of(&of_bob).await?;
    bob.tell_of(&of_alice).await?;
    let known = (alice.peer(of_bob.vat).await?.urls, bob.peer(of_alice.vat).await?.urls);
    let urls = (Vec::from_iter(of_bob.url), Vec::from_iter(of_alice.url));
    report.equal("each knows where the other answers", &known, &urls)?;
    Ok(())
}

/// Returns the taker, which has to be told who it is.
async fn install(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat) -> Result<Qrid, Failure> {
    report.step("Install objects: what each may touch is what it is granted")?;
    let counter = alice.install("counter", "sample-methods", json!({})).await?;
    alice.install_code("crowd", CROWD_CODE, json!({ "counter": reference(&counter) })).await?;
    let maker = alice.install("maker", "market-maker", json!({})).await?;
    report.tell("alice: maker, counter, and crowd, which is granted a reference to counter")?;
    let taker = bob.install("taker", "market-taker", json!({ "maker": reference(&maker) })).await?;
    report.tell("bob: taker, which is granted a reference to alice's maker")?;
    let objects = (alice.info().await?.objects, bob.info().await?.objects);
    report.equal("alice has three objects, bob one", &objects, &(3, 1))?;
    Ok(taker)
}

async fn count(report: &mut Report<'_>, alice: &mut Vat) -> Result<(), Failure> {
    report.step(&format!("Send {INCREMENTS} messages to alice's counter"))?;
    for by in 1..=INCREMENTS {
        alice.send("counter", json!({ "method": "increment", "by": by })).await?;
    }
    alice.quiet().await?;
    let turns = alice.turns("counter").await?;
    report.equal("the journal has a turn for each", &ok_turns(&turns), &INCREMENTS)?;
    count_agrees(report, alice, &turns).await
}

/// The journal's increments are the counter's memory.
async fn count_agrees(report: &mut Report<'_>, alice: &mut Vat, turns: &[Turn]) -> Result<(), Failure> {
    let memory = alice.memory("counter").await?;
    let sum: i64 = ok_args(turns).map(|args| integer(&args["by"])).sum();
    report.equal(
        &format!("its increments add up to {}, the count in memory", memory["count"]),
        &(sum, ok_turns(turns)),
        &(integer(&memory["count"]), integer(&memory["increments"])),
    )?;
    Ok(())
}

async fn fail(report: &mut Report<'_>, alice: &mut Vat) -> Result<(), Failure> {
    report.step("Let a turn fail: the counter changes its memory, then throws")?;
    let before = alice.memory("counter").await?;
    let ended = alice.send_and_wait(&"counter".parse()?, json!({ "method": "fail" })).await?;
    report.tell(&ended.error.unwrap_or_default())?;
    report.equal("the outcome is error", &ended.outcome, &Outcome::Error)?;
    report.equal("the memory is what it was", &alice.memory("counter").await?, &before)?;
    let faults = alice.faults().await?;
    let kept: Vec<_> = faults.iter().map(|fault| (fault.turn, parsed(fault.args.get()))).collect();
    report.equal("the message is kept as a fault", &kept, &vec![(ended.turn, json!({ "method": "fail" }))])?;
    for fault in faults {
        alice.drop_fault(fault.id).await?;
    }
    report.equal("once dropped, it is gone", &alice.info().await?.faults, &0)?;
    Ok(())
}

async fn trade(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat, taker: &Qrid) -> Result<(), Failure> {
    report.step(&format!("Let bob's taker trade with alice's maker for {ROUNDS} rounds"))?;
    let began = bob.send_and_wait(&"taker".parse()?, begin(taker, ROUNDS)).await?;
    both_quiet(alice, bob).await?;
    let maker = alice.memory("maker").await?;
    report.tell(&format!(
        "{} orders, {} filled; the price went from 100.00 to {}",
        maker["orders"],
        maker["fills"],
        cents(&maker["price"])
    ))?;
    market_agrees(report, alice, bob, ROUNDS).await?;
    arrived_once(report, alice, bob).await?;

    let ticker = parsed(began.result.get())["ticker"]["@qref"].as_str().map(str::parse::<Qrid>);
    let Some(Ok(ticker)) = ticker else { return Err(Failure::new("the taker did not say which ticker it made")) };
    let made: Vec<_> = bob.turns("taker").await?.iter().flat_map(|turn| turn.made.clone()).collect();
    report.equal("the journal says the taker made one object, the ticker", &made, &vec![ticker.clone()])?;
    let shown = bob.send_and_wait(&Target::Qrid(ticker), Value::Null).await?;
    let (shown, memory) = (parsed(shown.result.get()), bob.memory("taker").await?);
    report.equal("the ticker shows the taker's memory", &shown["cash"], &memory["cash"])?;
    Ok(())
}

/// Cash and stock of the market are what the journal's trades make of what it began with.
async fn market_agrees(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat, rounds: i64) -> Result<(), Failure> {
    let (maker, taker) = (alice.memory("maker").await?, bob.memory("taker").await?);
    let (maker_turns, taker_turns) = (alice.turns("maker").await?, bob.turns("taker").await?);
    let answers: Vec<_> = ok_args(&taker_turns).filter(|args| args["begin"].is_null() && !args.is_null()).collect();
    report.equal(
        &format!("the journals have {rounds} orders and {rounds} answers, as both books say"),
        &(ok_turns(&maker_turns), answers.len().try_into().unwrap_or(-1), integer(&taker["left"])),
        &(integer(&maker["orders"]), integer(&taker["rounds"]), 0),
    )?;
    report.equal("they are as many as there were rounds", &integer(&taker["rounds"]), &rounds)?;
    let (mut paid, mut bought) = (0, 0);
    for filled in answers.iter().map(|args| &args["filled"]).filter(|filled| !filled.is_null()) {
        let sign = if filled["side"] == "buy" { 1 } else { -1 };
        paid += sign * integer(&filled["quantity"]) * integer(&filled["price"]);
        bought += sign * integer(&filled["quantity"]);
    }
    // What the samples begin with.
    let (cash, taker_stock, maker_stock) = (1_000_000, 100, 500);
    report.equal(
        "cash: what one paid the other has, and bob's journal of trades says so",
        &(integer(&taker["cash"]), integer(&maker["cash"])),
        &(cash - paid, cash + paid),
    )?;
    report.equal(
        "stock: likewise, and none was lost or made",
        &(integer(&taker["stock"]), integer(&maker["stock"])),
        &(taker_stock + bought, maker_stock - bought),
    )?;
    Ok(())
}

/// What one journal says was sent is what the other says was handled, number by number.
async fn arrived_once(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat) -> Result<(), Failure> {
    let (of_alice, of_bob) = (alice.info().await?.vat, bob.info().await?.vat);
    let (maker, taker) = (alice.turns("maker").await?, bob.turns("taker").await?);
    for (claim, sender, receiver, from, to) in
        [("orders", &taker, &maker, of_bob, of_alice), ("answers", &maker, &taker, of_alice, of_bob)]
    {
        let sent: Vec<u64> = sender
            .iter()
            .flat_map(|turn| &turn.sent)
            .filter_map(|name| match name {
                MessageName::Out(peer, seq) if *peer == to => Some(*seq),
                _ => None,
            })
            .collect();
        let handled: Vec<u64> = receiver
            .iter()
            .filter_map(|turn| turn.from.as_ref())
            .filter(|at| at.vat == from)
            .map(|at| at.seq)
            .collect();
        let numbers: Vec<u64> = (1..=sent.len() as u64).collect();
        report.equal(
            &format!("{} {claim} were sent, and arrived exactly once and in order", sent.len()),
            &(&sent, &handled),
            &(&numbers, &numbers),
        )?;
    }
    Ok(())
}

async fn wait_in_outbox(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat, taker: &Qrid) -> Result<(), Failure> {
    report.step("Stop alice while bob has something for her")?;
    let of_alice = alice.info().await?.vat;
    alice.stop().await?;
    bob.send_and_wait(&"taker".parse()?, begin(taker, ROUNDS_AWAY)).await?;
    let waiting = bob.failed_delivery().await?;
    let why = bob.why(of_alice, waiting.seq).await?;
    report.tell(&why.sentence)?;
    let queued = (bob.info().await?.outbox, bob.peer(of_alice).await?.pending, why.blocked);
    report.equal("one order waits in bob's outbox, and bob says why", &queued, &(1, 1, true))?;
    alice.start().await?;
    bob.retry().await?;
    both_quiet(alice, bob).await?;
    report.tell("alice is back")?;
    let peer = bob.peer(of_alice).await?;
    report.equal("all that bob sent is acknowledged", &(peer.acked_out, peer.pending), &(peer.next_out - 1, 0))?;
    market_agrees(report, alice, bob, ROUNDS + ROUNDS_AWAY).await?;
    arrived_once(report, alice, bob).await
}

async fn restart(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat) -> Result<(), Failure> {
    report.step("Stop both daemons in good order and start them again")?;
    let before = (books(alice, "counter").await?, books(bob, "taker").await?);
    for vat in [&mut *alice, &mut *bob] {
        vat.stop().await?;
        vat.start().await?;
    }
    let after = (books(alice, "counter").await?, books(bob, "taker").await?);
    report.equal("counts and memories are what they were", &after, &before)?;
    Ok(())
}

/// What must outlive a restart: turns, objects, faults, and a memory.
async fn books(vat: &mut Vat, object: &str) -> Result<(u64, u64, u64, Value), Failure> {
    let info = vat.info().await?;
    Ok((info.turns, info.objects, info.faults, vat.memory(object).await?))
}

async fn crash(report: &mut Report<'_>, alice: &mut Vat, bob: &mut Vat, taker: &Qrid) -> Result<(), Failure> {
    report.step("Kill both daemons with SIGKILL in the middle of their work")?;
    let before = (alice.info().await?.turns, bob.info().await?.turns);
    bob.send("taker", begin(taker, ROUNDS_CROWD)).await?;
    for from in (0..CROWD).step_by(usize::try_from(CROWD_TURN).unwrap_or(1)) {
        alice.send("crowd", json!({ "from": from, "to": from + CROWD_TURN })).await?;
    }
    alice.reach("its first turns", |info| info.turns > before.0 + 100).await?;
    bob.reach("its first turns", |info| info.turns > before.1 + 10).await?;
    for vat in [&mut *alice, &mut *bob] {
        vat.kill().await?;
        let info = vat.info_of_files()?;
        let queued = info.inbox + info.outbox;
        report.tell(&format!(
            "{} is killed with {} on disk",
            vat.name,
            crate::format::count(queued, "queued message")
        ))?;
    }
    for vat in [&mut *alice, &mut *bob] {
        vat.start().await?;
    }
    both_quiet(alice, bob).await?;
    let turns = alice.turns("counter").await?;
    let mut runs = BTreeMap::new();
    for id in ok_args(&turns).filter_map(|args| args["id"].as_i64()) {
        *runs.entry(id).or_insert(0) += 1;
    }
    let once: BTreeMap<i64, i32> = (0..CROWD).map(|id| (id, 1)).collect();
    let repeated = runs.values().filter(|times| **times > 1).count();
    report.equal(
        &format!("alice's journal has each of {CROWD} messages exactly once"),
        &(runs.len(), repeated, runs == once),
        &(once.len(), 0, true),
    )?;
    count_agrees(report, alice, &turns).await?;
    market_agrees(report, alice, bob, ROUNDS + ROUNDS_AWAY + ROUNDS_CROWD).await?;
    arrived_once(report, alice, bob).await?;
    let faults = (alice.info().await?.faults, bob.info().await?.faults);
    report.equal("no message became a fault", &faults, &(0, 0))?;
    Ok(())
}

/// What tells the taker to trade.
fn begin(taker: &Qrid, rounds: i64) -> Value {
    json!({ "begin": { "me": reference(taker), "rounds": rounds } })
}

fn reference(qrid: &Qrid) -> Value {
    json!({ "@qref": qrid.to_string() })
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// A whole number of a memory or a message; what is none counts as one that nothing adds up to.
fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or(i64::MIN / 4)
}

fn cents(value: &Value) -> String {
    let cents = integer(value);
    format!("{}.{:02}", cents / 100, cents.rem_euclid(100))
}

fn ok_args(turns: &[Turn]) -> impl Iterator<Item = Value> {
    turns.iter().filter(|turn| turn.outcome == Outcome::Ok).map(|turn| parsed(turn.args.get()))
}

fn ok_turns(turns: &[Turn]) -> i64 {
    i64::try_from(turns.iter().filter(|turn| turn.outcome == Outcome::Ok).count()).unwrap_or(i64::MAX)
}
