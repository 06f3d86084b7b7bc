//! Who shares what with whom: a tree in which every node's children take turns.
//!
//! ```text
//! all ─┬─ the operator ── target accounts ── targets
//!      ├─ each peer ───── target accounts ── targets
//!      └─ each account that was installed, with all that `make_account` made under it
//!           ├─ itself ─── target accounts ── targets ── messages in order
//!           └─ each account made under it, with all ...
//! ```
//!
//! So a flood spends its own source's share, a costly target only the time of what is sent to it, and
//! a thousand accounts that one account made have together what it had alone. Each inner node is a
//! [`Fair`] among its children; a leaf is the queue of one (source, target).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::fair::Fair;
use super::source::Source;
use crate::protocol::Handle;

/// A node of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Node {
    All,
    /// An account and all that was made under it.
    Subtree(Handle),
    Source(Source),
    /// What a source sent to objects of an account.
    Flow(Source, Handle),
    /// What a source sent to an object.
    Queue(Source, Handle),
}

/// The way from a queue to the root, each node with its parent.
#[derive(Debug, Clone)]
pub(super) struct Path(Arc<[(Node, Node)]>);

impl Path {
    /// The way of what `source` sends to `target` of `account`; `above` are the accounts above the
    /// source, the nearest first.
    pub(super) fn new(source: Source, account: Handle, target: Handle, above: &[Handle]) -> Self {
        let mut nodes = vec![Node::Queue(source, target), Node::Flow(source, account), Node::Source(source)];
        if let Source::Account(own) = source {
            nodes.extend([own].iter().chain(above).map(|account| Node::Subtree(*account)));
        }
        nodes.push(Node::All);
        Self(nodes.windows(2).map(|pair| (pair[0], pair[1])).collect())
    }
}

/// A part of the tree that is out of it for now.
#[derive(Debug)]
pub(super) struct Parked {
    /// The way from that part's node to the root.
    way: Path,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shares {
    levels: HashMap<Node, Fair<Node>>,
    /// Nodes that nobody is served below, whatever is there.
    parked: HashSet<Node>,
}

impl Shares {
    /// The queue whose turn it is: its source and target.
    pub(super) fn first(&self) -> Option<(Source, Handle)> {
        let mut node = Node::All;
        loop {
            node = self.levels.get(&node)?.first()?;
            if let Node::Queue(source, target) = node {
                return Some((source, target));
            }
        }
    }

    /// The queue at `path` has messages from now on.
    pub(super) fn enter(&mut self, path: &Path) {
        for (child, parent) in &*path.0 {
            if self.parked.contains(child) {
                break;
            }
            let level = self.levels.entry(*parent).or_default();
            let was_idle = level.is_idle();
            level.enter(*child);
            if !was_idle {
                break;
            }
        }
    }

    /// The queue at `path` has nothing for now.
    pub(super) fn leave(&mut self, path: &Path) {
        for (child, parent) in &*path.0 {
            let Some(level) = self.levels.get_mut(parent) else { return };
            level.leave(*child);
            if !level.is_idle() {
                break;
            }
            if *parent != Node::All {
                // Who owes whom in here is forgotten; what they owe together is known above.
                self.levels.remove(parent);
            }
        }
    }

    /// Takes all out that `account` pays for and that `path` is a part of: the account's own part of the
    /// tree, or, where its maker pays for none of it, what that one sends to it.
    pub(super) fn park(&mut self, path: &Path, account: Handle) -> Parked {
        let own = path.0.iter().position(|(child, _)| *child == Node::Subtree(account));
        let flow = || path.0.iter().position(|(child, _)| matches!(child, Node::Flow(..)));
        let way = Path(path.0.iter().skip(own.or_else(flow).unwrap_or(0)).copied().collect());
        self.leave(&way);
        if let Some((node, _)) = way.0.first() {
            self.parked.insert(*node);
        }
        Parked { way }
    }

    /// Puts it back.
    pub(super) fn unpark(&mut self, Parked { way }: &Parked) {
        let Some((node, _)) = way.0.first() else { return };
        self.parked.remove(node);
        if self.levels.get(node).is_some_and(|level| !level.is_idle()) {
            self.enter(way);
        }
    }

    /// The queue at `path`, which has messages, is given the worker for what is taken to cost `cost`.
    pub(super) fn serve(&mut self, path: &Path, cost: u64) {
        for (child, parent) in &*path.0 {
            if let Some(level) = self.levels.get_mut(parent) {
                level.serve(*child, cost);
            }
        }
    }

    /// What it was given has cost so much more than it was taken to, or so much less.
    pub(super) fn charge(&mut self, path: &Path, more: i64) {
        if more == 0 {
            return;
        }
        for (child, parent) in &*path.0 {
            if let Some(level) = self.levels.get_mut(parent) {
                level.charge(*child, more);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Path, Shares, Source};

    /// Serves `turns` pieces of work; how many each target got.
    fn served(shares: &mut Shares, paths: &HashMap<u64, Path>, turns: usize) -> HashMap<u64, usize> {
        let mut got = HashMap::new();
        for _ in 0..turns {
            let (_, target) = shares.first().expect("work");
            shares.serve(&paths[&target], 10);
            *got.entry(target).or_default() += 1;
        }
        got
    }

    #[test]
    fn accounts_made_under_one_have_together_what_it_had_alone() {
        let mut shares = Shares::default();
        let mut paths = HashMap::new();
        // Account 1 made 10, 11 and 12; 10 made 20. Account 2 stands beside. Each sends to itself.
        for (account, above) in
            [(1, vec![]), (10, vec![1]), (11, vec![1]), (12, vec![1]), (20, vec![10, 1]), (2, vec![])]
        {
            let path = Path::new(Source::Account(account), account, account, &above);
            shares.enter(&path);
            paths.insert(account, path);
        }
        let got = served(&mut shares, &paths, 1600);
        let expected = [(1, 200), (10, 100), (20, 100), (11, 200), (12, 200), (2, 800)];
        for (account, turns) in expected {
            assert!(got[&account].abs_diff(turns) <= 4, "{account}: {} of {turns}", got[&account]);
        }
    }

    #[test]
    fn a_source_takes_turns_over_accounts_then_over_targets() {
        let mut shares = Shares::default();
        let mut paths = HashMap::new();
        for (account, target) in [(1, 1), (1, 2), (1, 3), (9, 9)] {
            let path = Path::new(Source::Operator, account, target, &[]);
            shares.enter(&path);
            paths.insert(target, path);
        }
        let got = served(&mut shares, &paths, 600);
        assert_eq!((got[&1], got[&2], got[&3], got[&9]), (100, 100, 100, 300));
    }

    #[test]
    fn what_is_parked_is_not_served_and_comes_back_with_what_came_meanwhile() {
        let mut shares = Shares::default();
        let paths = [(1, 5), (1, 6), (2, 7)]
            .map(|(account, target)| (target, Path::new(Source::Account(account), account, target, &[])));
        let paths = HashMap::from(paths);
        shares.enter(&paths[&5]);
        let parked = shares.park(&paths[&5], 1);
        assert_eq!(shares.first(), None);
        shares.leave(&paths[&5]);
        shares.enter(&paths[&6]);
        shares.enter(&paths[&7]);
        assert_eq!(served(&mut shares, &paths, 10), HashMap::from([(7, 10)]));
        shares.unpark(&parked);
        assert_eq!(served(&mut shares, &paths, 10), HashMap::from([(6, 5), (7, 5)]));
    }

    #[test]
    fn an_account_that_pays_itself_keeps_nobody_else_from_its_makers_messages() {
        let mut shares = Shares::default();
        let paths =
            [(10, 11), (20, 21)].map(|(account, target)| (target, Path::new(Source::Account(1), account, target, &[])));
        let paths = HashMap::from(paths);
        for path in paths.values() {
            shares.enter(path);
        }
        let parked = shares.park(&paths[&11], 10);
        assert_eq!(served(&mut shares, &paths, 10), HashMap::from([(21, 10)]));
        shares.unpark(&parked);
        assert_eq!(served(&mut shares, &paths, 10)[&11], 5);
    }

    #[test]
    fn an_empty_tree_has_nobody_and_holds_nothing() {
        let mut shares = Shares::default();
        let paths: Vec<_> = (1..100).map(|n| Path::new(Source::Account(n), n, n, &[1000, 1001])).collect();
        for path in &paths {
            shares.enter(path);
        }
        for path in &paths {
            shares.leave(path);
        }
        assert_eq!(shares.first(), None);
        assert_eq!(shares.levels.len(), 1, "only the root stays");
    }
}
