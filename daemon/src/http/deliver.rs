//! The client: exact bytes to a URL, and how that went.
//!
//! One connection a URL is kept for the next request. Nothing is followed (no redirects) and nothing is
//! asked of the environment (no proxies). Where a URL leads is checked when its name has been resolved
//! ([`super::policy`]). It draws nothing and opens nothing: a caller makes each try's request anew, because
//! each has a request id of its own, and opens each answer, because only a box that opens says who it is
//! that answers there.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use qrt_shared::id::{Location, VatId};
use qrt_shared::wire::{self, PATH, RESPONSE_BYTES_MAX, RequestId, Response};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::policy::{Named, Policy};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Resolving a name and connecting.
    pub connect: Duration,
    /// One try in all, connecting included.
    pub total: Duration,
    /// All tries of one delivery.
    pub delivery: Duration,
    /// A connection that was idle for longer is not used again: the other end is about to close it.
    pub idle: Duration,
    /// Connections that are kept.
    pub kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(30),
            delivery: Duration::from_mins(1),
            idle: Duration::from_secs(10),
            kept: 256,
        }
    }
}

/// The longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Where a peer may be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The URL.
    pub url: Location,
    /// Who named it.
    pub named: Named,
}

/// An answer of the peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// Where it came from.
    pub url: Location,
    /// What was in its box.
    pub opened: T,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody knows where the peer is.
    #[error("no location of this peer is known: give one with `qrt peer-add`")]
    NowhereToGo,
    /// A scheme this version does not speak.
    #[error("{0}: https is not supported by this version; boxes are sealed anyway, so use an http URL")]
    Https(Location),
    /// The name leads nowhere.
    #[error("{url}: cannot resolve the name: {source}")]
    Resolve {
        /// Where.
        url: Location,
        /// What the system said.
        source: std::io::Error,
    },
    /// All addresses are ones this vat does not let itself be sent to.
    #[error("{url}: {ip} is not a public address, and no operator named it")]
    Forbidden {
        /// Where.
        url: Location,
        /// The first address.
        ip: IpAddr,
    },
    /// Nobody listens there.
    #[error("{url}: cannot connect: {source}")]
    Connect {
        /// Where.
        url: Location,
        /// What the system said.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{url}: {what} took longer than {limit:?}")]
    Timeout {
        /// Where.
        url: Location,
        /// What.
        what: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// The connection broke.
    #[error("{url}: the connection broke: {source}")]
    Broken {
        /// Where.
        url: Location,
        /// How.
        source: hyper::Error,
    },
    /// Any status but 200.
    #[error("{url}: status {status}{}", waits(*retry_after))]
    Status {
        /// Where.
        url: Location,
        /// Which.
        status: StatusCode,
        /// When the peer wants to be tried again.
        retry_after: Option<Duration>,
    },
    /// An answer longer than any honest one.
    #[error("{url}: an answer longer than {RESPONSE_BYTES_MAX} bytes")]
    TooLong {
        /// Where.
        url: Location,
    },
    /// An answer that is no response.
    #[error("{url}: the answer is malformed: {source}")]
    Malformed {
        /// Where.
        url: Location,
        /// How.
        source: wire::Error,
    },
    /// It claims to be the peer's, and does not prove it.
    #[error("{url}: {why}")]
    Unproven {
        /// Where.
        url: Location,
        /// How.
        why: String,
    },
    /// Another vat answers there.
    #[error("{url}: another vat answers there: {vat}")]
    OtherVat {
        /// Where.
        url: Location,
        /// Which.
        vat: VatId,
    },
}

fn waits(retry_after: Option<Duration>) -> String {
    retry_after.map(|wait| format!(", try again in {} s", wait.as_secs())).unwrap_or_default()
}

impl Failure {
    /// When the peer asked to be tried again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it is busy who answers there: if that is the peer, no other location of it would do better.
    fn is_busy(&self) -> bool {
        // A vat that cannot open what is for another says 400 too.
        let spoke = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        matches!(self, Self::Status { status, .. } if spoke.contains(status))
    }
}

struct Kept {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// The client. It is shared: each delivery is a call.
pub struct Courier {
    policy: Policy,
    limits: Limits,
    /// By candidate, since an address that was checked for an operator is not checked for a peer.
    kept: Mutex<HashMap<Candidate, Kept>>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Courier {
    /// A client without connections.
    pub fn new(policy: Policy, limits: Limits) -> Self {
        Self { policy, limits, kept: Mutex::default() }
    }

    /// Delivers to `peer` at one of `candidates`, in their order, until an answer proves to be the peer's.
    /// `request` makes the body of each try, with a request id of its own, and `open` opens the answer to that.
    /// `good` is where the peer proved itself last: if it is busy there, no other location does better.
    ///
    /// # Errors
    /// The last [`Failure`]; but where a candidate was busy, that, since nobody said anything better.
    pub async fn deliver<T, E: fmt::Display>(
        &self,
        peer: VatId,
        candidates: &[Candidate],
        good: Option<&Location>,
        mut request: impl FnMut() -> (RequestId, Vec<u8>),
        open: impl Fn(RequestId, &Response<'_>) -> Result<T, E>,
    ) -> Result<Answered<T>, Failure> {
        let mut failure = Failure::NowhereToGo;
        let started = Instant::now();
        for candidate in candidates {
            if started.elapsed() >= self.limits.delivery {
                break;
            }
            let url = || candidate.url.clone();
            let failed = match self.attempt(candidate, &mut request).await {
                Ok((id, body)) => match Response::decode(&body) {
                    Ok(response) if response.from != peer => Failure::OtherVat { url: url(), vat: response.from },
                    Ok(response) => match open(id, &response) {
                        Ok(opened) => return Ok(Answered { url: url(), opened }),
                        Err(error) => Failure::Unproven { url: url(), why: error.to_string() },
                    },
                    Err(source) => Failure::Malformed { url: url(), source },
                },
                // A status has no box: it is the peer's only where the peer was.
                Err(busy) if busy.is_busy() && good == Some(&candidate.url) => return Err(busy),
                Err(failed) => failed,
            };
            if !failure.is_busy() {
                failure = failed;
            }
        }
        Err(failure)
    }

    /// One try at one URL; a second if a connection that was kept turns out to be dead.
    async fn attempt(
        &self,
        candidate: &Candidate,
        request: &mut impl FnMut() -> (RequestId, Vec<u8>),
    ) -> Result<(RequestId, Bytes), Failure> {
        if let Some(sender) = self.take(candidate) {
            let (id, body) = request();
            match self.timed(candidate, self.exchange(candidate, sender, body)).await {
                // The other end closed it meanwhile, which says nothing about the peer.
                Err(Failure::Broken { .. }) => {}
                answered => return Ok((id, answered?)),
            }
        }
        let (id, body) = request();
        let exchange = async {
            let sender = self.connect(candidate).await?;
            self.exchange(candidate, sender, body).await
        };
        Ok((id, self.timed(candidate, exchange).await?))
    }

    async fn timed(
        &self,
        candidate: &Candidate,
        work: impl Future<Output = Result<Bytes, Failure>>,
    ) -> Result<Bytes, Failure> {
        let limit = self.limits.total;
        timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(Failure::Timeout { url: candidate.url.clone(), what: "the whole exchange", limit }))
    }

    fn take(&self, candidate: &Candidate) -> Option<SendRequest<Full<Bytes>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(candidate)?;
        (kept.since.elapsed() < self.limits.idle && !kept.sender.is_closed()).then_some(kept.sender)
    }

    fn keep(&self, candidate: &Candidate, sender: SendRequest<Full<Bytes>>) {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= self.limits.kept {
            all.retain(|_, kept| kept.since.elapsed() < self.limits.idle && !kept.sender.is_closed());
        }
        if all.len() < self.limits.kept {
            all.insert(candidate.clone(), Kept { sender, since: Instant::now() });
        }
    }

    async fn connect(&self, candidate: &Candidate) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let url = || candidate.url.clone();
        let limit = self.limits.connect;
        let stream = match timeout(limit, self.reach(candidate)).await {
            Ok(stream) => stream?,
            Err(_) => return Err(Failure::Timeout { url: url(), what: "connecting", limit }),
        };
        stream.set_nodelay(true).ok();
        let (sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|source| Failure::Broken { url: url(), source })?;
        // It ends with the sender; its error reaches the request that it broke.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }

    /// Resolves, checks, connects.
    async fn reach(&self, candidate: &Candidate) -> Result<TcpStream, Failure> {
        let url = || candidate.url.clone();
        let uri = uri(&candidate.url);
        if uri.scheme_str() != Some("http") {
            return Err(Failure::Https(url()));
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(80);
        let resolved = lookup_host((host, port)).await;
        let addresses: Vec<SocketAddr> = resolved.map_err(|source| Failure::Resolve { url: url(), source })?.collect();
        let allowed = addresses.iter().filter(|address| self.policy.allows(address.ip(), candidate.named));
        let mut failure = match addresses.first() {
            Some(address) => Failure::Forbidden { url: url(), ip: address.ip() },
            None => Failure::Resolve { url: url(), source: std::io::ErrorKind::NotFound.into() },
        };
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(source) => failure = Failure::Connect { url: url(), source },
            }
        }
        Err(failure)
    }

    async fn exchange(
        &self,
        candidate: &Candidate,
        mut sender: SendRequest<Full<Bytes>>,
        body: Vec<u8>,
    ) -> Result<Bytes, Failure> {
        let url = || candidate.url.clone();
        let broken = |source| Failure::Broken { url: url(), source };
        sender.ready().await.map_err(broken)?;
        let response = sender.send_request(post(&candidate.url, body)).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            let retry_after = retry_after(&head.headers);
            // Short refusals leave the connection usable; it is not worth reading others for that.
            if Limited::new(body, 1024).collect().await.is_ok() && !sender.is_closed() {
                self.keep(candidate, sender);
            }
            return Err(Failure::Status { url: url(), status: head.status, retry_after });
        }
        let body = match Limited::new(body, RESPONSE_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            // Either the connection's error or the limit's.
            Err(error) => {
                return Err(match error.downcast::<hyper::Error>() {
                    Ok(source) => broken(*source),
                    Err(_) => Failure::TooLong { url: url() },
                });
            }
        };
        self.keep(candidate, sender);
        Ok(body)
    }
}

fn uri(url: &Location) -> Uri {
    url.to_string().parse().expect("a location was parsed as a URI")
}

fn post(url: &Location, body: Vec<u8>) -> Request<Full<Bytes>> {
    let uri = uri(url);
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    let path = format!("{}{PATH}", uri.path().trim_end_matches('/'));
    *request.uri_mut() = path.parse().expect("a location's path and ours make a path");
    let host = HeaderValue::from_str(&authority).expect("an authority is plain ASCII");
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_TYPE));
    request
}

/// Seconds; a date would need a clock that both ends believe.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
