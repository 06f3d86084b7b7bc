//! Routes to handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode, http::request::Parts};
use percent_encoding::percent_decode_str;
use qrt_shared::action::{ACTIONS, Route, Via};
use qrt_shared::control::{At, Listing, WAIT_MS_MAX};
use qrt_shared::view::Outcome;
use serde::{Serialize, de::DeserializeOwned};

use super::places::{Doing, Place};
use super::{Refusal, Reply, State, faults, messages, metrics, objects, peers, reach, service, turns, vat, watch};
use crate::vat::request::{Action, Who};

/// A request, taken apart.
pub(super) struct Asked<'a> {
    pub(super) state: &'a State,
    pub(super) who: Who,
    query: BTreeMap<String, String>,
    body: &'a Bytes,
    /// Its row of the table, if there is one.
    route: Option<&'static Route>,
}

/// Answers a request; `place` is the asker's.
pub(super) async fn route(
    state: &State,
    who: Who,
    head: &Parts,
    body: &Bytes,
    place: &Arc<Place>,
) -> Result<Reply, Refusal> {
    let path = head.uri.path();
    let path = if path == "/v1/" { "/v1" } else { path };
    let segments = path.trim_start_matches('/').split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let query = query(head.uri.query().unwrap_or_default())?;
    if query.get("wait_ms").is_some_and(|wait| wait != "0") {
        place.is(Doing::Waiting);
    }
    let route = routes(&segments).find(|route| route.method == head.method.as_str());
    let asked = Asked { state, who, query, body, route };
    asked.check()?;
    match (&head.method, segments.as_slice()) {
        (&Method::GET, ["v1", "events"]) => return watch::events(&asked, place).await.map(Reply::Lines),
        (&Method::GET, ["metrics"] | ["v1", "metrics"]) => return metrics::text(state).await.map(Reply::Text),
        _ => {}
    }
    document(&asked, &head.method, &segments).await.map(Reply::Json)
}

/// Answers a request with a JSON document.
async fn document(asked: &Asked<'_>, method: &Method, segments: &[&str]) -> Result<Vec<u8>, Refusal> {
    match (method, segments) {
        (&Method::GET, ["v1"]) => vat::description(),
        (&Method::GET, ["v1", "info"]) => vat::info(asked).await,
        (&Method::GET, ["v1", "overview"]) => vat::overview(asked).await,
        (&Method::GET, ["v1", "storage"]) => vat::storage(asked).await,
        (&Method::POST, ["v1", "stop"]) => vat::stop(asked).await,
        (&Method::POST, ["v1", "checkpoint"]) => service::checkpoint(asked).await,
        (&Method::POST, ["v1", "backup"]) => service::backup(asked).await,
        (&Method::GET, ["v1", "check"]) => service::check(asked).await,
        (&Method::GET, ["v1", "audit"]) => service::audit(asked).await,
        (&Method::GET, ["v1", "settings"]) => service::settings(asked).await,
        (&Method::GET, ["v1", "log"]) => service::log(asked).await,
        (&Method::GET, ["v1", "accounts"]) => objects::accounts(asked).await,
        (&Method::GET, ["v1", "objects"]) => objects::list(asked).await,
        (&Method::POST, ["v1", "objects"]) => objects::install(asked).await,
        (&Method::GET, ["v1", "objects", object]) => objects::one(asked, object).await,
        (&Method::DELETE, ["v1", "objects", object]) => objects::remove(asked, object).await,
        (&Method::POST, ["v1", "objects", object, "code"]) => objects::upgrade(asked, object).await,
        (&Method::POST, ["v1", "objects", object, "hold"]) => objects::hold(asked, object, true).await,
        (&Method::POST, ["v1", "objects", object, "release"]) => objects::hold(asked, object, false).await,
        (&Method::PUT, ["v1", "objects", object, "memory", key]) => objects::memory_set(asked, object, key).await,
        (&Method::GET, ["v1", "objects", object, "entries"]) => objects::entries(asked, object).await,
        (&Method::GET, ["v1", "objects", object, "entries", key]) => objects::entry(asked, object, key).await,
        (&Method::GET, ["v1", "objects", object, "memory"]) => objects::memory(asked, object).await,
        (&Method::PUT, ["v1", "objects", object, "name"]) => objects::name(asked, object).await,
        (&Method::DELETE, ["v1", "objects", object, "name"]) => objects::unname(asked, object).await,
        (&Method::POST, ["v1", "messages"]) => messages::send(asked).await,
        (&Method::GET, ["v1", "messages", message, "outcome"]) => messages::outcome(asked, message).await,
        (&Method::GET, ["v1", "inbox"]) => messages::inbox(asked).await,
        (&Method::GET, ["v1", "peers"]) => peers::list(asked).await,
        (&Method::POST, ["v1", "peers"]) => peers::add(asked).await,
        (&Method::GET, ["v1", "peers", peer]) => peers::one(asked, peer).await,
        (&Method::POST, ["v1", "peers", peer, "hold"]) => peers::hold(asked, peer, true).await,
        (&Method::POST, ["v1", "peers", peer, "release"]) => peers::hold(asked, peer, false).await,
        (&Method::PUT, ["v1", "peers", peer, "name"]) => peers::name(asked, peer).await,
        (&Method::DELETE, ["v1", "peers", peer, "name"]) => peers::unname(asked, peer).await,
        (&Method::POST, ["v1", "peers", peer, "outbox", seq, "drop"]) => peers::drop(asked, peer, seq).await,
        (&Method::POST, ["v1", "peers", peer, "resync"]) => peers::resync(asked, peer).await,
        (&Method::GET, ["v1", "outbox"]) => peers::outbox(asked).await,
        (&Method::POST, ["v1", "retry"]) => peers::retry(asked).await,
        (&Method::GET, ["v1", "why"]) => peers::why(asked).await,
        (&Method::GET, ["v1", "trace", subject]) => peers::trace(asked, subject).await,
        (&Method::GET, ["v1", "trace", "from", vat, seq]) => peers::trace_from(asked, vat, seq).await,
        (&Method::GET, ["v1", "turns", turn]) => turns::one(asked, turn).await,
        (&Method::GET, ["v1", "turns"]) => turns::list(asked).await,
        (&Method::GET, ["v1", "faults"]) => faults::list(asked).await,
        (&Method::POST, ["v1", "faults", fault, "retry"]) => faults::retry(asked, fault).await,
        (&Method::DELETE, ["v1", "faults", fault]) => faults::drop(asked, fault).await,
        (&Method::GET, ["v1", "objects", object, "memory", "diff"]) => objects::memory_diff(asked, object).await,
        (&Method::GET, ["v1", "objects", object, "memory", "blame"]) => objects::memory_blame(asked, object).await,
        (&Method::GET, ["v1", "objects", object, "reach"]) => reach::reach(asked, object).await,
        (&Method::GET, ["v1", "objects", from, "reach", to]) => reach::way(asked, from, to).await,
        (&Method::GET, ["v1", "natives", native]) => reach::natives(asked, native).await,
        (&Method::GET, ["v1", "sweep"]) => reach::sweep(asked).await,
        (&Method::POST, ["v1", "dry", "objects"]) => objects::dry_install(asked).await,
        (&Method::POST, ["v1", "dry", "objects", object, "code"]) => objects::dry_upgrade(asked, object).await,
        (&Method::POST, ["v1", "turns", turn, "replay"]) => turns::again(asked, turn).await,
        (method, path) => Err(no_route(method, path)),
    }
}

/// The routes of the table that a path fits, whatever their method.
fn routes(path: &[&str]) -> impl Iterator<Item = &'static Route> {
    let routes = ACTIONS.iter().flat_map(|action| match &action.via {
        Via::Control(routes) => *routes,
        Via::Qrtd | Via::Qrt => &[],
    });
    routes.filter(move |route| {
        let route: Vec<&str> = route.path.trim_matches('/').split('/').collect();
        route.len() == path.len() && route.iter().zip(path).all(|(r, p)| r.starts_with('{') || r == p)
    })
}

fn no_route(method: &Method, path: &[&str]) -> Refusal {
    let methods: Vec<&str> = routes(path).map(|route| route.method).collect();
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
    let mut query = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        if query.insert(name.clone(), decode(value)?).is_some() {
            return Err(Refusal::bad(format!("the parameter {name:?} is there twice"), "give it once"));
        }
    }
    Ok(query)
}

impl Asked<'_> {
    /// Refuses what the route has no use for: a misspelt parameter must not be taken for none.
    fn check(&self) -> Result<(), Refusal> {
        let Some(route) = self.route else { return Ok(()) };
        let Some(stray) = self.query.keys().find(|name| !route.query.contains(&name.as_str())) else { return Ok(()) };
        let hint = match route.query {
            [] => "it takes none".to_owned(),
            known => format!("it takes {}", known.join(", ")),
        };
        Err(Refusal::bad(format!("{} {} takes no parameter {stray:?}", route.method, route.path), hint))
    }

    /// Has the kernel carry a change out; the reply, once it is durable.
    pub(super) async fn change(&self, action: Action) -> Result<Vec<u8>, Refusal> {
        json(&self.state.request(self.who, action).await?)
    }

    /// Writes into the audit what was done outside of the kernel.
    pub(super) async fn note(&self, verb: &'static str, detail: serde_json::Value) -> Result<(), Refusal> {
        self.state.request(self.who, Action::Note { verb, detail }).await.map(drop)
    }

    /// A query parameter, if it is there.
    pub(super) fn parameter<T>(&self, name: &str) -> Result<Option<T>, Refusal>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let parse = |text: &String| {
            let bad = |error: T::Err| Refusal::bad(format!("{name}={text}: {error}"), format!("mend `{name}`"));
            text.parse().map_err(bad)
        };
        self.query.get(name).map(parse).transpose()
    }

    /// Which page of a list is wanted: the other side of [`Listing::path`].
    pub(super) fn listing(&self) -> Result<Listing, Refusal> {
        let at = match (self.parameter("after")?, self.parameter("before")?) {
            (None | Some(0), None) => At::First,
            (Some(cursor), None) => At::After(cursor),
            (None, Some(cursor)) => At::Before(cursor),
            (Some(_), Some(_)) => {
                return Err(Refusal::bad("a page is after a cursor or before one", "leave `after` or `before` out"));
            }
        };
        let word = |outcome: &Outcome| outcome.as_str() == self.query["outcome"];
        let outcome = match self.query.get("outcome") {
            None => None,
            Some(text) => Some(Outcome::ALL.into_iter().find(word).ok_or_else(|| {
                Refusal::bad(format!("no turn ends as {text:?}"), "an outcome is ok, error or killed")
            })?),
        };
        Ok(Listing {
            at,
            limit: self.parameter("limit")?,
            filter: self.parameter("filter")?.unwrap_or_default(),
            sort: self.parameter("sort")?,
            object: self.parameter("object")?,
            peer: self.parameter("peer")?,
            outcome,
            account: self.parameter("account")?,
        })
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
        let hint = || format!("a body it takes is {}", self.route.map_or("{}", |route| route.body));
        // Nothing says as much as an object without fields.
        let body = if self.body.is_empty() { b"{}" } else { &**self.body };
        serde_json::from_slice(body).map_err(|error| Refusal::bad(error, hint()))
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
