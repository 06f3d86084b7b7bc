//! `qrt memory`: an object's memory as QJSON, now or after a turn; `qrt memory-set`: one key of it, by hand.

use std::io;

use qrt_shared::control::{Client, MemorySet};
use qrt_shared::id::Target;
use qrt_shared::qjson;
use qrt_shared::view::{KeyBlame, KeyChange, MemoryDiff};

use super::{Call, Done, value};
use crate::failure::Failure;
use crate::format;
use crate::output::{Cell, Output, Table, Tone};

pub(super) async fn run(call: &mut Call) -> Done {
    let object = call.object()?;
    let (at, diff, blame, key) = (call.number("at"), call.numbers("diff"), call.flag("blame"), call.text("key"));
    if u8::from(at.is_some()) + u8::from(diff.is_some()) + u8::from(blame) > 1 || (key.is_some() && !blame) {
        let line = "give one of --at, --diff and --blame; --key goes with --blame";
        return Err(Failure::Usage(line.to_owned()));
    }
    let turns = at.into_iter().chain(diff.into_iter().flat_map(|(from, to)| [from, to]));
    if let Some(turn) = turns.max().filter(|turn| i64::try_from(*turn).is_err()) {
        // The daemon would speak of the last one its database can count to.
        return Err(Failure::new(format!("there is no turn {turn}, and never will be: `qrt turns` shows the newest")));
    }
    let mut client = call.client().await?;
    if let Some((from, to)) = diff {
        let diff = client.memory_diff(&object, from, to).await?;
        return if call.json() { Ok(call.out.json(&diff)?) } else { Ok(show_diff(&mut call.out, &diff)?) };
    }
    if blame {
        let key = key.map(str::to_owned);
        return self::blame(call, client, &object, key.as_deref()).await;
    }
    let memory = match at {
        Some(turn) => client.memory_at(&object, turn).await?,
        None => client.memory(&object).await?,
    };
    if call.out.is_terminal() && !call.json() {
        call.out.line(format::qjson(memory.get(), call.out.width()))?;
    } else {
        call.out.json(&memory)?;
    }
    Ok(())
}

fn show_diff(out: &mut Output, diff: &MemoryDiff) -> io::Result<()> {
    if diff.changes.is_empty() {
        return out.line(format!("its memory after turn {} is as it was after turn {}", diff.to, diff.from));
    }
    for KeyChange { key, before, after } in &diff.changes {
        for (sign, tone, value) in [('-', Tone::Bad, before), ('+', Tone::Good, after)] {
            if let Some(value) = value {
                let line = format::line(&format!("{sign} {}: {}", qjson::key_text(key), value.get()));
                let line = out.paint(tone, &line);
                out.line(line)?;
            }
        }
    }
    Ok(())
}

async fn blame(call: &mut Call, mut client: Client, object: &Target, key: Option<&str>) -> Done {
    let mut table = Table::new(&[">TURN", "WHEN (UTC)", "BY", "KEY"]);
    let (mut after, mut started) = (Some(0), false);
    while let Some(cursor) = after {
        let page = client.memory_blame(object, key, cursor).await?;
        after = page.next;
        if call.json() {
            call.out.json_rows(&page.items, started)?;
        } else {
            let rows: Vec<_> = page.items.iter().map(cells).collect();
            table.rows(&mut call.out, &rows)?;
        }
        started |= !page.items.is_empty();
    }
    if call.json() {
        call.out.json_rows_end(started)?;
    } else if !started {
        call.out.line("its memory is empty: no key to say anything of")?;
    }
    Ok(())
}

fn cells(blame: &KeyBlame) -> Vec<Cell> {
    let by = match (&blame.edit, &blame.object) {
        (Some(edit), _) => format!("{edit} by hand"),
        (None, Some(object)) => format::object(blame.name.as_ref(), object),
        (None, None) => format!("(before turn {})", blame.journal_first),
    };
    let gone = if blame.is_there { "" } else { " (not there now)" };
    vec![
        blame.turn.map_or_else(|| "-".to_owned(), |turn| turn.to_string()).into(),
        blame.at.map_or_else(|| "-".to_owned(), format::time).into(),
        format::clip(&by, 24).into(),
        format!("{}{gone}", format::line(&blame.key)).into(),
    ]
}

pub(super) async fn set(call: &mut Call) -> Done {
    let object = call.object()?;
    let key = call.text("KEY").unwrap_or_default().to_owned();
    let value = value(call.text("JSON").unwrap_or_default(), "value")?;
    let expect = call.text("expect").map(|text| super::value(text, "expect")).transpose()?;
    let was = call.client().await?.memory_set(&object, &key, &MemorySet { value, expect }).await?;
    if call.json() {
        call.out.json(&was)?;
    } else {
        call.out.line(format!("set, in turn {}; a value it had before is in the journal there", was.turn))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::call;

    #[tokio::test]
    async fn a_turn_that_cannot_be_is_told_as_it_was_asked_for() {
        let turn = u64::MAX.to_string();
        for line in [&["--at", &turn][..], &["--diff", "1", &turn]] {
            let (mut call, _) = call(&[&["memory", "none", "counter"], line].concat());
            let told = run(&mut call).await.expect_err("no such turn").to_string();
            assert!(told.starts_with(&format!("qrt: there is no turn {turn}, ")), "{told}");
        }
    }
}
