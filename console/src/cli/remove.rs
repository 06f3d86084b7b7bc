//! `qrt remove`: take an object out of the vat, after asking.

use std::io;

use qrt_shared::id::Target;
use qrt_shared::view::{Object, Place};

use super::{Call, Done};
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(call: &mut Call) -> Done {
    let target = call.object()?;
    let account = call.flag("account");
    let object = call.client().await?.object(&target).await?;
    if !call.flag("yes") && !agreed(&target, &object, account)? {
        return Err(Failure::new(format!("{target} was not removed: answer y, or say --yes")));
    }
    // By its QRID: a name may mean another object by now.
    let removed = call.client().await?.remove(&Target::Qrid(object.row.qrid), account).await?;
    if call.json() {
        call.out.json(&removed)?;
        return Ok(());
    }
    for qrid in &removed.objects {
        call.out.line(format!("{qrid} is removed"))?;
    }
    if removed.faults > 0 {
        call.out.line(format!("{} queued messages became faults", removed.faults))?;
    }
    Ok(())
}

/// Shows on standard error what removing means, and reads the answer; anything but y is no.
fn agreed(target: &Target, object: &Object, account: bool) -> Result<bool, Failure> {
    let mut ask = Output::to(io::stderr());
    for holding in &object.held_by {
        let holder = holding.name.as_ref().map_or_else(|| holding.object.to_string(), ToString::to_string);
        let place = if holding.place == Place::Power { "power" } else { "memory" };
        ask.line(format!("{holder} holds it in {place}.{}", crate::format::line(&holding.key)))?;
    }
    if object.held_by.is_empty() {
        ask.line("no object of this vat holds a reference to it; other vats may")?;
    }
    let what = if account { "Remove every object of its account" } else { "Remove it" };
    ask.line(format!("{what}, for ever? {target} [y/N]"))?;
    ask.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
