//! `qrt start`: start a vat's daemon.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use super::{Call, Done};
use crate::failure::Failure;
use crate::qrtd::Qrtd;

/// What `qrtd start` prints.
#[derive(Serialize, Deserialize)]
pub(super) struct Started {
    vat: String,
    url: Option<String>,
    pub(super) pid: u32,
}

pub(super) fn run(call: &mut Call) -> Done {
    let qrtd = Qrtd::find()?;
    if call.flag("foreground") {
        if call.json() {
            return Err(Failure::Usage("--foreground logs to the terminal: leave out --json".to_owned()));
        }
        return Err(qrtd.become_it(&["serve".into(), call.dir().into()]));
    }
    let started: Started = qrtd.ask(&[OsString::from("start"), call.dir().into()])?;
    if call.json() {
        call.out.json(&started)?;
        return Ok(());
    }
    call.out.line(format!("vat  {}", started.vat))?;
    if let Some(url) = &started.url {
        call.out.line(format!("url  {url}"))?;
    }
    call.out.line(format!("pid  {}", started.pid))?;
    Ok(())
}
