//! What several panes draw.

pub mod code;
pub mod diff;
pub mod fields;
pub mod grid;
pub mod json;
pub mod reason;
pub mod sheet;
pub mod text;
