//! How every limit of a number stands, free of effects.

use smallvec::SmallVec;

use super::State;
use crate::clock::Timestamp;
use crate::limits::gcra::Tat;
use crate::store::judge::{self, Number};
use crate::store::{InfoOutcome, InfoRequest, StoreError};

impl State {
    /// How the limits stand at `now`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a record cannot be read.
    pub fn info(&self, request: &InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        let now = self.view(now);
        let mut phone = self.phone(&request.phone)?;
        let service = phone.service_mut(request.service).clone();
        let quotas = request.quotas.iter().map(|charge| Ok(self.quota(charge.key)?.tat));
        let quotas = quotas.collect::<Result<SmallVec<[Tat; 3]>, StoreError>>()?;
        let newest = match service.verifications.last() {
            Some(id) => self.verification(id)?.map(|record| (*id, record)),
            None => None,
        };
        let number = Number { all_services: &phone.sends, service: &service };
        Ok(judge::info(request, number, newest, &quotas, now))
    }
}
