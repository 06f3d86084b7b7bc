//! Equal shares of the worker's time among members who want different amounts of it.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, 1996): each member has a *tag*, the virtual time
//! at which its next piece of work starts. The member with the smallest tag is served next, and what
//! it uses moves its tag on. One that comes back, or is new, starts at the virtual time of now: it
//! neither saved anything up while it had no work nor pays for the time before it came. So however
//! much another has queued, a member with one message waits for one piece of work of each of them,
//! and over any stretch in which two have work, what they got differs by no more than one piece of
//! each. Chosen before deficit round robin because costs are known only afterwards: a tag is simply
//! moved again when an estimate proves wrong.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Tags of members without work that may be remembered beyond as many as have some.
const IDLE_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Fair<K> {
    /// Virtual time: the tag of what was served last.
    now: u64,
    /// Those that have work, by tag; of equals the one that has waited longest.
    waiting: BTreeSet<(u64, u64, K)>,
    members: HashMap<K, Member>,
    next_place: u64,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    tag: u64,
    place: u64,
    waits: bool,
}

impl<K> Default for Fair<K> {
    fn default() -> Self {
        Self { now: 0, waiting: BTreeSet::new(), members: HashMap::new(), next_place: 0 }
    }
}

impl<K: Copy + Ord + Hash> Fair<K> {
    /// Whose turn it is.
    pub(super) fn first(&self) -> Option<K> {
        self.waiting.first().map(|(_, _, member)| *member)
    }

    /// Whether nobody has work.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// `member` has work from now on.
    pub(super) fn enter(&mut self, member: K) {
        let tag = match self.members.get(&member) {
            Some(known) if known.waits => return,
            Some(known) => known.tag.max(self.now),
            None => self.now,
        };
        self.place(member, tag);
    }

    /// `member` has no work for now. What it used beyond now is remembered.
    pub(super) fn leave(&mut self, member: K) {
        let Some(known) = self.members.get_mut(&member).filter(|known| known.waits) else { return };
        known.waits = false;
        self.waiting.remove(&(known.tag, known.place, member));
        if self.members.len() > 2 * self.waiting.len() + IDLE_MAX {
            let now = self.now;
            self.members.retain(|_, member| member.waits || member.tag > now);
        }
    }

    /// `member`, which has work, is given the worker for what is taken to cost `cost`.
    pub(super) fn serve(&mut self, member: K, cost: u64) {
        if let Some((tag, _, _)) = self.waiting.first() {
            self.now = self.now.max(*tag);
        }
        self.charge(member, i64::try_from(cost).unwrap_or(i64::MAX));
    }

    /// What `member` was given has cost so much more than it was taken to, or so much less.
    pub(super) fn charge(&mut self, member: K, more: i64) {
        let Some(known) = self.members.get_mut(&member) else { return };
        let tag = known.tag.saturating_add_signed(more);
        if known.waits {
            self.waiting.remove(&(known.tag, known.place, member));
            self.place(member, tag);
        } else {
            known.tag = tag;
        }
    }

    fn place(&mut self, member: K, tag: u64) {
        let place = self.next_place;
        self.next_place += 1;
        self.waiting.insert((tag, place, member));
        self.members.insert(member, Member { tag, place, waits: true });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::Fair;

    #[test]
    fn equals_take_turns_and_a_newcomer_waits_for_nobodys_backlog() {
        let mut fair = Fair::default();
        fair.enter('a');
        for _ in 0..100 {
            fair.serve('a', 10);
        }
        fair.enter('b');
        let mut order = String::new();
        for _ in 0..6 {
            let next = fair.first().expect("work");
            order.push(next);
            fair.serve(next, 10);
        }
        assert_eq!(order, "bababa");
    }

    #[test]
    fn who_leaves_and_comes_back_has_neither_savings_nor_a_clean_slate() {
        let mut fair = Fair::default();
        fair.enter('a');
        fair.enter('b');
        fair.serve('a', 1000);
        fair.leave('a');
        fair.enter('a');
        for _ in 0..100 {
            assert_eq!(fair.first(), Some('b'), "leaving forgets no debt");
            fair.serve('b', 10);
        }
        fair.serve('b', 10);
        fair.leave('a');
        for _ in 0..100 {
            fair.serve('b', 1000);
        }
        fair.enter('a');
        fair.serve('a', 1000);
        fair.serve('b', 1000);
        assert_eq!(fair.first(), Some('a'));
        fair.serve('a', 1000);
        assert_eq!(fair.first(), Some('b'), "what a did not use meanwhile is not owed to it");
    }

    #[test]
    fn the_idle_are_forgotten_once_they_owe_nothing() {
        let mut fair = Fair::default();
        fair.enter(0);
        for member in 1..10_000 {
            fair.enter(member);
            fair.serve(member, 1);
            fair.leave(member);
            fair.serve(0, 1);
        }
        assert!(fair.members.len() < 200, "{}", fair.members.len());
    }

    proptest! {
        #[test]
        fn two_with_work_get_the_same_within_one_piece_of_each(
            costs in prop::collection::vec(1_u64..1000, 2..6),
            estimates in prop::collection::vec(1_u64..1000, 2..6),
        ) {
            let mut fair = Fair::default();
            let members = costs.len().min(estimates.len());
            (0..members).for_each(|member| fair.enter(member));
            let mut got: HashMap<usize, u64> = HashMap::new();
            for _ in 0..500 {
                let next = fair.first().expect("work");
                fair.serve(next, estimates[next]);
                fair.charge(next, costs[next].cast_signed() - estimates[next].cast_signed());
                *got.entry(next).or_default() += costs[next];
                for a in 0..members {
                    for b in 0..members {
                        let difference = got.get(&a).unwrap_or(&0).abs_diff(*got.get(&b).unwrap_or(&0));
                        prop_assert!(difference <= costs[a] + costs[b]);
                    }
                }
            }
        }
    }
}
