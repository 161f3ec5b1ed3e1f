//! The sender of mock mode: puts messages into the inbox, or fails as scripted.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use verifyd_core::id::DeliveryId;
use verifyd_core::sender::{DeliveryStatus, Message, Receipt, SendError, Sender};

use super::messages::{Inbox, InboxMessage};
use super::outcome::Outcome;

/// The name of the sender in replies, logs and metrics.
pub const NAME: &str = "inbox";
/// How long a send with the outcome [`Outcome::Delayed`] takes, or up to the message's deadline if that is nearer: long
/// enough for a client to hang up or to try twice, short enough for a test. Real time, not the development clock's.
pub const DELAY: Duration = Duration::from_secs(2);
/// What [`Outcome::Throttled`] asks callers to wait.
pub const THROTTLE_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Delivers to an [`Inbox`].
#[derive(Debug)]
pub struct InboxSender {
    inbox: Arc<Inbox>,
    delay: Duration,
}

impl InboxSender {
    /// A sender that fills `inbox`.
    #[must_use]
    pub const fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, delay: DELAY }
    }

    /// The same with another delay than [`DELAY`], for tests.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

#[async_trait]
impl Sender for InboxSender {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stays_here(&self) -> bool {
        true
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let outcome = self.inbox.next_outcome(&message.to);
        if outcome == Outcome::Delayed {
            tokio::time::sleep(self.delay.min(message.deadline)).await;
        }
        let id = message_id(message.delivery_id);
        if outcome.arrives() {
            self.inbox.put(received(message, id.clone()));
        }
        match outcome.error() {
            Some(error) => Err(error),
            None => Ok(Receipt {
                message_id: Some(id),
                status: DeliveryStatus::Sent,
                segments: Some(message.segments.count),
                price: None,
            }),
        }
    }
}

/// `SM` and the hex digits of the delivery, as Twilio writes the id of a message; a delivery has one message.
fn message_id(delivery: DeliveryId) -> String {
    let mut id = String::with_capacity(34);
    id.push_str("SM");
    for byte in delivery.as_bytes() {
        // Writing to a string cannot fail.
        write!(id, "{byte:02x}").unwrap_or_default();
    }
    id
}

fn received(message: &Message, id: String) -> InboxMessage {
    InboxMessage {
        id,
        to: message.to,
        body: message.text.clone(),
        code: message.code.clone(),
        sent_at: message.at,
        service: message.service.clone(),
        verification: message.verification_id,
        segments: message.segments,
    }
}
