//! Lanes: which worker process a turn runs in.
//!
//! All turns in flight are of one lane at a time; a turn of another waits until they have ended. So
//! no two workers ever run at once, and what one lane's worker is told of a Memory no other misses.

use crate::protocol::Handle;

/// Which worker a turn runs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The one that accounts share.
    #[default]
    Shared,
    /// One that runs the turns of this account's objects and no others. What those call runs there
    /// too, for that turn: then the worker is replaced.
    Account(Handle),
}

/// How accounts are kept apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// All share a worker, but for those that killed one lately.
    #[default]
    Shared,
    /// Each has its own.
    Account,
}

impl Lane {
    /// The lane of a turn whose target is of this account, which `offends` if it killed a worker lately.
    pub fn of(isolation: Isolation, account: Handle, offends: bool) -> Self {
        match isolation {
            Isolation::Account => Self::Account(account),
            Isolation::Shared if offends => Self::Account(account),
            Isolation::Shared => Self::Shared,
        }
    }

    /// The account whose turns alone this lane runs.
    pub fn account(self) -> Option<Handle> {
        match self {
            Self::Shared => None,
            Self::Account(account) => Some(account),
        }
    }

    /// Whether a turn that ran objects of these accounts spoils this lane's worker for its own account's next turn.
    pub fn is_spoilt_by(self, mut accounts: impl Iterator<Item = Handle>) -> bool {
        self.account().is_some_and(|own| accounts.any(|account| account != own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offenders_have_a_lane_of_their_own_and_under_isolation_everybody_has() {
        assert_eq!(Lane::of(Isolation::Shared, 7, false), Lane::Shared);
        assert_eq!(Lane::of(Isolation::Shared, 7, true), Lane::Account(7));
        for offends in [false, true] {
            assert_eq!(Lane::of(Isolation::Account, 7, offends), Lane::Account(7));
        }
    }

    #[test]
    fn a_call_into_another_account_spoils_a_lane_of_an_account_and_not_the_shared_one() {
        assert!(Lane::Account(7).is_spoilt_by([7, 7, 8].into_iter()));
        assert!(!Lane::Account(7).is_spoilt_by([7, 7].into_iter()));
        assert!(!Lane::Shared.is_spoilt_by([7, 8].into_iter()));
    }
}
