//! The inbox: where messages land in mock mode instead of a phone, and where a send can be made to fail on purpose.
//!
//! [`Inbox`] is the memory, shared by [`InboxSender`], which fills it, and the server's inbox page, which shows it. What a
//! send to a number comes to is its [`Outcome`]: the one scripted for it with [`Inbox::script`], else the one of a
//! [magic number](magic_outcome), else [`Outcome::Delivered`].
//!
//! Invariants:
//! - codes, texts and whole numbers live in this memory and nowhere else: no log line, no `Debug`, no file holds them;
//!   they are wiped when a message is dropped;
//! - memory is bounded: at most [`MAX_MESSAGES`] messages, the oldest dropped first, and [`MAX_SCRIPTS`] scripts;
//! - only the wiring of mock mode makes one.

mod messages;
mod outcome;
mod sender;

#[cfg(test)]
mod tests;

pub use messages::{Inbox, InboxMessage, MAX_MESSAGES, MAX_SCRIPTS, Script, TooManyScripts};
pub use outcome::{MAGIC_NUMBERS, Outcome, ParseOutcomeError, magic_outcome};
pub use sender::{DELAY, InboxSender, NAME, THROTTLE_RETRY_AFTER};
