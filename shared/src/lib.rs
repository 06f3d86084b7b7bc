//! What `qrtd` and `qrt` both speak.
//!
//! - [`budget`]: budgets of objects and accounts as people write them.
//! - [`id`]: vat ids, object ids, QRIDs, petnames, accounts of what is a name and what is authority.
//! - [`qjson`]: JSON with References, in its outside and inside forms.
//! - [`action`]: the one table every verb, help text and control path is made from.
//! - [`view`]: plain structs that people and scripts see.
//! - [`control`]: the control protocol's requests and errors, and its client.
//! - [`hint`]: commands that lines for people advise.
//! - [`wire`]: what vats say to each other, as bytes.
//!
//! This crate does no I/O but the control client's and a look at where a vat could be made. It never sees a key, a database or an engine.

pub mod action;
pub mod budget;
pub mod control;
pub mod hint;
pub mod id;
pub mod qjson;
pub mod view;
pub mod wire;

/// The version both programs must share, as `qrt --version` prints it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
