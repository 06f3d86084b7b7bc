//! `qrt name`: give an object a petname, show it, or take it away.

use qrt_shared::control::{Name, Named};
use qrt_shared::id::Petname;

use super::{Call, Done};
use crate::failure::Failure;

pub(super) async fn run(call: &mut Call) -> Done {
    let object = call.object()?;
    let name: Option<Petname> = call.text("PETNAME").map(str::parse).transpose()?;
    let named = match (name, call.flag("remove")) {
        (Some(_), true) => return Err(Failure::Usage("--remove takes no PETNAME".to_owned())),
        (Some(name), false) => call.client().await?.name(&object, Name { name }).await?,
        (None, true) => call.client().await?.unname(&object).await?,
        (None, false) => {
            let row = call.client().await?.object(&object).await?.row;
            Named { qrid: row.qrid, name: row.name }
        }
    };
    if call.json() {
        call.out.json(&named)?;
        return Ok(());
    }
    match &named.name {
        Some(name) => call.out.line(name.as_str())?,
        None if call.flag("remove") => call.out.line("it has no name now")?,
        None => {
            let dir = call.dir().display().to_string();
            call.out.line(format!("it has no name: give it one with `qrt name {dir} {} PETNAME`", named.qrid))?;
        }
    }
    Ok(())
}
