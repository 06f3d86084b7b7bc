//! `qrt upgrade`: new code for an object.

use std::io;

use qrt_shared::control::Upgrade;
use qrt_shared::view::DryUpgrade;

use super::{Call, Done, install};
use crate::format;
use crate::output::{Output, Tone};

pub(super) async fn run(call: &mut Call) -> Done {
    let object = call.object()?;
    let (label, code) = install::one(call.path("FILE"))?;
    let (upgrade, mut client) = (Upgrade { label, code }, call.client().await?);
    if call.flag("dry-run") {
        let dry = client.dry_upgrade(&object, &upgrade).await?;
        return if call.json() { Ok(call.out.json(&dry)?) } else { Ok(show_dry(&mut call.out, &dry)?) };
    }
    let upgraded = client.upgrade(&object, &upgrade).await?;
    if call.json() {
        call.out.json(&upgraded)?;
    } else {
        let (version, turn) = (upgraded.version, upgraded.turn);
        call.out.line(format!("{object} runs version {version} of its code from turn {} on", turn + 1))?;
    }
    Ok(())
}

/// What would change.
fn show_dry(out: &mut Output, dry: &DryUpgrade) -> io::Result<()> {
    if dry.same {
        out.line("the code is good, and the same as now")?;
    }
    for line in dry.diff.lines() {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            Some(b'@') => Tone::Dim,
            _ => Tone::Plain,
        };
        let line = out.paint(tone, &format::block(line));
        out.line(line)?;
    }
    let queued = format::count(dry.queued, "queued message");
    out.line(format!("it would be version {} of the code; {queued} would run on it", dry.version))?;
    if !dry.sharers.is_empty() {
        let sharers = format::count(dry.sharers.len() as u64, "other object");
        out.line(format!("{sharers} with the same memory would keep their code"))?;
    }
    out.line("nothing was changed")
}
