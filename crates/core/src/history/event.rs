//! What happened, as the flow tells it, and what a history keeps of it.

use std::collections::BTreeMap;

use super::counts::Counts;
use super::entry::{Batch, Change, Country, Entry, EntryKey, News, rank};
use super::table::{CountKey, Hour};
use crate::clock::{Timestamp, duration_ms};
use crate::id::{ServiceId, VerificationId};
use crate::keys::{KeyRing, PhoneHash, SealError};
use crate::phone_number::PhoneNumber;
use crate::random::{Drawn, Random};
use crate::sender::{Channel, DeliveryStatus, Price};
use crate::store::DeliveryRecord;

/// A message was handed over, whatever came of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The tenant.
    pub service: ServiceId,
    /// The verification.
    pub verification: VerificationId,
    /// The line.
    pub phone: PhoneHash,
    /// The number.
    pub to: PhoneNumber,
    /// What is known of it.
    pub delivery: DeliveryRecord,
    /// When that was learnt.
    pub settled_at: Timestamp,
    /// When the code was checked rightly, if that came before the outcome of the send.
    pub approved_at: Option<Timestamp>,
    /// Whether an entry is kept: not of a number that was forgotten while the message was on its way. It counts all the same.
    pub kept: bool,
}

/// The provider told more of a delivery than was known.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which delivery.
    pub place: EntryKey,
    /// The number's country.
    pub country: Country,
    /// Who sent it.
    pub sender: Box<str>,
    /// How it travelled.
    pub channel: Channel,
    /// Where it stood, its segments and its price before.
    pub before: (DeliveryStatus, u16, Option<Price>),
    /// What is known now, with the provider's error code.
    pub after: (DeliveryStatus, u16, Option<Price>, Option<Box<str>>),
    /// When it was told.
    pub at: Timestamp,
}

/// The right code came.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The delivery that it is counted for: the verification's last that left or may have.
    pub place: EntryKey,
    /// The number's country.
    pub country: Country,
    /// Who sent it.
    pub sender: Box<str>,
    /// How it travelled.
    pub channel: Channel,
    /// When it came.
    pub at: Timestamp,
}

/// A start or a resend was refused before anything was sent.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// The tenant.
    pub service: ServiceId,
    /// When.
    pub at: Timestamp,
    /// The number's country; nothing where no number was read.
    pub country: Country,
    /// How it was to travel.
    pub channel: Channel,
    /// Why: a word from a closed set.
    pub reason: &'static str,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message was handed over.
    Sent(Box<Sent>),
    /// The provider told more.
    Updated(Box<Update>),
    /// The right code came.
    Approved(Approval),
    /// A start was refused.
    Refused(Refused),
}

type Sums = BTreeMap<CountKey, Counts>;

fn counts<'a>(
    sums: &'a mut Sums,
    place: &EntryKey,
    country: Country,
    sender: &str,
    channel: Channel,
) -> &'a mut Counts {
    let hour = Hour::of(place.at);
    sums.entry(CountKey { hour, service: place.service, country, sender: sender.into(), channel }).or_default()
}

impl Sent {
    fn place(&self) -> EntryKey {
        EntryKey { at: self.delivery.at, id: self.delivery.id, service: self.service }
    }

    fn count(&self, sums: &mut Sums) {
        let delivery = &self.delivery;
        let counts = counts(sums, &self.place(), self.to.region().into(), &delivery.sender, delivery.channel);
        counts.attempts += 1;
        counts.stand(delivery.status, 1);
        // What did not leave has no size and costs nothing.
        if delivery.status != DeliveryStatus::Failed {
            counts.segments += i64::from(delivery.segments);
        }
        if let Some(price) = &delivery.price {
            counts.pay(price, 1);
        }
    }

    fn entry(self, keys: &KeyRing, random: &dyn Random) -> Result<Entry, SealError> {
        let place = self.place();
        let delivery = self.delivery;
        Ok(Entry {
            place,
            verification: self.verification,
            phone: self.phone,
            key: keys.current_tag(),
            number: keys.seal_number(&place.id, self.to, random)?,
            country: self.to.region().into(),
            channel: delivery.channel,
            sender: delivery.sender,
            status: delivery.status,
            segments: delivery.segments,
            message_id: delivery.message_id,
            price: delivery.price.map(|price| *price),
            error_code: delivery.error_code,
            updated_at: self.settled_at,
            approved_at: self.approved_at,
        })
    }
}

impl Update {
    fn count(&self, sums: &mut Sums) {
        let counts = counts(sums, &self.place, self.country, &self.sender, self.channel);
        let ((was, was_segments, was_price), (status, segments, price, _)) = (&self.before, &self.after);
        if rank(*status) >= rank(*was) {
            counts.stand(*was, -1);
            counts.stand(*status, 1);
        }
        if *segments > 0 {
            counts.segments += i64::from(*segments) - i64::from(*was_segments);
        }
        if let Some(price) = price {
            counts.pay(price, 1);
            if let Some(was) = was_price {
                counts.pay(was, -1);
            }
        }
    }

    fn change(self) -> Change {
        let (status, segments, price, error_code) = self.after;
        Change { place: self.place, news: News::Status { status, segments, price, error_code, at: self.at } }
    }
}

impl Approval {
    fn count(&self, sums: &mut Sums) {
        let counts = counts(sums, &self.place, self.country, &self.sender, self.channel);
        counts.approved += 1;
        counts.waits.add(duration_ms(self.at.since(self.place.at)));
    }
}

impl Refused {
    fn count(&self, sums: &mut Sums) {
        let Self { service, at, country, channel, reason } = *self;
        let key = CountKey { hour: Hour::of(at), service, country, sender: "".into(), channel };
        *sums.entry(key).or_default().refused.entry(reason.into()).or_default() += 1;
    }
}

/// How many nonces are drawn at once.
const DRAWN_AT_ONCE: usize = 8;

/// What a history keeps of events. An entry whose number cannot be sealed is counted and not kept; how many are the second value.
pub(super) fn batch_of(events: impl Iterator<Item = Event>, keys: &KeyRing, random: &dyn Random) -> (Batch, usize) {
    let (mut batch, mut unsealed, mut stock) = (Batch::default(), 0, None);
    let mut id = [0; 16];
    batch.id = random.fill(&mut id).ok().map(|()| id);
    for event in events {
        match event {
            Event::Sent(sent) => {
                sent.count(&mut batch.counts);
                if !sent.kept {
                    continue;
                }
                if batch.entries.len() % DRAWN_AT_ONCE == 0 {
                    stock = Drawn::from(random).ok();
                }
                let sealed = stock.as_ref().ok_or(SealError::NoRandomness).and_then(|stock| sent.entry(keys, stock));
                match sealed {
                    Ok(entry) => batch.entries.push(entry),
                    Err(_no_randomness) => unsealed += 1,
                }
            }
            Event::Updated(update) => {
                update.count(&mut batch.counts);
                batch.changes.push(update.change());
            }
            Event::Approved(approval) => {
                approval.count(&mut batch.counts);
                let Approval { place, at, .. } = approval;
                batch.changes.push(Change { place, news: News::Approved { at } });
            }
            Event::Refused(refused) => refused.count(&mut batch.counts),
        }
    }
    (batch, unsealed)
}
