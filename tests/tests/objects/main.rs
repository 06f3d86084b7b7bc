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

/// A running vat whose settings file has each of the first lines changed to the second.
fn vat_with_settings(lines: &[(&str, &str)]) -> Vat {
    let vat = vat();
    let file = vat.dir().join("settings.toml");
    let mut settings = std::fs::read_to_string(&file).expect("the settings");
    for (old, new) in lines {
        assert!(settings.contains(old), "{old} is a setting");
        settings = settings.replace(old, new);
    }
    std::fs::write(file, settings).expect("the settings");
    vat.qrt("stop", &[]).ok();
    vat.start();
    vat
}
