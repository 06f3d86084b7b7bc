//! `qrt hold` and `qrt release`: whether an object takes turns.

use super::{Call, Done};

pub(super) async fn run(call: &mut Call, held: bool) -> Done {
    let object = call.object()?;
    let answer = call.client().await?.hold(&object, held).await?;
    if call.json() {
        call.out.json(&answer)?;
    } else if held {
        let dir = call.dir().display().to_string();
        call.out.line(format!("{object} is held; let it go on with `qrt release {dir} {object}`"))?;
    } else {
        call.out.line(format!("{object} takes turns"))?;
    }
    Ok(())
}
