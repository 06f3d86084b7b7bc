//! `qrt check`: whether a vat is well.

use std::ffi::OsString;
use std::path::Path;

use qrt_shared::control::{Client, ClientError};
use qrt_shared::view::{Health, Report};

use super::{Call, Done};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, Tone};
use crate::qrtd::Qrtd;

pub(super) async fn run(call: &mut Call) -> Done {
    let dir = call.dir().to_owned();
    let report = check(&dir, call.flag("full")).await?;
    if call.json() {
        call.out.json(&report)?;
    } else {
        show(&mut call.out, &report)?;
    }
    let failed: Vec<_> = report.checks.iter().filter(|check| check.health == Health::Failed).collect();
    let Some(first) = failed.first() else { return Ok(()) };
    let (count, of) = (failed.len(), report.checks.len());
    let (dir, name, found) = (dir.display(), &first.name, &first.found);
    Err(Failure::new(format!("{count} of {of} checks of {dir} failed, the first: {name}: {found}")))
}

/// By the daemon, or from the files when there is none.
async fn check(dir: &Path, full: bool) -> Result<Report, Failure> {
    let asked = match Client::open(dir).await {
        Ok(mut client) => client.check(full).await,
        Err(error) => Err(error),
    };
    match asked {
        Err(ClientError::NotRunning { .. }) => {
            let mut args = vec![OsString::from("check"), dir.into()];
            args.extend(full.then(|| "--full".into()));
            Qrtd::find()?.ask(&args)
        }
        asked => Ok(asked?),
    }
}

fn show(out: &mut Output, report: &Report) -> std::io::Result<()> {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in &report.checks {
        let (tone, word) = match check.health {
            Health::Ok => (Tone::Good, "ok     "),
            Health::Warning => (Tone::Title, "warning"),
            Health::Failed => (Tone::Bad, "FAILED "),
        };
        let word = out.paint(tone, word);
        out.line(format!("{word}  {:<width$}  {}", check.name, format::line(&check.found)))?;
        if !check.todo.is_empty() {
            out.line(format!("         {:<width$}  {}", "", format::line(&check.todo)))?;
        }
    }
    Ok(())
}
