//! `qrt inbox`: messages that are queued and not yet executed.

use qrt_shared::control::Listing;
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
        Listing::default(),
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
        from(message).into(),
        format::size(message.bytes).into(),
        message.chain.to_string().into(),
    ]
}

/// The source, and the message's number on the channel when it is another vat.
fn from(message: &Message) -> String {
    let seq = message.seq.map(|seq| format!("#{seq}")).unwrap_or_default();
    format!("{}{seq}", format::source(message.source_name.as_ref(), &message.source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Fake, PEER, call, page};

    #[tokio::test]
    async fn a_message_of_another_vat_shows_its_number_there() {
        let message = format!(
            r#"{{"message":"in:5","target":"qrt:{PEER}/7z2fziy4eazx2seb54ittqs77cr5lfj3","name":null,"source":"{PEER}","args":null,"bytes":4,"queued_at":1,"seq":7,"deaths":0,"chain":3}}"#
        );
        let fake = Fake::new(vec![page(&[message])]);
        let (mut call, shown) = call(&["inbox", &fake.dir().display().to_string()]);
        run(&mut call).await.expect("a list");
        assert!(shown.text().contains("7z2fzi..  vat rnll4p..#7   4 B      3  null"), "{}", shown.text());
    }
}
