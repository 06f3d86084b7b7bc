//! `qrt object`: one object whole.

use std::io;

use qrt_shared::view::{AccountUse, Death, Holding, Object, Place};

use super::{Call, Done};
use crate::format;
use crate::output::{Output, Tone};

pub(super) async fn run(call: &mut Call) -> Done {
    let object = call.object()?;
    let object = call.client().await?.object(&object).await?;
    if call.json() {
        call.out.json(&object)?;
    } else {
        show(&mut call.out, &object)?;
    }
    Ok(())
}

fn show(out: &mut Output, object: &Object) -> io::Result<()> {
    let row = &object.row;
    let name = row.name.as_ref().map_or("(no petname)", |name| name.as_str());
    let head = out.paint(Tone::Title, name);
    out.line(format!("{head}\n{}", row.qrid))?;
    let maker = match &object.maker {
        Some(maker) => format!("made by {}", format::object(None, maker)),
        None => "installed".to_owned(),
    };
    let account = if row.account == row.qrid {
        "an account of its own".to_owned()
    } else {
        format!("account of {}", format::object(None, &row.account))
    };
    out.line(format!("{maker} {} UTC, {account}", format::time(row.created_at)))?;
    out.line(format!(
        "{}, {}, {} of memory, {} of CPU time",
        format::count(row.turns, "turn"),
        format::count(row.faults, "fault"),
        format::size(row.memory_bytes),
        format::duration(row.cpu_us)
    ))?;

    if row.held {
        let held = out.paint(Tone::Bad, "held");
        let why = object.held_why.as_ref().map(|why| format!(" by the vat itself ({})", format::line(why)));
        let why = why.unwrap_or_default();
        out.line(format!("{held}{why}: it takes no turns; let it go on with `qrt release`"))?;
    }

    if object.deaths > 0 {
        let killed = out.paint(Tone::Bad, "killed");
        out.line(format!("its code {killed} its process {}", format::count(object.deaths, "time")))?;
        for Death { at, how, message, turn } in &object.killed {
            let turn = turn.map_or_else(|| "ran once more".to_owned(), |turn| format!("turn {turn}"));
            indented(out, &format!("{} UTC, {message}, {turn}: {}", format::time(*at), format::line(how)))?;
        }
    }
    if row.refused > 0 {
        let refused = out.paint(Tone::Bad, &format::count(row.refused, "message"));
        out.line(format!("{refused} for it had no room and were dropped: `qrt inbox` shows who floods it"))?;
    }

    budget(out, object)?;

    title(out, "Memory")?;
    let none = out.paint(Tone::Dim, "none");
    let memory = object.memory.as_ref().map(|memory| format::qjson(memory.get(), out.width() - 2));
    indented(out, memory.as_deref().unwrap_or(&none))?;

    title(out, "Power")?;
    for (property, native) in &object.power.natives {
        let of = if property == native { String::new() } else { format!(" ({})", format::line(native)) };
        indented(out, &format!("{}{of}, native", format::line(property)))?;
    }
    if object.power.statics.get() != "{}" {
        indented(out, &format::qjson(object.power.statics.get(), out.width() - 2))?;
    } else if object.power.natives.is_empty() {
        indented(out, &none)?;
    }

    title(out, "Holds references to")?;
    holdings(out, &object.holds, true)?;
    title(out, "Held by")?;
    holdings(out, &object.held_by, false)?;

    title(out, "Code")?;
    let sum =
        out.paint(Tone::Dim, &format!("version {}, sha256 {}", object.code.version, format::line(&object.code.sha256)));
    indented(out, &sum)?;
    indented(out, &format::block(object.code.text.trim_end()))
}

/// What it may use, where that is not as the settings say, and what its account has used.
fn budget(out: &mut Output, object: &Object) -> io::Result<()> {
    if !object.budget.is_empty() {
        out.line(format!("budget {}", object.budget))?;
    }
    let AccountUse { budget, objects, memory_bytes, queued_bytes, cpu_us, cpu_left_us } = &object.account_use;
    let left = match cpu_left_us {
        Some(left_us) if *left_us > 0 => format!(", {} left", format::duration(left_us.unsigned_abs())),
        Some(left_us) => format!(", {} owed", format::duration(left_us.unsigned_abs())),
        None => String::new(),
    };
    out.line(format!(
        "its account in all: {}, {} of memory, {} queued, {} of CPU time paid{left}",
        format::count(*objects, "object"),
        format::size(*memory_bytes),
        format::size(*queued_bytes),
        format::duration(*cpu_us)
    ))?;
    if budget.is_empty() { Ok(()) } else { out.line(format!("account budget {budget}")) }
}

fn title(out: &mut Output, text: &str) -> io::Result<()> {
    let text = out.paint(Tone::Title, text);
    out.line(format!("\n{text}"))
}

fn indented(out: &mut Output, text: &str) -> io::Result<()> {
    for line in text.lines() {
        out.line(if line.is_empty() { String::new() } else { format!("  {line}") })?;
    }
    Ok(())
}

fn holdings(out: &mut Output, holdings: &[Holding], held: bool) -> io::Result<()> {
    if holdings.is_empty() {
        let nothing = if held { "nothing" } else { "no object of this vat" };
        let nothing = out.paint(Tone::Dim, nothing);
        return indented(out, &nothing);
    }
    for holding in holdings {
        let place = match holding.place {
            Place::Power => "power",
            Place::Memory => "memory",
        };
        let other = holding.name.as_ref().map_or_else(|| holding.object.to_string(), ToString::to_string);
        let key = format::clip(&holding.key, 40);
        let line = if held { format!("{other}  as {place}.{key}") } else { format!("{other}  in its {place}.{key}") };
        indented(out, &line)?;
    }
    Ok(())
}
