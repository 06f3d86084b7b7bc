//! `qrt info`: what a vat is and how it is doing, running or stopped.

use std::path::Path;

use qrt_shared::control::{Client, ClientError};
use qrt_shared::hint;
use qrt_shared::view::{Info, Sandbox, State, WorkerProcess};

use super::{Call, Done};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, Tone};
use crate::qrtd::Qrtd;

pub(super) async fn run(call: &mut Call) -> Done {
    let dir = call.dir().to_owned();
    let info = info(&dir).await?;
    if call.json() {
        call.out.json(&info)?;
        return Ok(());
    }
    show(&mut call.out, &info, &dir)?;
    Ok(())
}

/// From the daemon, or from the files when there is none.
async fn info(dir: &Path) -> Result<Info, Failure> {
    let asked = match Client::open(dir).await {
        Ok(mut client) => client.info().await,
        Err(error) => Err(error),
    };
    match asked {
        Err(ClientError::NotRunning { .. } | ClientError::Gone { .. }) => {
            Qrtd::find()?.ask(&["info".into(), dir.into()])
        }
        asked => Ok(asked?),
    }
}

fn sandbox(layers: Sandbox) -> &'static str {
    match (layers.seccomp, layers.landlock) {
        (true, true) => "system calls listed, landlock",
        (true, false) => "system calls listed, no landlock on this system",
        (false, _) => "NONE: `[worker] sandbox` is \"unsafe-none\"; code that breaks the engine has all you have",
    }
}

fn show(out: &mut Output, info: &Info, dir: &Path) -> std::io::Result<()> {
    let state = match (info.state, info.pid) {
        (State::Stopped, _) => out.paint(Tone::Dim, "stopped"),
        (State::Running, pid) => {
            let pid = pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
            let since = info
                .started_at
                .map(|at| format!(", since {} UTC ({})", format::time(at), format::age(at, format::now_ms())));
            format!("{}{pid}{}", out.paint(Tone::Good, "running"), since.unwrap_or_default())
        }
    };
    let dir = hint::path(dir);
    let mut field = |name: &str, value: &str| out.line(format!("{name:<9}{value}"));
    field("vat", &info.vat.to_string())?;
    field("state", &state)?;
    if let Some(url) = &info.url {
        field("url", &format::line(url))?;
    }
    field("version", &format::line(&info.version))?;
    field("objects", &info.objects.to_string())?;
    field("inbox", &format!("{} queued", info.inbox))?;
    let look = if info.outbox > 0 { format!(" (`qrt outbox {dir}`)") } else { String::new() };
    field("outbox", &format!("{} not acknowledged{look}", info.outbox))?;
    let look = if info.faults > 0 { format!(" (`qrt faults {dir}`)") } else { String::new() };
    field("faults", &format!("{}{look}", info.faults))?;
    field("turns", &format!("{}, in {}", info.turns, format::count(info.commit, "commit")))?;
    if let Some(worker) = &info.worker {
        field("worker", &format!("process {}, {} since the start", worker.pid, format::count(worker.deaths, "death")))?;
        field("sandbox", sandbox(worker.sandbox))?;
        for WorkerProcess { pid, account, running } in &worker.processes {
            let whose = match account {
                Some(account) => format!("for {} alone", format::object(None, account)),
                None => "shared by accounts".to_owned(),
            };
            let runs = running.as_ref().map(|object| format!(", runs {}", format::object(None, object)));
            field("", &format!("process {pid} {whose}{}", runs.unwrap_or_default()))?;
        }
    }
    if info.state == State::Stopped {
        out.line(format!("\nStart it with `qrt start {dir}`."))?;
    }
    Ok(())
}
