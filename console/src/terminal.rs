//! The terminal: what is typed becomes events, what the console shows is drawn when it has changed.
//!
//! However the console ends, by a key, a signal or a panic, the terminal is as it was before. While an editor runs,
//! or the shell has stopped this process, it is theirs.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event as Typed, poll, read,
};
use crossterm::execute;
use data_encoding::BASE64;
use ratatui::DefaultTerminal;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

use crate::app::State;
use crate::app::event::{Edit, Effect, Event};
use crate::failure::Failure;
use crate::format;
use crate::link::Link;

/// The longest that something new waits to be drawn, unless it answers a key.
const DRAW: Duration = Duration::from_millis(50);

const SECOND: Duration = Duration::from_secs(1);

/// Runs the console on the vat in `dir` until the operator leaves it.
///
/// # Errors
/// The terminal's, or no link can be started.
pub fn run(dir: &Path, mut state: State, mouse: bool) -> Result<(), Failure> {
    let (events, came) = channel();
    let link = Link::start(dir.to_owned(), events)?;
    let mut screen = Screen::open(mouse).map_err(failed)?;
    let ended = turn(&mut state, &link, &came, &mut screen);
    close();
    ended.map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failed(error: io::Error) -> Failure {
    Failure::new(format!("cannot use the terminal: {error}"))
}

/// The terminal while it is the console's.
struct Screen {
    terminal: DefaultTerminal,
    mouse: bool,
}

impl Screen {
    fn open(mouse: bool) -> io::Result<Self> {
        // Its hook restores the terminal before a panic is told.
        let terminal = ratatui::try_init()?;
        let screen = Self { terminal, mouse };
        screen.modes()?;
        Ok(screen)
    }

    fn modes(&self) -> io::Result<()> {
        execute!(io::stdout(), EnableBracketedPaste)?;
        if self.mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        Ok(())
    }

    /// Leaves the terminal to `other` for a while.
    fn leave<T>(&mut self, other: impl FnOnce() -> T) -> io::Result<T> {
        close();
        let left = other();
        self.terminal = ratatui::try_init()?;
        self.modes()?;
        self.terminal.clear()?;
        Ok(left)
    }
}

/// Gives the terminal back.
fn close() {
    execute!(io::stdout(), DisableBracketedPaste, DisableMouseCapture).ok();
    ratatui::restore();
}

fn turn(state: &mut State, link: &Link, came: &Receiver<Event>, screen: &mut Screen) -> io::Result<()> {
    let mut drawn: Option<Instant> = None;
    let mut ticked = Instant::now();
    let (mut stale, mut hurry) = (true, true);
    loop {
        link.watch(state.queries());
        if stale && (hurry || drawn.is_none_or(|at| at.elapsed() >= DRAW)) {
            screen.terminal.draw(|frame| state.draw(frame.area(), frame.buffer_mut()))?;
            (drawn, stale, hurry) = (Some(Instant::now()), false, false);
        }
        let until_tick = SECOND.saturating_sub(ticked.elapsed());
        let until_draw =
            if stale { drawn.map_or(Duration::ZERO, |at| DRAW.saturating_sub(at.elapsed())) } else { SECOND };
        wait(link, until_tick.min(until_draw))?;
        let mut events = VecDeque::new();
        while poll(Duration::ZERO)? {
            hurry = true;
            events.extend(typed(read()?));
        }
        link.drain();
        events.extend(came.try_iter());
        if ticked.elapsed() >= SECOND {
            ticked = Instant::now();
            events.push_back(Event::Tick);
        }
        while let Some(event) = events.pop_front() {
            stale = true;
            for effect in state.update(format::now_ms(), event) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Ask(request) => link.ask(request),
                    Effect::Copy(text) => copy(&text)?,
                    Effect::Suspend => {
                        let suspend = || rustix::process::kill_process(rustix::process::getpid(), Signal::TSTP);
                        screen.leave(suspend)?.ok();
                    }
                    Effect::Edit(edit) => {
                        let edited = screen.leave(|| edited(&edit))?;
                        events.push_front(match edited {
                            Ok(text) => Event::Edited(edit, text),
                            Err(why) => Event::NotEdited(why),
                        });
                    }
                }
            }
        }
    }
}

/// Waits for a key or an event, at most so long.
fn wait(link: &Link, most: Duration) -> io::Result<()> {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN), PollFd::from_borrowed_fd(link.woken(), PollFlags::IN)];
    let most = Timespec::try_from(most).map_err(io::Error::other)?;
    match rustix::event::poll(&mut ready, Some(&most)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn typed(typed: Typed) -> Option<Event> {
    Some(match typed {
        Typed::Key(key) => Event::Key(key),
        Typed::Mouse(mouse) => Event::Mouse(mouse),
        Typed::Paste(text) => Event::Paste(text),
        Typed::Resize(..) => Event::Resized,
        Typed::FocusGained | Typed::FocusLost => return None,
    })
}

/// Puts text into the clipboard of the terminal, wherever that runs: OSC 52 of xterm's control sequences.
fn copy(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    write!(out, "\x1b]52;c;{}\x07", BASE64.encode(text.as_bytes()))?;
    out.flush()
}

/// Has the operator's editor run on a text; `None` when it is as it was.
fn edited(edit: &Edit) -> Result<Option<String>, String> {
    let words =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok()).filter(|words| !words.trim().is_empty());
    let words = words.unwrap_or_else(|| "vi".to_owned());
    let file = tempfile::Builder::new().prefix("qrt-").suffix(edit.suffix).tempfile();
    let file = file.map_err(|error| format!("cannot make a file to edit: {error}"))?;
    let failed = |error: io::Error| format!("{}: {error}", file.path().display());
    fs::write(file.path(), &edit.text).map_err(failed)?;
    // As git and others do: the variable may hold words with arguments, which a shell takes apart.
    let status = Command::new("sh").arg("-c").arg(format!("{words} \"$1\"")).arg("sh").arg(file.path()).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("{words} ended with {status}: nothing was changed")),
        Err(error) => return Err(format!("cannot run {words}: {error}: set EDITOR")),
    }
    let text = fs::read_to_string(file.path()).map_err(failed)?;
    Ok(Some(text).filter(|text| *text != edit.text))
}
