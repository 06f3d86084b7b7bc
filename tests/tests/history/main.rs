//! What the journal is good for: turns that run again, memories as they were, who changed what.

mod dry;
mod memory;
mod reach;
mod replay;
