//! A sender: the provider is a loft of pigeons, which can be full of hawks, asleep or closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use verifyd::sender::{DeliveryStatus, Message, Receipt, SendError, SendErrorKind, Sender};

/// How the loft is today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loft {
    /// Pigeons fly.
    Open,
    /// Nobody lives where the message should go.
    NoSuchRoof,
    /// A pigeon left and no one saw it come back.
    Hawks,
    /// Nobody opens.
    Closed,
}

/// Sends by pigeon.
#[derive(Debug)]
pub struct PigeonSender {
    loft: Loft,
    departures: Arc<AtomicUsize>,
}

impl PigeonSender {
    /// A sender at this loft, and the count of pigeons that left it.
    #[must_use]
    pub fn new(loft: Loft) -> (Self, Arc<AtomicUsize>) {
        let departures = Arc::new(AtomicUsize::new(0));
        (Self { loft, departures: Arc::clone(&departures) }, departures)
    }
}

#[async_trait]
impl Sender for PigeonSender {
    fn name(&self) -> &'static str {
        "pigeon"
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        if self.loft == Loft::Closed {
            return Err(SendError::new(SendErrorKind::Unavailable, "the loft is closed"));
        }
        let ring = self.departures.fetch_add(1, Ordering::SeqCst);
        match self.loft {
            Loft::NoSuchRoof => Err(SendError::new(SendErrorKind::Rejected, "nobody lives there")),
            Loft::Hawks => {
                // The verifier lets a sender wait a little longer than this, and then stops listening.
                Err(SendError::new(SendErrorKind::Unknown, format!("not back after {:?}", message.deadline)))
            }
            Loft::Open | Loft::Closed => Ok(Receipt {
                message_id: Some(format!("ring {ring}")),
                status: DeliveryStatus::Sent,
                segments: Some(message.segments.count),
                price: None,
            }),
        }
    }
}
