//! What the last turns left in Memories, so that turns on one Memory can be streamed: the daemon may
//! send the next delivery before it knows what the one before it wrote.
//!
//! Texts only, never live values. What a failed turn wrote is not kept. What the daemon then takes
//! back (it calls later deliveries back and sends the content anew) is simply overwritten, or older
//! than what it sends along. A Memory that is asked for by key is kept by the keys that turns
//! changed; nothing is kept of it that must be: who finds nothing here asks.

use std::collections::HashMap;

use crate::protocol::{Content, KNOWN_BYTES_MAX, Memory, MemoryChange, MemoryHandle, WINDOW};

/// A Memory's top-level properties in order.
pub(crate) type Entries = Vec<(String, String)>;

/// The most keys that are kept of one change.
const KEYS_MAX: usize = 64;

/// How many changed keys are kept before old ones are looked for.
const CHANGES_MAX: usize = 4096;

/// What a turn leaves in a Memory.
pub(crate) enum Left {
    /// It had all of it.
    Whole(MemoryHandle, Entries),
    /// It asked for what it wanted.
    Changed(MemoryChange),
}

/// See the module.
#[derive(Default)]
pub(crate) struct Kept {
    texts: HashMap<MemoryHandle, Text>,
    changes: HashMap<(MemoryHandle, String), Changed>,
    /// Memories of which a turn changed too much to be kept, and its delivery.
    unknown: HashMap<MemoryHandle, u64>,
}

struct Text {
    /// The last delivery that had to do with it.
    delivery: u64,
    entries: Entries,
}

/// A key that a turn changed.
struct Changed {
    delivery: u64,
    now: Now,
}

/// What is known of a key.
#[derive(Clone)]
enum Now {
    Text(String),
    /// Gone, or too long to be kept: whoever wants it asks.
    Ask,
}

impl Kept {
    /// Notes the content that `memory` came with, or fills in what was kept.
    pub(crate) fn take_in(&mut self, delivery: u64, memory: &mut Memory) {
        let handle = memory.memory;
        match &mut memory.content {
            Content::Whole(entries) => self.leave(delivery, Left::Whole(handle, entries.clone())),
            Content::AsLeft => {
                let text = self.texts.get_mut(&handle).map(|text| {
                    text.delivery = delivery;
                    text.entries.clone()
                });
                // Missing only in a delivery that the daemon has called back by now.
                memory.content = Content::Whole(text.unwrap_or_default());
            }
            Content::ByKey { known, settled } => {
                known.retain_mut(|(key, text)| match self.since(handle, key, *settled) {
                    None => true,
                    Some(Now::Ask) => false,
                    Some(Now::Text(now)) => {
                        *text = now;
                        true
                    }
                });
            }
        }
    }

    /// What turns from the delivery `settled` on made of a key.
    fn since(&self, memory: MemoryHandle, key: &str, settled: u64) -> Option<Now> {
        let text = self.texts.get(&memory).map(|text| {
            let entry = text.entries.iter().find(|(known, _)| known == key);
            (text.delivery, entry.map_or(Now::Ask, |(_, value)| Now::Text(value.clone())))
        });
        let change = self.changes.get(&(memory, key.to_owned()));
        let change = change.map(|change| (change.delivery, change.now.clone()));
        let unknown = self.unknown.get(&memory).map(|delivery| (*delivery, Now::Ask));
        let known = [text, change, unknown].into_iter().flatten().filter(|(delivery, _)| *delivery >= settled);
        known.max_by_key(|(delivery, _)| *delivery).map(|(_, now)| now)
    }

    /// Keeps what a turn left in a Memory.
    pub(crate) fn leave(&mut self, delivery: u64, left: Left) {
        let recent = |other: u64| other + WINDOW as u64 >= delivery;
        match left {
            Left::Whole(memory, entries) => {
                self.texts.insert(memory, Text { delivery, entries });
                // The daemon refers to nothing older than its window, which is looked through now and then.
                if self.texts.len() > 2 * WINDOW {
                    self.texts.retain(|_, text| recent(text.delivery));
                }
            }
            Left::Changed(MemoryChange { memory, deleted, set }) => {
                if deleted.len() + set.len() > KEYS_MAX {
                    self.unknown.insert(memory, delivery);
                    self.unknown.retain(|_, other| recent(*other));
                    return;
                }
                let short = |text: String| if text.len() > KNOWN_BYTES_MAX { Now::Ask } else { Now::Text(text) };
                let gone = deleted.into_iter().map(|key| (key, Now::Ask));
                let now = gone.chain(set.into_iter().map(|(key, text)| (key, short(text))));
                // A longer key is never sent along.
                for (key, now) in now.filter(|(key, _)| key.len() <= KNOWN_BYTES_MAX) {
                    self.changes.insert((memory, key), Changed { delivery, now });
                }
                if self.changes.len() > CHANGES_MAX + KEYS_MAX * WINDOW {
                    self.changes.retain(|_, change| recent(change.delivery));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Kept, Left, Memory, MemoryChange};

    const MEMORY: u64 = 5;

    fn change(deleted: &[&str], set: &[(&str, &str)]) -> Left {
        let set = set.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let deleted = deleted.iter().map(|key| (*key).to_owned()).collect();
        Left::Changed(MemoryChange { memory: MEMORY, deleted, set })
    }

    /// What a turn is told of the keys `a` and `b` that were 0 when `settled` was the oldest in flight.
    fn told(kept: &mut Kept, delivery: u64, settled: u64) -> Vec<String> {
        let known = ["a", "b"].map(|key| (key.to_owned(), "0".to_owned())).to_vec();
        let mut memory = Memory { memory: MEMORY, content: Content::ByKey { known, settled } };
        kept.take_in(delivery, &mut memory);
        let Content::ByKey { known, .. } = memory.content else { panic!("it stays as it is") };
        known.into_iter().map(|(key, text)| format!("{key}={text}")).collect()
    }

    #[test]
    fn what_turns_in_flight_left_counts_before_what_was_sent_along() {
        let mut kept = Kept::default();
        kept.leave(10, change(&[], &[("a", "1")]));
        assert_eq!(told(&mut kept, 12, 10), ["a=1", "b=0"]);
        assert_eq!(told(&mut kept, 12, 11), ["a=0", "b=0"], "what was sent along is newer");
        kept.leave(12, change(&["a"], &[("b", "2")]));
        assert_eq!(told(&mut kept, 13, 10), ["b=2"], "what is gone is asked for");
        kept.leave(13, change(&[], &[("a", &"9".repeat(2000))]));
        assert_eq!(told(&mut kept, 14, 13), ["b=0"], "so is what is long");
        let many: Vec<_> = (0..100).map(|n| format!("k{n}")).collect();
        kept.leave(14, change(&[], &many.iter().map(|key| (key.as_str(), "1")).collect::<Vec<_>>()));
        assert!(told(&mut kept, 15, 14).is_empty(), "and all after a turn that changed many");
        assert_eq!(told(&mut kept, 16, 15), ["a=0", "b=0"]);
    }

    #[test]
    fn what_a_turn_left_that_had_the_whole_memory_counts_too() {
        let mut kept = Kept::default();
        kept.leave(10, Left::Whole(MEMORY, vec![("a".to_owned(), "1".to_owned())]));
        assert_eq!(told(&mut kept, 11, 10), ["a=1"], "b is not there");
        kept.leave(11, change(&[], &[("a", "2")]));
        assert_eq!(told(&mut kept, 12, 10), ["a=2"], "the later counts");
    }
}
