//! The worker: the process that runs object code, with no authority of its own.
//!
//! `qrtd` executes itself as the worker with two pipes and the page on which it says what it runs. The worker shuts itself
//! into a cage (`sandbox`), then answers frames ([`crate::protocol`]) one after the other. It never
//! sees an object id, a key, a file or a socket, and it keeps nothing between turns but code.
//!
//! - `engine`: the engine and what outlives a turn; `turn`: one turn; `effects`: what it does
//! - `realm`: what code can reach; `check`: what code may be; `budget`: what a turn may use
//! - `pack`, `unpack`: values to texts and back; `change`: what a Memory became
//! - `js`: the engine's C interface; `natives`: the functions code calls
//! - `sandbox`: the cage; `pipes`: the loop

mod budget;
mod change;
mod check;
mod effects;
mod engine;
mod js;
pub(crate) mod kept;
mod large;
mod natives;
mod pack;
mod pipes;
mod realm;
pub mod sandbox;
mod turn;
mod unpack;

#[cfg(test)]
mod tests;

pub use engine::{CODE_STACK_BYTES, Codes, Engine, Error, KNOWN_VERSION, Loader, STACK_BYTES, version};
pub use pipes::{EXIT_CAGE, EXIT_ENGINE, EXIT_PANIC, EXIT_PIPE, EXIT_PROTOCOL, EXIT_SPENT, args, main};
pub use sandbox::Sandbox;
