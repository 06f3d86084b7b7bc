//! The console in a terminal of its own: keys go in, and what stands on the screen is waited for.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::{PATIENCE, programs};

/// What a terminal shows, and whether its program has ended.
struct Shown {
    parser: vt100::Parser,
    ended: bool,
}

/// A program in a terminal.
pub struct Console {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
}

impl Console {
    /// Runs `qrt` with these arguments in a terminal of that many columns and rows.
    ///
    /// # Panics
    /// The system gives no terminal.
    pub fn open(args: &[&str], size: (u16, u16), env: &[(&str, &str)]) -> Self {
        Self::run(&programs().qrt, args, size, env)
    }

    /// Runs a program in such a terminal.
    ///
    /// # Panics
    /// The system gives no terminal.
    pub fn run(program: &Path, args: &[&str], (columns, rows): (u16, u16), env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows, cols: columns, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("qrt runs");
        // The end of the program is the end of what can be read.
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("its output");
        let keys = pair.master.take_writer().expect("its input");
        let parser = vt100::Parser::new(cells(rows), cells(columns), 0);
        let shown = Arc::new((Mutex::new(Shown { parser, ended: false }), Condvar::new()));
        let seen = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = reader.read(&mut bytes).unwrap_or(0);
                let mut shown = lock(&seen.0);
                shown.parser.process(&bytes[..read]);
                shown.ended = read == 0;
                seen.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { child, master: pair.master, keys, shown }
    }

    /// Runs the console on a vat, 120 columns by 40 rows.
    pub fn on(dir: &Path) -> Self {
        Self::open(&["console", dir.to_str().expect("UTF-8")], (120, 40), &[])
    }

    /// Presses keys: characters as they are, `\u{1b}` for Esc.
    ///
    /// # Panics
    /// The program has ended.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the console reads its keys");
        self.keys.flush().expect("the console reads its keys");
    }

    /// Gives the terminal another size.
    ///
    /// # Panics
    /// The system refuses.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        lock(&self.shown.0).parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(PtySize { rows, cols: columns, ..PtySize::default() }).expect("another size");
    }

    /// What stands on the screen, once `there` holds of it.
    ///
    /// # Panics
    /// It never does.
    #[track_caller]
    pub fn until(&self, what: &str, there: impl Fn(&str) -> bool) -> String {
        self.wait(what, |shown| there(&shown.parser.screen().contents())).parser.screen().contents()
    }

    /// Waits until `there` holds of the screen.
    ///
    /// # Panics
    /// It never does.
    #[track_caller]
    pub fn until_screen(&self, what: &str, there: impl Fn(&vt100::Screen) -> bool) {
        drop(self.wait(what, |shown| there(shown.parser.screen())));
    }

    /// What `look` sees on the screen now.
    pub fn seen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(lock(&self.shown.0).parser.screen())
    }

    /// The same for a text on it.
    #[track_caller]
    pub fn until_shown(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until something on the screen has changed, but not long: what a key asks for may change nothing.
    pub fn rest(&self) {
        let (mutex, changed) = &*self.shown;
        drop(changed.wait_timeout(lock(mutex), Duration::from_millis(300)));
    }

    #[track_caller]
    fn wait(&self, what: &str, there: impl Fn(&Shown) -> bool) -> MutexGuard<'_, Shown> {
        let (mutex, changed) = &*self.shown;
        let mut shown = lock(mutex);
        let started = Instant::now();
        while !there(&shown) {
            let left = PATIENCE.saturating_sub(started.elapsed());
            assert!(!left.is_zero() && !shown.ended, "never {what}:\n{}", shown.parser.screen().contents());
            shown = changed.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        shown
    }

    /// Waits until the program has ended; its exit code, and whether the terminal is as it was.
    ///
    /// # Panics
    /// It does not end.
    #[track_caller]
    pub fn ended(mut self) -> (u32, bool) {
        let (mutex, changed) = &*self.shown;
        let mut shown = lock(mutex);
        let started = Instant::now();
        while !shown.ended {
            let left = PATIENCE.saturating_sub(started.elapsed());
            assert!(!left.is_zero(), "it does not end:\n{}", shown.parser.screen().contents());
            shown = changed.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let screen = shown.parser.screen();
        let restored = !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste();
        (self.child.wait().expect("it has ended").exit_code(), restored)
    }

    /// The program's process.
    ///
    /// # Panics
    /// It has none any more.
    pub fn pid(&self) -> rustix::process::Pid {
        let pid = self.child.process_id().and_then(|pid| i32::try_from(pid).ok());
        pid.and_then(rustix::process::Pid::from_raw).expect("a process")
    }
}

/// A test that fails leaves no console behind.
impl Drop for Console {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has some")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
