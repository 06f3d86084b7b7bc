//! The control socket: HTTP/1.1 and JSON for the operator's programs on this machine.
//!
//! Reads go to the database on connections of their own ([`readers`]); changes go to the kernel's
//! loop as requests and are answered when their commit is on the disk. Only the vat's own user and
//! root get an answer; who asked is written into the audit. A client that stalls, floods or
//! vanishes costs one of [`CLIENTS_MAX`] places until its deadline and disturbs nobody else.
//!
//! [`router`] maps the table of actions' routes to handlers, one file a noun.

mod faults;
mod messages;
mod objects;
mod peers;
mod reach;
mod readers;
mod router;
mod service;
mod turns;
mod vat;

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use qrt_shared::VERSION;
use qrt_shared::control::{BODY_BYTES_MAX, Problem, SOCKET, VERSION_HEADER};
use qrt_shared::id::VatId;
use qrt_shared::view::Setting;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Notify, Semaphore, oneshot};
use tokio::time::timeout;

use crate::driver::{Event, News};
use crate::executor::Status;
use crate::executor::check::Checker;
use crate::replay::Replays;
use crate::settings::{self, Settings};
use crate::vat::checkpoint::Answer;
use crate::vat::request::{Action, Who};
use readers::Readers;

/// Clients connected at one time; a further one waits for a place.
const CLIENTS_MAX: usize = 64;

/// How long a client may take over a request's head, and over its body.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// What handlers work with.
pub struct State {
    /// The vat.
    pub vat: VatId,
    /// Its settings.
    pub settings: Settings,
    /// Each of them, as they were when the daemon started.
    pub listed: Vec<Setting>,
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
    /// The base directory.
    pub dir: PathBuf,
    /// Held while a backup or a check is made.
    pub backing_up: Mutex<()>,
    /// Told when an operator has stopped the vat and the answer is on its way.
    pub stopped: Notify,
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
        checker: Checker,
        replays: Replays,
    ) -> Self {
        let readers = Readers::new(dir);
        Self {
            vat,
            listed: settings::list(dir).unwrap_or_default(),
            settings,
            started_at,
            news,
            worker,
            checker,
            replays,
            readers,
            dir: dir.to_owned(),
            backing_up: Mutex::default(),
            stopped: Notify::new(),
        }
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
/// now does not allow it; 413: it is too large; 500: the daemon failed; 503: it is stopping.
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
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, say: others will end; asking again at once would only spin.
                tracing::warn!(%error, "accepting a control client");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            if let Some(who) = allowed(&stream) {
                client(stream, who, state).await;
            }
            drop(place);
        });
    }
}

/// Who is at the other end, if they may be.
fn allowed(stream: &UnixStream) -> Option<Who> {
    let credentials = stream.peer_cred().ok()?;
    let uid = credentials.uid();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        tracing::warn!(uid, "a control client of another user was refused");
        return None;
    }
    Some(Who { uid, pid: credentials.pid().unwrap_or_default() })
}

async fn client(stream: UnixStream, who: Who, state: Arc<State>) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(respond(request, who, state).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_DEADLINE)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a control client broke off");
    }
}

async fn respond(request: Request<Incoming>, who: Who, state: Arc<State>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let reply = match read_body(body).await {
        Ok(body) => router::route(&state, who, &head, &body).await,
        Err(refusal) => Err(refusal),
    };
    let (status, body) = match reply {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal { status, problem }) => {
            let body = serde_json::to_vec(&problem).expect("a problem is three strings");
            (status, body)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    response
}

async fn read_body(body: Incoming) -> Result<Bytes, Refusal> {
    match timeout(REQUEST_DEADLINE, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let error = format!("the request is larger than {BODY_BYTES_MAX} bytes");
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "send less at a time"))
        }
        Ok(Err(error)) => Err(Refusal::bad(error, "send the whole body")),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time", "send it at once")),
    }
}
