//! `qrt inbox`: messages that are queued and not yet executed.

use qrt_shared::view::Message;

use super::{Call, Done, list};
use crate::format;
use crate::output::{Cell, Table};

pub(super) async fn run(call: &mut Call) -> Done {
    let empty = "the inbox is empty: `qrt send` fills it, and so do objects that send to each other";
    let mut table = Table::new(&["MESSAGE", "QUEUED", "FOR", "FROM", ">SIZE", ">CHAIN", "ARGS"]);
    let now = format::now_ms();
    list::write(
        call,
        async |client, after| client.inbox(after).await,
        |out, messages| {
            let rows = messages.iter().map(|message| cells(message, now)).collect();
            table.rows_to_the_edge(out, rows, |row, width| format::clip(messages[row].args.get(), width))
        },
        empty,
    )
    .await
}

fn cells(message: &Message, now: u64) -> Vec<Cell> {
    vec![
        message.message.to_string().into(),
        format::age(message.queued_at, now).into(),
        format::object(message.name.as_ref(), &message.target).into(),
        format::source(&message.source).into(),
        format::size(message.bytes).into(),
        message.chain.to_string().into(),
    ]
}
