//! `qrt console`: the operator console on a terminal.

use std::io::{self, IsTerminal};
use std::path::Path;

use qrt_shared::control::Client;

use super::{Call, Done};
use crate::app::State;
use crate::app::theme::{Palette, Theme};
use crate::failure::Failure;
use crate::format;
use crate::record::Record;
use crate::terminal;

pub(super) async fn run(call: &mut Call) -> Done {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::new("the console needs a terminal: scripts have the other verbs, see `qrt help`"));
    }
    let theme = theme(call);
    let record = record(call)?;
    let mut vats = Vec::new();
    for dir in [call.dir().to_owned()].into_iter().chain(call.paths("also")) {
        // What is wrong with the directory is said before the screen is taken.
        Client::open(&dir).await?;
        let state = State::new(dir.display().to_string(), call.flag("read-only"), theme, format::now_ms());
        vats.push((dir, state));
    }
    // It has threads of its own, and nothing else is to be done here meanwhile.
    terminal::run(vats, call.flag("mouse"), record.as_ref())
}

/// The file that `--record` names, begun.
pub(super) fn record(call: &Call) -> Result<Option<Record>, Failure> {
    let Some(file) = call.text("record") else { return Ok(None) };
    let begun = Record::create(Path::new(file));
    begun.map(Some).map_err(|error| Failure::new(format!("cannot record into {file}: {error}")))
}

/// How things are to look: as the flags say, else as the environment does.
fn theme(call: &Call) -> Theme {
    let theme = environment();
    let palette = match call.text("theme") {
        Some("light") => Palette::Light,
        Some("mono") => Palette::Mono,
        // The parser knows no other.
        Some(_) => Palette::Dark,
        None => theme.palette,
    };
    Theme { palette, ascii: theme.ascii || call.flag("ascii") }
}

/// How things look by what the environment says of the terminal.
pub(super) fn environment() -> Theme {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let palette = if set("NO_COLOR").is_some() { Palette::Mono } else { Palette::Dark };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
    Theme { palette, ascii: !(locale.contains("utf-8") || locale.contains("utf8")) }
}
