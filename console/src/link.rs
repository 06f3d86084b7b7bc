//! The console's side of the control socket, on a thread of its own: it reads what is on the screen whenever the
//! vat has changed, carries requests, and listens for signals. It reconnects by itself.
//!
//! Nothing here decides anything: what to read and what to ask is told, what comes is an [`Event`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use qrt_shared::control::{
    Backup, Client, ClientError, DropOut, Install, InstallObject, Listing, MemorySet, Name, PeerAdd, Replay, Resync,
    Retry, Send, Upgrade, WAIT_MS_MAX,
};
use qrt_shared::id::{MessageName, PeerName, Target};
use qrt_shared::view::{self, Awaited};
use serde_json::value::RawValue;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::app::event::Event;
use crate::app::query::{Data, Query, Tree};
use crate::app::request::{self, Reply, Request};
use crate::cli;
use crate::failure::Failure;
use crate::record::Record;

/// How long what was read is shown at least before it is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// The same for turns, which are to be seen as they happen.
const TURNS_AGAIN: Duration = Duration::from_millis(250);

/// How long what was read is shown at most, though nothing was committed: the log and the workers change without.
const AT_MOST: Duration = Duration::from_secs(5);

/// How long a daemon that is away is left alone.
const AWAY: Duration = Duration::from_millis(500);

/// Files that are listed at most.
const FILES: usize = 1000;

/// How long a read may take before the daemon counts as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where events go, and what wakes who waits for them.
#[derive(Clone)]
struct Events {
    to: Sender<Event>,
    wake: Arc<OwnedFd>,
    record: Option<Record>,
}

impl Events {
    /// Whether anybody still listens.
    fn send(&self, event: Event) -> bool {
        let listened = self.to.send(event).is_ok();
        // A pipe that is full wakes as well.
        rustix::io::write(&*self.wake, &[1]).ok();
        listened
    }
}

/// Where a vat is, and the others the console is attached to.
pub struct Dirs {
    /// The vat's directory.
    pub own: PathBuf,
    /// Those of the others: a message that crosses to one of them is followed there.
    pub others: Vec<PathBuf>,
}

/// What is on the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    queries: Vec<Query>,
    /// How many panes and popups were opened so far.
    opened: u64,
}

/// What the drawing thread tells the link.
pub struct Link {
    wanted: watch::Sender<Wanted>,
    requests: mpsc::UnboundedSender<Request>,
    woken: OwnedFd,
}

impl Link {
    /// Starts the link to a vat; what comes goes to `events`, and answers into `record` too.
    ///
    /// # Errors
    /// The system has no thread or no pipe left.
    pub fn start(dirs: Dirs, events: Sender<Event>, record: Option<Record>) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("cannot start the link to the daemon: {error}"));
        let flags = rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK;
        let (woken, wake) = rustix::pipe::pipe_with(flags).map_err(|error| failed(error.into()))?;
        let events = Events { to: events, wake: Arc::new(wake), record };
        let (screen, wanted) = watch::channel(Wanted::default());
        let (requests, asked) = mpsc::unbounded_channel();
        // Whoever takes the terminal afterwards must be able to give it back whatever comes.
        let (ready, listening) = std::sync::mpsc::channel::<()>();
        let started = thread::Builder::new().name("link".to_owned()).spawn(move || {
            // Without a link there is nothing to show: a panic here ends the console too.
            let _ending = Ending(events.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    let ending = Asked::listen();
                    drop(ready);
                    run(dirs, events, wanted, asked, ending).await;
                });
            }
        });
        started.map_err(failed)?;
        // It says so by letting go of its end.
        listening.recv().ok();
        Ok(Self { wanted: screen, requests, woken })
    }

    /// What can be read when an event has come.
    pub fn woken(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    /// Forgets that it was woken.
    pub fn drain(&self) {
        let mut bytes = [0; 256];
        while rustix::io::read(&self.woken, &mut bytes).is_ok_and(|read| read == bytes.len()) {}
    }

    /// Says what is on the screen now, and how many panes and popups were opened so far.
    pub fn watch(&self, queries: Vec<Query>, opened: u64) {
        let wanted = Wanted { queries, opened };
        self.wanted.send_if_modified(|now| {
            let other = *now != wanted;
            *now = wanted;
            other
        });
    }

    /// Asks for something, once.
    pub fn ask(&self, request: Request) {
        // A link that has ended says so by `Event::End`.
        self.requests.send(request).ok();
    }
}

/// Says [`Event::End`] when the link's thread ends, however it does.
struct Ending(Events);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.send(Event::End);
    }
}

async fn run(
    dirs: Dirs,
    events: Events,
    wanted: watch::Receiver<Wanted>,
    mut asked: mpsc::UnboundedReceiver<Request>,
    ending: Asked,
) {
    let changed = Arc::new(watch::channel(()).0);
    let asking = async {
        while let Some(request) = asked.recv().await {
            let (dir, events, changed) = (dirs.own.clone(), events.clone(), Arc::clone(&changed));
            tokio::spawn(async move {
                answer(&dir, request, &events).await;
                // What it changed is to be seen at once.
                changed.send_replace(());
            });
        }
    };
    tokio::select! {
        () = read(&dirs, &events, wanted, changed.subscribe()) => {}
        () = listen(&dirs.own, &events, &changed) => {}
        () = asking => {}
        () = resized(&events) => {}
        () = ending.came() => {}
    }
}

/// The signals that ask this process to end. From when it is made on they do not end it by themselves, which would
/// leave the terminal as it is.
struct Asked([Option<Signal>; 3]);

impl Asked {
    fn listen() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Self(kinds.map(|kind| signal(kind).ok()))
    }

    /// Done when one has come.
    async fn came(self) {
        let heard = |signal: Option<Signal>| async {
            match signal {
                Some(mut signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        let [interrupt, terminate, hangup] = self.0.map(heard);
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
            () = hangup => {}
        }
    }
}

/// Tells of each change of the terminal's size.
async fn resized(events: &Events) {
    let Ok(mut signal) = signal(SignalKind::window_change()) else { return std::future::pending().await };
    while signal.recv().await.is_some() {
        events.send(Event::Resized);
    }
}

/// Listens to what the vat commits.
async fn listen(dir: &Path, events: &Events, changed: &watch::Sender<()>) {
    loop {
        let watched = async {
            let mut committed = Client::open(dir).await?.events().await?;
            // Whatever was missed is read.
            changed.send_replace(());
            while let Some(event) = committed.next().await? {
                if let view::Event::Commit { totals, .. } = event {
                    events.send(Event::Committed(totals));
                    changed.send_replace(());
                }
            }
            Ok::<_, ClientError>(())
        };
        if let Err(error) = watched.await {
            events.send(Event::Away(error.to_string()));
        }
        sleep(AWAY).await;
    }
}

/// What was read, when, and whether it may be out of date.
struct Seen {
    query: Query,
    at: Instant,
    stale: bool,
}

impl Seen {
    /// When it is to be read again.
    fn due(&self) -> Option<Instant> {
        if !self.query.changes() {
            return None;
        }
        let again = if matches!(self.query, Query::Turns(_)) { TURNS_AGAIN } else { AGAIN };
        Some(self.at + if self.stale { again } else { AT_MOST })
    }
}

/// What was read of what is on the screen.
#[derive(Default)]
struct Read {
    opened: u64,
    seen: Vec<Seen>,
}

impl Read {
    /// Forgets what is on the screen no more; and all of it once something opened: that has not seen what came before,
    /// and a vat that is quiet gives no other occasion to read it.
    fn keep(&mut self, wanted: &Wanted) {
        let opened = std::mem::replace(&mut self.opened, wanted.opened) != wanted.opened;
        self.seen.retain(|seen| !opened && wanted.queries.contains(&seen.query));
    }
}

/// Reads what is wanted when it is new on the screen, and when the vat has changed since.
async fn read(dirs: &Dirs, events: &Events, mut wanted: watch::Receiver<Wanted>, mut changed: watch::Receiver<()>) {
    let mut client = None;
    let mut read = Read::default();
    loop {
        let screen = wanted.borrow_and_update().clone();
        read.keep(&screen);
        let seen = &mut read.seen;
        let now = Instant::now();
        let is_due = |query: &Query| {
            let known = seen.iter().find(|seen| seen.query == *query);
            known.is_none_or(|seen| seen.due().is_some_and(|due| due <= now))
        };
        let due: Vec<Query> = screen.queries.into_iter().filter(is_due).collect();
        for query in due {
            let event = match load(dirs, &mut client, &query).await {
                Ok(data) => {
                    let recorded = events.record.as_ref().map_or(Ok(()), |record| record.write(&query, &data));
                    if let Err(error) = recorded {
                        events.send(Event::Refused(query.clone(), format!("the recording cannot be written: {error}")));
                    }
                    Event::Loaded(query.clone(), Box::new(data))
                }
                Err(Failure::Client(error)) if !matches!(error, ClientError::Refused(_)) => {
                    client = None;
                    Event::Away(error.to_string())
                }
                Err(failure) => Event::Refused(query.clone(), failure.reason()),
            };
            let away = matches!(event, Event::Away(_));
            if !events.send(event) {
                return;
            }
            if away {
                // The rest would only say the same.
                sleep(AWAY).await;
                break;
            }
            seen.retain(|seen| seen.query != query);
            seen.push(Seen { query, at: Instant::now(), stale: false });
            if wanted.has_changed().unwrap_or(false) {
                // Something else is on the screen by now.
                break;
            }
        }
        let next = seen.iter().filter_map(Seen::due).min();
        let unseen = wanted.borrow().queries.iter().any(|query| seen.iter().all(|seen| seen.query != *query));
        tokio::select! {
            biased;
            changed = wanted.changed() => if changed.is_err() { return },
            () = std::future::ready(()), if unseen => {}
            changed = changed.changed() => match changed {
                Ok(()) => seen.iter_mut().for_each(|seen| seen.stale = true),
                Err(_) => return,
            },
            () = sleep_until(next.unwrap_or_else(|| Instant::now() + AT_MOST)) => {}
        }
    }
}

/// One read, on the connection there is or a new one.
async fn load(Dirs { own: dir, others }: &Dirs, client: &mut Option<Client>, query: &Query) -> Result<Data, Failure> {
    let reading = async {
        let client = match client {
            Some(client) => client,
            None => client.insert(Client::open(dir).await?),
        };
        Ok(match query {
            Query::Overview => Data::Overview(Box::new(client.overview().await?)),
            Query::Objects(listing) => Data::Objects(client.list(listing).await?),
            Query::Accounts(listing) => Data::Accounts(client.list(listing).await?),
            Query::Turns(listing) => Data::Turns(client.list(listing).await?),
            Query::Inbox(listing) => Data::Inbox(client.list(listing).await?),
            Query::Outbox(listing) => Data::Outbox(client.list(listing).await?),
            Query::Peers(listing) => Data::Peers(client.list(listing).await?),
            Query::Faults(listing) => Data::Faults(client.list(listing).await?),
            Query::Audit(listing) => Data::Audit(client.list(listing).await?),
            Query::Object(qrid) => Data::Object(Box::new(client.object_brief(&Target::Qrid(qrid.clone())).await?)),
            Query::Entries(qrid, listing) => Data::Entries(client.entries(&Target::Qrid(qrid.clone()), listing).await?),
            Query::Entry(qrid, key) => Data::Entry(client.entry(&Target::Qrid(qrid.clone()), key).await?),
            Query::Turn(turn) => Data::Turn(Box::new(client.turn(*turn).await?)),
            Query::Peer(peer) => Data::Peer(Box::new(client.peer(peer).await?)),
            Query::Trace(subject) => {
                let (vat, steps) = cli::traced(dir, others, subject).await?;
                Data::Trace(Tree { vat, steps })
            }
            Query::Why(subject) => Data::Why(client.why(subject.as_ref()).await?),
            Query::Log(count) => Data::Log(client.newest_log(*count).await?),
            Query::Settings => Data::Settings(client.settings().await?),
            Query::Storage => Data::Storage(client.storage().await?),
            Query::DryInstall(install) => {
                let install = installation(install).await?;
                Data::DryInstall(Box::new(client.dry_install(&install).await?))
            }
            Query::Files(typed) => {
                let typed = typed.clone();
                // A slow disk holds up nothing.
                Data::Files(tokio::task::spawn_blocking(move || files(&typed)).await.unwrap_or_default())
            }
        })
    };
    let hangs = || ClientError::Hangs { dir: dir.display().to_string(), seconds: PATIENCE.as_secs() };
    timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err(hangs().into()))
}

/// JavaScript files and directories whose paths begin so; none where nothing can be read.
fn files(typed: &str) -> Vec<String> {
    let (parent, start) =
        typed.rsplit_once('/').map_or(("", typed), |(parent, start)| (&typed[..=parent.len()], start));
    let dir = if parent.is_empty() { Path::new(".") } else { Path::new(parent) };
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let shown = name.starts_with(start) && (!name.starts_with('.') || start.starts_with('.'));
        // Through a link, too.
        let is_dir = shown && entry.path().is_dir();
        let wanted = shown && (is_dir || Path::new(&name).extension().is_some_and(|extension| extension == "js"));
        wanted.then(|| format!("{parent}{name}{}", if is_dir { "/" } else { "" }))
    });
    let mut files: Vec<_> = named.take(FILES).collect();
    files.sort_unstable();
    files
}

/// Carries a request out, and says what came of it.
async fn answer(dir: &Path, request: Request, events: &Events) {
    let answer = perform(dir, &request).await.map_err(|failure| failure.reason());
    let queued = answer.as_ref().ok().and_then(Reply::message);
    events.send(Event::Answered(request.clone(), answer));
    if let Some(message) = queued {
        let ended = outcome(dir, message).await;
        events.send(Event::Answered(request, Ok(Reply::Ended(message, ended))));
    }
}

/// What becomes of a message, however often the daemon goes away meanwhile.
async fn outcome(dir: &Path, message: MessageName) -> Awaited {
    loop {
        let asked = async {
            let mut client = Client::open(dir).await?;
            client.outcome(message, Duration::from_millis(WAIT_MS_MAX)).await
        };
        match asked.await {
            Ok(Awaited::Queued) => {}
            Ok(awaited) => return awaited,
            Err(ClientError::Refused(_)) => return Awaited::Unknown,
            Err(_) => sleep(AWAY).await,
        }
    }
}

async fn perform(dir: &Path, request: &Request) -> Result<Reply, Failure> {
    let mut client = Client::open(dir).await?;
    Ok(match request {
        Request::Send { target, args } => {
            let args = cli::value(args, "args")?;
            let queued = client.send(&Send { target: target.clone(), args, key: None }).await?;
            Reply::Queued(queued.message, queued.target)
        }
        Request::Install(install) => {
            let installed = client.install(&installation(install).await?).await?;
            Reply::Installed(installed.objects)
        }
        Request::ReadCode(object, _) => {
            Reply::Code(client.object_brief(&Target::Qrid(object.clone())).await?.code.text)
        }
        Request::ReadKey(object, key) => {
            let object = Target::Qrid(object.clone());
            // Of the keys that begin with it, it is the first itself.
            let first = Listing { filter: key.clone(), limit: Some(1), ..Listing::default() };
            if client.entries(&object, &first).await?.items.iter().all(|entry| entry.key != *key) {
                return Ok(Reply::Value(None));
            }
            // One key comes whole; a value that is null reads as one that is missing.
            let value = client.entry(&object, key).await?.value;
            Reply::Value(Some(value.map_or_else(|| "null".to_owned(), |value| value.get().to_owned())))
        }
        Request::Upgrade { object, code } => {
            let upgrade = Upgrade { label: "code".to_owned(), code: code.clone() };
            let upgraded = client.upgrade(&Target::Qrid(object.clone()), &upgrade).await?;
            Reply::Upgraded(upgraded.version, upgraded.turn)
        }
        Request::MemorySet { object, key, value, expect } => {
            let expect = expect.as_deref().map(|expect| cli::value(expect, "expect")).transpose()?;
            let set = MemorySet { value: cli::value(value, "value")?, expect };
            Reply::Set(client.memory_set(&Target::Qrid(object.clone()), key, &set).await?.turn)
        }
        Request::Hold(object, held) => Reply::Held(client.hold(&Target::Qrid(object.clone()), *held).await?.held),
        Request::HoldPeer(peer, held) => Reply::Held(client.hold_peer(&PeerName::Vat(*peer), *held).await?.held),
        Request::Name(object, name) => {
            let target = Target::Qrid(object.clone());
            let named = match name {
                Some(name) => client.name(&target, Name { name: name.parse()? }).await?,
                None => client.unname(&target).await?,
            };
            Reply::Named(named.name.map(|name| name.to_string()))
        }
        Request::NamePeer(peer, name) => {
            let peer = PeerName::Vat(*peer);
            match name {
                Some(name) => client.name_peer(&peer, Name { name: name.parse()? }).await?,
                None => client.unname_peer(&peer).await?,
            };
            Reply::Named(name.clone())
        }
        Request::Remove(object) => {
            let removed = client.remove(&Target::Qrid(object.clone()), false).await?;
            Reply::Removed(removed.objects.len(), removed.faults)
        }
        Request::Retry(peer) => Reply::Due(client.retry(&Retry { peer: peer.clone() }).await?.peers),
        Request::Drop { peer, seq, reason } => {
            let dropped = client.drop_out(&PeerName::Vat(*peer), *seq, &DropOut { reason: reason.clone() }).await?;
            Reply::Dropped(dropped.may_have_arrived)
        }
        Request::FaultRetry(id) => Reply::Retried(client.fault_retry(*id).await?.message),
        Request::FaultDrop(id) => {
            client.fault_drop(*id).await?;
            Reply::Gone
        }
        Request::PeerAdd { vat, url } => {
            let add = PeerAdd { vat: vat.parse()?, urls: vec![url.parse()?] };
            Reply::PeerIs(client.peer_add(&add).await?.pending)
        }
        Request::ResyncPlan(peer) => {
            Reply::Resync(Box::new(client.resync(&PeerName::Vat(*peer), &Resync { expect: None }).await?))
        }
        Request::Resync(peer, expect) => {
            let resync = Resync { expect: Some(expect.clone()) };
            Reply::Resync(Box::new(client.resync(&PeerName::Vat(*peer), &resync).await?))
        }
        Request::Replay { turn, args, code } => {
            let args = args.as_deref().map(|args| cli::value(args, "args")).transpose()?;
            let code = code.as_ref().map(|code| Upgrade { label: "code".to_owned(), code: code.clone() });
            Reply::Replayed(Box::new(client.replay(*turn, &Replay { code, args, memory: None }).await?))
        }
        Request::Check => Reply::Checked(client.check(false).await?),
        Request::Backup(file) => {
            let file = std::path::absolute(file).map_err(|error| Failure::new(format!("{file}: {error}")))?;
            let backup = Backup { file: file.display().to_string(), with_key: false };
            let copied = client.backup(&backup).await?;
            Reply::BackedUp(copied.file, copied.bytes)
        }
    })
}

/// What is sent to install an object; a file is read where a slow disk holds up nothing.
async fn installation(install: &request::Install) -> Result<Install, Failure> {
    let (label, code) = if install.file.is_empty() {
        ("code".to_owned(), install.code.clone())
    } else {
        let path = PathBuf::from(&install.file);
        let read = tokio::task::spawn_blocking(move || cli::code(&path)).await;
        read.map_err(|error| Failure::new(format!("cannot read {}: {error}", install.file)))??
    };
    let name = if install.name.is_empty() { None } else { Some(install.name.parse()?) };
    let memory: Option<Box<RawValue>> =
        install.memory.as_deref().map(|text| cli::object_value(text, "memory")).transpose()?;
    Ok(Install {
        objects: vec![InstallObject { label, code, name }],
        memory,
        power: cli::object_value(&install.power, "power")?,
        natives: install.natives.clone(),
        budget: qrt_shared::budget::Budget::default(),
        account_budget: qrt_shared::budget::Budget::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opened_is_read_though_it_was_read_for_what_was_there_before() {
        let screen = |opened, queries: &[Query]| Wanted { queries: queries.to_vec(), opened };
        let mut read = Read::default();
        let seen = |query| Seen { query, at: Instant::now(), stale: false };
        read.seen = vec![seen(Query::Settings), seen(Query::Overview)];
        read.keep(&screen(0, &[Query::Overview]));
        assert_eq!(read.seen.iter().map(|seen| &seen.query).collect::<Vec<_>>(), [&Query::Overview]);
        read.keep(&screen(1, &[Query::Overview]));
        assert!(read.seen.is_empty());
    }

    #[test]
    fn code_and_directories_are_listed_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["b.js", "a.js", "a.txt", ".a.js"] {
            std::fs::write(dir.path().join(name), "").expect("a file");
        }
        std::fs::create_dir(dir.path().join("asdf")).expect("a directory");
        let typed = |text: &str| format!("{}/{text}", dir.path().display());
        assert_eq!(files(&typed("a")), [typed("a.js"), typed("asdf/")]);
        assert_eq!(files(&typed(".")), [typed(".a.js")]);
        assert_eq!(files(&typed("")).len(), 3);
        assert!(files(&typed("none/x")).is_empty());
    }
}
