//! What reads strangers' bytes, as functions of bytes: each holds for every input what its name's file claims.
//!
//! They are run twice. `tests/tests/fuzz.rs` gives each some thousands of inputs, made from the seeds below by
//! [`Mutator`], in every run of the tests. `tests/fuzz/` gives them to libFuzzer, which watches what an input
//! reaches and goes on from there, for as long as one likes. What either finds becomes a seed.

mod code;
mod mutate;
mod protocol;
mod qjson;
mod wire;

pub use mutate::Mutator;

/// A claim about all inputs.
pub struct Target {
    /// What it is called, here and in `tests/fuzz/Cargo.toml`.
    pub name: &'static str,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Looks at one input.
    ///
    /// # Panics
    /// It breaks the claim.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 5] = [
    Target { name: "of_worker", seeds: protocol::reports, run: protocol::of_worker },
    Target { name: "to_worker", seeds: protocol::orders, run: protocol::to_worker },
    Target { name: "qjson", seeds: qjson::seeds, run: qjson::run },
    Target { name: "wire", seeds: wire::seeds, run: wire::run },
    Target { name: "code", seeds: code::seeds, run: code::run },
];

/// The target of that name.
///
/// # Panics
/// There is none.
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target is called {name}"))
}
