//! `qrt faults`, `qrt fault-retry`, `qrt fault-drop`: messages whose turn failed.

use std::io;
use std::path::Path;

use qrt_shared::control::Listing;
use qrt_shared::hint;
use qrt_shared::view::{Fault, Outcome};

use super::{Call, Done, list as pages};
use crate::format;
use crate::output::{Output, Tone};

pub(super) async fn list(call: &mut Call) -> Done {
    let empty = "no faults: a message whose turn throws, or goes over a limit, is kept here";
    let dir = call.dir().to_owned();
    let mut shown = 0_u64;
    pages::write(
        call,
        Listing::default(),
        |out, faults| {
            for fault in faults {
                show(out, fault)?;
                shown += 1;
            }
            Ok(())
        },
        empty,
    )
    .await?;
    if shown > 0 {
        advise(&mut call.out, &dir)?;
    }
    Ok(())
}

fn show(out: &mut Output, fault: &Fault) -> io::Result<()> {
    let head = format!(
        "{}  {}  {}  {} UTC",
        out.paint(Tone::Title, &fault.id.to_string()),
        fault
            .target
            .as_ref()
            .map_or_else(|| "no object".to_owned(), |target| format::object(fault.name.as_ref(), target)),
        out.paint(Tone::Bad, fault.outcome.as_str()),
        format::time(fault.at)
    );
    out.line(head)?;
    for line in format::wrap(&format::line(&place(fault)), out.width() - 4).lines() {
        out.line(format!("    {line}"))?;
    }
    if let Some(excerpt) = &fault.error.excerpt {
        for line in format::block(excerpt).lines() {
            out.line(format!("      {line}"))?;
        }
    }
    let turn = fault.turn.map(|turn| format!(", turn {turn}")).unwrap_or_default();
    let from = format::source(fault.source_name.as_ref(), &fault.source);
    // Of what could not be delivered to any object there are only the first bytes.
    let kept = fault.head.as_deref().unwrap_or_else(|| fault.args.get());
    let head = format!("    {} from {from}{turn}: ", format::message(&fault.message));
    let room = out.width().saturating_sub(head.chars().count()).max(20);
    out.line(format!("{head}{}", format::clip(kept, room)))?;
    out.line("")
}

/// The error and where in the code it arose.
fn place(fault: &Fault) -> String {
    let error = &fault.error;
    match (error.line, error.column) {
        (Some(line), Some(column)) => format!("{} (line {line}, column {column})", error.message),
        _ => match &error.object {
            // A limit: it is that object's, or its account's.
            Some(object) if fault.outcome == Outcome::Killed => format!("{} (budget of {object})", error.message),
            _ => error.message.clone(),
        },
    }
}

fn advise(out: &mut Output, dir: &Path) -> io::Result<()> {
    let dir = hint::path(dir);
    out.line(format!("Queue one again with `qrt fault-retry {dir} ID`, forget it with `qrt fault-drop {dir} ID`."))
}

/// `ID`, which the parser has made sure of.
fn id(call: &Call) -> u64 {
    call.number("ID").expect("the parser demands it")
}

pub(super) async fn retry(call: &mut Call) -> Done {
    let retried = call.client().await?.fault_retry(id(call)).await?;
    if call.json() {
        call.out.json(&retried)?;
    } else {
        call.out.line(format!("fault {} is queued again as {}", id(call), retried.message))?;
    }
    Ok(())
}

pub(super) async fn drop(call: &mut Call) -> Done {
    let dropped = call.client().await?.fault_drop(id(call)).await?;
    if call.json() {
        call.out.json(&dropped)?;
    } else {
        call.out.line(format!("fault {} is forgotten", id(call)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Fake, PEER, call, page};

    #[tokio::test]
    async fn what_another_vat_sent_to_nobody_shows_who_and_how_it_began() {
        let fault = format!(
            r#"{{"id":3,"message":"in:9","turn":null,"target":null,"name":null,"source":"{PEER}","args":null,"head":"{{\"to\": \u001b[2J","outcome":"error","error":{{"message":"there is no such object","object":null,"line":null,"column":null,"excerpt":null}},"ticks":0,"used":{{"cpu_us":0,"bytes":0,"messages":0,"objects":0,"jobs":0}},"at":0}}"#
        );
        let fake = Fake::new(vec![page(&[fault])]);
        let (mut call, shown) = call(&["faults", &fake.dir().display().to_string()]);
        list(&mut call).await.expect("a list");
        let text = shown.text();
        assert!(text.starts_with("3  no object  error  1970"), "{text}");
        assert!(text.contains("\n    in:9 from vat rnll4p..: {\"to\": \\u{1b}[2J\n"), "{text}");
    }
}
