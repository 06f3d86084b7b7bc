//! Memories' texts as the last turns left them, so that turns on one Memory can be streamed: the
//! daemon may send the next delivery before it knows what the one before it wrote.
//!
//! Texts only, never live values. What a failed turn wrote is not kept. What the daemon then takes
//! back (it calls later deliveries back and sends the content anew) is simply overwritten.

use std::collections::HashMap;

use crate::protocol::{Memory, MemoryHandle, WINDOW};

/// A Memory's top-level properties in order.
pub(super) type Entries = Vec<(String, String)>;

/// See the module.
#[derive(Default)]
pub(super) struct Kept {
    texts: HashMap<MemoryHandle, Text>,
}

struct Text {
    /// The last delivery that had to do with it.
    delivery: u64,
    entries: Entries,
}

impl Kept {
    /// Notes the content that `memory` came with, or fills in what was kept.
    pub(super) fn take_in(&mut self, delivery: u64, memory: &mut Memory) {
        if let Some(entries) = &memory.entries {
            self.leave(delivery, memory.memory, entries.clone());
            return;
        }
        let text = self.texts.get_mut(&memory.memory).map(|text| {
            text.delivery = delivery;
            text.entries.clone()
        });
        // Missing only in a delivery that the daemon has called back by now.
        memory.entries = Some(text.unwrap_or_default());
    }

    /// Keeps what a turn left in a Memory.
    pub(super) fn leave(&mut self, delivery: u64, memory: MemoryHandle, entries: Entries) {
        self.texts.insert(memory, Text { delivery, entries });
        // The daemon refers to nothing older than its window, which is looked through now and then.
        if self.texts.len() > 2 * WINDOW {
            self.texts.retain(|_, text| text.delivery + WINDOW as u64 >= delivery);
        }
    }
}
