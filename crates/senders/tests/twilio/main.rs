//! The Twilio sender against a fake of Twilio over real sockets: kinds, and how many requests arrived.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod faults;
mod openapi;
mod requests;
mod support;
mod throttling;
mod tls;
