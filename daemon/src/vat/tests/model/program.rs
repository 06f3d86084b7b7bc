//! What the operator of a run does: asks made up from what the vat holds at that moment.

use super::dice::Dice;
use super::oracle::Model;
use super::script::{self, Args, Author, Op, Ref, text};
use crate::protocol::Handle;

/// Something to ask for. Objects are named by handle, values are in inside form.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Install { objects: Vec<(String, Option<String>)>, memory: Option<String>, statics: String, natives: bool },
    Send { to: Handle, args: String, key: Option<String> },
    Name { object: Handle, name: Option<String> },
    Upgrade { object: Handle, code: String },
    Remove { object: Handle, account: bool },
    MemorySet { object: Handle, key: String, value: String },
    Hold { object: Handle, held: bool },
    Retry(u64),
    Drop(u64),
}

/// An operator with something on his mind.
pub(super) struct Operator {
    author: Author,
    keys: u64,
}

impl Operator {
    pub(super) fn new(author: Author) -> Self {
        Self { author, keys: 0 }
    }

    fn dice(&mut self) -> &mut Dice {
        &mut self.author.dice
    }

    /// The next thing asked for of a vat that is as the model says, in which these objects are busy.
    pub(super) fn ask(&mut self, model: &Model, busy: &[Handle]) -> Ask {
        let live: Vec<Handle> = model.objects.keys().copied().collect();
        if live.len() < 3 {
            return self.install(&live);
        }
        // Now and then one that was removed.
        let object = match self.dice().below(40) {
            0 => 1 + self.author.dice.below(model.next_reference() - 1),
            1..20 => self.dice().pick(busy).copied().unwrap_or_else(|| self.one(&live)),
            _ => self.one(&live),
        };
        let retries = if self.author.taste.crowded { 30 } else { 8 };
        match self.dice().weighed(&[8, 120, 6, 8, 4, 24, 24, retries, 4]) {
            0 => self.install(&live),
            2 => {
                let name = (!self.dice().one_in(3)).then(|| self.name());
                Ask::Name { object, name }
            }
            3 => Ask::Upgrade { object, code: script::code(self.number(1, 6)) },
            4 => Ask::Remove { object, account: self.dice().one_in(4) },
            5 => self.memory_set(object, &live),
            6 => {
                let held: Vec<Handle> =
                    model.objects.iter().filter(|(_, object)| object.held).map(|(handle, _)| *handle).collect();
                match self.dice().pick(&held).copied() {
                    Some(object) if !self.dice().one_in(3) => Ask::Hold { object, held: false },
                    _ => Ask::Hold { object, held: true },
                }
            }
            7 | 8 if model.faults.is_empty() => Ask::Retry(self.dice().below(3)),
            7 => Ask::Retry(self.fault(model)),
            8 => Ask::Drop(self.fault(model)),
            _ => self.send(object, &live),
        }
    }

    fn number(&mut self, from: u64, end: u64) -> u32 {
        u32::try_from(from + self.dice().below(end - from)).expect("small")
    }

    fn one(&mut self, live: &[Handle]) -> Handle {
        // The first few are the ones everybody knows.
        let few = if self.dice().one_in(2) { &live[..live.len().min(3)] } else { live };
        *self.dice().pick(few).expect("an object")
    }

    fn refs(&mut self, live: &[Handle]) -> Vec<Ref> {
        let count = self.dice().below(4).max(1);
        (0..count).filter(|_| !live.is_empty()).map(|_| Ref { handle: self.one(live) }).collect()
    }

    fn name(&mut self) -> String {
        format!("n{}", self.dice().below(6))
    }

    fn fault(&mut self, model: &Model) -> u64 {
        let faults: Vec<u64> = model.faults.keys().copied().collect();
        *self.dice().pick(&faults).expect("a fault")
    }

    fn install(&mut self, live: &[Handle]) -> Ask {
        let count = 1 + self.dice().below(2);
        let objects = (0..count).map(|_| {
            let name = self.dice().one_in(3).then(|| self.name());
            (script::code(self.number(1, 4)), name)
        });
        let objects = objects.collect();
        let refs = text(&self.refs(live));
        let large = if self.author.taste.large && self.dice().one_in(2) {
            let text = script::value(9_000 + self.number(0, 20_000));
            let more = if self.dice().one_in(2) { format!(",\"r\":{}", script::value(40_000)) } else { String::new() };
            format!(",\"p\":{text},\"q\":{text}{more}")
        } else {
            String::new()
        };
        let memory = (!self.dice().one_in(6)).then(|| format!("{{\"12\":0,\"a\":{refs},\"b\":1{large}}}"));
        let statics = format!("{{\"refs\":{}}}", text(&self.refs(live)));
        Ask::Install { objects, memory, statics, natives: !self.dice().one_in(5) }
    }

    fn send(&mut self, to: Handle, live: &[Handle]) -> Ask {
        let script = if self.dice().one_in(200) { vec![Op::Dynasty { levels: 36 }] } else { self.author.script(3) };
        let args = Args { refs: self.refs(live), script };
        let key = self.dice().one_in(3).then(|| {
            // An old key now and then, as from a client that never heard.
            if !self.dice().one_in(4) {
                self.keys += 1;
            }
            format!("key {}", self.keys)
        });
        Ask::Send { to, args: text(&args), key }
    }

    fn memory_set(&mut self, object: Handle, live: &[Handle]) -> Ask {
        let key = self.author.key();
        let value = if self.dice().one_in(3) { text(&self.refs(live)) } else { script::value(self.author.to(&key)) };
        Ask::MemorySet { object, key, value }
    }
}
