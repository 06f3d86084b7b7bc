//! `qrt backup` and `qrt restore`: a vat in one file, and a vat from one.

use std::ffi::OsString;
use std::path::Path;

use qrt_shared::control::{Backup, Client, ClientError};
use qrt_shared::hint;
use qrt_shared::view::{BackedUp, Restored};

use super::{Call, Done};
use crate::failure::Failure;
use crate::format;
use crate::qrtd::Qrtd;

pub(super) async fn run(call: &mut Call) -> Done {
    let file = call.path("FILE");
    let file = std::path::absolute(file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let made = backup(call.dir(), &file, call.flag("with-key")).await?;
    if call.json() {
        call.out.json(&made)?;
        return Ok(());
    }
    let (file, size) = (format::line(&made.file), format::size(made.bytes));
    call.out.line(format!("{file}  {size}, up to commit {}", made.commit))?;
    let key = call.dir().join("key");
    let key = if made.with_key {
        "It holds the vat's secret key: who has it is the vat.".to_owned()
    } else {
        format!("It holds no key: keep a copy of {} apart, or nobody can restore this vat.", key.display())
    };
    call.out.line(key)?;
    Ok(())
}

/// By the daemon, or from the files when there is none.
async fn backup(dir: &Path, file: &Path, with_key: bool) -> Result<BackedUp, Failure> {
    let Some(name) = file.to_str() else {
        return Err(Failure::new(format!("{}: choose a name in UTF-8", file.display())));
    };
    let asked = match Client::open(dir).await {
        Ok(mut client) => client.backup(&Backup { file: name.to_owned(), with_key }).await,
        Err(error) => Err(error),
    };
    match asked {
        Err(ClientError::NotRunning { .. }) => {
            let mut args = vec![OsString::from("backup"), dir.into(), file.into()];
            args.extend(with_key.then(|| "--with-key".into()));
            Qrtd::find()?.ask(&args)
        }
        asked => Ok(asked?),
    }
}

pub(super) fn restore(call: &mut Call) -> Done {
    let mut args = vec![OsString::from("restore"), call.path("FILE").into(), call.dir().into()];
    match (call.text("key"), call.flag("fork")) {
        (Some(_), true) => return Err(Failure::Usage("--fork makes a new key: leave out --key".to_owned())),
        (Some(key), false) => args.extend(["--key".into(), key.into()]),
        (None, true) => args.push("--fork".into()),
        (None, false) => {}
    }
    let made: Restored = Qrtd::find()?.ask(&args)?;
    if call.json() {
        call.out.json(&made)?;
        return Ok(());
    }
    let Restored { dir, vat, fork_of, commit, made_at, outbox_dropped, channels_dropped } = made;
    let out = &mut call.out;
    out.line(format!("vat   {vat}"))?;
    out.line(format!("from  a backup of {} UTC, up to commit {commit}", format::time(made_at)))?;
    let said = match fork_of {
        None => "What came after it is forgotten. Each peer is asked where it stands before anything is sent to it \
                 (`qrt peers`). The vat's directory of before must never run again."
            .to_owned(),
        Some(of) => format!(
            "It is another vat than {of}: peers know it as a stranger. Forgotten: {} with others, {} to them. It \
             listens on a free port of this machine (settings.toml).",
            format::count(channels_dropped, "channel"),
            format::count(outbox_dropped, "message")
        ),
    };
    out.line(format::wrap(&said, out.width()))?;
    out.line(format!("\nStart it with `qrt start {}`.", hint::word(&dir)))?;
    Ok(())
}
