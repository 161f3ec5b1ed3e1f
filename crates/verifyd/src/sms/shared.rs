//! The one instance that a process shares.

use std::sync::{Mutex, PoisonError};

use super::{SmsError, SmsService};

static SHARED: Mutex<Option<SmsService>> = Mutex::new(None);

/// The service of this process, made from the environment at the first call ([`SmsService::from_env`]); every later call
/// gives the same one, so that limits are counted once. A failure is not kept: the next call reads the environment again.
///
/// ```
/// match verifyd::get_sms_service() {
///     Ok(sms) => drop(sms),
///     // Without credentials and without mock mode nothing is pretended.
///     Err(error) => assert!(error.to_string().starts_with("TWILIO_ACCOUNT_SID: there is no way to send")),
/// }
/// ```
///
/// # Errors
/// [`SmsError::Configuration`] names the variable.
pub fn get_sms_service() -> Result<SmsService, SmsError> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(service) = shared.as_ref() {
        return Ok(service.clone());
    }
    let service = SmsService::from_env()?;
    Ok(shared.insert(service).clone())
}
