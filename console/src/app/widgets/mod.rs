//! What several panes draw.

pub mod grid;
pub mod json;
pub mod text;
