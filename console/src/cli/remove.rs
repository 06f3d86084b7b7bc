//! `qrt remove`: take an object out of the vat, after asking.

use qrt_shared::id::Target;
use qrt_shared::view::{Object, Place};

use super::{Call, Done};
use crate::failure::Failure;

pub(super) async fn run(call: &mut Call) -> Done {
    let target = call.object()?;
    let account = call.flag("account");
    let object = call.client().await?.object(&target).await?;
    if !call.flag("yes") && !call.operator.agrees(&question(&target, &object, account))? {
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
    match removed.faults {
        0 => {}
        1 => call.out.line("1 queued message became a fault")?,
        faults => call.out.line(format!("{faults} queued messages became faults"))?,
    }
    Ok(())
}

/// Who holds the object, and what is about to happen.
fn question(target: &Target, object: &Object, account: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for holding in &object.held_by {
        let holder = holding.name.as_ref().map_or_else(|| holding.object.to_string(), ToString::to_string);
        let place = if holding.place == Place::Power { "power" } else { "memory" };
        lines.push(format!("{holder} holds it in {place}.{}", crate::format::line(&holding.key)));
    }
    if object.held_by.is_empty() {
        lines.push("no object of this vat holds a reference to it; other vats may".to_owned());
    }
    let what = if account { "Remove every object of its account" } else { "Remove it" };
    lines.push(format!("{what}, for ever? {target}"));
    lines
}
