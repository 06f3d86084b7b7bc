//! Shared keys that are kept: making one is a Diffie-Hellman.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use qrt_shared::id::VatId;

use crate::key::Key;
use crate::peer::seal::{Channel, OwnKey};

/// How many channels a daemon keeps.
pub const CHANNELS_MAX: usize = 1024;

/// The channels used last, at most so many.
pub struct Channels {
    key: Arc<Key>,
    max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Counts uses, so that the least recent is known.
    clock: u64,
    channels: HashMap<VatId, (Arc<Channel>, u64)>,
}

impl Channels {
    /// No channels yet; `max` is how many are kept.
    pub fn new(key: Arc<Key>, max: usize) -> Self {
        Self { key, max: max.max(1), kept: Mutex::default() }
    }

    /// The channel with `peer`, if it is kept.
    pub fn kept(&self, peer: VatId) -> Option<Arc<Channel>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let (channel, used) = kept.channels.get_mut(&peer)?;
        *used = now;
        Some(Arc::clone(channel))
    }

    /// The channel with `peer`, made if it is not kept. It is not kept by this: a stranger must show
    /// first that it holds its key. Costs a Diffie-Hellman.
    ///
    /// # Errors
    /// [`OwnKey`].
    pub fn get(&self, peer: VatId) -> Result<Arc<Channel>, OwnKey> {
        match self.kept(peer) {
            Some(channel) => Ok(channel),
            None => Channel::new(&self.key, peer).map(Arc::new),
        }
    }

    /// Keeps a channel, and lets go of the one that was used longest ago.
    pub fn keep(&self, channel: &Arc<Channel>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        kept.channels.insert(channel.peer(), (Arc::clone(channel), now));
        if kept.channels.len() > self.max {
            let oldest = kept.channels.iter().min_by_key(|(_, (_, used))| *used).map(|(peer, _)| *peer);
            oldest.and_then(|peer| kept.channels.remove(&peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_used_longest_ago_is_let_go() {
        let key = |seed| Key::from_bytes([seed; 32]).expect("a usable key");
        let channels = Channels::new(Arc::new(key(1)), 2);
        let keep = |seed| channels.keep(&channels.get(key(seed).vat()).expect("another"));
        let kept = |seed| channels.kept(key(seed).vat()).is_some();
        assert!(channels.get(key(2).vat()).is_ok());
        assert!(!kept(2), "only what proved itself is kept");
        keep(2);
        keep(3);
        assert!(kept(2));
        keep(4);
        assert_eq!((kept(2), kept(3), kept(4)), (true, false, true));
        assert!(channels.get(key(1).vat()).is_err());
    }
}
