//! What an operator's change would come to, from the vat as it is.

use data_encoding::HEXLOWER;
use qrt_shared::id::{Petname, Target};
use qrt_shared::qjson::{self, Document};
use qrt_shared::view::{DryInstall, DryObject, DryUpgrade, Power};
use rusqlite::params;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Asked, Read, ReadError};
use crate::protocol::Handle;
use crate::vat::name;
use crate::vat::request::Install;

/// How much of what a new object could reach is listed.
const REACHED: usize = 1000;

/// How many sharers of a Memory are listed.
const SHARERS: u64 = 1000;

/// Lines around a change.
const CONTEXT: usize = 3;

impl Asked<'_> {
    /// What installing would make; the code has been checked.
    pub fn dry_install(&self, install: &Install) -> Read<DryInstall> {
        let mut objects = Vec::new();
        for (label, code, name) in &install.objects {
            if let Some(name) = name {
                self.free(name)?;
            }
            let (sha256, code_bytes) = (sha256(code), code.len() as u64);
            objects.push(DryObject { label: label.clone(), name: name.clone(), sha256, code_bytes });
        }
        let (mut held, memory) = (self.held(&install.statics)?, install.memory.as_ref());
        held.extend(memory.map(|memory| self.held(memory)).transpose()?.unwrap_or_default());
        let (reaches, natives_reached) = self.reached(&held, REACHED)?;
        let natives = install.natives.iter().map(|(property, native)| (property.clone(), native.name().to_owned()));
        let power = Power { statics: as_given(&install.statics)?, natives: natives.collect() };
        let memory_bytes = memory.map(|memory| memory.size_bytes as u64);
        Ok(DryInstall { objects, power, memory_bytes, reaches, natives_reached, as_of: self.as_of })
    }

    /// What giving an object the code `text`, which has been checked, would change.
    pub fn dry_upgrade(&self, object: Handle, label: &str, text: &str) -> Read<DryUpgrade> {
        let sql =
            "SELECT code.text, memory, (SELECT count(*) FROM object_code WHERE object_code.object = object.object),
            (SELECT count(*) FROM message WHERE target = object.object)
            FROM object JOIN code ON code.code = object.code WHERE object = ?1";
        let row = self.db.prepare_cached(sql)?.query_row([object], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<u64>>(1)?, row.get::<_, u64>(2)?, row.get(3)?))
        });
        let (old, memory, versions, queued) = row?;
        let sql = "SELECT object FROM object WHERE memory = ?1 AND object <> ?2 ORDER BY object LIMIT ?3";
        let sharers: Vec<Handle> = self.rows(sql, params![memory, object, SHARERS], |row| row.get(0))?;
        let version = versions + 1;
        let (diff, same) = (similar::TextDiff::from_lines(&old, text), old == text);
        let diff = diff.unified_diff().context_radius(CONTEXT).header(&format!("version {version}"), label).to_string();
        Ok(DryUpgrade {
            object: self.qrid(object)?,
            name: self.petname(object)?,
            version: version + 1,
            sha256: sha256(&old),
            new_sha256: sha256(text),
            same,
            diff: if same { String::new() } else { diff },
            queued,
            sharers: sharers.into_iter().map(|object| self.qrid(object)).collect::<Read<_>>()?,
            as_of: self.as_of,
        })
    }

    fn free(&self, name: &Petname) -> Read<()> {
        let sql = "SELECT 1 FROM petname WHERE name = ?1 UNION ALL SELECT 1 FROM peer WHERE name = ?1";
        if self.db.prepare_cached(sql)?.exists([name.as_str()])? {
            return Err(ReadError::Refused(name::taken_already(name)));
        }
        Ok(())
    }

    /// The objects that a document refers to. Of another vat's that this one has not heard of, nothing is known.
    fn held(&self, document: &Document) -> Read<Vec<Handle>> {
        let mut held = Vec::new();
        for qrid in &document.references {
            match self.heard(qrid)? {
                Some(object) => held.push(object),
                None if qrid.vat == self.vat => return Err(ReadError::NoObject(Target::Qrid(qrid.clone()))),
                None => {}
            }
        }
        Ok(held)
    }
}

/// A document as it came in.
fn as_given(document: &Document) -> Read<Box<RawValue>> {
    let index = |number: u64| usize::try_from(number).ok();
    let text = qjson::export(&document.text, |number| document.references.get(index(number)?).cloned());
    let text = text.map_err(|error| ReadError::Damaged(error.to_string()))?;
    RawValue::from_string(text).map_err(|error| ReadError::Damaged(error.to_string()))
}

fn sha256(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
