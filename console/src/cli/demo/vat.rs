//! One vat of the demo: its daemon's life, and what is read back from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qrt_shared::control::{Client, ClientError, Install, InstallObject, Listing, Name, PeerAdd, Retry, Send};
use qrt_shared::id::{PeerName, Petname, Qrid, Subject, Target, VatId};
use qrt_shared::view::{Awaited, Ended, Fault, Info, Outgoing, Peer, Turn, Why};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::create_node::Made;
use crate::cli::start::Started;
use crate::cli::stop;
use crate::failure::Failure;
use crate::qrtd::Qrtd;
use crate::samples;

/// How long a vat may take to get something done before the demo gives up on it.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a vat is asked whether it has got there.
const POLL: Duration = Duration::from_millis(5);

/// A vat in the scratch directory.
pub(super) struct Vat {
    pub(super) name: &'static str,
    dir: PathBuf,
    qrtd: Qrtd,
    /// The daemon's process while it runs.
    pid: Option<u32>,
    client: Option<Client>,
}

impl Vat {
    pub(super) fn new(name: &'static str, scratch: &Path) -> Result<Self, Failure> {
        Ok(Self { name, dir: scratch.join(name), qrtd: Qrtd::find()?.apart(), pid: None, client: None })
    }

    /// Makes its directory; returns its id.
    pub(super) fn create(&self) -> Result<String, Failure> {
        let made: Made = self.qrtd.ask(&["create-node".into(), self.dir.clone().into()])?;
        Ok(made.vat)
    }

    /// Starts its daemon; returns its process.
    pub(super) async fn start(&mut self) -> Result<u32, Failure> {
        let started: Started = self.qrtd.ask(&["start".into(), self.dir.clone().into()])?;
        self.pid = Some(started.pid);
        self.client = Some(Client::open(&self.dir).await?);
        Ok(started.pid)
    }

    /// Stops its daemon in good order.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        self.client = None;
        stop::stop(&self.dir).await?;
        self.pid = None;
        Ok(())
    }

    /// Stops its daemon if it runs.
    pub(super) async fn end(&mut self) -> Result<(), Failure> {
        if self.pid.is_some_and(stop::lives) { self.stop().await } else { Ok(()) }
    }

    /// Kills its daemon as `kill -9` does; returns when the process is gone.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        let Some(pid) = self.pid.take() else { return Ok(()) };
        self.client = None;
        kill(pid);
        let since = Instant::now();
        while stop::lives(pid) {
            if since.elapsed() > PATIENCE {
                return Err(Failure::new(format!("process {pid} does not end although it was killed")));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client, ClientError> {
        let dir = || self.dir.display().to_string();
        self.client.as_mut().ok_or_else(|| ClientError::NotRunning { dir: dir() })
    }

    /// What its files say while no daemon runs.
    pub(super) fn info_of_files(&self) -> Result<Info, Failure> {
        self.qrtd.ask(&["info".into(), self.dir.clone().into()])
    }

    pub(super) async fn info(&mut self) -> Result<Info, Failure> {
        Ok(self.client()?.info().await?)
    }

    /// Tells it of another vat.
    pub(super) async fn tell_of(&mut self, other: &Info) -> Result<(), Failure> {
        let url = other.url.as_deref().unwrap_or_default().parse()?;
        self.client()?.peer_add(&PeerAdd { vat: other.vat, urls: vec![url] }).await?;
        Ok(())
    }

    /// Its base directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Gives another vat a petname.
    pub(super) async fn name_peer(&mut self, vat: VatId, name: Petname) -> Result<(), Failure> {
        self.client()?.name_peer(&PeerName::Vat(vat), Name { name }).await?;
        Ok(())
    }

    /// How the channels to and from another vat stand.
    pub(super) async fn peer(&mut self, vat: VatId) -> Result<Peer, Failure> {
        Ok(self.client()?.peer(&PeerName::Vat(vat)).await?)
    }

    /// The first page of what is not acknowledged.
    pub(super) async fn outbox(&mut self) -> Result<Vec<Outgoing>, Failure> {
        Ok(self.client()?.list(&Listing::default()).await?.items)
    }

    /// What keeps a message to another vat waiting.
    pub(super) async fn why(&mut self, vat: VatId, seq: u64) -> Result<Why, Failure> {
        Ok(self.client()?.why(Some(&Subject::Out(PeerName::Vat(vat), seq))).await?)
    }

    /// Has waiting deliveries tried now.
    pub(super) async fn retry(&mut self) -> Result<(), Failure> {
        self.client()?.retry(&Retry::default()).await?;
        Ok(())
    }

    /// Installs a bundled sample under `name`.
    pub(super) async fn install(&mut self, name: &str, sample: &str, power: Value) -> Result<Qrid, Failure> {
        let code = samples::by_name(sample).map(|sample| sample.code);
        let code = code.ok_or_else(|| Failure::new(format!("there is no sample {sample}")))?;
        self.install_code(name, code, power).await
    }

    /// Installs `code` under `name`, with an empty memory and `make_object`.
    pub(super) async fn install_code(&mut self, name: &str, code: &str, power: Value) -> Result<Qrid, Failure> {
        let petname: Petname = name.parse()?;
        let object = InstallObject { label: format!("{name}.js"), code: code.to_owned(), name: Some(petname) };
        let install = Install {
            objects: vec![object],
            memory: Some(raw(&serde_json::json!({}))),
            power: raw(&power),
            natives: BTreeMap::from([("make_object".to_owned(), "make_object".to_owned())]),
            budget: qrt_shared::budget::Budget::default(),
            account_budget: qrt_shared::budget::Budget::default(),
        };
        let installed = self.client()?.install(&install).await?;
        installed
            .objects
            .into_iter()
            .next()
            .map(|object| object.qrid)
            .ok_or_else(|| Failure::new(format!("{}'s daemon installed {name} without saying what it is", self.name)))
    }

    /// Queues a message.
    pub(super) async fn send(&mut self, object: &str, args: Value) -> Result<(), Failure> {
        let send = Send { target: target(object)?, args: raw(&args), key: None };
        self.client()?.send(&send).await?;
        Ok(())
    }

    /// Queues a message and waits for its turn.
    pub(super) async fn send_and_wait(&mut self, object: &Target, args: Value) -> Result<Ended, Failure> {
        let send = Send { target: object.clone(), args: raw(&args), key: None };
        let message = self.client()?.send(&send).await?.message;
        let since = Instant::now();
        loop {
            match self.client()?.outcome(message, PATIENCE / 10).await? {
                Awaited::Ended(ended) => return Ok(ended),
                Awaited::Queued if since.elapsed() < PATIENCE => {}
                Awaited::Queued | Awaited::Acked | Awaited::Unknown => {
                    return Err(self.slow(&format!("the turn of {message}")));
                }
            }
        }
    }

    /// Waits until nothing is queued.
    pub(super) async fn quiet(&mut self) -> Result<(), Failure> {
        self.reach("an empty inbox", |info| info.inbox == 0).await
    }

    /// Waits until `there` holds of the vat.
    pub(super) async fn reach(&mut self, what: &str, there: impl Fn(&Info) -> bool) -> Result<(), Failure> {
        let since = Instant::now();
        while !there(&self.info().await?) {
            if since.elapsed() > PATIENCE {
                return Err(self.slow(what));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until its outbox has something whose delivery has failed.
    pub(super) async fn failed_delivery(&mut self) -> Result<Outgoing, Failure> {
        let since = Instant::now();
        loop {
            let failed = self.outbox().await?.into_iter().find(|message| message.last_error.is_some());
            if let Some(failed) = failed {
                return Ok(failed);
            }
            if since.elapsed() > PATIENCE {
                return Err(self.slow("a failed delivery"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn slow(&self, what: &str) -> Failure {
        Failure::new(format!("{} has not come to {what} in {} s", self.name, PATIENCE.as_secs()))
    }

    /// An object's memory.
    pub(super) async fn memory(&mut self, object: &str) -> Result<Value, Failure> {
        let memory = self.client()?.memory(&target(object)?).await?;
        serde_json::from_str(memory.get()).map_err(|error| Failure::new(format!("{object}'s memory: {error}")))
    }

    /// Every turn of an object that the journal holds.
    pub(super) async fn turns(&mut self, object: &str) -> Result<Vec<Turn>, Failure> {
        let object = target(object)?;
        let mut turns: Vec<Turn> = Vec::new();
        loop {
            let last = turns.last().map_or(0, |turn| turn.turn);
            let page = self.client()?.turns(Some(&object), last, Duration::ZERO).await?;
            let more = page.next.is_some() && !page.items.is_empty();
            turns.extend(page.items);
            if !more {
                return Ok(turns);
            }
        }
    }

    /// The first page of faults.
    pub(super) async fn faults(&mut self) -> Result<Vec<Fault>, Failure> {
        Ok(self.client()?.list(&Listing::default()).await?.items)
    }

    /// Forgets a fault.
    pub(super) async fn drop_fault(&mut self, id: u64) -> Result<(), Failure> {
        self.client()?.fault_drop(id).await?;
        Ok(())
    }
}

/// Waits until neither vat has anything queued, for itself or for the other.
pub(super) async fn both_quiet(one: &mut Vat, other: &mut Vat) -> Result<(), Failure> {
    let since = Instant::now();
    // While the one is asked, a message may move from the other to it, and be in neither answer. Asked again, it
    // is there, or a turn has handled it.
    let mut before = None;
    loop {
        let (one_info, other_info) = (one.info().await?, other.info().await?);
        let queued = [&one_info, &other_info].map(|info| info.inbox + info.outbox);
        let turns = (one_info.turns, other_info.turns);
        if queued != [0, 0] {
            before = None;
        } else if before == Some(turns) {
            return Ok(());
        } else {
            before = Some(turns);
            continue;
        }
        if since.elapsed() > PATIENCE {
            return Err(one.slow(&format!("nothing queued, together with {}", other.name)));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The last resort, after a panic or a daemon that does not stop.
impl Drop for Vat {
    fn drop(&mut self) {
        if let Some(pid) = self.pid.filter(|pid| stop::lives(*pid)) {
            kill(pid);
        }
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // It may have ended a moment ago.
    pid.map(|pid| kill_process(pid, Signal::KILL).ok());
}

fn target(object: &str) -> Result<Target, Failure> {
    Ok(object.parse()?)
}

pub(super) fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a value is JSON")
}
