//! A kernel on a real database, with a test in place of driver, worker and operator.

use std::collections::BTreeMap;

use qrt_shared::budget::Budget;
use qrt_shared::control::Problem;
use qrt_shared::id::{MessageName, Target};
use qrt_shared::qjson;
use qrt_shared::view::Awaited;
use tempfile::TempDir;

use crate::key::Key;
use crate::peer::retry;
use crate::peer::seal::NonceKey;
use crate::protocol::{self, Delivery, Native, Report};
use crate::store::Store;
use crate::store::read::Reader;
use crate::vat::account::Totals;
use crate::vat::checkpoint::{Answer, Effect};
use crate::vat::entropy::Entropy;
use crate::vat::lane::Isolation;
use crate::vat::request::{Action, Install, Request, Send, Ticket, Who};
use crate::vat::{Checkpoint, Counters, Death, Input, Limits, Order, QueueLimits, Start, Strangers, Vat};

/// Counts up: as random as tests need.
pub(super) struct Counting(pub(super) u64);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// A kernel on a database, with a test in place of driver, worker and operator.
pub(super) struct World {
    pub(super) dir: TempDir,
    pub(super) store: Store,
    pub(super) vat: Vat,
    pub(super) entropy: Counting,
    pub(super) now_ms: u64,
}

pub(super) const LIMITS: Limits = Limits {
    turn: protocol::Budget {
        ticks: 100,
        memory_bytes: 1 << 20,
        messages: 3,
        objects: 2,
        bytes: 1 << 20,
        log_lines: 2,
        jobs: 10,
        calls: 64,
        cpu_ms: 2000,
        wall_ms: 10_000,
    },
    journal_turns: 1000,
    journal_bytes: 1 << 20,
    queue: QUEUE,
    outbox: QUEUE,
    strangers: Strangers { peers: 3, bytes: 1 << 20, undeliverable: 2 },
    retry: retry::Policy { base_ms: 1000, cap_ms: 600_000, ask_ms: 86_400_000 },
    isolation: Isolation::Shared,
    quarantine_turns: 10,
    stored_bytes: 1 << 30,
    account: Totals { compute_us: None, refill_us: 0, objects: None, memory_bytes: None, queued_bytes: None },
    deaths_per_hour: 10,
};

const QUEUE: QueueLimits =
    QueueLimits { messages: 100, bytes: 1 << 20, all_messages: 1000, all_bytes: 4 << 20, faults: 2 };

/// The key of every test's vat.
fn key() -> Key {
    Key::from_bytes([9; 32]).expect("a key")
}

/// A kernel that goes on from these counters.
#[expect(clippy::large_types_passed_by_value, reason = "each test has its own")]
pub(super) fn vat(limits: Limits, counters: &Counters) -> Vat {
    let key = key();
    let url = "http://127.0.0.1:1".parse().expect("a URL");
    Vat::new(key.vat(), NonceKey::new(&key), vec![url], limits, counters.clone())
}

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let id = key().vat();
        Store::create(dir.path(), id, 1).expect("a database");
        let store = Store::open(dir.path(), id).expect("a database");
        let vat = vat(LIMITS, store.counters());
        Self { dir, store, vat, entropy: Counting(1), now_ms: 1000 }
    }

    /// One step and its commit; what may then be seen, and what the worker is told.
    pub(super) fn step(&mut self, input: Input) -> (Vec<Effect>, Option<Order>) {
        let mut checkpoint = Checkpoint::default();
        let order =
            self.vat.handle(input, &mut checkpoint, &self.store, self.now_ms, &mut self.entropy).expect("a step");
        self.store.apply(&mut checkpoint).expect("rows");
        let receipt = self.store.commit().expect("a commit");
        (checkpoint.effects.release(&receipt), order)
    }

    pub(super) fn ask(&mut self, action: Action) -> Result<Answer, Problem> {
        let request = Request { ticket: Ticket(0), who: Who { uid: 0, pid: 0 }, action };
        let (effects, _) = self.step(Input::Request(request));
        let mut answers: Vec<_> = (effects.into_iter())
            .filter_map(|effect| match effect {
                Effect::Answer(Ticket(0), answer) => Some(answer),
                _ => None,
            })
            .collect();
        assert_eq!(answers.len(), 1, "a request has one answer");
        answers.remove(0)
    }

    pub(super) fn install(&mut self, name: &str, natives: &[Native]) -> Result<Answer, Problem> {
        let object = qjson::parse("{\"n\":1}", "memory").expect("JSON");
        self.ask(Action::Install(Install {
            objects: vec![(name.to_owned(), format!("() => '{name}'"), Some(name.parse().expect("a petname")))],
            memory: Some(object),
            statics: qjson::parse("{}", "power").expect("JSON"),
            budget: Budget::default(),
            account: Budget::default(),
            natives: natives.iter().map(|native| (native.name().to_owned(), *native)).collect::<BTreeMap<_, _>>(),
        }))
    }

    pub(super) fn send(&mut self, name: &str, args: &str) -> u64 {
        let target = Target::Petname(name.parse().expect("a petname"));
        let args = qjson::parse(args, "args").expect("JSON");
        match self.ask(Action::Send(Send { target, args, key: None })) {
            Ok(Answer::Queued(qrt_shared::control::Queued { message: MessageName::In(number), .. })) => number,
            other => panic!("not queued: {other:?}"),
        }
    }

    /// Everything the worker may be given now.
    pub(super) fn poll(&mut self) -> Vec<Delivery> {
        self.starts().into_iter().map(|start| *start.delivery).collect()
    }

    /// Everything that may start now, with where.
    pub(super) fn starts(&mut self) -> Vec<Start> {
        let mut started = Vec::new();
        while let Some(start) = self.vat.poll(&self.store, self.now_ms, &mut self.entropy).expect("a poll") {
            started.push(start);
        }
        started
    }

    /// The worker is gone and does not say what it ran.
    pub(super) fn died(&mut self, death: Death) {
        self.step(Input::Died { death, ran: None });
    }

    pub(super) fn done(&mut self, delivery: &Delivery, report: Report) -> Option<Order> {
        self.step(Input::Done { delivery: delivery.delivery, report: Box::new(report) }).1
    }

    pub(super) fn read<T>(
        &self,
        question: impl FnOnce(&crate::store::read::Asked<'_>) -> Result<T, crate::store::read::ReadError>,
    ) -> T {
        Reader::open(self.dir.path()).expect("a reader").ask(question).expect("an answer")
    }

    pub(super) fn memory(&self, name: &str) -> String {
        let target = Target::Petname(name.parse().expect("a petname"));
        self.read(|db| db.memory(db.resolve(&target)?)).get().to_owned()
    }

    pub(super) fn outcome(&self, message: u64) -> String {
        match self.read(|db| db.awaited(message)) {
            Awaited::Ended(ended) => format!("{} {}", ended.outcome.as_str(), ended.error.unwrap_or_default()),
            other => format!("{other:?}"),
        }
    }
}
