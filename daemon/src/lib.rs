//! The daemon of a vat.

pub mod protocol;
