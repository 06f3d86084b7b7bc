//! Objects: listing, showing, installing, naming.

use std::collections::BTreeMap;

use hyper::StatusCode;
use qrt_shared::budget;
use qrt_shared::control::{At, Install, Listing, MemorySet, Name, Problem, Upgrade};
use qrt_shared::id::Target;
use qrt_shared::qjson::{self, Document};
use qrt_shared::view::{AccountRow, ObjectRow, Page};
use serde_json::value::RawValue;

use super::Refusal;
use super::router::{self, Asked, segment};
use crate::protocol::Native;
use crate::store::read::{By, Order};
use crate::vat;
use crate::vat::request::{self, Action};

/// Objects one request may install.
const INSTALL_MAX: usize = 1000;

/// `GET /v1/objects`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    let Some(order) = order(&listing, By::OBJECTS)? else {
        let queues = asked.state.queues().await?;
        return router::json(&asked.state.readers.ask(move |db| db.objects(&listing, &queues)).await?);
    };
    router::json(&objects_by(asked, order, listing).await?)
}

/// The head of all objects in an order.
pub(super) async fn objects_by(asked: &Asked<'_>, order: Order, listing: Listing) -> Result<Page<ObjectRow>, Refusal> {
    let limit = listing.limit;
    let question = (order, listing.filter.clone(), listing.account.clone());
    let queues = asked.state.queues().await?;
    let found = asked.state.readers.ask(move |db| db.objects_by(order, &listing, &queues));
    Ok(first(&*asked.state.sorted.objects.answer(question, found).await?, limit))
}

/// `GET /v1/accounts`
pub(super) async fn accounts(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let listing = asked.listing()?;
    let Some(order) = order(&listing, By::ACCOUNTS)? else {
        return router::json(&asked.state.readers.ask(move |db| db.accounts(&listing)).await?);
    };
    router::json(&accounts_by(asked, order, listing).await?)
}

/// The head of all accounts in an order.
pub(super) async fn accounts_by(
    asked: &Asked<'_>,
    order: Order,
    listing: Listing,
) -> Result<Page<AccountRow>, Refusal> {
    let limit = listing.limit;
    let question = (order, listing.filter.clone());
    let found = asked.state.readers.ask(move |db| db.accounts_by(order, &listing));
    Ok(first(&*asked.state.sorted.accounts.answer(question, found).await?, limit))
}

/// The order a list is wanted in, unless it is its own.
fn order(listing: &Listing, known: &'static [By]) -> Result<Option<Order>, Refusal> {
    let Some(word) = &listing.sort else { return Ok(None) };
    if listing.at != At::First {
        return Err(Refusal::bad("a sorted list has no cursors", "ask for its head, without `after` and `before`"));
    }
    Order::parse(word, known).map(Some).map_err(|error| Refusal::bad(&error, error.hint()))
}

/// The first rows of a page that others have asked for too.
fn first<T: Clone>(page: &Page<T>, limit: Option<u64>) -> Page<T> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX).max(1);
    Page { items: page.items.iter().take(limit).cloned().collect(), ..*page }
}

/// `GET /v1/objects/{object}?memory=`
pub(super) async fn one(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let target: Target = segment(object)?;
    let with_memory = asked.parameter("memory")?.unwrap_or(true);
    let queues = asked.state.queues().await?;
    let object = asked.state.readers.ask(move |db| db.object(db.resolve(&target)?, with_memory, &queues));
    router::json(&object.await?)
}

/// `GET /v1/objects/{object}/entries`
pub(super) async fn entries(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let (target, listing): (Target, _) = (segment(object)?, asked.listing()?);
    router::json(&asked.state.readers.ask(move |db| db.entries(db.resolve(&target)?, &listing)).await?)
}

/// `GET /v1/objects/{object}/entries/{key}`
pub(super) async fn entry(asked: &Asked<'_>, object: &str, key: &str) -> Result<Vec<u8>, Refusal> {
    let (target, key): (Target, _) = (segment(object)?, key.to_owned());
    router::json(&asked.state.readers.ask(move |db| db.entry(db.resolve(&target)?, &key)).await?)
}

/// `GET /v1/objects/{object}/memory?at=`
pub(super) async fn memory(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let target: Target = segment(object)?;
    let at = turn(asked, "at")?;
    let memory = asked.state.readers.ask(move |db| {
        let object = db.resolve(&target)?;
        at.map_or_else(|| db.memory(object), |turn| db.memory_at(object, turn))
    });
    router::json(&memory.await?)
}

/// `GET /v1/objects/{object}/memory/diff?from=&to=`
pub(super) async fn memory_diff(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let target: Target = segment(object)?;
    let (Some(from), Some(to)) = (turn(asked, "from")?, turn(asked, "to")?) else {
        return Err(Refusal::bad("two turns are wanted", "name them in the query: ?from=12&to=17"));
    };
    router::json(&asked.state.readers.ask(move |db| db.memory_diff(db.resolve(&target)?, from, to)).await?)
}

/// `GET /v1/objects/{object}/memory/blame?after=&key=`
pub(super) async fn memory_blame(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let target: Target = segment(object)?;
    let (key, after) = (asked.parameter::<String>("key")?, asked.after()?);
    router::json(
        &asked.state.readers.ask(move |db| db.memory_blame(db.resolve(&target)?, key.as_deref(), after)).await?,
    )
}

/// A turn's number in the query: no vat comes to what SQLite cannot count to.
fn turn(asked: &Asked<'_>, name: &str) -> Result<Option<u64>, Refusal> {
    Ok(asked.parameter::<u64>(name)?.map(|turn| turn.min(i64::MAX.unsigned_abs() - 1)))
}

/// `POST /v1/objects`
pub(super) async fn install(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let install = to_install(asked)?;
    asked.change(Action::Install(install)).await
}

/// `POST /v1/dry/objects`
pub(super) async fn dry_install(asked: &Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let install = to_install(asked)?;
    if let Some(memory) = &install.memory {
        // References have other numbers in the vat, so it may be off by some bytes.
        let entries = qjson::split_object(&memory.text).map_err(Refusal::failed)?;
        let fits = vat::budget::fits(&asked.state.settings.limits(), &install, vat::budget::entries_bytes(&entries));
        fits.map_err(|problem| Refusal { status: StatusCode::CONFLICT, problem })?;
    }
    router::json(&asked.state.readers.ask(move |db| db.dry_install(&install)).await?)
}

/// What is to be installed, checked.
fn to_install(asked: &Asked<'_>) -> Result<request::Install, Refusal> {
    let Install { objects, memory, power, natives, budget, account_budget } = asked.body()?;
    let bad = |error| Refusal::bad(error, "`qrt help install` lists the figures of a budget");
    budget.check(budget::OBJECT).map_err(bad)?;
    account_budget.check(budget::ACCOUNT).map_err(bad)?;
    if objects.is_empty() || objects.len() > INSTALL_MAX {
        return Err(Refusal::bad(
            format!("{} objects", objects.len()),
            format!("install 1 to {INSTALL_MAX} at a time"),
        ));
    }
    let memory = memory.map(|memory| object(memory.get(), "memory")).transpose()?;
    let statics = object(power.get(), "power")?;
    let natives = grants(natives, &statics)?;
    let mut checked = Vec::new();
    for object in objects {
        check(asked, &object.label, &object.code)?;
        checked.push((object.label, object.code, object.name));
    }
    Ok(request::Install { objects: checked, memory, statics, natives, budget, account: account_budget })
}

/// Checks code in a worker of its own.
pub(super) fn check(asked: &Asked<'_>, label: &str, code: &str) -> Result<(), Refusal> {
    // It blocks on the worker, but only this client and those who have code checked beside it.
    let verdict = tokio::task::block_in_place(|| asked.state.checker.check(code.to_owned()));
    let Err(error) = verdict.map_err(Refusal::failed)? else { return Ok(()) };
    let place = if error.line == 0 { String::new() } else { format!("{}:{}:", error.line, error.column) };
    let mut problem = Problem::new(
        format!("{label}:{place} {}", error.message),
        "an object's code is exactly one function expression: function (args, power) { ... }",
    );
    problem.excerpt = Some(error.excerpt).filter(|excerpt| !excerpt.is_empty());
    Err(Refusal { status: StatusCode::BAD_REQUEST, problem })
}

/// `POST /v1/objects/{object}/code`
pub(super) async fn upgrade(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let Upgrade { label, code } = asked.body()?;
    let object = segment(object)?;
    check(asked, &label, &code)?;
    asked.change(Action::Upgrade { object, code }).await
}

/// `POST /v1/dry/objects/{object}/code`
pub(super) async fn dry_upgrade(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let Upgrade { label, code } = asked.body()?;
    let target: Target = segment(object)?;
    check(asked, &label, &code)?;
    router::json(&asked.state.readers.ask(move |db| db.dry_upgrade(db.resolve(&target)?, &label, &code)).await?)
}

/// `DELETE /v1/objects/{object}?account=`
pub(super) async fn remove(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let account = asked.parameter("account")?.unwrap_or(false);
    asked.change(Action::Remove { object: segment(object)?, account }).await
}

/// `PUT /v1/objects/{object}/memory/{key}`
pub(super) async fn memory_set(asked: &Asked<'_>, object: &str, key: &str) -> Result<Vec<u8>, Refusal> {
    let MemorySet { value, expect } = asked.body()?;
    let parse = |text: &RawValue, root| {
        qjson::parse(text.get(), root).map_err(|error| Refusal::bad(error, format!("mend the {root}")))
    };
    let (value, expect) = (parse(&value, "value")?, expect.map(|expect| parse(&expect, "expect")).transpose()?);
    let action = Action::MemorySet { object: segment(object)?, key: key.to_owned(), value, expect };
    asked.change(action).await
}

/// `POST /v1/objects/{object}/hold` and `/release`
pub(super) async fn hold(asked: &Asked<'_>, object: &str, held: bool) -> Result<Vec<u8>, Refusal> {
    asked.change(Action::Hold { object: segment(object)?, held }).await
}

/// `PUT /v1/objects/{object}/name`
pub(super) async fn name(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    let Name { name } = asked.body()?;
    rename(asked, Action::Name { object: segment(object)?, name: Some(name) }).await
}

/// `DELETE /v1/objects/{object}/name`
pub(super) async fn unname(asked: &Asked<'_>, object: &str) -> Result<Vec<u8>, Refusal> {
    rename(asked, Action::Name { object: segment(object)?, name: None }).await
}

async fn rename(asked: &Asked<'_>, action: Action) -> Result<Vec<u8>, Refusal> {
    asked.change(action).await
}

/// A document that must be an object.
pub(super) fn object(text: &str, root: &str) -> Result<Document, Refusal> {
    let document = qjson::parse(text, root).map_err(|error| Refusal::bad(error, format!("mend the JSON of {root}")))?;
    if qjson::split_object(&document.text).is_err() {
        return Err(Refusal::bad(format!("{root} is not an object"), format!("write {root} as {{\"key\": value}}")));
    }
    Ok(document)
}

/// Native powers by property, none in the way of another part of the power.
fn grants(natives: BTreeMap<String, String>, statics: &Document) -> Result<BTreeMap<String, Native>, Refusal> {
    let keys = qjson::split_object(&statics.text).unwrap_or_default();
    if keys.iter().any(|(key, _)| key == "memory") {
        return Err(Refusal::bad("power.memory is not static data", "give the first memory apart from the power"));
    }
    let grant = |(property, name): (String, String)| {
        let known = Native::ALL.map(Native::name).join(", ");
        let unknown = || Refusal::bad(format!("no native power is called {name}"), format!("grant some of: {known}"));
        let native = Native::by_name(&name).ok_or_else(unknown)?;
        if property == "memory" || keys.iter().any(|(key, _)| *key == property) {
            return Err(Refusal::bad(format!("power.{property} is given twice"), "name each property once"));
        }
        Ok((property, native))
    };
    natives.into_iter().map(grant).collect()
}
