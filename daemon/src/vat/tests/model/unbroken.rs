//! The same history with nothing going wrong: one step at a time, each committed, each turn run
//! by a worker that has seen none before, with nothing in flight beside it.
//!
//! Recorded answers are the same: the order of turns, clocks, seeds, ids. So is everything that
//! left a trace: what the operator did, and the deaths that were counted.

use super::dice::Dice;
use super::disk::{self, Tables};
use super::machine::Machine;
use super::run::{Event, What};
use super::steered::Only;
use super::worker::{Marks, Said, Worker};
use crate::protocol::{Delivery, Running};
use crate::vat::{Input, Limits, Order};

/// What the vat is after `history`, which starts with that message.
#[expect(clippy::large_types_passed_by_value, reason = "each vat has its own")]
pub(super) fn unbroken(history: &[Event], first_message: u64, limits: Limits) -> Tables {
    let journal_turns = 100_000;
    let mut machine = Machine::new(Dice::new(0), Limits { journal_turns, ..limits }, first_message);
    for event in history {
        machine.restart();
        match &event.what {
            What::Asked(ask) => {
                let input = machine.request(1, ask).expect("what it names is there");
                played(&mut machine, event, input);
            }
            What::Turn { ran, way } => {
                let delivery = give(&mut machine, Only { way: *way, message: ran.message }, ran.clock_ms, &ran.seed);
                let (number, mut worker) = (delivery.delivery, Worker::default());
                let code = machine.code(delivery.target.code);
                worker.deliver(delivery, &code);
                loop {
                    assert!(worker.step(&mut Marks::All), "the worker has something to do");
                    match worker.hear() {
                        Some(Said::Load { object, .. }) => load(&mut machine, &mut worker, number, object, event),
                        Some(Said::Ask { memory, wanted, .. }) => {
                            let input = Input::Ask { delivery: number, memory, wanted: wanted.clone() };
                            let seen = machine.step(input, event.now_ms, true);
                            let Some(Order::Entries(page)) = seen.order else { panic!("{:?}", seen.order) };
                            worker.told(memory, wanted, page);
                        }
                        Some(Said::Done { delivery, report }) => {
                            played(&mut machine, event, Input::Done { delivery, report });
                            break;
                        }
                        other => panic!("the worker said {other:?}"),
                    }
                }
            }
            What::Died { message, way, clock_ms, seed, loads, death, blamed } => {
                let delivery = give(&mut machine, Only { way: *way, message: *message }, *clock_ms, seed).delivery;
                for object in loads {
                    load(&mut machine, &mut Worker::default(), delivery, *object, event);
                }
                let ran = Some(Running { delivery, object: *blamed, since_ns: 0 });
                played(&mut machine, event, Input::Died { death: death.clone(), ran });
            }
        }
        machine.commit();
    }
    disk::read(&machine.file())
}

fn give(machine: &mut Machine, only: Only, clock_ms: u64, seed: &[u8; 32]) -> Delivery {
    machine.tape.next = Some(seed.to_vec());
    let given = machine.poll(clock_ms, Some(only));
    machine.tape.next = None;
    let given = given.unwrap_or_else(|| panic!("message {} may not run now", only.message));
    *given.start.delivery
}

fn load(machine: &mut Machine, worker: &mut Worker, delivery: u64, object: u64, event: &Event) {
    let seen = machine.step(Input::Load { delivery, object }, event.now_ms, true);
    let Some(Order::Loaded(image)) = seen.order else { panic!("an honest load: {:?}", seen.order) };
    let image = image.map(|image| {
        let code = machine.code(image.code);
        (*image, code)
    });
    worker.loaded(object, image);
}

fn played(machine: &mut Machine, event: &Event, input: Input) {
    machine.tape.next = Some(event.drawn.clone());
    drop(machine.step(input, event.now_ms, true));
    machine.tape.next = None;
}

/// The two databases say the same, but for what tells how they came to be: the number of commits,
/// the name of its history, the latest time that some turn was told which did not come to its end, and what was pruned.
pub(super) fn same(mut broken: Tables, mut unbroken: Tables) {
    let first = broken["vat"][0]["journal_first"].as_u64();
    for tables in [&mut broken, &mut unbroken] {
        for row in tables.get_mut("vat").expect("a table") {
            for column in ["commits", "clock_ms", "history", "journal_first", "journal_bytes"] {
                row.remove(column);
            }
        }
        for table in ["turn", "turn_change"] {
            let rows = tables.get_mut(table).expect("a table");
            rows.retain(|row| row["turn"].as_u64() >= first);
            for row in rows.iter_mut() {
                // How a Memory was given depends on what was in flight; what came of it does not.
                row.remove("by_key");
                if row.get("outcome").is_some_and(|outcome| outcome == "killed") {
                    // What a turn asked in vain that a death ended, its history here does not tell.
                    row.remove("refused");
                }
            }
            for row in rows.iter_mut().filter(|row| row.get("edit").is_some_and(|edit| !edit.is_null())) {
                row.remove("clock_ms");
            }
        }
    }
    for (table, rows) in &unbroken {
        for (found, expected) in broken[table].iter().zip(rows) {
            assert_eq!(found, expected, "a row of {table}, and the same of an unbroken run");
        }
        assert_eq!(broken[table].len(), rows.len(), "rows of {table}");
    }
}
