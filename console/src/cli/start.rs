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

/// What `qrtd` is told.
fn args(call: &Call, verb: &str) -> Vec<OsString> {
    let mut args = vec![OsString::from(verb), call.dir().into()];
    args.extend(call.flag("after-rollback").then(|| "--after-rollback".into()));
    args
}

pub(super) fn run(call: &mut Call) -> Done {
    let qrtd = Qrtd::find()?;
    if call.flag("foreground") {
        if call.json() {
            return Err(Failure::Usage("--foreground logs to the terminal: leave out --json".to_owned()));
        }
        return Err(qrtd.become_it(&args(call, "serve")));
    }
    let started: Started = qrtd.ask(&args(call, "start"))?;
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
