//! `qrt settings`: every setting.

use std::path::Path;

use qrt_shared::control::{Client, ClientError};
use qrt_shared::hint;
use qrt_shared::view::Setting;

use super::{Call, Done};
use crate::failure::Failure;
use crate::format;
use crate::output::{Cell, Table, Tone};
use crate::qrtd::Qrtd;

pub(super) async fn run(call: &mut Call) -> Done {
    let dir = call.dir().to_owned();
    let settings = settings(&dir).await?;
    if call.json() {
        call.out.json(&settings)?;
        return Ok(());
    }
    let mut table = Table::new(&["SETTING", ">VALUE", ">DEFAULT", "FROM"]);
    let rows: Vec<_> = settings.iter().map(cells).collect();
    table.rows_with_details(&mut call.out, &rows, |row| {
        let Setting { pending, restart, .. } = &settings[row];
        let take = || {
            if *restart {
                "`qrt stop` and `qrt start` take it".to_owned()
            } else {
                format!("`kill -HUP $(cat {})` takes it", hint::path(&dir.join("qrtd.pid")))
            }
        };
        pending.iter().map(|value| format!("settings.toml says {value} by now: {}", take())).collect()
    })?;
    Ok(())
}

fn cells(setting: &Setting) -> Vec<Cell> {
    let tone = if setting.value == setting.default { Tone::Plain } else { Tone::Title };
    vec![
        format::line(&setting.key).into(),
        Cell::toned(tone, format::line(&setting.value.to_string())),
        format::line(&setting.default.to_string()).into(),
        format::line(&setting.from).into(),
    ]
}

/// By the daemon, or from the file when there is none.
async fn settings(dir: &Path) -> Result<Vec<Setting>, Failure> {
    let asked = match Client::open(dir).await {
        Ok(mut client) => client.settings().await,
        Err(error) => Err(error),
    };
    match asked {
        Err(ClientError::NotRunning { .. }) => Qrtd::find()?.ask(&["settings".into(), dir.into()]),
        asked => Ok(asked?),
    }
}
