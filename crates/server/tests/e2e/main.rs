//! The built binary from outside: started, called over sockets, stopped, killed, started again on what it left.
//!
//! One file a theme. Every child runs in a directory of its own on port 0 and ends with the value that holds it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and a JSON value answers null for what is absent"
)]

mod api;
mod client;
mod clock;
mod crash;
mod deploy;
mod dev;
mod doctor;
mod fleet;
mod full_disk;
mod garbage;
mod keys;
mod leaks;
mod lost_reply;
mod migrate;
mod parallel;
mod program;
mod prompt;
mod proofs;
mod repeated_rights;
mod shell;
mod startup;
mod twilio;
