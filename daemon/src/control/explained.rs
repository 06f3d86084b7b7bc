//! An explanation for bytes that are no request. Hyper answers those by itself, with a head and no body, before anything
//! here hears of them; on its way out such an answer is given the body that every other refusal has.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use qrt_shared::VERSION;
use qrt_shared::control::{Problem, VERSION_HEADER};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// What a request's head may take, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// A client's connection.
pub(super) struct Explained {
    stream: UnixStream,
    /// What goes out in place of what hyper writes.
    instead: Bytes,
}

impl Explained {
    /// A connection over which nothing went yet.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, instead: Bytes::new() }
    }
}

/// What to write in place of `written`, if that is a refusal of hyper's own: a head alone, which does not say the version
/// as ours do. Nothing else of ours has such lines, for JSON has no line break of that kind.
fn instead_of(written: &[u8]) -> Option<Bytes> {
    let head = str::from_utf8(written).ok()?.strip_suffix("\r\n\r\n")?;
    let is_bare = head.lines().any(|line| line == "content-length: 0") && !head.contains(VERSION_HEADER);
    let status = head.strip_prefix("HTTP/1.1 4").filter(|_| is_bare)?;
    let status = format!("4{}", status.lines().next()?);
    let problem = if status.starts_with("400") {
        let hint = "ask like this: curl --unix-socket DIR/control.sock http://vat/v1/";
        Problem::new("these bytes are no HTTP/1.1 request", hint)
    } else {
        let hint = format!("keep path and headers below {} KiB; a body may be longer", HEAD_BYTES_MAX >> 10);
        Problem::new("the head of the request is too large", hint)
    };
    let body = serde_json::to_string(&problem).expect("a problem is three strings");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{VERSION_HEADER}: {VERSION}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    Some(Bytes::from(head + &body))
}

impl AsyncRead for Explained {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, read: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, read)
    }
}

impl AsyncWrite for Explained {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_empty() {
            match instead_of(bytes) {
                Some(instead) => this.instead = instead,
                None => return Pin::new(&mut this.stream).poll_write(task, bytes),
            }
        }
        while this.instead.has_remaining() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(task, &this.instead))?;
            this.instead.advance(written);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match parts {
            [bytes] => self.poll_write(task, bytes),
            _ => Pin::new(&mut self.stream).poll_write_vectored(task, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
