//! `qrt turns`: the turn journal, newest last.

use std::io;
use std::time::Duration;

use qrt_shared::control::{At, Client, ClientError, Listing, WAIT_MS_MAX};
use qrt_shared::id::{MessageName, Target};
use qrt_shared::view::{Outcome, Page, Turn};

use super::patience::Patience;
use super::{Call, Done, list, target};
use crate::format;
use crate::output::{Cell, Output, Table, Tone};

/// What stands between the arguments of a turn and what came of them.
const ARROW: &str = " -> ";

/// What stands before the line about other vats under a turn.
const INDENT: &str = "        ";

/// How many turns are shown unless `-n` says otherwise.
const COUNT: u64 = 20;

pub(super) async fn run(call: &mut Call) -> Done {
    let object = call.text("object").map(target).transpose()?;
    let count = call.number("count").unwrap_or(COUNT);
    let mut client = call.client().await?;
    let mut table = Table::new(&[">TURN", "WHEN (UTC)", "OUTCOME", "OBJECT", "ARGS -> RESULT"]);
    let (json, follow) = (call.json(), call.flag("follow"));
    let mut listing = Listing { object, ..Listing::last(count) };
    let mut page: Page<Turn> = list::newest(&mut client, &listing).await?;
    let mut left = count;
    let mut last = 0;
    let mut started = false;
    loop {
        // A page has one row at least: also of none, which only says where to follow from.
        last = page.items.last().map_or(last, |turn| turn.turn);
        page.items.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= page.items.len() as u64;
        if json && !follow {
            call.out.json_rows(&page.items, started)?;
        } else {
            show(&mut call.out, &page.items, json, &mut table)?;
        }
        started |= !page.items.is_empty();
        let Some(next) = page.next.filter(|_| left > 0) else { break };
        listing = Listing { at: At::After(next), limit: None, ..listing };
        page = client.list(&listing).await?;
    }
    if follow {
        return self::follow(call, client, listing.object.as_ref(), last, &mut table).await;
    }
    if json {
        call.out.json_rows_end(started)?;
    } else if !started && count > 0 {
        let gone = match &listing.object {
            Some(object) => matches!(client.object_brief(object).await, Err(ClientError::Refused(_))),
            None => false,
        };
        let line = match listing.object {
            Some(_) if gone => "the journal has no turns of this object, and the vat has no such object (any more)",
            Some(_) => "no turns of this object yet: one runs when a message is sent, with `qrt send` or by an object",
            None => "no turns yet: one runs when a message is sent, with `qrt send` or by an object",
        };
        call.out.line(line)?;
    }
    Ok(())
}

/// Goes on with each turn after `last`, through restarts of the daemon, until interrupted.
async fn follow(
    call: &mut Call,
    mut client: Client,
    object: Option<&Target>,
    mut last: u64,
    table: &mut Table,
) -> Done {
    let dir = call.dir().to_owned();
    let json = call.json();
    let mut patience = Patience::new();
    loop {
        call.out.flush()?;
        match client.turns(object, last, Duration::from_millis(WAIT_MS_MAX)).await {
            Ok(page) => {
                patience.answered();
                last = page.items.last().map_or(last, |turn| turn.turn);
                show(&mut call.out, &page.items, json, table)?;
            }
            Err(error) => patience.pause_after(error, &dir).await?,
        }
    }
}

fn show(out: &mut Output, turns: &[Turn], json: bool, table: &mut Table) -> io::Result<()> {
    if json {
        return turns.iter().try_for_each(|turn| out.json(turn));
    }
    // A row at a time would not be aligned, and most turns have no business with other vats.
    let mut rest = turns;
    while !rest.is_empty() {
        let local = rest.iter().position(|turn| abroad(turn).is_some()).map_or(rest.len(), |at| at + 1);
        let (now, later) = rest.split_at(local);
        table.rows_to_the_edge(out, now.iter().map(cells).collect(), |row, width| what(&now[row], width))?;
        if let Some(abroad) = now.last().and_then(abroad) {
            let line = out.paint(Tone::Dim, &format::clip(&abroad, out.width() - INDENT.len()));
            out.line(format!("{INDENT}{line}"))?;
        }
        rest = later;
    }
    Ok(())
}

/// What a turn had to do with other vats, if anything.
fn abroad(turn: &Turn) -> Option<String> {
    let from = turn.from.as_ref().map(|from| format!("from vat {}#{}", format::vat(None, &from.vat), from.seq));
    let mut to = turn.sent.iter().filter(|message| matches!(message, MessageName::Out(..)));
    let sent = to.next().map(|first| {
        let more = to.count();
        let more =
            if more > 0 { format!(" and {}", format::count(more as u64, "more message")) } else { String::new() };
        format!("sent {}{more}", format::message(first))
    });
    match (from, sent) {
        (Some(from), Some(sent)) => Some(format!("{from}, {sent}")),
        (from, sent) => from.or(sent),
    }
}

fn cells(turn: &Turn) -> Vec<Cell> {
    let tone = if turn.outcome == Outcome::Ok { Tone::Good } else { Tone::Bad };
    vec![
        turn.turn.to_string().into(),
        format::time(turn.at).into(),
        Cell::toned(tone, turn.edit.as_deref().unwrap_or(turn.outcome.as_str())),
        format::clip(&format::object(turn.name.as_ref(), &turn.object), 20).into(),
    ]
}

/// The arguments, and what came of them.
fn what(turn: &Turn, width: usize) -> String {
    let came = match &turn.error {
        Some(error) => &error.message,
        None => turn.result.get(),
    };
    // The shorter of the two is shown whole if it takes no more than half of the room.
    let room = width.saturating_sub(ARROW.len());
    let args = format::clip(turn.args.get(), room);
    let came = format::clip(came, room - args.chars().count().min(room / 2));
    let args = format::clip(turn.args.get(), room - came.chars().count());
    format!("{args}{ARROW}{came}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call, page};

    fn turn(number: u64, from: &str, sent: &str) -> String {
        format!(
            r#"{{"turn":{number},"message":"in:{number}","object":"qrt:{PEER}/7z2fziy4eazx2seb54ittqs77cr5lfj3","name":"shop","source":"operator","code":"ab","args":null,"outcome":"ok","result":null,"result_error":null,"error":null,"changes":[],"made":[],"sent":[{sent}],"from":{from},"log":[],"ticks":0,"cpu_us":0,"at":0}}"#
        )
    }

    #[tokio::test]
    async fn nobody_waits_for_turns_of_an_object_that_is_gone() {
        let gone = Answer::Refusal(r#"{"error":"no object","hint":"","excerpt":null}"#.into());
        let fake = Fake::new(vec![page(&[]), gone]);
        let qrid = format!("qrt:{PEER}/7z2fziy4eazx2seb54ittqs77cr5lfj3");
        let (mut call, shown) = call(&["turns", &fake.dir().display().to_string(), "--object", &qrid]);
        run(&mut call).await.expect("no turns");
        assert!(shown.text().contains("the vat has no such object"), "{}", shown.text());
    }

    #[tokio::test]
    async fn turns_say_what_came_from_other_vats_and_went_to_them() {
        let from = format!(r#"{{"vat":"{PEER}","seq":7,"cause":null}}"#);
        let sent = format!(r#""in:4","{PEER}#8","{PEER}#9""#);
        let rows = [turn(9, "null", r#""in:3""#), turn(10, &from, &sent), turn(11, "null", "")];
        let fake = Fake::new(vec![page(&rows)]);
        let (mut call, shown) = call(&["turns", &fake.dir().display().to_string()]);
        run(&mut call).await.expect("turns");
        let text = shown.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[3], "        from vat rnll4p..#7, sent rnll4p..#8 and 1 more message");
        assert!(lines[4].trim_start().starts_with("11  ") && lines.len() == 5, "{text}");
    }
}
