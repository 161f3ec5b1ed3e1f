//! Senders: the ways a message gets to a phone, each behind the port [`verifyd_core::sender::Sender`].
//!
//! # Add a sender in four steps
//!
//! 1. **A module of its own** with a type that implements `Sender`, and a configuration with one validating constructor whose
//!    errors begin with the field's name. Secrets live in [`secret::Secret`].
//! 2. **One table** from the provider's codes to [`verifyd_core::sender::SendErrorKind`] in a file `errors.rs`, with a data
//!    test that lists every code again, by action. What may have been processed is `Unknown` and is never repeated.
//! 3. **A fake** behind the feature `testing` that speaks the provider's real wire format over a socket, with faults: hang,
//!    garbage, a huge body, a close at every point. Tests count the requests that arrived, and read the logs and errors for
//!    the number, the code and the secrets.
//! 4. **A section** in the server's configuration and an arm in its `wiring.rs`; `CONTRIBUTING.md` names the files. Nothing
//!    changes in core, which decides whether to send, retry elsewhere or refund from the kind alone.
//!
//! [`twilio`] is the example to copy.

pub mod inbox;
pub mod secret;
pub mod test_numbers;
pub mod twilio;
