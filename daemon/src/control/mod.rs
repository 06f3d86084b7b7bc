//! The control socket: HTTP/1.1 and JSON for the operator's programs on this machine.
//!
//! Reads go to the database on connections of their own ([`readers`]); changes go to the kernel's
//! loop as requests and are answered when their commit is on the disk. Only the vat's own user and
//! root get an answer; who asked is written into the audit. A client that stalls, floods or
//! vanishes costs one of a few [`places`], which others take when they need it.
//!
//! [`router`] maps the table of actions' routes to handlers, one file a noun.

mod explained;
mod faults;
mod messages;
pub mod metrics;
mod objects;
mod peers;
mod places;
mod reach;
mod readers;
mod recent;
mod router;
mod service;
mod tell;
mod turns;
mod vat;
mod watch;

use std::convert::Infallible;
use std::error::Error;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use qrt_shared::VERSION;
use qrt_shared::control::{BODY_BYTES_MAX, Problem, SOCKET, VERSION_HEADER};
use qrt_shared::id::{Target, VatId};
use qrt_shared::view::{AccountRow, ObjectRow, Page, Setting, TableSize, Why};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;

use crate::driver::{Event, News};
use crate::executor::Status;
use crate::executor::check::Checker;
use crate::executor::process::Spares;
use crate::replay::Replays;
use crate::settings::{self, Settings};
use crate::store::read::{Order, Queues};
use crate::vat::checkpoint::Answer;
use crate::vat::request::{Action, Who};
use explained::{Explained, HEAD_BYTES_MAX};
use places::{Doing, Place, Places};
use readers::Readers;
use recent::Recent;
use watch::Watch;

/// What all request bodies that are being read or carried out may take, in KiB.
const BODIES_KIB: usize = 64 << 10;

/// How long a client may take over a request's head, and over its body.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// What handlers work with.
pub struct State {
    /// The vat.
    pub vat: VatId,
    /// Its settings.
    pub settings: Settings,
    /// Each of them, as it holds now.
    listed: std::sync::Mutex<Vec<Setting>>,
    /// When the daemon started.
    pub started_at: u64,
    /// The kernel's loop.
    pub news: News,
    /// The worker.
    pub worker: Arc<Status>,
    /// Checks code.
    pub checker: Checker,
    /// Runs turns again.
    pub replays: Replays,
    /// Reads the database.
    pub readers: Readers,
    /// What cost most to read.
    sorted: Sorted,
    /// Those who watch.
    watch: Watch,
    /// The base directory.
    pub dir: PathBuf,
    /// Room for request bodies, in KiB.
    bodies: Semaphore,
    /// Held while a backup or a check is made.
    pub backing_up: Mutex<()>,
    /// Told when an operator has stopped the vat and the answer is on its way.
    pub stopped: Notify,
}

/// What is read through a whole table for.
#[derive(Default)]
struct Sorted {
    objects: Recent<(Order, String, Option<Target>), Page<ObjectRow>>,
    accounts: Recent<(Order, String), Page<AccountRow>>,
    queues: Recent<(), Queues>,
    wrong: Recent<(), Vec<Why>>,
    storage: Recent<(), (u64, Vec<TableSize>)>,
}

impl State {
    /// The parts of the daemon, as handlers see them.
    pub fn new(
        dir: &Path,
        vat: VatId,
        settings: Settings,
        started_at: u64,
        news: News,
        worker: Arc<Status>,
        spares: Arc<Spares>,
    ) -> Self {
        let readers = Readers::new(dir);
        let watch = Watch::start(news.commits.clone());
        Self {
            vat,
            listed: std::sync::Mutex::new(settings::list(dir).unwrap_or_default()),
            settings,
            started_at,
            news,
            worker,
            replays: Replays::new(dir, Arc::clone(&spares)),
            checker: Checker::new(spares),
            readers,
            sorted: Sorted::default(),
            watch,
            dir: dir.to_owned(),
            bodies: Semaphore::new(BODIES_KIB),
            backing_up: Mutex::default(),
            stopped: Notify::new(),
        }
    }

    /// The size of a file of the vat; 0 when there is none.
    fn size_of(&self, file: &str) -> u64 {
        fs::metadata(self.dir.join(file)).map_or(0, |found| found.len())
    }

    /// How many messages are queued for whom.
    async fn queues(&self) -> Result<Arc<Queues>, Refusal> {
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
        self.sorted.queues.answer((), self.readers.ask(|db| db.queues())).await
    }

    /// Each setting, as it holds now.
    fn listed(&self) -> std::sync::MutexGuard<'_, Vec<Setting>> {
        self.listed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes from the settings file what can change while the daemon runs, and says in the log what that is, and what
    /// needs a restart. A file with an error changes nothing.
    pub fn reload(&self) {
        let read = Settings::read(&self.dir).and_then(|settings| Ok((settings, settings::list(&self.dir)?)));
        let (settings, said) = match read {
            Ok(read) => read,
            Err(error) => return tracing::error!(%error, "the settings stay as they are"),
        };
        for (is, said) in self.listed().iter_mut().zip(said) {
            if is.value == said.value {
                continue;
            }
            if settings::LASTING.contains(&is.key.as_str()) {
                tracing::warn!(setting = is.key, value = %said.value, "needs a restart");
            } else {
                tracing::info!(setting = is.key, was = %is.value, value = %said.value, "changed");
                *is = said;
            }
        }
        // When the loop has ended nobody needs other limits.
        self.news.events.send(Event::Limits(Box::new(settings.limits()))).ok();
    }

    /// Asks the kernel for a change; answered when it is durable.
    async fn request(&self, who: Who, action: Action) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.news.events.send(Event::Request { who, action, answer }).map_err(|_| Refusal::stopping())?;
        let answer = answered.await.map_err(|_| Refusal::stopping())?;
        answer.map_err(|problem| Refusal { status: StatusCode::CONFLICT, problem })
    }
}

/// Why a request is not carried out.
///
/// 400: it is malformed; 404: there is no such thing; 405: not that method; 409: the vat as it is
/// now does not allow it; 413: it is too large; 429: too many do the same; 500: the daemon failed; 503: it is stopping.
struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl Refusal {
    fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, problem: Problem::new(error, hint) }
    }

    fn bad(error: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string(), hint)
    }

    fn busy(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, hint)
    }

    fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping", "start it again, then ask again")
    }

    fn failed(error: impl std::fmt::Display) -> Self {
        let error = error.to_string();
        tracing::error!(error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error, "the daemon's log says more")
    }
}

/// Binds the control socket in `dir`, whose lock this process holds.
///
/// # Errors
/// The file system's.
pub fn bind(dir: &Path) -> io::Result<UnixListener> {
    let path = dir.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The directory is its owner's alone, so nobody gets in before the mode is set.
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves clients for ever.
pub async fn serve(listener: UnixListener, state: Arc<State>) {
    let places = Places::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, say: others will end; asking again at once would only spin.
                tracing::warn!(%error, "accepting a control client");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(who) = allowed(&stream) else { continue };
        let Some(place) = places.take(who.pid).await else { return };
        tokio::spawn(client(stream, who, Arc::new(place), Arc::clone(&state)));
    }
}

/// Who is at the other end, if they may be.
fn allowed(stream: &UnixStream) -> Option<Who> {
    let credentials = stream.peer_cred().ok()?;
    let uid = credentials.uid();
    if !may(uid, rustix::process::geteuid().as_raw()) {
        tracing::warn!(uid, "a control client of another user was refused");
        return None;
    }
    Some(Who { uid, pid: credentials.pid().unwrap_or_default() })
}

/// Whether a user may ask a vat of this owner.
fn may(uid: u32, owner: u32) -> bool {
    uid == owner || uid == 0
}

async fn client(stream: UnixStream, who: Who, place: Arc<Place>, state: Arc<State>) {
    let inside = Arc::clone(&place);
    let service = service_fn(move |request| {
        let (state, place) = (Arc::clone(&state), Arc::clone(&inside));
        async move { Ok::<_, Infallible>(respond(request, who, state, place).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_DEADLINE)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Explained::new(stream)), service);
    tokio::select! {
        served = served => {
            if let Err(error) = served {
                tracing::debug!(%error, "a control client broke off");
            }
        }
        () = place.gone() => tracing::debug!(pid = who.pid, "a control client was cut off"),
    }
}

/// What an answer is made of.
enum Reply {
    /// A JSON document.
    Json(Vec<u8>),
    /// Figures for a monitoring system.
    Text(String),
    /// Lines of JSON, as they come.
    Lines(mpsc::Receiver<Bytes>),
}

/// It, on its way.
enum Body {
    Whole(Full<Bytes>),
    Lines(mpsc::Receiver<Bytes>),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(task),
            Self::Lines(lines) => lines.poll_recv(task).map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(whole) if whole.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Lines(_) => SizeHint::default(),
        }
    }
}

async fn respond(request: Request<Incoming>, who: Who, state: Arc<State>, place: Arc<Place>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let reply = match read_body(body, &state.bodies).await {
        Ok((body, _room)) => {
            place.is(Doing::Working);
            router::route(&state, who, &head, &body, &place).await
        }
        Err(refusal) => Err(refusal),
    };
    place.is(if matches!(reply, Ok(Reply::Lines(_))) { Doing::Waiting } else { Doing::Idle });
    let whole = |text: Vec<u8>| Body::Whole(Full::new(Bytes::from(text)));
    let (status, kind, body) = match reply {
        Ok(Reply::Json(text)) => (StatusCode::OK, "application/json", whole(text)),
        Ok(Reply::Text(text)) => (StatusCode::OK, metrics::KIND, whole(text.into_bytes())),
        Ok(Reply::Lines(lines)) => (StatusCode::OK, "application/x-ndjson", Body::Lines(lines)),
        Err(Refusal { status, problem }) => {
            let text = serde_json::to_vec(&problem).expect("a problem is three strings");
            (status, "application/json", whole(text))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    response
}

/// The body, and the room it takes. It waits for room within its own deadline: whoever sends slowly has that long, too.
async fn read_body(body: Incoming, room: &Semaphore) -> Result<(Bytes, SemaphorePermit<'_>), Refusal> {
    let most = body.size_hint().upper().and_then(|most| usize::try_from(most).ok()).unwrap_or(BODY_BYTES_MAX);
    let kib = u32::try_from(most.min(BODY_BYTES_MAX).div_ceil(1024)).unwrap_or(u32::MAX);
    let read = async {
        // It is never closed.
        let permit = room.acquire_many(kib).await?;
        Ok::<_, Box<dyn Error + Send + Sync>>((Limited::new(body, BODY_BYTES_MAX).collect().await?.to_bytes(), permit))
    };
    match timeout(REQUEST_DEADLINE, read).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let error = format!("the request is larger than {BODY_BYTES_MAX} bytes");
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "send less at a time"))
        }
        Ok(Err(error)) => Err(Refusal::bad(error, "send the whole body")),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time", "send it at once")),
    }
}

#[cfg(test)]
mod tests {
    use super::may;

    #[test]
    fn the_owner_and_root_are_answered_and_nobody_else() {
        let asked = [1000, 0, 1001, u32::MAX].map(|uid| may(uid, 1000));
        assert_eq!(asked, [true, true, false, false]);
        assert!(!may(1000, 0), "a vat of root is root's alone");
    }
}
