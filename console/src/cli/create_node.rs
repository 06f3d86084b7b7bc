//! `qrt create-node`: make a vat.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use super::{Call, Done};
use crate::output::Tone;
use crate::qrtd::Qrtd;

/// What `qrtd create-node` prints.
#[derive(Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) vat: String,
    dir: String,
    url: Option<String>,
}

pub(super) fn run(call: &mut Call) -> Done {
    let mut args = vec![OsString::from("create-node"), call.dir().into()];
    for option in ["listen", "url"] {
        if let Some(value) = call.text(option) {
            args.push(format!("--{option}={value}").into());
        }
    }
    let made: Made = Qrtd::find()?.ask(&args)?;
    if call.json() {
        call.out.json(&made)?;
        return Ok(());
    }
    let vat = call.out.paint(Tone::Title, &made.vat);
    call.out.line(format!("vat  {vat}\ndir  {}", made.dir))?;
    if let Some(url) = &made.url {
        call.out.line(format!("url  {url}"))?;
    }
    call.out.line(format!("\nStart it with `qrt start {}`.", call.dir_word()))?;
    Ok(())
}
