//! `qrt upgrade`: new code for an object.

use qrt_shared::control::Upgrade;

use super::{Call, Done, install};

pub(super) async fn run(call: &mut Call) -> Done {
    let object = call.object()?;
    let (label, code) = install::one(call.path("FILE"))?;
    let upgraded = call.client().await?.upgrade(&object, &Upgrade { label, code }).await?;
    if call.json() {
        call.out.json(&upgraded)?;
    } else {
        let (version, turn) = (upgraded.version, upgraded.turn);
        call.out.line(format!("{object} runs version {version} of its code from turn {} on", turn + 1))?;
    }
    Ok(())
}
