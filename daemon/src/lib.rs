//! The daemon of a vat: `qrtd`.
//!
//! - [`serve`]: the daemon's life. [`directory`], [`key`], [`settings`]: what is in a base directory.
//! - [`backup`]: a vat in one file, and a vat from one. [`mark`]: how a database that went back is noticed.
//!   [`check`]: whether all of it is as it should be. [`log`]: what it and its objects said.
//! - [`driver`]: the loop that owns everything that changes: event in, commit, effects out.
//! - [`vat`]: the kernel, a pure step function. Start here to understand what a turn is.
//! - [`store`]: the database. Only it knows SQL, only its commit lets effects out.
//! - [`executor`]: the daemon's side of the worker processes; [`protocol`]: what the sides say.
//!   [`page`]: how a worker says what it runs.
//! - [`peer`]: the protocol between two vats, pure: sealing, sessions, schedules.
//! - [`http`]: that protocol over TCP, in and out; [`intake`]: what comes in goes to the kernel; [`post`]: what
//!   is due goes out.
//! - [`worker`]: the other side, a process without authority that runs strangers' code.
//! - [`control`]: the socket that operators' programs talk to.

pub mod backup;
pub mod check;
pub mod control;
pub mod directory;
pub mod driver;
pub mod executor;
pub mod http;
pub mod intake;
pub mod key;
pub mod log;
pub mod manager;
pub mod mark;
pub mod page;
pub mod peer;
pub mod post;
pub mod protocol;
pub mod replay;
pub mod serve;
pub mod settings;
pub mod store;
pub mod totals;
pub mod vat;
pub mod worker;
