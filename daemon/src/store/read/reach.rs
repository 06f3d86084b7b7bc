//! The graph of authority: what an object can reach, what can reach it, and what nothing known can.
//!
//! An object holds what its static power and its Memory hold, so the edges are `power_edge` and
//! `memory_edge`, and objects that share a Memory share those. Every search goes breadth first, so what it
//! finds first is nearest, and stops after so many objects. A root is what is no object: a petname, the
//! operator who was told a QRID at the install, a message that waits, another vat that was told of an
//! object or has sent something to it. What other vats hold nobody here knows: a search that finds
//! nothing says nothing about them.

use std::cell::Cell;
use std::collections::hash_map::Entry::Vacant;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::discriminant;

use qrt_shared::id::MessageName;
use qrt_shared::qjson;
use qrt_shared::view::{Empowered, Found, Keeper, Link, Node, Page, Place, Reach, Root, Sweep, Unreachable, Way};

use super::list::PAGE_ROWS;
use super::{Asked, Read, ReadError};
use crate::protocol::{Handle, Native};
use crate::store::apply;
use crate::vat::source::PeerNumber;

/// Objects that one request may look at.
const LIMIT_MAX: u64 = 10_000;

/// Links that one search follows.
const LINKS_MAX: u64 = 200_000;

/// Objects that one page of a sweep looks at, how far it searches for each, and along how many links in all.
const SWEPT: u64 = 500;
const SEARCHED: usize = 2_000;
const SWEPT_LINKS: u64 = 1_000_000;

/// Waiting messages and faults that are looked through for references, and their bytes: beyond these nothing is
/// swept.
const WAITING_MAX: u64 = 100_000;
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Which way a search goes along a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// From a holder to what it holds.
    Held,
    /// From what is held to who holds it.
    Holders,
}

/// A link by handles.
#[derive(Debug, Clone)]
struct Edge {
    holder: Handle,
    place: Place,
    key: String,
    held: Handle,
}

/// What a search found, in its order.
struct Searched {
    order: Vec<Handle>,
    /// The link that led to each, and how many there are from the start.
    came: HashMap<Handle, (u64, Option<Edge>)>,
    /// Whether there is more.
    more: bool,
}

impl Searched {
    /// The links between the start and `object`, in the order of authority.
    fn way(&self, object: Handle, direction: Direction) -> Vec<Edge> {
        let (mut at, mut way) = (object, Vec::new());
        while let Some((_, Some(edge))) = self.came.get(&at) {
            way.push(edge.clone());
            at = if direction == Direction::Held { edge.holder } else { edge.held };
        }
        if direction == Direction::Held {
            way.reverse();
        }
        way
    }
}

impl Asked<'_> {
    /// What an object can reach, what can reach it and what keeps it, at most `limit` objects of each.
    pub fn reach(&self, object: Handle, limit: u64) -> Read<Reach> {
        let limit = usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(usize::MAX);
        let all = |direction| self.search(&[object], direction, limit, &Cell::new(LINKS_MAX), |_| Ok(false));
        let (reaches, reached_by) = (all(Direction::Held)?.0, all(Direction::Holders)?.0);
        let waiting = self.waiting()?;
        Ok(Reach {
            object: self.qrid(object)?,
            name: self.petname(object)?,
            natives: self.natives_of(object)?,
            reaches: self.found(&reaches)?,
            reached_by: self.found(&reached_by)?,
            kept_by: self.keepers(&reached_by, waiting.as_ref())?,
            kept_by_more: reached_by.more || waiting.is_none(),
            as_of: self.as_of,
        })
    }

    /// The shortest way from one object to another.
    pub fn way(&self, from: Handle, to: Handle, limit: u64) -> Read<Way> {
        let limit = usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(usize::MAX);
        let links = Cell::new(LINKS_MAX);
        let (searched, found) = self.search(&[from], Direction::Held, limit, &links, |object| Ok(object == to))?;
        let links = found.map(|to| self.links(&searched.way(to, Direction::Held))).transpose()?;
        Ok(Way { from: self.qrid(from)?, to: self.qrid(to)?, links, complete: !searched.more, as_of: self.as_of })
    }

    /// What the objects behind these References can reach, themselves first, and how many of those hold each
    /// native power.
    pub(super) fn reached(&self, from: &[Handle], limit: usize) -> Read<(Found, BTreeMap<String, u64>)> {
        let searched = self.search(from, Direction::Held, limit, &Cell::new(LINKS_MAX), |_| Ok(false))?.0;
        let mut found = Found { nodes: Vec::new(), more: searched.more };
        let mut natives = BTreeMap::new();
        for object in &searched.order {
            for native in self.natives_of(*object)? {
                *natives.entry(native).or_insert(0) += 1;
            }
            found.nodes.push(self.node(&searched, *object)?);
        }
        Ok((found, natives))
    }

    /// A page of the objects that hold a native power, oldest first.
    pub fn empowered(&self, native: Native, after: u64) -> Read<Page<Empowered>> {
        let sql = "SELECT object, natives FROM object WHERE object > ?1 ORDER BY object LIMIT ?2";
        let rows: Vec<(Handle, String)> =
            self.rows(sql, [after, 40 * PAGE_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut page = Page { items: Vec::new(), next: None, prev: None, partial: false, as_of: self.as_of };
        let full = rows.len() as u64 == 40 * PAGE_ROWS;
        page.next = rows.last().map(|(object, _)| *object).filter(|_| full);
        for (object, text) in rows {
            let natives = apply::natives(&text).ok_or_else(|| ReadError::Damaged(format!("natives {text}")))?;
            let properties: Vec<_> =
                natives.into_iter().filter(|(_, known)| *known == native).map(|(property, _)| property).collect();
            if !properties.is_empty() {
                let name = self.petname(object)?;
                page.items.push(Empowered { object: self.qrid(object)?, name, properties });
                if page.items.len() as u64 == PAGE_ROWS {
                    page.next = Some(object);
                    break;
                }
            }
        }
        Ok(page)
    }

    /// A page of the search for objects that nothing known can reach.
    pub fn sweep(&self, after: u64) -> Read<Sweep> {
        let sql = "SELECT object.object, object.account, created_at, coalesce(bytes, 0) FROM object
            LEFT JOIN memory ON memory.memory = object.memory WHERE object.object > ?1 ORDER BY object.object LIMIT ?2";
        let rows: Vec<(Handle, Handle, u64, u64)> =
            self.rows(sql, [after, SWEPT], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let looked_at = rows.len() as u64;
        let next = rows.last().map(|(object, ..)| *object).filter(|_| looked_at == SWEPT);
        let mut sweep = Sweep { unreachable: Vec::new(), looked_at, undecided: 0, next, as_of: self.as_of };
        let Some(waiting) = self.waiting()? else {
            sweep.undecided = looked_at;
            return Ok(sweep);
        };
        // What was found out about one object holds for those on its way.
        let (mut kept, mut lost) = (HashSet::new(), HashSet::new());
        let links = Cell::new(SWEPT_LINKS);
        for (object, account, created_at, memory_bytes) in rows {
            let stop = |object| {
                let known = kept.contains(&object) || waiting.contains_key(&object) || self.is_installed(object)?;
                Ok(known || self.petname(object)?.is_some() || self.told(object)?.is_some())
            };
            if !lost.contains(&object) {
                let (searched, found) = self.search(&[object], Direction::Holders, SEARCHED, &links, stop)?;
                match found {
                    Some(root) => {
                        kept.extend(searched.way(root, Direction::Holders).into_iter().map(|edge| edge.held));
                        kept.insert(root);
                        continue;
                    }
                    None if searched.more => {
                        sweep.undecided += 1;
                        continue;
                    }
                    None => lost.extend(searched.order),
                }
            }
            let (object, account) = (self.qrid(object)?, self.qrid(account)?);
            sweep.unreachable.push(Unreachable { object, account, created_at, memory_bytes });
        }
        Ok(sweep)
    }

    /// Searches from `start` until `stop` says so of an object, which it then gives, or `limit` were found, or
    /// `budget` links were followed.
    fn search(
        &self,
        start: &[Handle],
        direction: Direction,
        limit: usize,
        budget: &Cell<u64>,
        stop: impl Fn(Handle) -> Read<bool>,
    ) -> Read<(Searched, Option<Handle>)> {
        let mut searched = Searched { order: Vec::new(), came: HashMap::new(), more: false };
        for object in start {
            if searched.came.insert(*object, (0, None)).is_none() {
                searched.order.push(*object);
                if stop(*object)? {
                    return Ok((searched, Some(*object)));
                }
            }
        }
        let most = searched.order.len() + limit;
        let mut at = 0;
        while let Some(object) = searched.order.get(at).copied() {
            at += 1;
            let distance = searched.came.get(&object).map_or(0, |(distance, _)| *distance);
            for edge in self.edges(object, direction, budget)? {
                let next = if direction == Direction::Held { edge.held } else { edge.holder };
                let Vacant(new) = searched.came.entry(next) else { continue };
                if searched.order.len() == most {
                    searched.more = true;
                    return Ok((searched, None));
                }
                new.insert((distance + 1, Some(edge)));
                searched.order.push(next);
                if stop(next)? {
                    return Ok((searched, Some(next)));
                }
            }
            if budget.get() == 0 {
                searched.more = true;
                return Ok((searched, None));
            }
        }
        Ok((searched, None))
    }

    /// The links from or to an object, as many as `budget` allows.
    fn edges(&self, object: Handle, direction: Direction, budget: &Cell<u64>) -> Read<Vec<Edge>> {
        let sql = match direction {
            Direction::Held => {
                "SELECT reference, 'power', key FROM power_edge WHERE object = ?1
                UNION ALL SELECT reference, 'memory', key FROM memory_edge
                    WHERE memory = (SELECT memory FROM object WHERE object = ?1) LIMIT ?2"
            }
            Direction::Holders => {
                "SELECT object, 'power', key FROM power_edge WHERE reference = ?1
                UNION ALL SELECT object.object, 'memory', key FROM memory_edge
                    JOIN object ON object.memory = memory_edge.memory WHERE reference = ?1 LIMIT ?2"
            }
        };
        let rows: Vec<(Handle, String, String)> =
            self.rows(sql, [object, budget.get()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        budget.set(budget.get() - rows.len() as u64);
        let edge = |(other, place, key): (Handle, String, String)| {
            let (holder, held) = if direction == Direction::Held { (object, other) } else { (other, object) };
            Edge { holder, place: if place == "power" { Place::Power } else { Place::Memory }, key, held }
        };
        Ok(rows.into_iter().map(edge).collect())
    }

    fn link(&self, edge: &Edge) -> Read<Link> {
        let Edge { holder, place, key, held } = edge;
        let name = self.petname(*holder)?;
        Ok(Link { holder: self.qrid(*holder)?, name, place: *place, key: key.clone(), held: self.qrid(*held)? })
    }

    fn links(&self, edges: &[Edge]) -> Read<Vec<Link>> {
        edges.iter().map(|edge| self.link(edge)).collect()
    }

    /// What was found, without where it began.
    fn found(&self, searched: &Searched) -> Read<Found> {
        let others = searched.order.iter().filter(|object| searched.came.get(object).is_some_and(|(far, _)| *far > 0));
        let nodes = others.map(|object| self.node(searched, *object)).collect::<Read<_>>()?;
        Ok(Found { nodes, more: searched.more })
    }

    fn node(&self, searched: &Searched, object: Handle) -> Read<Node> {
        let (distance, edge) = searched.came.get(&object).cloned().unwrap_or_default();
        let (link, qrid) = (edge.map(|edge| self.link(&edge)).transpose()?, self.qrid(object)?);
        let (name, local) = (self.petname(object)?, qrid.vat == self.vat);
        Ok(Node { object: qrid, name, local, natives: self.natives_of(object)?, distance, link })
    }

    /// The native powers of an object, each once.
    fn natives_of(&self, object: Handle) -> Read<Vec<String>> {
        let sql = "SELECT natives FROM object WHERE object = ?1";
        let text: Option<String> = self.one(sql, [object], |row| row.get(0))?;
        let natives = text.as_deref().and_then(apply::natives).unwrap_or_default();
        let mut names: Vec<_> = natives.into_values().map(|native| native.name().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn is_installed(&self, object: Handle) -> Read<bool> {
        let sql = "SELECT maker IS NULL FROM object WHERE object = ?1";
        Ok(self.one(sql, [object], |row| row.get(0))?.unwrap_or(false))
    }

    /// What keeps an object, of each kind the nearest, among what can reach it.
    fn keepers(&self, reached_by: &Searched, waiting: Option<&HashMap<Handle, u64>>) -> Read<Vec<Keeper>> {
        let mut keepers: Vec<Keeper> = Vec::new();
        for object in &reached_by.order {
            let mut roots = Vec::new();
            roots.extend(self.petname(*object)?.map(|name| Root::Petname { name }));
            roots.extend(self.is_installed(*object)?.then_some(Root::Operator));
            let message = waiting.and_then(|waiting| waiting.get(object));
            roots.extend(message.map(|message| Root::Message { message: MessageName::In(*message) }));
            if let Some(peer) = self.told(*object)? {
                let row = self.peer_row(peer)?;
                roots.push(Root::Peer { vat: row.vat, name: row.name });
            }
            for root in roots {
                let kind = discriminant(&root);
                if keepers.iter().all(|known| discriminant(&known.root) != kind) {
                    let path = self.links(&reached_by.way(*object, Direction::Holders))?;
                    keepers.push(Keeper { root, object: self.qrid(*object)?, path });
                }
            }
        }
        Ok(keepers)
    }

    /// The objects that a waiting message or a kept fault is for or holds a reference to, with the first such;
    /// `None` when there is too much to look through.
    fn waiting(&self) -> Read<Option<HashMap<Handle, u64>>> {
        let sql = "SELECT message, target, args FROM message
            UNION ALL SELECT message, target, args FROM fault WHERE target IS NOT NULL";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let (mut waiting, mut count, mut bytes) = (HashMap::new(), 0, 0);
        while let Some(row) = rows.next()? {
            let (message, target): (u64, Handle) = (row.get(0)?, row.get(1)?);
            let args = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            (count, bytes) = (count + 1, bytes + args.len());
            if count > WAITING_MAX || bytes > WAITING_BYTES_MAX {
                return Ok(None);
            }
            let held = qjson::references(args).map_err(|error| ReadError::Damaged(error.to_string()))?;
            for object in held.into_iter().chain([target]) {
                waiting.entry(object).or_insert(message);
            }
        }
        Ok(Some(waiting))
    }

    /// A vat that was told of an object, or has sent something to it.
    fn told(&self, object: Handle) -> Read<Option<PeerNumber>> {
        let sql = "SELECT min(peer) FROM export WHERE reference = ?1";
        Ok(self.db.prepare_cached(sql)?.query_row([object], |row| row.get(0))?)
    }
}
