//! What a turn changed in a Memory, as edits that leave its keys in JavaScript's order.

use std::collections::{HashMap, HashSet};

use qrt_shared::qjson::array_index;

use crate::protocol::{MemoryChange, MemoryHandle};

/// What turns the entries `before` into `after`, the order of keys included.
pub(super) fn difference(
    memory: MemoryHandle,
    before: &[(String, String)],
    after: Vec<(String, String)>,
) -> Option<MemoryChange> {
    let places: HashMap<&str, usize> = before.iter().enumerate().map(|(at, (key, _))| (key.as_str(), at)).collect();
    let mut deleted = Vec::new();
    let mut set = Vec::new();
    let mut kept = vec![false; before.len()];
    let mut next = 0;
    let mut moving = false;
    for (key, text) in after {
        let place = places.get(key.as_str()).copied();
        if let Some(place) = place {
            kept[place] = true;
        }
        // JavaScript keeps integer-like keys in numeric order wherever they are stored.
        if array_index(&key).is_none() {
            match place {
                Some(place) if !moving && place >= next => next = place + 1,
                // From the first key that is new or out of place on, all go to the end in order.
                Some(_) => {
                    deleted.push(key.clone());
                    set.push((key, text));
                    moving = true;
                    continue;
                }
                None => moving = true,
            }
        }
        if place.is_none_or(|place| before[place].1 != text) {
            set.push((key, text));
        }
    }
    deleted.extend(kept.iter().zip(before).filter(|(kept, _)| !**kept).map(|(_, (key, _))| key.clone()));
    (!deleted.is_empty() || !set.is_empty()).then_some(MemoryChange { memory, deleted, set })
}

/// What a turn changed that knows only some keys: `found` is what those held before, `moved` are those
/// that are not where they were, `after` is what is known now, in order.
pub(super) fn of_found(
    memory: MemoryHandle,
    found: &HashMap<String, Option<String>>,
    moved: &HashSet<String>,
    after: Vec<(String, String)>,
) -> Option<MemoryChange> {
    let there: HashSet<&str> = after.iter().map(|(key, _)| key.as_str()).collect();
    let was = |key: &str| found.get(key).and_then(Option::as_deref);
    let gone = |key: &String| was(key).is_some() && (moved.contains(key) || !there.contains(key.as_str()));
    let mut deleted: Vec<String> = found.keys().filter(|key| gone(key)).cloned().collect();
    // The order tells nothing but how a table of hashes lies.
    deleted.sort_unstable();
    let set: Vec<_> = after.into_iter().filter(|(key, text)| moved.contains(key) || was(key) != Some(text)).collect();
    (!deleted.is_empty() || !set.is_empty()).then_some(MemoryChange { memory, deleted, set })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MemoryChange, difference};

    type Entries = Vec<(String, String)>;

    /// What the store does with a change.
    fn apply(mut entries: Entries, change: &MemoryChange) -> Entries {
        entries.retain(|(key, _)| !change.deleted.contains(key));
        for (key, text) in &change.set {
            match entries.iter_mut().find(|(known, _)| known == key) {
                Some(entry) => entry.1.clone_from(text),
                None => entries.push((key.clone(), text.clone())),
            }
        }
        entries
    }

    fn entries() -> impl Strategy<Value = Entries> {
        let keys = prop::sample::subsequence(vec!["a", "b", "c", "d", "e", "f"], 0..=6).prop_shuffle();
        keys.prop_flat_map(|keys| {
            prop::collection::vec("[12]", keys.len())
                .prop_map(move |texts| keys.iter().map(|key| (*key).to_owned()).zip(texts).collect())
        })
    }

    proptest! {
        #[test]
        fn a_change_makes_the_one_memory_into_the_other(before in entries(), after in entries()) {
            if let Some(change) = difference(1, &before, after.clone()) {
                prop_assert_eq!(apply(before, &change), after);
            } else {
                prop_assert_eq!(before, after);
            }
        }
    }
}
