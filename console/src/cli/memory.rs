//! `qrt memory`: an object's memory as QJSON.

use super::{Call, Done};
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
