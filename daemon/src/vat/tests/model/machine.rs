//! The one place where these tests touch the kernel and the store: a kernel on a database, with
//! everything a daemon's end can take away from it.

use std::path::Path;

use qrt_shared::control::{Installed, MemoryWas, Problem, Queued, Removed, Retried, Upgraded};
use qrt_shared::id::{MessageName, Qrid, Target, VatId};
use qrt_shared::qjson::{self, Document};
use qrt_shared::view::{Awaited, Outcome};
use tempfile::TempDir;

use super::dice::Dice;
use super::program::Ask;
use super::steered::{Only, Steered};
use crate::key::Key;
use crate::peer::retry;
use crate::peer::seal::NonceKey;
use crate::protocol::{Budget, CodeNumber, Handle, Native};
use crate::store::read::Reader;
use crate::store::{self, Store};
use crate::vat::account::Totals;
use crate::vat::checkpoint::{Answer, Effect, Embargo, Write};
use crate::vat::entropy::Entropy;
use crate::vat::lane::Isolation;
use crate::vat::request::{Action, Install, Request, Send, Ticket, Who};
use crate::vat::source::Source;
use crate::vat::view::View;
use crate::vat::{Checkpoint, Input, Limits, Order, QueueLimits, Start, Strangers, Vat};

/// What a turn of these tests may use.
pub(super) const BUDGET: Budget = Budget {
    ticks: 100,
    memory_bytes: 1 << 20,
    messages: 4,
    objects: 3,
    bytes: 1 << 20,
    log_lines: 3,
    jobs: 10,
    calls: 64,
    cpu_ms: 2000,
    wall_ms: 10_000,
};

/// Limits that no run meets.
pub(super) const LIMITS: Limits = Limits {
    turn: BUDGET,
    journal_turns: 100_000,
    journal_bytes: 64 << 20,
    isolation: Isolation::Shared,
    quarantine_turns: 10,
    stored_bytes: 1 << 30,
    account: Totals { compute_us: None, refill_us: 0, objects: None, memory_bytes: None, queued_bytes: None },
    deaths_per_hour: u64::MAX,
    queue: ROOM,
    outbox: ROOM,
    strangers: Strangers { peers: 100, bytes: 1 << 30, undeliverable: 100 },
    retry: retry::Policy { base_ms: 1000, cap_ms: 600_000, ask_ms: 24 * 60 * 60 * 1000 },
};

const ROOM: QueueLimits =
    QueueLimits { messages: 100_000, bytes: 1 << 30, all_messages: 1_000_000, all_bytes: 1 << 30, faults: 100 };

/// Random bytes: drawn from dice and written down, or read back from what was written.
pub(super) struct Tape {
    dice: Dice,
    /// What was drawn since it was last taken.
    pub(super) drawn: Vec<u8>,
    /// What is to be drawn next, if that is known.
    pub(super) next: Option<Vec<u8>>,
}

impl Entropy for Tape {
    fn fill(&mut self, bytes: &mut [u8]) {
        if let Some(next) = &mut self.next {
            let given: Vec<u8> = next.drain(..bytes.len()).collect();
            bytes.copy_from_slice(&given);
        } else {
            bytes.fill_with(|| self.dice.bits().to_be_bytes()[3]);
        }
        self.drawn.extend_from_slice(bytes);
    }
}

/// What one step did, as far as anybody but the database is told.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The turn that ended.
    pub(super) turn: Option<SeenTurn>,
    /// The message on which a worker died, and the object to blame.
    pub(super) death: Option<(u64, Handle)>,
    pub(super) order: Option<Order>,
    /// The random bytes it drew.
    pub(super) drawn: Vec<u8>,
    /// Whether it wrote anything at all.
    pub(super) wrote: bool,
}

/// A turn's row, as far as a model cannot know it.
#[derive(Debug, Clone)]
pub(super) struct SeenTurn {
    pub(super) turn: u64,
    pub(super) message: u64,
    pub(super) way: (Source, Handle),
    pub(super) clock_ms: u64,
    pub(super) outcome: Outcome,
    pub(super) called: Vec<(Handle, CodeNumber)>,
}

/// A turn that the kernel gave out, and its message.
pub(super) struct Given {
    pub(super) start: Start,
    pub(super) message: u64,
    pub(super) source: Source,
}

/// See the module.
pub(super) struct Machine {
    dir: TempDir,
    id: VatId,
    nonce_key: NonceKey,
    limits: Limits,
    store: Option<Store>,
    vat: Vat,
    pub(super) tape: Tape,
    effects: Embargo<Effect>,
    reader: Reader,
}

impl Machine {
    /// A new vat, but that its first message has this number: at each 1,024th, old outcomes go.
    #[expect(clippy::large_types_passed_by_value, reason = "each machine has its own")]
    pub(super) fn new(dice: Dice, limits: Limits, first_message: u64) -> Self {
        let dir = scratch();
        let key = Key::from_bytes([9; 32]).expect("a key");
        let (id, nonce_key) = (key.vat(), NonceKey::new(&key));
        Store::create(dir.path(), id, 1).expect("a database");
        super::disk::count_messages_from(&dir.path().join(store::FILE), first_message);
        let store = Store::open(dir.path(), id).expect("a database");
        let vat = Vat::new(id, nonce_key.clone(), Vec::new(), limits, store.counters().clone());
        let reader = Reader::open(dir.path()).expect("a reader");
        let tape = Tape { dice, drawn: Vec::new(), next: None };
        Self { dir, id, nonce_key, limits, store: Some(store), vat, tape, effects: Embargo::default(), reader }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("open but while it is opened anew")
    }

    /// The database's file.
    pub(super) fn file(&self) -> std::path::PathBuf {
        self.dir.path().join(store::FILE)
    }

    /// The next turn, if one may go; `only`: that one, for a kernel that is new.
    pub(super) fn poll(&mut self, now_ms: u64, only: Option<Only>) -> Option<Given> {
        let store = self.store.as_ref().expect("open");
        let start = match only {
            Some(only) => self.vat.poll(&Steered::new(store, only), now_ms, &mut self.tape),
            None => self.vat.poll(store, now_ms, &mut self.tape),
        };
        let start = start.expect("a poll")?;
        let turn = self.vat.schedule.in_flight.suspect(Some(start.delivery.delivery)).expect("a turn in flight");
        let (message, source) = (turn.message.message, turn.message.source);
        Some(Given { start, message, source })
    }

    /// How many turns the kernel takes to be with the worker.
    pub(super) fn in_flight(&self) -> usize {
        self.vat.in_flight()
    }

    /// One step into the open transaction. `kept`: whether its rows got so far before the daemon died.
    pub(super) fn step(&mut self, input: Input, now_ms: u64, kept: bool) -> Seen {
        self.tape.drawn.clear();
        let store = self.store.as_ref().expect("open");
        let mut checkpoint = Checkpoint::default();
        let order = self.vat.handle(input, &mut checkpoint, store, now_ms, &mut self.tape).expect("a step");
        let mut seen = Seen { order, drawn: self.tape.drawn.clone(), ..Seen::default() };
        for write in &checkpoint.writes {
            seen.wrote = true;
            match write {
                Write::Turn(row) => {
                    assert!(seen.turn.is_none(), "two turns in one step");
                    seen.turn = Some(SeenTurn {
                        turn: row.turn,
                        message: row.message.message,
                        way: (row.message.source, row.message.target),
                        clock_ms: row.clock_ms,
                        outcome: row.outcome,
                        called: row.called.clone(),
                    });
                }
                Write::Death { row, .. } => seen.death = Some((row.message, row.object)),
                _ => {}
            }
        }
        if kept {
            self.store.as_mut().expect("open").apply(&mut checkpoint).expect("rows");
            self.effects.append(checkpoint.effects);
        }
        seen
    }

    /// What the operator asks for, as the kernel is asked for it; `None` when it names an object that
    /// is not known any more.
    pub(super) fn request(&self, ticket: u64, ask: &Ask) -> Option<Input> {
        let action = self.action(ask)?;
        Some(Input::Request(Request { ticket: Ticket(ticket), who: Who { uid: 1, pid: 2 }, action }))
    }

    fn action(&self, ask: &Ask) -> Option<Action> {
        let target = |handle: Handle| self.qrid(handle).map(Target::Qrid);
        let petname = |name: &Option<String>| name.as_ref().map(|name| name.parse().expect("a petname"));
        Some(match ask {
            Ask::Install { objects, memory, statics, natives } => Action::Install(Install {
                budget: qrt_shared::budget::Budget::default(),
                account: qrt_shared::budget::Budget::default(),
                objects: objects.iter().map(|(code, name)| ("label".to_owned(), code.clone(), petname(name))).collect(),
                memory: match memory {
                    Some(text) => Some(self.document(text)?),
                    None => None,
                },
                statics: self.document(statics)?,
                natives: if *natives {
                    Native::ALL.iter().map(|native| (native.name().to_owned(), *native)).collect()
                } else {
                    std::collections::BTreeMap::new()
                },
            }),
            Ask::Send { to, args, key } => {
                Action::Send(Send { target: target(*to)?, args: self.document(args)?, key: key.clone() })
            }
            Ask::Name { object, name } => Action::Name { object: target(*object)?, name: petname(name) },
            Ask::Upgrade { object, code } => Action::Upgrade { object: target(*object)?, code: code.clone() },
            Ask::Remove { object, account } => Action::Remove { object: target(*object)?, account: *account },
            Ask::MemorySet { object, key, value } => Action::MemorySet {
                object: target(*object)?,
                key: key.clone(),
                value: self.document(value)?,
                expect: None,
            },
            Ask::Hold { object, held } => Action::Hold { object: target(*object)?, held: *held },
            Ask::Retry(fault) => Action::FaultRetry(*fault),
            Ask::Drop(fault) => Action::FaultDrop(*fault),
        })
    }

    fn qrid(&self, handle: Handle) -> Option<Qrid> {
        let referred = self.store().referred(handle).expect("a read");
        referred.map(|(vat, id)| Qrid::new(vat.unwrap_or(self.id), id))
    }

    /// A text in inside form as it would come from outside.
    fn document(&self, text: &str) -> Option<Document> {
        let outside = qjson::export(text, |handle| self.qrid(handle)).ok()?;
        Some(qjson::parse(&outside, "value").expect("what was exported"))
    }

    /// The text of a code.
    pub(super) fn code(&self, code: CodeNumber) -> String {
        self.store().code_text(code).expect("a text")
    }

    /// Commits and lets out what may be seen then, each as one line.
    pub(super) fn commit(&mut self) -> Vec<String> {
        let receipt = self.store.as_mut().expect("open").commit().expect("a commit");
        let effects = std::mem::take(&mut self.effects).release(&receipt);
        let handle = |qrid: &Qrid| self.store().reference(None, &qrid.object).expect("a read").expect("an object");
        effects.iter().map(|effect| shown(effect, &handle)).collect()
    }

    /// The daemon dies and starts again: what was not committed is gone, and so is what nobody was
    /// told yet.
    ///
    /// `kill`: nobody closed the database, so the next one finds the files as they lay on the disk.
    pub(super) fn crash(&mut self, kill: bool) {
        self.effects = Embargo::default();
        if kill {
            let left = scratch();
            for file in [store::FILE.to_owned(), format!("{}-wal", store::FILE)] {
                let from = self.dir.path().join(&file);
                if from.exists() {
                    std::fs::copy(from, left.path().join(file)).expect("a copy");
                }
            }
            self.dir = left;
        }
        self.store = None;
        self.store = Some(Store::open(self.dir.path(), self.id).expect("a database"));
        self.restart();
        self.reader = Reader::open(self.dir.path()).expect("a reader");
    }

    /// A kernel that goes on from the last commit.
    pub(super) fn restart(&mut self) {
        let counters = self.store().counters().clone();
        self.vat = Vat::new(self.id, self.nonce_key.clone(), Vec::new(), self.limits, counters);
    }

    /// What anybody who asks is told of a message: only what is committed.
    pub(super) fn awaited(&mut self, message: u64) -> String {
        match self.reader.ask(|db| db.awaited(message)).expect("an answer") {
            Awaited::Ended(ended) => {
                format!("{:?} {} {:?} {:?}", ended.turn, ended.outcome.as_str(), Some(ended.result.get()), ended.error)
            }
            Awaited::Acked => "acked".to_owned(),
            Awaited::Queued => "queued".to_owned(),
            Awaited::Unknown => "unknown".to_owned(),
        }
    }
}

/// A directory on a fast disk, if there is one.
fn scratch() -> TempDir {
    let fast = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    builder.prefix("qrt-model-");
    let dir = if fast.is_dir() { builder.tempdir_in(fast) } else { builder.tempdir() };
    dir.expect("a scratch directory")
}

fn shown(effect: &Effect, handle: &impl Fn(&Qrid) -> Handle) -> String {
    match effect {
        Effect::Answer(Ticket(ticket), answer) => format!("{ticket} {}", answered(answer, handle)),
        Effect::Ended(message) => format!("ended {message}"),
        other => panic!("{other:?}"),
    }
}

fn name(message: &MessageName) -> u64 {
    match message {
        MessageName::In(message) => *message,
        other @ MessageName::Out(..) => panic!("{other:?}"),
    }
}

/// An answer in the words of [`super::oracle`].
fn answered(answer: &Result<Answer, Problem>, handle: &impl Fn(&Qrid) -> Handle) -> String {
    let list = |handles: Vec<Handle>| handles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match answer {
        Err(_) => "refused".to_owned(),
        Ok(Answer::Installed(Installed { objects })) => {
            format!("installed {}", list(objects.iter().map(|object| handle(&object.qrid)).collect()))
        }
        Ok(Answer::Queued(Queued { message, repeated, .. })) => format!("queued {} {repeated}", name(message)),
        Ok(Answer::Named(named)) => format!("named {}", handle(&named.qrid)),
        Ok(Answer::Upgraded(Upgraded { version, turn, .. })) => format!("upgraded {version} {turn}"),
        Ok(Answer::Removed(Removed { objects, faults })) => {
            format!("removed {} {faults}", list(objects.iter().map(handle).collect()))
        }
        Ok(Answer::MemoryWas(MemoryWas { turn, .. })) => format!("set {turn}"),
        Ok(Answer::Held(held)) => format!("held {}", held.held),
        Ok(Answer::Retried(Retried { message })) => format!("retried {}", name(message)),
        Ok(Answer::Done(_)) => "dropped".to_owned(),
        Ok(other) => panic!("{other:?}"),
    }
}
