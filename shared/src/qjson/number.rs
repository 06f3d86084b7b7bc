//! Numbers: IEEE doubles, written as `JSON.stringify` writes them.

use std::borrow::Cow;

/// 2^53: from here on not every integer is a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The canonical spelling of `literal`, which matches the JSON grammar of a number.
///
/// An error says why no double stands for it.
pub(super) fn canonical(literal: &str) -> Result<Cow<'_, str>, String> {
    let digits = literal.strip_prefix('-').unwrap_or(literal);
    let integer = digits.bytes().all(|b| b.is_ascii_digit());
    // Up to 15 digits an integer is exact and stringified as it stands.
    if integer && digits.len() <= 15 && literal != "-0" {
        return Ok(Cow::Borrowed(literal));
    }
    let value: f64 = literal.parse().map_err(|_| "not a number".to_owned())?;
    if !value.is_finite() {
        return Err(format!("{literal} is beyond the range of a double"));
    }
    let written = stringify(value);
    if integer && value.abs() >= EXACT_MAX && written != literal {
        return Err(format!("{literal} is not exact as a double: write {written}, or put it in quotes"));
    }
    Ok(Cow::Owned(written))
}

/// `value`, which is finite, as `JSON.stringify` writes it.
fn stringify(value: f64) -> String {
    if value == 0.0 {
        // ECMA-262 writes -0 as 0.
        return "0".to_owned();
    }
    ryu_js::Buffer::new().format_finite(value).to_owned()
}
