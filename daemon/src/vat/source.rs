//! Whose a message is: who pays for its turn, and in whose share it runs.

use crate::protocol::Handle;

/// The number of another vat, as a row of the table of peers.
pub type PeerNumber = u32;

/// The source of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An operator of this vat.
    Operator,
    /// Another vat.
    Peer(PeerNumber),
    /// An account of this vat, named by its first object.
    Account(Handle),
}

impl Source {
    /// The number that stands for it in the database: 0 the operator, above it an account, below it a peer.
    pub fn number(self) -> i64 {
        match self {
            Self::Operator => 0,
            Self::Peer(peer) => -i64::from(peer),
            // Handles count rows: they stay far below 2^63.
            Self::Account(account) => account.cast_signed(),
        }
    }

    /// The source that `number` stands for; `None` when it is no peer's number and below zero.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Operator),
            1.. => Some(Self::Account(number.cast_unsigned())),
            _ => PeerNumber::try_from(number.unsigned_abs()).ok().map(Self::Peer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn every_source_has_a_number_of_its_own() {
        for source in
            [Source::Operator, Source::Peer(1), Source::Peer(u32::MAX), Source::Account(1), Source::Account(1 << 52)]
        {
            assert_eq!(Source::from_number(source.number()), Some(source));
        }
        assert_eq!(Source::from_number(i64::MIN), None);
    }
}
