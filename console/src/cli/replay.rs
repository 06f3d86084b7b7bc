//! `qrt replay`: a recorded turn, run again, and what comes out otherwise.

use std::io;
use std::path::Path;

use qrt_shared::control::{Replay, Upgrade};
use qrt_shared::view::{Difference, Part, Replayed};
use serde_json::value::RawValue;

use super::{Call, Done, install, object_value, value};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, Tone};

pub(super) async fn run(call: &mut Call) -> Done {
    let turn = call.number("TURN").expect("the parser demands it");
    let code = call.text("code").map(|file| install::one(Path::new(file))).transpose()?;
    let code = code.map(|(label, code)| Upgrade { label, code });
    let args = call.text("args").map(|text| value(text, "args")).transpose()?;
    let memory = call.text("memory").map(|text| object_value(text, "memory")).transpose()?;
    let replayed = call.client().await?.replay(turn, &Replay { code, args, memory }).await?;
    if call.json() {
        call.out.json(&replayed)?;
    } else {
        show(&mut call.out, &replayed)?;
    }
    // With other inputs nobody expects the same.
    if replayed.equal || !replayed.replaced.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("turn {turn} did not do the same again")))
}

/// What came of it, in one line.
pub(crate) fn came(replayed: &Replayed) -> String {
    let Replayed { turn, object, name, replaced, equal, differences, .. } = replayed;
    let with = if replaced.is_empty() { String::new() } else { format!(" with other {}", replaced.join(" and ")) };
    let came = if *equal {
        "the same came of it".to_owned()
    } else {
        format!("{} came of it", format::count(differences.len() as u64, "difference"))
    };
    format!("turn {turn} of {}, run again{with}: {came}", format::object(name.as_ref(), object))
}

fn show(out: &mut Output, replayed: &Replayed) -> io::Result<()> {
    let Replayed { differences, replayed: did, ticks_recorded, notes, .. } = replayed;
    let tone = if replayed.equal { Tone::Good } else { Tone::Bad };
    let line = out.paint(tone, &came(replayed));
    out.line(line)?;
    for difference in differences {
        self::difference(out, difference)?;
    }
    let ticks = if *ticks_recorded == did.ticks { String::new() } else { format!(", {ticks_recorded} when recorded") };
    out.line(format!("  {}{ticks}; {} us of CPU time", format::count(did.ticks, "tick"), did.cpu_us))?;
    for note in notes {
        out.line(format!("  - {}", format::line(note)))?;
    }
    Ok(())
}

fn difference(out: &mut Output, difference: &Difference) -> io::Result<()> {
    let Difference { part, which, recorded, replayed } = difference;
    let which = if which.is_empty() { String::new() } else { format!(" {}", format::line(which)) };
    let line = out.paint(Tone::Title, &format!("  {}{which}", part.as_str()));
    out.line(line)?;
    let none = if *part == Part::Memory { "(the key is not written)" } else { "(none, or not known any more)" };
    let shown = |value: &Option<Box<RawValue>>| value.as_ref().map_or(none, |value| value.get()).to_owned();
    out.line(format!("    recorded: {}", format::line(&shown(recorded))))?;
    out.line(format!("    replayed: {}", format::line(&shown(replayed))))
}
