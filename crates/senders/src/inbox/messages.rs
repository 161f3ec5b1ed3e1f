//! The memory of the inbox: messages, the oldest dropped at the bound, and scripted outcomes by number.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use verifyd_core::clock::Timestamp;
use verifyd_core::code::VerificationCode;
use verifyd_core::id::VerificationId;
use verifyd_core::message::{MessageText, Segments};
use verifyd_core::phone_number::PhoneNumber;

use super::outcome::{Outcome, magic_outcome};

/// The most messages that are kept. A test run of a whole application stays below it, and it is some 500 KiB.
pub const MAX_MESSAGES: usize = 1_000;
/// The most numbers that can have a scripted outcome at a time.
pub const MAX_SCRIPTS: usize = 1_000;

/// A message as it would have been on the phone. Its `Debug` shows neither text nor code nor the whole number.
#[derive(Debug)]
pub struct InboxMessage {
    /// `SM` and 32 hex digits: the `message_id` of its delivery.
    pub id: String,
    /// The recipient.
    pub to: PhoneNumber,
    /// The text.
    pub body: MessageText,
    /// The code in it.
    pub code: VerificationCode,
    /// When the verifier handed it over.
    pub sent_at: Timestamp,
    /// The service's name.
    pub service: String,
    /// The verification it belongs to.
    pub verification: VerificationId,
    /// Encoding and segments of the text.
    pub segments: Segments,
}

/// A scripted outcome of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// The number.
    pub to: PhoneNumber,
    /// What a send to it comes to.
    pub outcome: Outcome,
    /// For how many more sends; `None` until it is removed.
    pub times: Option<NonZeroU32>,
}

/// No room for another script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {MAX_SCRIPTS} numbers can have a scripted outcome at a time")]
pub struct TooManyScripts;

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Arc<InboxMessage>>,
    scripts: BTreeMap<PhoneNumber, Script>,
    revision: u64,
}

/// Messages and scripts. Share it in an [`Arc`].
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
}

impl Inbox {
    /// An empty inbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The messages, or those to one number; the oldest first.
    #[must_use]
    pub fn messages(&self, to: Option<&PhoneNumber>) -> Vec<Arc<InboxMessage>> {
        let state = self.lock();
        state.messages.iter().filter(|message| to.is_none_or(|to| message.to == *to)).map(Arc::clone).collect()
    }

    /// Drops and wipes every message.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.messages.clear();
        state.revision += 1;
    }

    /// Drops everything about one number: its messages and its script.
    pub fn forget(&self, to: &PhoneNumber) {
        let mut state = self.lock();
        state.messages.retain(|message| message.to != *to);
        state.scripts.remove(to);
        state.revision += 1;
    }

    /// A count that grows with every change of messages or scripts, so that a page knows when to draw again.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Makes the next sends to `to` come to `outcome`: as many as `times`, or all until [`Self::clear_scripts`]. It replaces
    /// the number's script, and goes before what a magic number does by itself.
    ///
    /// # Errors
    /// [`TooManyScripts`] at [`MAX_SCRIPTS`].
    pub fn script(&self, to: PhoneNumber, outcome: Outcome, times: Option<NonZeroU32>) -> Result<(), TooManyScripts> {
        let mut state = self.lock();
        if state.scripts.len() >= MAX_SCRIPTS && !state.scripts.contains_key(&to) {
            return Err(TooManyScripts);
        }
        state.scripts.insert(to, Script { to, outcome, times });
        state.revision += 1;
        Ok(())
    }

    /// The scripts in force, by number.
    #[must_use]
    pub fn scripts(&self) -> Vec<Script> {
        self.lock().scripts.values().copied().collect()
    }

    /// Removes every script, or that of one number.
    pub fn clear_scripts(&self, to: Option<&PhoneNumber>) {
        let mut state = self.lock();
        match to {
            Some(to) => drop(state.scripts.remove(to)),
            None => state.scripts.clear(),
        }
        state.revision += 1;
    }

    /// What this send to `to` comes to; one of the script's times is used up.
    pub(super) fn next_outcome(&self, to: &PhoneNumber) -> Outcome {
        let mut state = self.lock();
        let Some(script) = state.scripts.get_mut(to) else {
            return magic_outcome(to).unwrap_or(Outcome::Delivered);
        };
        let outcome = script.outcome;
        if let Some(times) = script.times {
            script.times = NonZeroU32::new(times.get() - 1);
            if script.times.is_none() {
                state.scripts.remove(to);
            }
            state.revision += 1;
        }
        outcome
    }

    /// Takes a message in; at [`MAX_MESSAGES`] the oldest makes room.
    pub(super) fn put(&self, message: InboxMessage) {
        let mut state = self.lock();
        while state.messages.len() >= MAX_MESSAGES {
            state.messages.pop_front();
        }
        state.messages.push_back(Arc::new(message));
        state.revision += 1;
    }

    /// No step under the lock leaves the state half changed, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
