//! The typed client of the control socket, for the command line and the console.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::net::UnixStream;

use super::attend::attended;
use super::listing::{At, Listed, Listing};
use super::{
    Backup, Checkpointed, Done, DropOut, Dropped, Due, Held, Install, Installed, MemorySet, MemoryWas, Name, Named,
    PeerAdd, PeerIs, Problem, Queued, Removed, Replay, Resync, Resynced, Retried, Retry, SOCKET, SOCKET_PATH_MAX, Send,
    Upgrade, Upgraded, VERSION_HEADER,
};
use crate::VERSION;
use crate::hint;
use crate::id::{MessageName, PeerName, Subject, Target};
use crate::view::{
    Awaited, BackedUp, DryInstall, DryUpgrade, Empowered, Entry, Event, EventKind, Info, KeyBlame, Log, MemoryDiff,
    Object, Overview, Page, Peer, Reach, Replayed, Report, Setting, Storage, Sweep, Traced, Turn, Way, Why,
};

/// The signs of a vat.
const VAT_FILES: [&str; 2] = ["vat.db", "key"];

/// What a path segment or query value may hold unescaped.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a request got no proper answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon serves the directory.
    #[error("no daemon is running on {dir}: start it with `qrt start {}`", hint::word(dir))]
    NotRunning {
        /// The base directory.
        dir: String,
    },
    /// There is no vat in the directory.
    #[error("{dir} is not a vat's directory: {advice}")]
    NotAVat {
        /// The base directory.
        dir: String,
        /// How to come to one.
        advice: String,
    },
    /// The socket's path is longer than the system takes.
    #[error("{path} is longer than the {SOCKET_PATH_MAX} bytes a socket's path may have: use a shorter directory")]
    PathTooLong {
        /// The socket's path.
        path: String,
    },
    /// The daemon is of another version.
    #[error(
        "the daemon on {dir} is version {daemon}, this is {VERSION}: use the qrt of that version, or restart the daemon with this one"
    )]
    Version {
        /// The base directory.
        dir: String,
        /// The daemon's version.
        daemon: String,
    },
    /// The daemon went away in the middle of a request.
    #[error("the daemon on {dir} went away: unless it comes back, start it with `qrt start {}`", hint::word(dir))]
    Gone {
        /// The base directory.
        dir: String,
        /// What the connection said.
        source: hyper::Error,
    },
    /// The daemon is about to end and takes no more requests (status 503).
    #[error("the daemon on {dir} is stopping: start it again with `qrt start {}` when it has ended", hint::word(dir))]
    Stopping {
        /// The base directory.
        dir: String,
    },
    /// The daemon took longer than the asker would wait.
    #[error(
        "the daemon on {dir} has not answered for {seconds} s: see {dir}/qrtd.log, or end it with `kill -9 $(cat {})`",
        hint::word(&format!("{dir}/qrtd.pid"))
    )]
    Hangs {
        /// The base directory.
        dir: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The socket could not be used.
    #[error("cannot talk to {path}: {source}")]
    Socket {
        /// The socket's path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The answer is not what this version expects.
    #[error("the daemon's answer to {path} makes no sense: {source}")]
    Answer {
        /// The request's path.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The daemon refused.
    #[error(transparent)]
    Refused(#[from] Problem),
}

/// A connection to a vat's daemon. It reconnects by itself for each request when it has to.
pub struct Client {
    dir: PathBuf,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of the vat in `dir`, connected.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`], [`ClientError::NotAVat`], [`ClientError::PathTooLong`] or
    /// [`ClientError::Socket`].
    pub async fn open(dir: &Path) -> Result<Self, ClientError> {
        let mut client = Self { dir: dir.to_owned(), sender: None };
        client.connect().await?;
        Ok(client)
    }

    fn dir(&self) -> String {
        self.dir.display().to_string()
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        let path = self.dir.join(SOCKET);
        let shown = path.display().to_string();
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(ClientError::PathTooLong { path: shown });
        }
        let stream = match UnixStream::connect(&path).await {
            Ok(stream) => stream,
            Err(error) => {
                use std::io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
                return Err(match error.kind() {
                    // Where one of them is missing, `qrtd` says so. Their names need no permission to read them.
                    NotFound | ConnectionRefused if VAT_FILES.iter().any(|name| self.dir.join(name).exists()) => {
                        ClientError::NotRunning { dir: self.dir() }
                    }
                    NotFound | NotADirectory => {
                        ClientError::NotAVat { dir: self.dir(), advice: hint::make_a_vat(&self.dir) }
                    }
                    _ => ClientError::Socket { path: shown, source: error },
                });
            }
        };
        let gone = |source| ClientError::Gone { dir: self.dir(), source };
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
        // It ends with the sender; its error reaches the request that it broke.
        tokio::spawn(async move { connection.await.ok() });
        self.sender = Some(sender);
        Ok(())
    }

    /// One request; `body` is sent as JSON. It is waited for as long as the daemon answers anybody.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let dir = self.dir.clone();
        let gone = |source| ClientError::Gone { dir: dir.display().to_string(), source };
        let answered = async { self.ask(method, path, body).await?.collect().await.map_err(gone) };
        let bytes = attended(&dir, answered).await?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Answer { path: path.to_owned(), source })
    }

    /// One request; the body of the answer to it, which is not a refusal.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Incoming, ClientError> {
        let bytes = match body {
            Some(body) => serde_json::to_vec(body),
            None => Ok(Vec::new()),
        };
        let answer = |source| ClientError::Answer { path: path.to_owned(), source };
        let bytes = Bytes::from(bytes.map_err(answer)?);
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.connect().await?;
        }
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "vat")
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))
            .expect("a path of encoded segments is a URI");
        let dir = self.dir();
        let gone = |source| ClientError::Gone { dir: dir.clone(), source };
        let Some(sender) = self.sender.as_mut() else { return Err(ClientError::NotRunning { dir }) };
        sender.ready().await.map_err(gone)?;
        let response = sender.send_request(request).await.map_err(gone)?;
        let version = response.headers().get(VERSION_HEADER).and_then(|v| v.to_str().ok()).unwrap_or("unknown");
        if version != VERSION {
            return Err(ClientError::Version { dir: dir.clone(), daemon: version.to_owned() });
        }
        if response.status() == hyper::StatusCode::SERVICE_UNAVAILABLE {
            return Err(ClientError::Stopping { dir: dir.clone() });
        }
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let bytes = response.into_body().collect().await.map_err(gone)?.to_bytes();
        Err(ClientError::Refused(serde_json::from_slice::<Problem>(&bytes).map_err(answer)?))
    }

    async fn read<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ClientError> {
        self.call("GET", path, None::<&()>).await
    }

    /// The vat as a whole.
    pub async fn info(&mut self) -> Result<Info, ClientError> {
        self.read("/v1/info").await
    }

    /// The vat as a whole, with what is going on in it.
    pub async fn overview(&mut self) -> Result<Overview, ClientError> {
        self.read("/v1/overview").await
    }

    /// A page of a list.
    pub async fn list<T: Listed + DeserializeOwned>(&mut self, listing: &Listing) -> Result<Page<T>, ClientError> {
        self.read(&listing.path::<T>()).await
    }

    /// What happens in the vat from now on, as it is committed. It takes this client's connection for itself.
    pub async fn events(self) -> Result<Events, ClientError> {
        self.events_of(&[], None, None).await
    }

    /// The same, with single events of these kinds, turns and faults of one object or of all; `after` a commit that
    /// was heard of, with all that was missed since. At most 100 of a kind are told in a second.
    pub async fn events_of(
        mut self,
        kinds: &[EventKind],
        object: Option<&Target>,
        after: Option<u64>,
    ) -> Result<Events, ClientError> {
        let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
        let parameters = [
            (!kinds.is_empty()).then(|| format!("tell={}", kinds.join(","))),
            object.map(|object| format!("object={}", segment(object))),
            after.map(|after| format!("after={after}")),
        ];
        let parameters: Vec<_> = parameters.into_iter().flatten().collect();
        let (dir, path) = (self.dir.clone(), format!("/v1/events?{}", parameters.join("&")));
        let body = attended(&dir, self.ask("GET", &path, None::<&()>)).await?;
        Ok(Events { dir: self.dir(), body, rest: BytesMut::new(), _client: self })
    }

    /// What takes how much room.
    pub async fn storage(&mut self) -> Result<Storage, ClientError> {
        self.read("/v1/storage").await
    }

    /// One object, its memory left out.
    pub async fn object_brief(&mut self, object: &Target) -> Result<Object, ClientError> {
        self.read(&format!("/v1/objects/{}?memory=false", segment(object))).await
    }

    /// A page of an object's memory, in the order of its keys; `filter` is the start of a key.
    pub async fn entries(&mut self, object: &Target, listing: &Listing) -> Result<Page<Entry>, ClientError> {
        self.read(&listing.path_at(&format!("/v1/objects/{}/entries", segment(object)))).await
    }

    /// One key of an object's memory, its value whole.
    pub async fn entry(&mut self, object: &Target, key: &str) -> Result<Entry, ClientError> {
        self.read(&format!("/v1/objects/{}/entries/{}", segment(object), segment(key))).await
    }

    /// One turn; its changes say what each key became.
    pub async fn turn(&mut self, turn: u64) -> Result<Turn, ClientError> {
        self.read(&format!("/v1/turns/{turn}")).await
    }

    /// Asks the daemon to stop; answered when everything accepted is durable. The process ends
    /// shortly after.
    pub async fn stop(&mut self) -> Result<Done, ClientError> {
        self.call("POST", "/v1/stop", None::<&()>).await
    }

    /// Copies the vat into a file.
    pub async fn backup(&mut self, backup: &Backup) -> Result<BackedUp, ClientError> {
        self.call("POST", "/v1/backup", Some(backup)).await
    }

    /// Moves everything from the write-ahead log into the database.
    pub async fn checkpoint(&mut self) -> Result<Checkpointed, ClientError> {
        self.call("POST", "/v1/checkpoint", None::<&()>).await
    }

    /// Whether the vat is well; with `full`, all of it is read.
    pub async fn check(&mut self, full: bool) -> Result<Report, ClientError> {
        self.read(&format!("/v1/check?full={full}")).await
    }

    /// Every setting.
    pub async fn settings(&mut self) -> Result<Vec<Setting>, ClientError> {
        self.read("/v1/settings").await
    }

    /// The newest `count` lines of the log.
    pub async fn newest_log(&mut self, count: u64) -> Result<Log, ClientError> {
        self.read(&format!("/v1/log?newest={count}")).await
    }

    /// The lines of the log after those of `log`, waiting up to `wait` for the first.
    pub async fn log_after(&mut self, log: &Log, wait: Duration) -> Result<Log, ClientError> {
        self.read(&format!("/v1/log?offset={}&turn={}&wait_ms={}", log.offset, log.turn, wait.as_millis())).await
    }

    /// Installs objects.
    pub async fn install(&mut self, install: &Install) -> Result<Installed, ClientError> {
        self.call("POST", "/v1/objects", Some(install)).await
    }

    /// Queues a message.
    pub async fn send(&mut self, send: &Send) -> Result<Queued, ClientError> {
        self.call("POST", "/v1/messages", Some(send)).await
    }

    /// What became of a message, after waiting up to `wait` (at most [`super::WAIT_MS_MAX`]) for it.
    pub async fn outcome(&mut self, message: MessageName, wait: Duration) -> Result<Awaited, ClientError> {
        self.read(&format!("/v1/messages/{}/outcome?wait_ms={}", segment(message), wait.as_millis())).await
    }

    /// One object.
    pub async fn object(&mut self, object: &Target) -> Result<Object, ClientError> {
        self.read(&format!("/v1/objects/{}", segment(object))).await
    }

    /// One object's memory, `null` when it has none.
    pub async fn memory(&mut self, object: &Target) -> Result<Box<RawValue>, ClientError> {
        self.read(&format!("/v1/objects/{}/memory", segment(object))).await
    }

    /// Gives an object a petname.
    pub async fn name(&mut self, object: &Target, name: Name) -> Result<Named, ClientError> {
        self.call("PUT", &format!("/v1/objects/{}/name", segment(object)), Some(&name)).await
    }

    /// Takes an object's petname away.
    pub async fn unname(&mut self, object: &Target) -> Result<Named, ClientError> {
        self.call("DELETE", &format!("/v1/objects/{}/name", segment(object)), None::<&()>).await
    }

    /// Gives an object other code.
    pub async fn upgrade(&mut self, object: &Target, upgrade: &Upgrade) -> Result<Upgraded, ClientError> {
        self.call("POST", &format!("/v1/objects/{}/code", segment(object)), Some(upgrade)).await
    }

    /// Removes an object, or every object of its account.
    pub async fn remove(&mut self, object: &Target, account: bool) -> Result<Removed, ClientError> {
        self.call("DELETE", &format!("/v1/objects/{}?account={account}", segment(object)), None::<&()>).await
    }

    /// Sets one key of an object's memory.
    pub async fn memory_set(&mut self, object: &Target, key: &str, set: &MemorySet) -> Result<MemoryWas, ClientError> {
        self.call("PUT", &format!("/v1/objects/{}/memory/{}", segment(object), segment(key)), Some(set)).await
    }

    /// Holds an object, or releases it.
    pub async fn hold(&mut self, object: &Target, held: bool) -> Result<Held, ClientError> {
        let verb = if held { "hold" } else { "release" };
        self.call("POST", &format!("/v1/objects/{}/{verb}", segment(object)), None::<&()>).await
    }

    /// The turns after `after`, waiting up to `wait` (at most [`super::WAIT_MS_MAX`]) for the first when there is
    /// none yet.
    pub async fn turns(
        &mut self,
        object: Option<&Target>,
        after: u64,
        wait: Duration,
    ) -> Result<Page<Turn>, ClientError> {
        let listing = Listing { at: At::After(after), object: object.cloned(), ..Listing::default() };
        self.read(&format!("{}&wait_ms={}", listing.path::<Turn>(), wait.as_millis())).await
    }

    /// Queues a failed message again.
    pub async fn fault_retry(&mut self, id: u64) -> Result<Retried, ClientError> {
        self.call("POST", &format!("/v1/faults/{id}/retry"), None::<&()>).await
    }

    /// Another vat.
    pub async fn peer(&mut self, peer: &PeerName) -> Result<Peer, ClientError> {
        self.read(&format!("/v1/peers/{}", segment(peer))).await
    }

    /// Says where another vat answers.
    pub async fn peer_add(&mut self, add: &PeerAdd) -> Result<PeerIs, ClientError> {
        self.call("POST", "/v1/peers", Some(add)).await
    }

    /// Holds a peer's queue, or releases it.
    pub async fn hold_peer(&mut self, peer: &PeerName, held: bool) -> Result<PeerIs, ClientError> {
        let verb = if held { "hold" } else { "release" };
        self.call("POST", &format!("/v1/peers/{}/{verb}", segment(peer)), None::<&()>).await
    }

    /// Gives a peer a petname.
    pub async fn name_peer(&mut self, peer: &PeerName, name: Name) -> Result<PeerIs, ClientError> {
        self.call("PUT", &format!("/v1/peers/{}/name", segment(peer)), Some(&name)).await
    }

    /// Takes a peer's petname away.
    pub async fn unname_peer(&mut self, peer: &PeerName) -> Result<PeerIs, ClientError> {
        self.call("DELETE", &format!("/v1/peers/{}/name", segment(peer)), None::<&()>).await
    }

    /// Makes deliveries due now.
    pub async fn retry(&mut self, retry: &Retry) -> Result<Due, ClientError> {
        self.call("POST", "/v1/retry", Some(retry)).await
    }

    /// Puts a void in the place of a message to another vat.
    pub async fn drop_out(&mut self, peer: &PeerName, seq: u64, drop: &DropOut) -> Result<Dropped, ClientError> {
        self.call("POST", &format!("/v1/peers/{}/outbox/{seq}/drop", segment(peer)), Some(drop)).await
    }

    /// Takes the receiver's number and tip as ours, or says what that would mean.
    pub async fn resync(&mut self, peer: &PeerName, resync: &Resync) -> Result<Resynced, ClientError> {
        self.call("POST", &format!("/v1/peers/{}/resync", segment(peer)), Some(resync)).await
    }

    /// The first thing that keeps something from going on; of `None`, the vat.
    pub async fn why(&mut self, subject: Option<&Subject>) -> Result<Why, ClientError> {
        let subject = subject.map(|subject| format!("?subject={}", segment(subject))).unwrap_or_default();
        self.read(&format!("/v1/why{subject}")).await
    }

    /// A turn or a message, its cause and its effects.
    pub async fn traced(&mut self, subject: &Subject) -> Result<Traced, ClientError> {
        self.read(&format!("/v1/trace/{}", segment(subject))).await
    }

    /// What became here of a message of another vat.
    pub async fn traced_from(&mut self, vat: &crate::id::VatId, seq: u64) -> Result<Traced, ClientError> {
        self.read(&format!("/v1/trace/from/{vat}/{seq}")).await
    }

    /// Runs a recorded turn again, in a worker of its own, and compares.
    pub async fn replay(&mut self, turn: u64, replay: &Replay) -> Result<Replayed, ClientError> {
        self.call("POST", &format!("/v1/turns/{turn}/replay"), Some(replay)).await
    }

    /// One object's memory as a turn left it, `null` when it has none.
    pub async fn memory_at(&mut self, object: &Target, turn: u64) -> Result<Box<RawValue>, ClientError> {
        self.read(&format!("/v1/objects/{}/memory?at={turn}", segment(object))).await
    }

    /// What changed in one object's memory from how the turn `from` left it to how `to` did.
    pub async fn memory_diff(&mut self, object: &Target, from: u64, to: u64) -> Result<MemoryDiff, ClientError> {
        self.read(&format!("/v1/objects/{}/memory/diff?from={from}&to={to}", segment(object))).await
    }

    /// A page of an object's memory keys in their order, with the turn that last changed each; with `key`, that
    /// one, also when it is not there any more.
    pub async fn memory_blame(
        &mut self,
        object: &Target,
        key: Option<&str>,
        after: u64,
    ) -> Result<Page<KeyBlame>, ClientError> {
        let key = key.map(|key| format!("&key={}", segment(key))).unwrap_or_default();
        self.read(&format!("/v1/objects/{}/memory/blame?after={after}{key}", segment(object))).await
    }

    /// What an object can reach and what can reach it, at most `limit` of each.
    pub async fn reach(&mut self, object: &Target, limit: u64) -> Result<Reach, ClientError> {
        self.read(&format!("/v1/objects/{}/reach?limit={limit}", segment(object))).await
    }

    /// The shortest way from one object to another, after looking at no more than `limit` objects.
    pub async fn reach_path(&mut self, from: &Target, to: &Target, limit: u64) -> Result<Way, ClientError> {
        self.read(&format!("/v1/objects/{}/reach/{}?limit={limit}", segment(from), segment(to))).await
    }

    /// A page of the objects that hold a native power, oldest first.
    pub async fn natives(&mut self, native: &str, after: u64) -> Result<Page<Empowered>, ClientError> {
        self.read(&format!("/v1/natives/{}?after={after}", segment(native))).await
    }

    /// A page of the search for objects that nothing known can reach.
    pub async fn dry_sweep(&mut self, after: u64) -> Result<Sweep, ClientError> {
        self.read(&format!("/v1/sweep?after={after}")).await
    }

    /// What installing would make.
    pub async fn dry_install(&mut self, install: &Install) -> Result<DryInstall, ClientError> {
        self.call("POST", "/v1/dry/objects", Some(install)).await
    }

    /// What giving an object other code would change.
    pub async fn dry_upgrade(&mut self, object: &Target, upgrade: &Upgrade) -> Result<DryUpgrade, ClientError> {
        self.call("POST", &format!("/v1/dry/objects/{}/code", segment(object)), Some(upgrade)).await
    }

    /// Forgets a failed message.
    pub async fn fault_drop(&mut self, id: u64) -> Result<Done, ClientError> {
        self.call("DELETE", &format!("/v1/faults/{id}"), None::<&()>).await
    }
}

/// What happens in a vat: the lines of `GET /v1/events` as they come.
pub struct Events {
    dir: String,
    body: Incoming,
    rest: BytesMut,
    _client: Client,
}

impl Events {
    /// The next of them, waiting for it; `None` when the daemon has ended, or cut this watcher off because it
    /// fell behind: read again what is of interest, and watch anew.
    ///
    /// # Errors
    /// [`ClientError::Gone`] or [`ClientError::Answer`].
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(end + 1);
                let answer = |source| ClientError::Answer { path: "/v1/events".to_owned(), source };
                return serde_json::from_slice(&line).map(Some).map_err(answer);
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|source| ClientError::Gone { dir: self.dir.clone(), source })?;
            self.rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
    }
}

/// A path segment or query value, escaped.
pub(super) fn segment(text: impl std::fmt::Display) -> String {
    utf8_percent_encode(&text.to_string(), PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(dir: &Path) -> ClientError {
        Client::open(dir).await.map(|_| ()).expect_err("nobody serves")
    }

    #[tokio::test]
    async fn a_vat_that_lost_its_database_is_still_a_vat() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        assert!(matches!(refused(scratch.path()).await, ClientError::NotAVat { .. }));
        std::fs::write(scratch.path().join("key"), "").expect("a file");
        assert!(matches!(refused(scratch.path()).await, ClientError::NotRunning { .. }));
    }
}
