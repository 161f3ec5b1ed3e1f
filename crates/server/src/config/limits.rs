//! The limits of a service: `[limits]`, and its own under `[service.NAME.limits]`.

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::limits::{ParseRateError, Rate};
use verifyd_core::service::{Limits, MAX_DELAYS, MAX_FAILED_CHECKS_IN_A_ROW, MAX_PER_VERIFICATION, MAX_TTL};
use verifyd_core::store::Rules;

use super::reader::{Reader, span};

/// The most of a limit that is kept as an exact log; core refuses more.
pub(super) const MAX_LOG_COUNT: u32 = 100;

/// The limits of the service whose section is `section`.
pub(super) fn read(reader: &mut Reader<'_>, section: &str) -> Option<Limits> {
    let path = |name: &str| format!("{section}.limits.{name}");
    let sends_per_phone = reader.parsed_by(&path("sends_per_phone"), exact);
    let sends_per_phone_all_services = reader.parsed_by("limits.sends_per_phone_all_services", exact);
    let sends_per_ip = reader.parsed(&path("sends_per_ip"));
    let sends_per_verification = reader.number(&path("sends_per_verification"), &(1..=MAX_PER_VERIFICATION));
    let checks_per_verification = reader.number(&path("checks_per_verification"), &(1..=MAX_PER_VERIFICATION));
    let failed_checks_per_phone = reader.parsed_by(&path("failed_checks_per_phone"), exact);
    let failed_checks_in_a_row = reader.number(&path("failed_checks_in_a_row"), &(1..=MAX_FAILED_CHECKS_IN_A_ROW));
    let resend_delays = delays(reader, &path("resend_delays"));
    let check_delays = delays(reader, &path("check_delays"));
    Some(Limits {
        rules: Rules {
            sends_per_phone: sends_per_phone?,
            sends_per_phone_all_services: sends_per_phone_all_services?,
            sends_per_verification: sends_per_verification?,
            checks_per_verification: checks_per_verification?,
            failed_checks_per_phone: failed_checks_per_phone?,
            failed_checks_in_a_row: failed_checks_in_a_row?,
            resend_delays: resend_delays?,
            check_delays: check_delays?,
        },
        sends_per_ip: sends_per_ip?,
    })
}

fn delays(reader: &mut Reader<'_>, path: &str) -> Option<Arc<[Duration]>> {
    let delays = reader.list(path, |text| span(text, &(Duration::ZERO..=MAX_TTL)))?;
    if delays.len() > MAX_DELAYS {
        reader.refuse(path, format_args!("expected at most {MAX_DELAYS} durations"));
        return None;
    }
    Some(delays.into())
}

/// A limit of which the store keeps an exact log.
fn exact(text: &str) -> Result<Rate, String> {
    let rate: Rate = text.parse().map_err(|error: ParseRateError| error.to_string())?;
    if rate.count() > MAX_LOG_COUNT {
        return Err(format!("expected at most {MAX_LOG_COUNT} per window: every one of them is remembered"));
    }
    Ok(rate)
}

/// Remarks on limits that another one makes void: the stricter wins, which is no contradiction.
pub(super) fn remarks(reader: &mut Reader<'_>, section: &str, limits: &Limits) {
    let rules = &limits.rules;
    let path = |name: &str| format!("{section}.limits.{name}");
    let void = |strict: Rate, loose: Rate| strict.count() < loose.count() && strict.window() >= loose.window();
    let mut remark = |loose: String, value: String, strict: &str, by: String| {
        let message = format!("{value} never applies: {strict} = {by} is stricter");
        reader.findings.remark(reader.field(&loose), message);
    };
    if void(rules.sends_per_phone_all_services, rules.sends_per_phone) {
        let (value, by) = (rules.sends_per_phone.to_string(), rules.sends_per_phone_all_services.to_string());
        remark(path("sends_per_phone"), value, "limits.sends_per_phone_all_services", by);
    }
    if rules.sends_per_verification > rules.sends_per_phone.count() {
        let (value, by) = (rules.sends_per_verification.to_string(), rules.sends_per_phone.to_string());
        remark(path("sends_per_verification"), value, &path("sends_per_phone"), by);
    }
    if rules.checks_per_verification > rules.failed_checks_per_phone.count() {
        let (value, by) = (rules.checks_per_verification.to_string(), rules.failed_checks_per_phone.to_string());
        remark(path("checks_per_verification"), value, &path("failed_checks_per_phone"), by);
    }
}
