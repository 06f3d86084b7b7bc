//! Text from files and standard input, bounded before it is read.

use std::io::{self, Read};

use crate::failure::Failure;

/// The text of `from`, at most `bytes_max` long; `name` says what it is in errors.
pub(super) fn text(from: impl Read, name: &str, bytes_max: u64) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    from.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(name, &error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Failure::new(format!(
            "{name} is longer than the {} MiB that are taken: make it smaller",
            bytes_max >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(format!("{name} is not UTF-8 text (byte {at}): save it as UTF-8"))
    })
}

pub(super) fn cannot_read(name: &str, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read {name}: {error}"))
}
