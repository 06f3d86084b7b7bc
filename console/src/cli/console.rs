//! `qrt console`: the operator console on a terminal.

use std::io::{self, IsTerminal};

use super::{Call, Done};
use crate::app::State;
use crate::app::theme::{Palette, Theme};
use crate::failure::Failure;
use crate::format;
use crate::terminal;

pub(super) async fn run(call: &mut Call) -> Done {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::new("the console needs a terminal: scripts have the other verbs, see `qrt help`"));
    }
    // What is wrong with the directory is said before the screen is taken.
    call.client().await?;
    let theme = theme(call)?;
    let dir = call.dir().to_owned();
    let state = State::new(dir.display().to_string(), call.flag("read-only"), theme, format::now_ms());
    let mouse = call.flag("mouse");
    // It has threads of its own, and nothing else is to be done here meanwhile.
    terminal::run(&dir, state, mouse)
}

/// How things are to look: as the flags say, else as the environment does.
fn theme(call: &Call) -> Result<Theme, Failure> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let palette = match call.text("theme") {
        Some("dark") => Palette::Dark,
        Some("light") => Palette::Light,
        Some("mono") => Palette::Mono,
        Some(other) => {
            return Err(Failure::Usage(format!("--theme {other}: there are dark, light and mono")));
        }
        None if set("NO_COLOR").is_some() => Palette::Mono,
        None => Palette::Dark,
    };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
    let ascii = call.flag("ascii") || !(locale.contains("utf-8") || locale.contains("utf8"));
    Ok(Theme { palette, ascii })
}
