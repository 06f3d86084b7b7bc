//! The daemon of a vat.

pub mod protocol;
pub mod worker;
