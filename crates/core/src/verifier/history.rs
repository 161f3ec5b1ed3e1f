//! What the flow tells the history, and what people read of it.
//!
//! Telling costs a request one push ([`Recorder::record`](crate::history::Recorder::record)) and nothing else: no verb waits for
//! the history, fails because of it or looks into it.

use super::start::read_number;
use super::{Verifier, VerifyError};
use crate::clock::Timestamp;
use crate::history::{
    Approval, Country, Cursor, Entry, EntryKey, Event, Filter, Groups, HistoryError, PageQuery, Refused, Sent,
    StatsQuery,
};
use crate::id::{DeliveryId, ServiceId};
use crate::keys::PhoneHash;
use crate::phone_number::{PhoneNumber, PhoneNumberError};
use crate::sender::{Channel, DeliveryStatus};
use crate::service::Service;
use crate::store::{DeliveryRecord, Loaded, Refusal, Status, StoreError};

/// How long a caller waits before it asks a history again that did not answer.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// A delivery for its owner: with the whole number.
#[derive(Clone, Debug)]
pub struct SeenDelivery {
    /// The number; `None` if the key that sealed it is gone.
    pub to: Option<PhoneNumber>,
    /// What is kept of it.
    pub entry: Entry,
}

/// Some deliveries, newest first.
#[derive(Clone, Debug)]
pub struct Deliveries {
    /// The deliveries.
    pub deliveries: Vec<SeenDelivery>,
    /// Where to go on; `None` if nothing older is asked for. A page may be short, or empty, and have a next.
    pub next: Option<Cursor>,
}

impl Verifier {
    /// Some of the deliveries that `filter` asks for, newest first; at most `limit`, from behind `after` on.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn deliveries(
        &self,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Deliveries, HistoryError> {
        let recorder = self.parts.history.as_ref().ok_or(HistoryError::Off)?;
        recorder.catch_up().await;
        let query = PageQuery { filter, after, limit };
        let page = recorder.history().page(&query, self.parts.clock.now()).await?;
        let deliveries = page.entries.into_iter().map(|entry| self.seen(entry)).collect();
        Ok(Deliveries { deliveries, next: page.next })
    }

    /// One delivery, of `service` or of any.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn delivery(
        &self,
        service: Option<ServiceId>,
        id: DeliveryId,
    ) -> Result<Option<SeenDelivery>, HistoryError> {
        let recorder = self.parts.history.as_ref().ok_or(HistoryError::Off)?;
        recorder.catch_up().await;
        let entry = recorder.history().fetch(service, id, self.parts.clock.now()).await?;
        Ok(entry.map(|entry| self.seen(entry)))
    }

    /// Sums of the hourly counts, by group.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn stats(&self, query: &StatsQuery) -> Result<Groups, HistoryError> {
        let recorder = self.parts.history.as_ref().ok_or(HistoryError::Off)?;
        recorder.catch_up().await;
        recorder.history().stats(query, self.parts.clock.now()).await
    }

    /// What a history finds a number by.
    ///
    /// # Errors
    /// [`VerifyError`] for a number or a region that is none.
    pub fn line_of(&self, service: &Service, to: &str, region: Option<&str>) -> Result<PhoneHash, VerifyError> {
        Ok(self.phone_hash(&read_number(service, to, region)?))
    }

    /// The time, as this verifier takes it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn seen(&self, entry: Entry) -> SeenDelivery {
        let to = self.parts.keys.open_number(entry.key, &entry.place.id, &entry.number);
        SeenDelivery { to: to.ok(), entry }
    }

    fn tell(&self, event: impl FnOnce() -> Option<Event>) {
        if let Some(recorder) = &self.parts.history
            && let Some(event) = event()
        {
            recorder.record(event);
        }
    }

    /// Tells of a delivery that was handed over, as `loaded` has it now; `kept` unless its number was forgotten meanwhile.
    pub(super) fn tell_sent(&self, loaded: &Loaded, delivery: DeliveryId, to: PhoneNumber, kept: bool) {
        self.tell(|| {
            let record = &loaded.record;
            let delivery = record.deliveries.iter().find(|known| known.id == delivery)?;
            let approved_at = match record.status {
                Status::Approved { at } if counted_for(loaded).is_some_and(|last| last.id == delivery.id) => Some(at),
                _ => None,
            };
            Some(Event::Sent(Box::new(Sent {
                service: record.service,
                verification: loaded.id,
                phone: record.phone,
                to,
                delivery: delivery.clone(),
                settled_at: loaded.at.max(delivery.at),
                approved_at,
                kept,
            })))
        });
    }

    /// Tells of an approval, unless `loaded` is the answer to the repeat of a request that approved before.
    pub(super) fn tell_approved(&self, loaded: &Loaded, to: &PhoneNumber) {
        self.tell(|| {
            let Status::Approved { at } = loaded.record.status else { return None };
            let delivery = counted_for(loaded).filter(|_| at == loaded.at)?;
            Some(Event::Approved(Approval {
                place: EntryKey { at: delivery.at, id: delivery.id, service: loaded.record.service },
                country: to.region().into(),
                sender: delivery.sender.clone(),
                channel: delivery.channel,
                at,
            }))
        });
    }

    /// Tells of a start or resend that was refused before anything was sent.
    pub(super) fn tell_refused(
        &self,
        service: ServiceId,
        to: Option<&PhoneNumber>,
        channel: Channel,
        error: &VerifyError,
    ) {
        let Some(reason) = reason(error) else { return };
        let country = match error {
            VerifyError::Number(PhoneNumberError::CountryNotAllowed(region)) => (*region).into(),
            _ => to.map_or(Country::NONE, |to| to.region().into()),
        };
        let at = self.parts.clock.now();
        self.tell(|| Some(Event::Refused(Refused { service, at, country, channel, reason })));
    }

    /// Erases what the history has of a number, what is on its way there included.
    pub(super) async fn forget_history(&self, service: Option<ServiceId>, phone: PhoneHash) -> Result<(), VerifyError> {
        let Some(recorder) = &self.parts.history else { return Ok(()) };
        let erased = match recorder.flush_in_time().await {
            Ok(()) => recorder.history().forget(service, phone, self.parts.clock.now()).await,
            Err(error) => Err(error),
        };
        let unavailable =
            |error: HistoryError| StoreError::Unavailable { reason: error.to_string(), retry_after: RETRY_AFTER };
        Ok(erased.map(drop).map_err(unavailable)?)
    }
}

/// The delivery that an approval is counted for: the last that left or may have.
fn counted_for(loaded: &Loaded) -> Option<&DeliveryRecord> {
    loaded.record.deliveries.iter().rev().find(|delivery| delivery.status != DeliveryStatus::Failed)
}

/// Under which word a refusal is counted; `None` for what is no refusal but the caller's mistake, our own failure, or a message
/// that a sender did not take, which is a delivery.
const fn reason(error: &VerifyError) -> Option<&'static str> {
    Some(match error {
        VerifyError::Number(error) => match error {
            PhoneNumberError::CountryNotAllowed(_) => "country_not_allowed",
            PhoneNumberError::TypeNotAllowed(_) | PhoneNumberError::PrefixNotAllowed => "number_type_not_allowed",
            _ => "invalid_phone_number",
        },
        VerifyError::Refused { refusal, .. } => match refusal {
            Refusal::RateLimited { name, .. } => name.as_str(),
            Refusal::MaxSends { .. } => "max_sends_reached",
            Refusal::MaxChecks { .. } => "max_checks_reached",
            _ => return None,
        },
        VerifyError::SenderUnavailable { sender: None, .. } => "sender_unavailable",
        _ => return None,
    })
}
