//! What a monitoring system reads: the vat's figures in the text form of Prometheus.
//!
//! On the control socket, and, where the settings name an address, over TCP for whoever can reach that: figures only,
//! no id and no name.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Refusal, State};
use crate::driver::now_ms;
use crate::store;
use crate::totals::Histogram;

/// What the text is, as those who read it want to be told.
pub(super) const KIND: &str = "text/plain; version=0.0.4";

/// Connections at one time.
const READERS_MAX: usize = 8;

/// How long one may last.
const PATIENCE: Duration = Duration::from_secs(10);

/// The figures as they are now.
pub(super) async fn text(state: &State) -> Result<String, Refusal> {
    let (info, (inbox_at, outbox_at)) = state.readers.ask(|db| Ok((db.info()?, db.oldest()?))).await?;
    let committed = *state.news.commits.borrow();
    let totals = committed.totals;
    let now = now_ms();
    let age = |at: Option<u64>| seconds(now.saturating_sub(at.unwrap_or(now)) * 1000);
    let mut text = Text::default();
    text.counter("turns", "Turns that were committed, whatever came of them", totals.turns);
    text.counter("turns_failed", "Turns that failed", totals.failed);
    text.counter("ticks", "Compute that turns used, in ticks of 10,000 branches and calls", totals.ticks);
    text.counter("cpu_seconds", "CPU time that turns used", seconds(totals.cpu_us));
    text.counter("commits", "Commits", totals.commits);
    text.counter("messages_received", "Messages accepted from other vats", totals.received);
    text.counter("messages_sent", "Messages numbered for other vats", totals.sent);
    text.counter("messages_acknowledged", "Messages that other vats acknowledged", totals.acknowledged);
    text.counter("attempts", "Delivery attempts that ended", totals.attempts);
    text.counter("attempts_failed", "Delivery attempts that failed: each is tried again", totals.attempts_failed);
    text.counter("worker_deaths", "Worker processes that ended abnormally or were killed", state.worker.deaths());
    text.gauge("objects", "Objects hosted", info.objects);
    text.gauge("inbox", "Messages queued and not yet executed", info.inbox);
    text.gauge("outbox", "Messages to other vats not yet acknowledged", info.outbox);
    text.gauge("faults", "Messages whose turn failed, kept for the operator", info.faults);
    text.gauge("inbox_oldest_seconds", "Age of the oldest message of the inbox; 0: it is empty", age(inbox_at));
    text.gauge("outbox_oldest_seconds", "Age of the oldest message of the outbox; 0: it is empty", age(outbox_at));
    text.gauge("database_bytes", "Size of the database's file", state.size_of(store::FILE));
    text.gauge("wal_bytes", "Size of its write-ahead log", state.size_of(store::WAL));
    text.gauge("start_time_seconds", "When the daemon started, since the epoch", seconds(state.started_at * 1000));
    text.histogram("turn_cpu_seconds", "CPU time of a turn", &committed.cpu_us, seconds);
    text.histogram("turn_ticks", "Compute of a turn, in ticks", &committed.ticks, |ticks| ticks.to_string());
    Ok(text.0)
}

/// Microseconds, as seconds.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("a string takes all");
        self.0.push('\n');
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP qrt_{name} {help}."));
        self.line(format_args!("# TYPE qrt_{name} {kind}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        let name = format!("{name}_total");
        self.head(&name, help, "counter");
        self.line(format_args!("qrt_{name} {value}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, help, "gauge");
        self.line(format_args!("qrt_{name} {value}"));
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram, unit: impl Fn(u64) -> String) {
        self.head(name, help, "histogram");
        let mut sum = 0;
        for (bound, count) in histogram.buckets() {
            sum += count;
            let bound = bound.map_or_else(|| "+Inf".to_owned(), &unit);
            self.line(format_args!("qrt_{name}_bucket{{le=\"{bound}\"}} {sum}"));
        }
        self.line(format_args!("qrt_{name}_sum {}", unit(histogram.sum())));
        self.line(format_args!("qrt_{name}_count {sum}"));
    }
}

/// Answers `GET /metrics` over TCP for ever.
pub async fn serve(listener: TcpListener, state: Arc<State>) {
    let places = Arc::new(Semaphore::new(READERS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&state)));
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .max_buf_size(16 << 10)
                .serve_connection(TokioIo::new(stream), service);
            // Whether it ended well or not, whoever asked asks again.
            timeout(PATIENCE, served).await.ok();
            drop(place);
        });
    }
}

async fn respond(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match text(&state).await {
            Ok(text) => (StatusCode::OK, text),
            Err(refusal) => (refusal.status, refusal.problem.error),
        },
        _ => (StatusCode::NOT_FOUND, "only GET /metrics is here\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(KIND));
    Ok(response)
}
