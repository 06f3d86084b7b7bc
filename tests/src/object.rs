//! Objects of a running vat, installed and asked over the control socket: quicker than a process a
//! message, and the texts of results and memories arrive to the letter.

use std::collections::BTreeMap;
use std::time::Duration;

use qrt_shared::control::{ClientError, Install, InstallObject, Listing, Problem, Send};
use qrt_shared::id::Target;
use qrt_shared::view::{Awaited, Ended, Fault, Outcome, Turn};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{PATIENCE, Vat};

/// What a new object is given.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// Its first memory; `None` for no memory at all.
    pub memory: Option<&'a str>,
    /// Its static power.
    pub power: &'a str,
    /// Its native powers, each under its own name.
    pub natives: &'a [&'a str],
}

impl Default for Grant<'_> {
    /// An empty memory and every native power.
    fn default() -> Self {
        let natives = &["make_object", "make_account", "clock", "random", "log"];
        Self { memory: Some("{}"), power: "{}", natives }
    }
}

/// An object of a running vat.
pub struct Object<'v> {
    vat: &'v Vat,
    /// Its QRID.
    pub qrid: String,
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("the test writes JSON")
}

impl Vat {
    /// Installs an object with an empty memory and every native power.
    #[track_caller]
    pub fn object(&self, code: &str) -> Object<'_> {
        self.object_with(code, &Grant::default())
    }

    /// Installs an object.
    #[track_caller]
    pub fn object_with(&self, code: &str, grant: &Grant) -> Object<'_> {
        self.try_object(code, grant).expect("the vat installs it")
    }

    /// Installs an object, or says why not.
    ///
    /// # Errors
    /// What the daemon refuses.
    #[track_caller]
    pub fn try_object(&self, code: &str, grant: &Grant) -> Result<Object<'_>, Problem> {
        let natives: BTreeMap<_, _> =
            grant.natives.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        let install = Install {
            objects: vec![InstallObject { label: "object.js".to_owned(), code: code.to_owned(), name: None }],
            memory: grant.memory.map(raw),
            power: raw(grant.power),
            natives,
            budget: qrt_shared::budget::Budget::default(),
            account_budget: qrt_shared::budget::Budget::default(),
        };
        let installed = self.try_ask(async |client| client.install(&install).await)?;
        Ok(Object { vat: self, qrid: installed.objects[0].qrid.to_string() })
    }

    /// The object of this vat that `reference`, a Reference in outside form, stands for.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn referred(&self, reference: &Value) -> Object<'_> {
        let qrid = reference["@qref"].as_str().unwrap_or_else(|| panic!("not a Reference: {reference}"));
        Object { vat: self, qrid: qrid.to_owned() }
    }

    /// What `code`, in an object of its own, answers to null, as text.
    #[track_caller]
    pub fn run(&self, code: &str) -> String {
        self.object(code).text("null")
    }

    /// As [`Vat::ask`], where the daemon may refuse.
    #[track_caller]
    fn try_ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut qrt_shared::control::Client) -> Result<T, ClientError>,
    ) -> Result<T, Problem> {
        self.ask(async |client| match question(client).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(ClientError::Refused(problem)) => Ok(Err(problem)),
            Err(other) => Err(other),
        })
    }
}

impl Object<'_> {
    /// It, as a Reference in outside form.
    pub fn reference(&self) -> String {
        format!(r#"{{"@qref":"{}"}}"#, self.qrid)
    }

    fn target(&self) -> Target {
        self.qrid.parse().expect("a QRID")
    }

    /// Sends it a message and waits until its turn has ended, or says why the vat did not take it.
    ///
    /// # Errors
    /// What the daemon refuses.
    #[track_caller]
    pub fn try_send(&self, args: &str) -> Result<Ended, Problem> {
        let send = Send { target: self.target(), args: raw(args), key: None };
        self.vat.try_ask(async |client| {
            let queued = client.send(&send).await?;
            loop {
                match client.outcome(queued.message, PATIENCE.min(Duration::from_secs(20))).await? {
                    Awaited::Ended(ended) => return Ok(ended),
                    Awaited::Queued => {}
                    Awaited::Acked | Awaited::Unknown => panic!("the vat forgot {}", queued.message),
                }
            }
        })
    }

    /// Sends it a message that the vat must take, and waits for nothing.
    #[track_caller]
    pub fn queue(&self, args: &str) {
        let send = Send { target: self.target(), args: raw(args), key: None };
        self.vat.ask(async |client| client.send(&send).await);
    }

    /// Sends it a message that the vat must take, and waits until its turn has ended.
    #[track_caller]
    pub fn send(&self, args: &str) -> Ended {
        self.try_send(args).expect("the vat takes the message")
    }

    /// The text of the result of a turn that must be ok, and its result QJSON.
    #[track_caller]
    pub fn text(&self, args: &str) -> String {
        let ended = self.send(args);
        assert_eq!((ended.outcome, &ended.error, &ended.result_error), (Outcome::Ok, &None, &None));
        ended.result.get().to_owned()
    }

    /// The result of a turn that must be ok.
    #[track_caller]
    pub fn result(&self, args: &str) -> Value {
        serde_json::from_str(&self.text(args)).expect("results are JSON")
    }

    /// The error of a turn that must have this outcome.
    #[track_caller]
    pub fn failure(&self, args: &str, outcome: Outcome) -> String {
        let ended = self.send(args);
        assert_eq!(ended.outcome, outcome, "{ended:?}");
        ended.error.expect("a turn that fails says why")
    }

    /// The error of a turn whose code must throw.
    #[track_caller]
    pub fn error(&self, args: &str) -> String {
        self.failure(args, Outcome::Error)
    }

    /// The reason why a turn is killed, as it must be.
    #[track_caller]
    pub fn killed(&self, args: &str) -> String {
        self.failure(args, Outcome::Killed)
    }

    /// Its memory, as text.
    #[track_caller]
    pub fn memory(&self) -> String {
        let target = self.target();
        self.vat.ask(async |client| client.memory(&target).await).get().to_owned()
    }

    /// Its turns, the newest `count`, oldest first.
    #[track_caller]
    pub fn turns(&self, count: u64) -> Vec<Turn> {
        let of = Listing { object: Some(self.target()), ..Listing::last(count) };
        self.vat.list(&of)
    }

    /// Its newest turn.
    #[track_caller]
    pub fn last_turn(&self) -> Turn {
        self.turns(1).pop().expect("it has taken a turn")
    }

    /// Waits until it has taken `count` turns.
    #[track_caller]
    pub fn wait_for_turns(&self, count: usize) {
        let target = self.target();
        self.vat.ask(async |client| {
            let (mut seen, mut after) = (0, 0);
            while seen < count {
                let page = client.turns(Some(&target), after, Duration::from_secs(10)).await?;
                seen += page.items.len();
                after = page.items.last().map_or(after, |turn| turn.turn);
            }
            Ok(())
        });
    }

    /// What the vat shows of it.
    #[track_caller]
    pub fn view(&self) -> qrt_shared::view::Object {
        let target = self.target();
        self.vat.ask(async |client| client.object(&target).await)
    }

    /// Its faults, oldest first.
    #[track_caller]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.vat.list::<Fault>(&Listing::default());
        faults.retain(|fault| fault.target.as_ref().is_some_and(|target| target.to_string() == self.qrid));
        faults
    }
}
