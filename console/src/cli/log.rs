//! `qrt log`: what the daemon and the objects logged, in one stream.

use std::io;
use std::time::Duration;

use qrt_shared::control::{Client, ClientError, WAIT_MS_MAX};
use qrt_shared::view::{Log, LogLine};

use super::patience::Patience;
use super::{Call, Done};
use crate::format;
use crate::output::{Output, Tone};
use crate::qrtd::Qrtd;

/// How many lines are shown unless `-n` says otherwise.
const COUNT: u64 = 50;

pub(super) async fn run(call: &mut Call) -> Done {
    let count = call.number("count").unwrap_or(COUNT);
    let (json, follow) = (call.json(), call.flag("follow"));
    let dir = call.dir().to_owned();
    let asked = match Client::open(&dir).await {
        Ok(mut client) => client.newest_log(count).await.map(|log| (log, Some(client))),
        Err(error) => Err(error),
    };
    let (mut log, client) = match asked {
        Err(ClientError::NotRunning { .. }) if !follow => {
            let args = ["log".into(), dir.clone().into(), "--newest".into(), count.to_string().into()];
            (Qrtd::find()?.ask::<Log>(&args)?, None)
        }
        asked => asked?,
    };
    if json && !follow {
        call.out.json(&log.lines)?;
        return Ok(());
    }
    show(&mut call.out, &log.lines, json)?;
    let Some(mut client) = client.filter(|_| follow) else { return Ok(()) };
    let mut patience = Patience::new();
    loop {
        call.out.flush()?;
        match client.log_after(&log, Duration::from_millis(WAIT_MS_MAX)).await {
            Ok(next) => {
                patience.answered();
                show(&mut call.out, &next.lines, json)?;
                log = next;
            }
            Err(error) => patience.pause_after(error, &dir).await?,
        }
    }
}

fn show(out: &mut Output, lines: &[LogLine], json: bool) -> io::Result<()> {
    for line in lines {
        if json {
            out.json(line)?;
            continue;
        }
        let (tone, who) = match (line.turn, &line.level) {
            (Some(turn), _) => {
                let object = line.object.as_ref().map(|qrid| format::object(line.name.as_ref(), qrid));
                (Tone::Plain, format!("turn {turn} {}", object.unwrap_or_default()))
            }
            (None, Some(level)) if level == "ERROR" || level == "WARN" => (Tone::Bad, format!("qrtd {level}")),
            (None, _) => (Tone::Dim, "qrtd".to_owned()),
        };
        let who = out.paint(tone, &who);
        out.line(format!("{}  {who}: {}", format::time(line.at), format::line(&line.text)))?;
    }
    Ok(())
}
