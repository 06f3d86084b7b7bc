//! `qrt memory`: an object's memory as QJSON; `qrt memory-set`: one key of it, by hand.

use qrt_shared::control::MemorySet;

use super::{Call, Done, value};
use crate::format;

pub(super) async fn run(call: &mut Call) -> Done {
    let object = call.object()?;
    let memory = call.client().await?.memory(&object).await?;
    if call.out.is_terminal() && !call.json() {
        call.out.line(format::qjson(memory.get(), call.out.width()))?;
    } else {
        call.out.json(&memory)?;
    }
    Ok(())
}

pub(super) async fn set(call: &mut Call) -> Done {
    let object = call.object()?;
    let key = call.text("KEY").unwrap_or_default().to_owned();
    let value = value(call.text("JSON").unwrap_or_default(), "value")?;
    let expect = call.text("expect").map(|text| super::value(text, "expect")).transpose()?;
    let was = call.client().await?.memory_set(&object, &key, &MemorySet { value, expect }).await?;
    if call.json() {
        call.out.json(&was)?;
    } else {
        call.out.line(format!("set, in turn {}; a value it had before is in the journal there", was.turn))?;
    }
    Ok(())
}
