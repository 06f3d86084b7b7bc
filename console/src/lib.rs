//! What an operator uses to make, run and look into vats.
//!
//! - [`app`]: the console, pure: what is on the screen and what each event makes of it.
//! - [`record`]: what a console was told, written down.
//! - [`terminal`], [`link`]: the terminal and the daemon, from the console's side.
//! - [`cli`]: the verbs, built from the one table of actions.
//! - [`output`]: the only way to standard output, for people or as JSON.
//! - [`mod@format`]: times, sizes, tables and untrusted text as people read them.
//! - [`failure`]: why a verb failed, and its exit code.
//! - [`qrtd`]: finding and running the daemon's program.
//! - [`samples`]: the bundled objects.
//!
//! This crate never opens a vat's files: whatever it shows or does goes through the control socket
//! or through `qrtd`.

pub mod app;
pub mod cli;
pub mod failure;
pub mod format;
pub mod link;
pub mod output;
pub mod qrtd;
pub mod record;
pub mod samples;
pub mod terminal;
