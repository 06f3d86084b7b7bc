//! The daemon's life: lock, open, serve, stop.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context, Result};
use qrt_shared::control::SOCKET;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::control::{self, State};
use crate::directory::Directory;
use crate::driver::{self, Driver, Event, now_ms};
use crate::executor::process::Spares;
use crate::executor::{Config, Deadlines, Executor};
use crate::http::channels::{CHANNELS_MAX, Channels};
use crate::http::deliver::{self, Courier};
use crate::http::policy::Policy;
use crate::http::receive::{self, Receiver};
use crate::intake::Intake;
use crate::key::Key;
use crate::manager;
use crate::mark::{self, Mark};
use crate::peer::seal::NonceKey;
use crate::post::Post;
use crate::settings::{self, Settings};
use crate::store::Store;
use crate::vat::{Input, Vat};

/// How long clients may take to hear the last answers.
const FAREWELL: Duration = Duration::from_millis(100);

/// Serves the vat in `dir` until it is told to stop. When it serves, it says so in one line of JSON
/// on standard output. A database that went back is served only when the operator knows:
/// `after_rollback`.
pub fn serve(dir: &Path, after_rollback: bool) -> Result<()> {
    let directory = Directory::lock(dir)?;
    let mut settings = Settings::read(dir)?;
    let key = Key::read(dir)?;
    let mut store = Store::open(dir, key.vat())?;
    let mark = mark(dir, &mut store, after_rollback)?;
    let listener = listen(dir, &mut settings)?;
    let spares = Spares::start(settings.worker.sandbox).context("starting the thread that starts workers")?;
    let (events, queue) = mpsc::channel();
    let config = Config {
        deadlines: Deadlines { cpu_ms: settings.turn.cpu_ms, wall_ms: settings.turn.wall_ms },
        turns: settings.worker.turns,
        workers: settings.worker.processes,
    };
    let to_driver = events.clone();
    let mut executor = Executor::new(Arc::clone(&spares), config, move |generation, inputs| {
        // When the loop has ended nobody needs to hear it.
        to_driver.send(Event::Worker(generation, inputs)).ok();
    });
    executor.warm().context("starting a worker process")?;
    let status = executor.status();
    let urls = settings.url().and_then(|url| url.parse().ok()).into_iter().collect();
    let vat = Vat::new(key.vat(), NonceKey::new(&key), urls, settings.limits(), store.counters().clone());
    let key = Arc::new(key);
    let (driver, news) = Driver::new(vat, store, executor, (events.clone(), queue));
    let url = settings.url();
    let started = json!({ "vat": key.vat(), "url": url, "pid": std::process::id() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let control_listener = control::bind(directory.path())
            .with_context(|| format!("cannot make the control socket {}", directory.path().join(SOCKET).display()))?;
        let listener = TcpListener::from_std(listener).context("listening for other vats")?;
        let metrics = match settings.metrics {
            Some(address) => Some(TcpListener::bind(address).await.with_context(|| {
                format!("cannot listen on {address} for who reads metrics: change `metrics` in {}", settings::FILE)
            })?),
            None => None,
        };
        let (ended, mut driver_ended) = oneshot::channel();
        std::thread::Builder::new().name("kernel".to_owned()).spawn(move || {
            // The receiver lives as long as the daemon.
            ended.send(driver.run()).ok();
        })?;
        let channels = Arc::new(Channels::new(Arc::clone(&key), CHANNELS_MAX));
        let intake = Intake::new(events.clone());
        let receiver = Receiver::new(&key, Arc::clone(&channels), intake, receive::Limits::default());
        let receiving = tokio::spawn(Arc::new(receiver).serve(listener));
        let commits = news.commits.clone();
        let marking = tokio::spawn(mark.follow(directory.path().to_owned(), news.commits.clone()));
        let policy = Policy { allow_private: settings.peers.private_addresses };
        let courier = Courier::new(policy, deliver::Limits::default());
        let post = Post::new(directory.path().to_owned(), channels, courier, news.clone());
        let posting = tokio::spawn(Arc::new(post).run(Arc::clone(&news.due)));
        events.send(Event::Input(Input::Started)).context("the kernel's thread died")?;
        let state = State::new(directory.path(), key.vat(), settings, now_ms(), news, status, spares);
        let state = Arc::new(state);
        let serving = tokio::spawn(control::serve(control_listener, Arc::clone(&state)));
        let measured = metrics.map(|listener| tokio::spawn(control::metrics::serve(listener, Arc::clone(&state))));
        tracing::info!(vat = ?key.vat(), "serving");
        // A reader that has gone away does not mind.
        writeln!(std::io::stdout(), "{started}").ok();
        manager::ready();
        let beating = tokio::spawn(manager::alive(events.clone()));
        let reloading = tokio::spawn(reload(signal(SignalKind::hangup())?, Arc::clone(&state)));
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let outcome = tokio::select! {
            ended = &mut driver_ended => ended.context("the kernel's thread died")?,
            () = state.stopped.notified() => driver_ended.await.context("the kernel's thread died")?,
            _ = interrupt.recv() => stop(&events, driver_ended).await?,
            _ = terminate.recv() => stop(&events, driver_ended).await?,
        };
        manager::stopping();
        tokio::time::sleep(FAREWELL).await;
        for task in [serving, receiving, posting, marking, reloading, beating].into_iter().chain(measured) {
            task.abort();
        }
        if outcome.is_ok() {
            // Everything is on the disk: the next start can tell whether it still is.
            Mark { commit: commits.borrow().commit, ..mark }.write(directory.path())?;
        }
        outcome.map_err(anyhow::Error::from)
    });
    std::fs::remove_file(directory.path().join(SOCKET)).ok();
    runtime.shutdown_timeout(FAREWELL);
    match &outcome {
        Ok(()) => tracing::info!("stopped"),
        Err(error) => tracing::error!("stopped: {error:#}"),
    }
    outcome
}

/// Where the database stands; an error when it went back and the operator does not say that they know.
fn mark(dir: &Path, store: &mut Store, after_rollback: bool) -> Result<Mark> {
    let stands =
        |store: &Store| Ok::<_, anyhow::Error>(Mark { history: store.history()?, commit: store.counters().commits });
    let found = stands(store)?.check(dir);
    match found {
        Err(error @ mark::Error::Io { .. }) => return Err(error.into()),
        Err(error) if !after_rollback => return Err(error.into()),
        _ => {}
    }
    if after_rollback {
        let why = found.err().map(|error| error.to_string());
        tracing::warn!(why, "this vat went back: peers are asked before anything is sent to them");
        store.went_back(now_ms(), &json!({ "after_rollback": true, "why": why }))?;
    }
    let mark = stands(store)?;
    // Before anything else can happen: what went back and was accepted is the new truth.
    mark.write(dir)?;
    Ok(mark)
}

/// Listens for other vats; a port that the system chose is kept.
fn listen(dir: &Path, settings: &mut Settings) -> Result<std::net::TcpListener> {
    let wanted = settings.listen;
    let hint = || {
        format!(
            "cannot listen on {wanted} for other vats: free it, or change `listen` in {}",
            dir.join(settings::FILE).display()
        )
    };
    let listener = std::net::TcpListener::bind(wanted).with_context(hint)?;
    listener.set_nonblocking(true)?;
    if wanted.port() == 0 {
        settings.keep_listen(dir, listener.local_addr()?)?;
    }
    Ok(listener)
}

/// Reads the settings again each time it is told to.
async fn reload(mut hangup: Signal, state: Arc<State>) {
    while hangup.recv().await.is_some() {
        // It reads a small file, and nobody waits.
        state.reload();
    }
}

type Ended = oneshot::Receiver<Result<(), driver::Error>>;

async fn stop(events: &mpsc::Sender<Event>, ended: Ended) -> Result<Result<(), driver::Error>> {
    tracing::info!("stopped by a signal");
    events.send(Event::Stop { stopped: oneshot::channel().0 }).context("the kernel's thread died")?;
    ended.await.context("the kernel's thread died")
}
