//! The server: `POST /v1/messages`, and nothing else.
//!
//! A request passes, in this order, what costs least: a place for its connection, its path and method,
//! its address's rate, its size, the memory for its body, its framing, and only then the boxes, a few at a
//! time and on threads of their own. What opened goes to the [`Inbox`], whose answer waits for the commit.
//! Every wait has a deadline, so a client that stalls loses its place.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use qrt_shared::id::VatId;
use qrt_shared::wire::{self, Ack, PATH, REQUEST_BYTES_MAX, encode_response, refusal};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, sleep_until, timeout};

use super::channels::Channels;
use super::gate::{self, Gate, Place};
use crate::key::Key;
use crate::peer::seal::{Channel, NonceKey, OpenedRequest};

/// How long things may take, and how much they may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What each address, and all together, may use.
    pub gate: gate::Limits,
    /// From the end of one answer to the end of the next request's head: slow heads and idle connections.
    pub head: Duration,
    /// Over a body.
    pub body: Duration,
    /// Until the commit has answered.
    pub answer: Duration,
    /// Requests that are being opened at one time.
    pub opening: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            gate: gate::Limits::default(),
            head: Duration::from_secs(15),
            body: Duration::from_secs(15),
            answer: Duration::from_secs(10),
            opening: 2,
        }
    }
}

/// The longest head, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Header fields, at most.
const HEADERS_MAX: usize = 32;

/// What is told to those who find the house full.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Why an inbox takes nothing in now. Nothing of the request was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The sender sends too much (status 429).
    TooMuch {
        /// When to try again.
        retry_after: Duration,
    },
    /// The vat cannot take it: out of space, over a total, or stopping (status 503).
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

/// Where opened requests go: the kernel.
pub trait Inbox: Send + Sync + 'static {
    /// Takes in what opened of a request of `from`, which may be nothing (then it asks where this vat
    /// stands, and proves nothing about who asks). Answers when that is committed, with
    /// [`crate::peer::session::Intake::ack`]. The future may be dropped; then the sender asks again.
    fn receive(&self, from: VatId, request: OpenedRequest) -> impl Future<Output = Result<Ack, Refused>> + Send;
}

/// The server's parts.
pub struct Receiver<I> {
    vat: VatId,
    nonces: NonceKey,
    channels: Arc<Channels>,
    inbox: I,
    limits: Limits,
    gate: Gate,
    opening: Arc<Semaphore>,
}

impl<I: Inbox> Receiver<I> {
    /// A server that opens by `channels`, which are those of `key`, and hands over to `inbox`.
    pub fn new(key: &Key, channels: Arc<Channels>, inbox: I, limits: Limits) -> Self {
        Self {
            vat: key.vat(),
            nonces: NonceKey::new(key),
            channels,
            inbox,
            limits,
            gate: Gate::new(limits.gate),
            opening: Arc::new(Semaphore::new(limits.opening)),
        }
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        self.gate.connections()
    }

    /// Serves `listener` until the future is dropped. Connections that are open then end by themselves.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, say: others will end; asking again at once would only spin.
                    tracing::warn!(%error, "accepting a peer's connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(place) = self.gate.connect(peer.ip()) else {
                // As much as fits without waiting: whoever floods us gets no more.
                stream.try_write(FULL).ok();
                tracing::debug!(%peer, "no place for a connection");
                continue;
            };
            let receiver = Arc::clone(&self);
            tokio::spawn(async move { receiver.connection(stream, peer.ip(), place).await });
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, ip: IpAddr, place: Place) {
        // Answers are small and wait for nobody.
        stream.set_nodelay(true).ok();
        let place = Arc::new(place);
        let (idle, mut since) = watch::channel(Some(tokio::time::Instant::now()));
        let limit = self.limits.head;
        let receiver = Arc::clone(&self);
        let service = service_fn(move |request| {
            let (receiver, place, idle) = (Arc::clone(&receiver), Arc::clone(&place), idle.clone());
            async move {
                idle.send_replace(None);
                let response = receiver.respond(request, &place).await;
                idle.send_replace(Some(tokio::time::Instant::now()));
                Ok::<_, Infallible>(response)
            }
        });
        let mut served = pin!(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limit)
                .max_headers(HEADERS_MAX)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
        );
        loop {
            // hyper watches the reading of heads. A client that does not read its answers would still
            // hold it up for ever: so the time from one request to the next is watched from here too.
            let waiting = *since.borrow_and_update();
            let cut = async {
                match waiting {
                    Some(since) => sleep_until(since + limit * 2).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = &mut served => {
                    if let Err(error) = ended {
                        tracing::debug!(%ip, %error, "a peer's connection broke off");
                    }
                    return;
                }
                _ = since.changed() => {}
                () = cut => {
                    tracing::debug!(%ip, "a peer's connection did not go on");
                    return;
                }
            }
        }
    }

    async fn respond(&self, request: Request<Incoming>, place: &Place) -> Response<Full<Bytes>> {
        match self.handle(request, place).await {
            Ok(body) => response(StatusCode::OK, body),
            Err(answer) => {
                tracing::debug!(status = answer.status.as_u16(), why = answer.why, "refused a request");
                let body = if answer.names_us { refusal(self.vat) } else { Vec::new() };
                let mut response = response(answer.status, body);
                let headers = response.headers_mut();
                if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                    headers.insert(ALLOW, HeaderValue::from_static("POST"));
                }
                if let Some(retry_after) = answer.retry_after {
                    // Whole seconds, rounded up: 0 would mean at once.
                    let seconds = retry_after.saturating_add(Duration::from_nanos(999_999_999)).as_secs().max(1);
                    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                if answer.unread {
                    headers.insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        }
    }

    /// The body of the answer of status 200.
    async fn handle(&self, request: Request<Incoming>, place: &Place) -> Result<Vec<u8>, Answer> {
        let (head, body) = request.into_parts();
        if head.uri.path() != PATH {
            return Err(Answer::unread(StatusCode::NOT_FOUND, "no such path"));
        }
        if head.method != Method::POST {
            return Err(Answer::unread(StatusCode::METHOD_NOT_ALLOWED, "not a POST"));
        }
        if !is_box(&head.headers) {
            return Err(Answer::unread(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not a box"));
        }
        place
            .request(Instant::now())
            .map_err(|wait| Answer { unread: true, ..Answer::too_many("too many requests", wait) })?;
        let mut memory = place.body();
        let body = match timeout(self.limits.body, read(body, &mut memory)).await {
            Ok(body) => body?,
            Err(_) => return Err(Answer::late(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
        };
        let (channel, opened) = self.open(body, place).await?;
        let from = channel.peer();
        let ack = match timeout(self.limits.answer, self.inbox.receive(from, opened)).await {
            Ok(Ok(ack)) => ack,
            Ok(Err(refused)) => return Err(refused.into()),
            Err(_) => return Err(Answer::busy("the commit did not come in time", Duration::from_secs(5))),
        };
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).map_err(|_| Answer::busy("no randomness", Duration::from_mins(1)))?;
        let sealed = channel.seal_ack(self.nonces.ack(&fresh, from, &ack), &ack);
        Ok(encode_response(self.vat, &sealed.frame()))
    }

    /// Opens a body on a thread of its own, when it is its turn.
    async fn open(&self, body: Bytes, place: &Place) -> Result<(Arc<Channel>, OpenedRequest), Answer> {
        let malformed = |error: &wire::Error| {
            let status = if error.is_size() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            Answer::named(status, "malformed")
        };
        // Before it may cost anything.
        let from = wire::Request::decode(&body).map_err(|error| malformed(&error))?.from;
        if self.channels.kept(from).is_none() {
            place.stranger(Instant::now()).map_err(|wait| Answer::too_many("too many strangers", wait))?;
        }
        let stopping = || Answer::busy("stopping", Duration::from_secs(5));
        let turn = Arc::clone(&self.opening).acquire_owned().await.map_err(|_| stopping())?;
        let channels = Arc::clone(&self.channels);
        let work = tokio::task::spawn_blocking(move || {
            // The thread goes on when the client has gone, so the turn is the thread's.
            let _turn = turn;
            let request = wire::Request::decode(&body).ok()?;
            let channel = channels.get(from).ok()?;
            let opened = channel.open_request(&request).ok()?;
            if !opened.messages.is_empty() {
                channels.keep(&channel);
            }
            Some((channel, opened))
        });
        let opened = work.await.map_err(|_| stopping())?;
        opened.ok_or_else(|| Answer::named(StatusCode::BAD_REQUEST, "it does not open"))
    }
}

/// Whether the content type is ours, whatever its case and parameters.
fn is_box(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wire::CONTENT_TYPE))
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_TYPE));
    response
}

/// Reads a body whole, as far as it may go.
async fn read(mut body: Incoming, memory: &mut gate::BodyBytes<'_>) -> Result<Bytes, Answer> {
    let too_large = || Answer { unread: true, ..Answer::named(StatusCode::PAYLOAD_TOO_LARGE, "too large") };
    if body.size_hint().lower() > REQUEST_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Answer::late(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        if whole.len() + data.len() > REQUEST_BYTES_MAX {
            return Err(too_large());
        }
        if !memory.grow(data.len()) {
            return Err(Answer { unread: true, ..Answer::busy("no memory for bodies", Duration::from_secs(1)) });
        }
        whole.extend_from_slice(data);
    }
    Ok(Bytes::from(whole))
}

/// An answer that is no ack.
struct Answer {
    status: StatusCode,
    why: &'static str,
    retry_after: Option<Duration>,
    /// Whether the body says who we are, as answers about a request's content do.
    names_us: bool,
    /// Part of the request is still on its way, so the connection must end.
    unread: bool,
}

impl Answer {
    fn named(status: StatusCode, why: &'static str) -> Self {
        Self { status, why, retry_after: None, names_us: true, unread: false }
    }

    fn late(status: StatusCode, why: &'static str) -> Self {
        Self { unread: true, ..Self::named(status, why) }
    }

    fn unread(status: StatusCode, why: &'static str) -> Self {
        Self { status, why, retry_after: None, names_us: false, unread: true }
    }

    fn too_many(why: &'static str, retry_after: Duration) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, ..Self::busy(why, retry_after) }
    }

    fn busy(why: &'static str, retry_after: Duration) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, why, retry_after: Some(retry_after), names_us: false, unread: false }
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooMuch { retry_after } => Self::too_many("the inbox is full", retry_after),
            Refused::Unavailable { retry_after } => Self::busy("the inbox takes nothing", retry_after),
        }
    }
}
