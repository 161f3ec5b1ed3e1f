//! The transport under the API: how connections are accepted, bounded, served and drained.
//!
//! ```text
//! serve        accept loop: a place for each connection, back-off, the end of accepting
//!  └ connection  one task each: TLS handshake, hyper, lingering close; obeys commands and deadlines
//!     ├ wire       the bytes, noted;  framing: where heads begin and how they frame their bodies
//!     ├ gate       refuses what no route should see, counts open requests, adds PeerAddr
//!     └ body       request bodies with a limit of size and time
//! activity     what a connection does and when that has lasted too long
//! registry     all connections: who makes room, who is told to go
//! drain        the orderly end
//! tls          certificate and key, reloaded
//! ```
//!
//! Invariants:
//! * Every wait for a client has a limit in [`ServerLimits`]; every buffer for a client too.
//! * A connection with an open request is closed only by its client, by that client taking nothing of a ready answer,
//!   by too many cancelled streams, or at the end of a drain. Room for new connections is made by those without one.
//! * Closing a connection drops the futures of its answers and nothing else: what a handler has spawned runs on.
//! * hyper alone decides what a request is. Where another server could read the framing differently, it is refused.
//!
//! Not here: panics of handlers. A panic ends its connection (HTTP/1) or stream (HTTP/2) without an answer;
//! the router's outermost layer should turn it into one.

mod activity;
mod body;
mod connection;
mod drain;
mod framing;
mod gate;
mod limits;
mod registry;
mod serve;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

pub use body::{BodyError, read_body};
pub use drain::DrainSummary;
pub use gate::PeerAddr;
pub use limits::ServerLimits;
pub use serve::{BindError, bind, serve};
pub use tls::{Tls, TlsError};
