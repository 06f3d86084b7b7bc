//! Vat to vat over TCP: HTTP/1.1 that carries boxes, one way in and one way out.
//!
//! [`receive`] is the server: it bounds what strangers may cost (connections, heads, bodies, bytes in
//! memory, requests, Diffie-Hellmans), opens boxes on threads of their own, hands what opened to an
//! [`Inbox`](receive::Inbox), and answers with a sealed ack once that has committed. [`deliver`] is the
//! client: it puts exact bytes at a URL and says how that went. Neither knows a message's meaning, the
//! kernel or the database; what the bytes mean is told in [`crate::peer`].
//!
//! - [`gate`]: who may connect, ask and fill memory, by address.
//! - [`channels`]: shared keys that are kept because making one is dear.
//! - [`policy`]: which addresses this vat lets itself be sent to.

pub mod channels;
pub mod deliver;
pub mod gate;
pub mod policy;
pub mod receive;
pub mod round_trips;

#[cfg(test)]
mod tests;
