//! The object model through the real daemon: every rule that code can rely on is a claim here.

mod call;
mod code;
mod conformance;
mod docs;
mod making;
mod memory;
mod power;
mod references;
mod turns;
mod values;

use qrt_tests::{Scratch, Vat};

/// A running vat of the test's own.
fn vat() -> Vat {
    Scratch::default().vat()
}
