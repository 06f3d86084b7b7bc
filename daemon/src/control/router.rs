//! Routes to handlers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode, http::request::Parts};
use percent_encoding::percent_decode_str;
use qrt_shared::action::{ACTIONS, Via};
use qrt_shared::control::WAIT_MS_MAX;
use serde::{Serialize, de::DeserializeOwned};

use super::{Refusal, State, faults, messages, objects, peers, reach, service, turns, vat};
use crate::vat::request::{Action, Who};

/// A request, taken apart.
pub(super) struct Asked<'a> {
    pub(super) state: &'a State,
    pub(super) who: Who,
    query: BTreeMap<String, String>,
    body: &'a Bytes,
}

/// Answers a request with a JSON document.
pub(super) async fn route(state: &State, who: Who, head: &Parts, body: &Bytes) -> Result<Vec<u8>, Refusal> {
    let path = head.uri.path();
    let path = if path == "/v1/" { "/v1" } else { path };
    let segments = path.trim_start_matches('/').split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    let asked = Asked { state, who, query: query(head.uri.query().unwrap_or_default())?, body };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (&head.method, segments.as_slice()) {
        (&Method::GET, ["v1"]) => vat::description(),
        (&Method::GET, ["v1", "info"]) => vat::info(&asked).await,
        (&Method::POST, ["v1", "stop"]) => vat::stop(&asked).await,
        (&Method::POST, ["v1", "backup"]) => service::backup(&asked).await,
        (&Method::GET, ["v1", "check"]) => service::check(&asked).await,
        (&Method::GET, ["v1", "audit"]) => service::audit(&asked).await,
        (&Method::GET, ["v1", "settings"]) => service::settings(&asked).await,
        (&Method::GET, ["v1", "log"]) => service::log(&asked).await,
        (&Method::GET, ["v1", "objects"]) => objects::list(&asked).await,
        (&Method::POST, ["v1", "objects"]) => objects::install(&asked).await,
        (&Method::GET, ["v1", "objects", object]) => objects::one(&asked, object).await,
        (&Method::DELETE, ["v1", "objects", object]) => objects::remove(&asked, object).await,
        (&Method::POST, ["v1", "objects", object, "code"]) => objects::upgrade(&asked, object).await,
        (&Method::POST, ["v1", "objects", object, "hold"]) => objects::hold(&asked, object, true).await,
        (&Method::POST, ["v1", "objects", object, "release"]) => objects::hold(&asked, object, false).await,
        (&Method::PUT, ["v1", "objects", object, "memory", key]) => objects::memory_set(&asked, object, key).await,
        (&Method::GET, ["v1", "objects", object, "memory"]) => objects::memory(&asked, object).await,
        (&Method::GET, ["v1", "objects", object, "memory", "diff"]) => objects::memory_diff(&asked, object).await,
        (&Method::GET, ["v1", "objects", object, "memory", "blame"]) => objects::memory_blame(&asked, object).await,
        (&Method::PUT, ["v1", "objects", object, "name"]) => objects::name(&asked, object).await,
        (&Method::DELETE, ["v1", "objects", object, "name"]) => objects::unname(&asked, object).await,
        (&Method::GET, ["v1", "objects", object, "reach"]) => reach::reach(&asked, object).await,
        (&Method::GET, ["v1", "objects", from, "reach", to]) => reach::way(&asked, from, to).await,
        (&Method::GET, ["v1", "natives", native]) => reach::natives(&asked, native).await,
        (&Method::GET, ["v1", "sweep"]) => reach::sweep(&asked).await,
        (&Method::POST, ["v1", "dry", "objects"]) => objects::dry_install(&asked).await,
        (&Method::POST, ["v1", "dry", "objects", object, "code"]) => objects::dry_upgrade(&asked, object).await,
        (&Method::POST, ["v1", "messages"]) => messages::send(&asked).await,
        (&Method::GET, ["v1", "messages", message, "outcome"]) => messages::outcome(&asked, message).await,
        (&Method::GET, ["v1", "inbox"]) => messages::inbox(&asked).await,
        (&Method::GET, ["v1", "peers"]) => peers::list(&asked).await,
        (&Method::POST, ["v1", "peers"]) => peers::add(&asked).await,
        (&Method::GET, ["v1", "peers", peer]) => peers::one(&asked, peer).await,
        (&Method::POST, ["v1", "peers", peer, "hold"]) => peers::hold(&asked, peer, true).await,
        (&Method::POST, ["v1", "peers", peer, "release"]) => peers::hold(&asked, peer, false).await,
        (&Method::PUT, ["v1", "peers", peer, "name"]) => peers::name(&asked, peer).await,
        (&Method::DELETE, ["v1", "peers", peer, "name"]) => peers::unname(&asked, peer).await,
        (&Method::POST, ["v1", "peers", peer, "outbox", seq, "drop"]) => peers::drop(&asked, peer, seq).await,
        (&Method::POST, ["v1", "peers", peer, "resync"]) => peers::resync(&asked, peer).await,
        (&Method::GET, ["v1", "outbox"]) => peers::outbox(&asked).await,
        (&Method::POST, ["v1", "retry"]) => peers::retry(&asked).await,
        (&Method::GET, ["v1", "why"]) => peers::why(&asked).await,
        (&Method::GET, ["v1", "trace", subject]) => peers::trace(&asked, subject).await,
        (&Method::GET, ["v1", "trace", "from", vat, seq]) => peers::trace_from(&asked, vat, seq).await,
        (&Method::GET, ["v1", "turns"]) => turns::list(&asked).await,
        (&Method::POST, ["v1", "turns", turn, "replay"]) => turns::replay(&asked, turn).await,
        (&Method::GET, ["v1", "faults"]) => faults::list(&asked).await,
        (&Method::POST, ["v1", "faults", fault, "retry"]) => faults::retry(&asked, fault).await,
        (&Method::DELETE, ["v1", "faults", fault]) => faults::drop(&asked, fault).await,
        (method, path) => Err(no_route(method, path)),
    }
}

fn no_route(method: &Method, path: &[&str]) -> Refusal {
    let routes = ACTIONS.iter().flat_map(|action| match &action.via {
        Via::Control(routes) => *routes,
        Via::Qrtd | Via::Qrt => &[],
    });
    let fits = |route: &str| {
        let route: Vec<&str> = route.trim_matches('/').split('/').collect();
        route.len() == path.len() && route.iter().zip(path).all(|(r, p)| r.starts_with('{') || r == p)
    };
    let methods: Vec<&str> = routes.filter(|route| fits(route.path)).map(|route| route.method).collect();
    if methods.is_empty() {
        let error = format!("no such path: /{}", path.join("/"));
        return Refusal::new(StatusCode::NOT_FOUND, error, "GET /v1/ lists them all");
    }
    let hint = format!("use {}", methods.join(" or "));
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} does not work here"), hint)
}

fn decode(segment: &str) -> Result<String, Refusal> {
    let text = percent_decode_str(segment).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|error| Refusal::bad(error, "percent-encode UTF-8"))
}

fn query(text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| Ok((decode(k)?, decode(v)?))).collect()
}

impl Asked<'_> {
    /// Has the kernel carry a change out; the reply, once it is durable.
    pub(super) async fn change(&self, action: Action) -> Result<Vec<u8>, Refusal> {
        json(&self.state.request(self.who, action).await?)
    }

    /// A query parameter, if it is there.
    pub(super) fn parameter<T>(&self, name: &str) -> Result<Option<T>, Refusal>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let parse = |text: &String| text.parse().map_err(|error: T::Err| Refusal::bad(error, format!("mend `{name}`")));
        self.query.get(name).map(parse).transpose()
    }

    /// A cursor: every row's number is at most what SQLite can count to.
    pub(super) fn after(&self) -> Result<u64, Refusal> {
        Ok(self.parameter("after")?.unwrap_or(0).min(i64::MAX.unsigned_abs()))
    }

    /// How long the asker would wait for news.
    pub(super) fn wait(&self) -> Result<Duration, Refusal> {
        Ok(Duration::from_millis(self.parameter("wait_ms")?.unwrap_or(0).min(WAIT_MS_MAX)))
    }

    /// The body, as what it must be.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.body)
            .map_err(|error| Refusal::bad(error, "GET /v1/ lists the paths and what they are for"))
    }
}

/// A path segment, as what it must be.
pub(super) fn segment<T>(text: &str) -> Result<T, Refusal>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error: T::Err| Refusal::bad(error, "`qrt objects`, `qrt inbox` and `qrt faults` list names"))
}

/// A reply.
pub(super) fn json(reply: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(reply).map_err(Refusal::failed)
}
