//! The terminal: what is typed becomes events, what the console shows is drawn when it has changed.
//!
//! However the console ends, by a key, a signal or a panic, the terminal is as it was before. While an editor runs,
//! or the shell has stopped this process, it is theirs.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
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
use crate::link::{Dirs, Link};
use crate::record::Record;

/// The longest that something new waits to be drawn, unless it answers a key.
const DRAW: Duration = Duration::from_millis(20);

const SECOND: Duration = Duration::from_secs(1);

/// A vat that the console is attached to.
struct Vat {
    state: State,
    link: Link,
    came: Receiver<Event>,
}

/// Runs the console on vats, each in its directory and with what is known of it, until the operator leaves; what
/// they answer is written into `record`.
///
/// # Errors
/// The terminal's, or no link can be started.
pub fn run(vats: Vec<(PathBuf, State)>, mouse: bool, record: Option<&Record>) -> Result<(), Failure> {
    let all: Vec<_> = vats.iter().map(|(dir, _)| dir.clone()).collect();
    let attach = |(own, state)| {
        let (events, came) = channel();
        let others = all.iter().filter(|dir| **dir != own).cloned().collect();
        Ok(Vat { state, link: Link::start(Dirs { own, others }, events, record.cloned())?, came })
    };
    let mut vats = vats.into_iter().map(attach).collect::<Result<Vec<_>, Failure>>()?;
    let mut screen = Screen::open(mouse).map_err(failed)?;
    let ended = turn(&mut vats, &mut screen);
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
    if has_gone() {
        hush();
    }
    execute!(io::stdout(), DisableBracketedPaste, DisableMouseCapture).ok();
    ratatui::restore();
}

/// Whether there is no terminal any more: its window was closed, or the connection to it broke.
fn has_gone() -> bool {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    let polled = rustix::event::poll(&mut ready, Some(&Timespec::default()));
    polled.is_ok() && ready[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Has what is written from now on go nowhere: complaints to a terminal that has gone would end this process before it
/// has put its things in order.
fn hush() {
    if let Ok(nowhere) = fs::OpenOptions::new().write(true).open("/dev/null") {
        // Where that fails, things are as they were.
        rustix::stdio::dup2_stdout(&nowhere).ok();
        rustix::stdio::dup2_stderr(&nowhere).ok();
    }
}

/// Shows the vats, one at a time, until the operator leaves.
fn turn(vats: &mut [Vat], screen: &mut Screen) -> io::Result<()> {
    let mut here = 0;
    let mut drawn: Option<Instant> = None;
    let mut ticked = Instant::now();
    let (mut stale, mut hurry) = (true, true);
    loop {
        let vat = &mut vats[here];
        vat.link.watch(vat.state.queries(), vat.state.opened());
        if stale && (hurry || drawn.is_none_or(|at| at.elapsed() >= DRAW)) {
            screen.terminal.draw(|frame| vat.state.draw(frame.area(), frame.buffer_mut()))?;
            (drawn, stale, hurry) = (Some(Instant::now()), false, false);
        }
        let until_tick = SECOND.saturating_sub(ticked.elapsed());
        let until_draw =
            if stale { drawn.map_or(Duration::ZERO, |at| DRAW.saturating_sub(at.elapsed())) } else { SECOND };
        wait(vats, until_tick.min(until_draw))?;
        let mut events: VecDeque<(usize, Event)> = VecDeque::new();
        while poll(Duration::ZERO)? {
            hurry = true;
            events.extend(typed(read()?).map(|event| (here, event)));
        }
        for (number, vat) in vats.iter().enumerate() {
            vat.link.drain();
            events.extend(vat.came.try_iter().map(|event| (number, event)));
        }
        if ticked.elapsed() >= SECOND {
            ticked = Instant::now();
            events.extend((0..vats.len()).map(|number| (number, Event::Tick)));
        }
        while let Some((number, event)) = events.pop_front() {
            stale |= number == here;
            for effect in vats[number].state.update(format::now_ms(), event) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Vat => {
                        vats[here].link.watch(Vec::new(), 0);
                        here = (here + 1) % vats.len();
                        (stale, hurry) = (true, true);
                    }
                    Effect::Ask(request) => vats[number].link.ask(request),
                    Effect::Copy(text) => copy(&text)?,
                    Effect::Suspend => {
                        let suspend = || rustix::process::kill_process(rustix::process::getpid(), Signal::TSTP);
                        screen.leave(suspend)?.map_err(io::Error::from)?;
                    }
                    Effect::Edit(edit) => {
                        let event = match screen.leave(|| edited(&edit))? {
                            Ok(text) => Event::Edited(edit, text),
                            Err(why) => Event::NotEdited(why),
                        };
                        events.push_front((number, event));
                    }
                }
            }
        }
    }
}

/// Waits for a key or an event, at most so long.
fn wait(vats: &[Vat], most: Duration) -> io::Result<()> {
    let stdin = io::stdin();
    let links = vats.iter().map(|vat| PollFd::from_borrowed_fd(vat.link.woken(), PollFlags::IN));
    let mut ready: Vec<_> = [PollFd::new(&stdin, PollFlags::IN)].into_iter().chain(links).collect();
    let most = Timespec::try_from(most).map_err(io::Error::other)?;
    match rustix::event::poll(&mut ready, Some(&most)) {
        // To read from a terminal that has gone would go on for ever: there is neither a key nor an end.
        Ok(_) if ready[0].revents().contains(PollFlags::HUP) => Err(io::Error::other("it has gone")),
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
