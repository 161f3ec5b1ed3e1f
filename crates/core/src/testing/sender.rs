//! A sender that delivers nothing, remembers everything and answers as a test scripts it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::code::VerificationCode;
use crate::id::{DeliveryId, VerificationId};
use crate::message::MessageText;
use crate::phone_number::PhoneNumber;
use crate::sender::{Channel, DeliveryStatus, Message, Receipt, SendError, SendErrorKind, Sender};

/// A message as it was handed over.
#[derive(Clone, Debug)]
pub struct RecordedMessage {
    /// Our id of the delivery.
    pub delivery_id: DeliveryId,
    /// The verification.
    pub verification_id: VerificationId,
    /// The service's name.
    pub service: String,
    /// The recipient.
    pub to: PhoneNumber,
    /// How it travels.
    pub channel: Channel,
    /// The code.
    pub code: VerificationCode,
    /// The text.
    pub text: MessageText,
    /// When it was handed over.
    pub at: Timestamp,
    /// Remaining life of the code.
    pub validity: Duration,
    /// How long the sender may take.
    pub deadline: Duration,
}

/// How a send goes.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is taken, with this receipt.
    Taken(Receipt),
    /// It is not (certainly) taken.
    Refused {
        /// What next.
        kind: SendErrorKind,
        /// The provider's code.
        provider_code: Option<&'static str>,
    },
    /// There is never an answer.
    Silence,
}

impl Outcome {
    /// A refusal without a provider's code.
    #[must_use]
    pub const fn refused(kind: SendErrorKind) -> Self {
        Self::Refused { kind, provider_code: None }
    }
}

#[derive(Debug, Default)]
struct Script {
    messages: Vec<RecordedMessage>,
    next: VecDeque<Outcome>,
    by_number: HashMap<String, Outcome>,
}

/// Remembers messages. Takes all of them unless scripted otherwise.
#[derive(Debug)]
pub struct RecordingSender {
    stays_here: bool,
    script: Mutex<Script>,
    arrived: watch::Sender<usize>,
    gate_open: watch::Sender<bool>,
}

impl RecordingSender {
    /// The name of this sender.
    pub const NAME: &'static str = "recording";

    /// A sender that counts as a provider, or as one whose messages stay on this machine.
    #[must_use]
    pub fn new(stays_here: bool) -> Self {
        Self {
            stays_here,
            script: Mutex::default(),
            arrived: watch::Sender::new(0),
            gate_open: watch::Sender::new(true),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What arrived so far, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<RecordedMessage> {
        self.script().messages.clone()
    }

    /// The last message.
    #[must_use]
    pub fn last(&self) -> Option<RecordedMessage> {
        self.script().messages.last().cloned()
    }

    /// How many arrived.
    #[must_use]
    pub fn count(&self) -> usize {
        self.script().messages.len()
    }

    /// How the next send without an outcome goes; calls queue up.
    pub fn next(&self, outcome: Outcome) {
        self.script().next.push_back(outcome);
    }

    /// How every send to the number `e164` goes, before anything queued by [`next`](Self::next).
    pub fn always_for(&self, e164: &str, outcome: Outcome) {
        self.script().by_number.insert(e164.to_owned(), outcome);
    }

    /// Lets sends wait, after they arrived, until the gate opens.
    pub fn close_gate(&self) {
        self.gate_open.send_replace(false);
    }

    /// Lets waiting sends go on.
    pub fn open_gate(&self) {
        self.gate_open.send_replace(true);
    }

    /// Waits until `count` messages have arrived.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        // The sender half lives as long as `self`, so waiting cannot fail.
        if arrived.wait_for(|so_far| *so_far >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn record(&self, message: &Message) -> (Outcome, usize) {
        let mut script = self.script();
        script.messages.push(RecordedMessage {
            delivery_id: message.delivery_id,
            verification_id: message.verification_id,
            service: message.service.clone(),
            to: message.to,
            channel: message.channel,
            code: message.code.clone(),
            text: message.text.clone(),
            at: message.at,
            validity: message.validity,
            deadline: message.deadline,
        });
        let count = script.messages.len();
        let scripted = script.by_number.get(message.to.e164()).cloned().or_else(|| script.next.pop_front());
        (scripted.unwrap_or_else(|| Outcome::Taken(receipt(count))), count)
    }
}

/// The receipt of the `count`-th message.
fn receipt(count: usize) -> Receipt {
    Receipt { message_id: Some(format!("MSG{count:04}")), status: DeliveryStatus::Queued, segments: None, price: None }
}

impl Default for RecordingSender {
    fn default() -> Self {
        Self::new(false)
    }
}

#[async_trait]
impl Sender for RecordingSender {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn stays_here(&self) -> bool {
        self.stays_here
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let (outcome, count) = self.record(message);
        self.arrived.send_replace(count);
        let mut gate = self.gate_open.subscribe();
        if gate.wait_for(|open| *open).await.is_err() {
            return std::future::pending().await;
        }
        match outcome {
            Outcome::Taken(receipt) => Ok(receipt),
            Outcome::Refused { kind, provider_code } => {
                let mut error = SendError::new(kind, "scripted");
                error.provider_code = provider_code.map(str::to_owned);
                Err(error)
            }
            Outcome::Silence => std::future::pending().await,
        }
    }
}
