//! `qrt reach`: what an object can reach, what can reach it, and by which way.

use std::io;

use qrt_shared::id::{Petname, Qrid, Target};
use qrt_shared::view::{Found, Keeper, Link, Place, Reach, Root, Way};

use super::{Call, Done, target};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, Table, Tone};

/// How many objects the daemon looks at, at most.
const LIMIT_MAX: u64 = 10_000;

/// How many objects are looked at unless `--limit` says otherwise.
const LIMIT: u64 = 1000;

pub(super) async fn run(call: &mut Call) -> Done {
    let (native, limit) = (call.text("native").map(str::to_owned), call.number("limit").unwrap_or(LIMIT));
    let object = call.text("QRID").map(target).transpose()?;
    let (to, from) = (call.text("to").map(target).transpose()?, call.text("from").map(target).transpose()?);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Failure::new(format!("--limit is {limit}: give 1 to {LIMIT_MAX}")));
    }
    let one_of = "give an object, or --native; --to or --from, but not both; and --dot or --json";
    if object.is_some() == native.is_some() || (to.is_some() && from.is_some()) || (call.flag("dot") && call.json()) {
        return Err(Failure::Usage(one_of.to_owned()));
    }
    match (object, native, to, from) {
        (Some(object), _, Some(to), _) => way(call, &object, &to, limit).await,
        (Some(object), _, _, Some(from)) => way(call, &from, &object, limit).await,
        (Some(object), ..) => reach(call, &object, limit).await,
        (None, Some(native), None, None) if !call.flag("dot") => holders(call, &native).await,
        _ => Err(Failure::Usage(one_of.to_owned())),
    }
}

async fn reach(call: &mut Call, object: &Target, limit: u64) -> Done {
    let reach = call.client().await?.reach(object, limit).await?;
    if call.json() {
        call.out.json(&reach)?;
    } else if call.flag("dot") {
        let links = reach.reaches.nodes.iter().chain(&reach.reached_by.nodes).filter_map(|node| node.link.as_ref());
        dot(&mut call.out, &[(&reach.object, reach.name.as_ref())], links)?;
    } else {
        show(&mut call.out, &reach)?;
    }
    Ok(())
}

async fn way(call: &mut Call, from: &Target, to: &Target, limit: u64) -> Done {
    let way = call.client().await?.reach_path(from, to, limit).await?;
    if call.json() {
        call.out.json(&way)?;
        return Ok(());
    }
    let Way { from: first, to: last, links, complete, .. } = &way;
    match links {
        // Without a way they stand apart.
        _ if call.flag("dot") => dot(&mut call.out, &[(first, None), (last, None)], links.iter().flatten())?,
        Some(links) if links.is_empty() => call.out.line("they are the same object")?,
        Some(links) => {
            for link in links {
                call.out.line(format!("{} {}", holds(link), object(&link.held)))?;
            }
        }
        None if *complete => call.out.line(format!("nothing in this vat leads from {from} to {to}"))?,
        None => call.out.line(format!("no way from {from} to {to} was found so far: look further with --limit"))?,
    }
    Ok(())
}

async fn holders(call: &mut Call, native: &str) -> Done {
    let mut client = call.client().await?;
    let mut table = Table::new(&["NAME", "AS", "OBJECT"]);
    let (mut after, mut started) = (Some(0), false);
    while let Some(cursor) = after {
        let page = client.natives(native, cursor).await?;
        after = page.next;
        if call.json() {
            call.out.json_rows(&page.items, started)?;
        } else {
            let name = |name: &Option<Petname>| name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let rows = page.items.iter().map(|row| {
                vec![name(&row.name).into(), row.properties.join(", ").into(), row.object.to_string().into()]
            });
            table.rows(&mut call.out, &rows.collect::<Vec<_>>())?;
        }
        started |= !page.items.is_empty();
    }
    if call.json() {
        call.out.json_rows_end(started)?;
    } else if !started {
        call.out.line(format!("no object holds {native}"))?;
    }
    Ok(())
}

fn show(out: &mut Output, reach: &Reach) -> io::Result<()> {
    let natives = if reach.natives.is_empty() { "none".to_owned() } else { reach.natives.join(", ") };
    out.line(format!("native powers: {natives}"))?;
    found(out, "it can reach", &reach.reaches)?;
    found(out, "can reach it", &reach.reached_by)?;
    let more = if reach.kept_by_more { ", of what was looked through" } else { "" };
    let title = out.paint(Tone::Title, &format!("what keeps it reachable{more}:"));
    out.line(title)?;
    for Keeper { root, object: at, path } in &reach.kept_by {
        let root = match root {
            Root::Petname { name } => format!("the petname {name}"),
            Root::Operator => format!("you: {} was installed", object(at)),
            Root::Message { message } => format!("message {message}, which waits"),
            Root::Peer { vat, name } => format!("vat {}, which knows of it", format::vat(name.as_ref(), vat)),
        };
        out.line(format!("  {root}"))?;
        for link in path {
            out.line(format!("    {} {}", holds(link), object(&link.held)))?;
        }
    }
    if reach.kept_by.is_empty() {
        out.line("  nothing that is known")?;
    }
    out.line("who holds it in other vats is unknown")
}

fn found(out: &mut Output, what: &str, found: &Found) -> io::Result<()> {
    let more = if found.more { ", and more (--limit)" } else { "" };
    let title = format!("{} {what}{more}:", format::count(found.nodes.len() as u64, "object"));
    let title = out.paint(Tone::Title, &title);
    out.line(title)?;
    for node in &found.nodes {
        let natives = if node.natives.is_empty() { String::new() } else { format!(" [{}]", node.natives.join(", ")) };
        let abroad = if node.local { "" } else { " (of another vat: what it can reach is unknown)" };
        let by = node.link.as_ref().map(|link| format!(": {} {}", holds(link), object(&link.held))).unwrap_or_default();
        let name = format::object(node.name.as_ref(), &node.object);
        out.line(format!("  {} {name}{natives}{abroad}{by}", node.distance))?;
    }
    Ok(())
}

/// `shop holds in memory.friend`
fn holds(link: &Link) -> String {
    let place = if link.place == Place::Power { "power" } else { "memory" };
    format!("{} holds in {place}.{}", format::object(link.name.as_ref(), &link.holder), format::line(&link.key))
}

fn object(qrid: &Qrid) -> String {
    format::object(None, qrid)
}

/// A graph for Graphviz: these objects, and those that are linked.
fn dot<'a>(
    out: &mut Output,
    objects: &[(&Qrid, Option<&Petname>)],
    links: impl Iterator<Item = &'a Link>,
) -> io::Result<()> {
    let quoted = |text: &str| format!("\"{}\"", format::line(text).replace('\\', "\\\\").replace('"', "\\\""));
    out.line("digraph reach {")?;
    for (qrid, name) in objects {
        let label = name.map_or_else(|| object(qrid), ToString::to_string);
        out.line(format!("  {} [label={}];", quoted(&qrid.to_string()), quoted(&label)))?;
    }
    for link in links {
        let place = if link.place == Place::Power { "power" } else { "memory" };
        if let Some(name) = &link.name {
            out.line(format!("  {} [label={}];", quoted(&link.holder.to_string()), quoted(name.as_str())))?;
        }
        let label = quoted(&format!("{place}.{}", link.key));
        out.line(format!(
            "  {} -> {} [label={label}];",
            quoted(&link.holder.to_string()),
            quoted(&link.held.to_string())
        ))?;
    }
    out.line("}")
}
