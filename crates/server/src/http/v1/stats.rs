//! How many were sent, delivered, approved and refused, and what it cost.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use verifyd_core::clock::Timestamp;
use verifyd_core::history::{Counts, GroupBy, GroupKey, Hour, Period, StatsQuery};
use verifyd_core::sender::Channel;

use super::deliveries::{channel, country, field, instant, tenant};
use super::params::optional;
use super::problems::StatsProblems;
use super::verifications::reply;
use crate::http::access::{Allowed, Reading};
use crate::http::app::Shared;
use crate::http::format::rfc3339;
use crate::http::openapi::schema;
use crate::http::problem::Problem;

/// How far back a question without `from` reaches.
const USUAL_SPAN: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// What `GET /v1/stats` is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatsParams {
    service: Option<String>,
    from: Option<String>,
    until: Option<String>,
    country: Option<String>,
    channel: Option<String>,
    sender: Option<String>,
    period: Option<String>,
    by: Option<String>,
}

impl IntoParams for StatsParams {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let query = |name, text, schema: utoipa::openapi::Schema| optional(name, ParameterIn::Query, text, schema);
        vec![
            query(
                "service",
                "Of one service; without it of every one that the key may see.",
                schema::query_service().into(),
            ),
            query(
                "from",
                "From the hour of this instant; a day before `until` without it.",
                schema::query_instant().into(),
            ),
            query(
                "until",
                "To the end of the hour before this instant's, its own included if it has begun; now without it.",
                schema::query_instant().into(),
            ),
            query("country", "To numbers of this country.", schema::region_of_number().into()),
            query("channel", "By this channel.", schema::channel_used().into()),
            query("sender", "By this sender.", schema::sender().into()),
            query("period", "Tells hours or days (of UTC) apart.", schema::period().into()),
            query("by", "What else is told apart.", schema::groups().into()),
        ]
    }
}

/// A sum of money.
#[derive(Serialize, ToSchema)]
struct CostReply {
    /// A decimal number.
    amount: String,
    /// ISO 4217; three X where the provider named none.
    currency: String,
}

/// The counts of a group. Of what was not told apart it names nothing.
#[derive(Serialize, ToSchema)]
struct StatsGroup {
    /// When its hour or day begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    start: Option<String>,
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    service: Option<String>,
    /// The country; empty for what was refused before a number was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    country: Option<String>,
    /// Who sent it; empty for what was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sender: Option<String>,
    /// How it travelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    channel: Option<&'static str>,
    /// Messages that left, or may have.
    sent: i64,
    /// Those that arrived, as far as the provider told.
    delivered: i64,
    /// Those that did not, as far as the provider told.
    undelivered: i64,
    /// Those of which nobody knows whether they left.
    unknown: i64,
    /// Messages that did not leave.
    failed: i64,
    /// Verifications that were approved, counted for their last message, in its hour.
    approved: i64,
    /// `approved` of `sent`; null where nothing was sent.
    #[schema(required)]
    conversion: Option<f64>,
    /// From the admission of the message to the right code; null where nothing was approved.
    #[schema(required)]
    mean_seconds_to_approve: Option<f64>,
    /// The same, for the one in the middle; read from fifteen classes, so it is not exact.
    #[schema(required)]
    median_seconds_to_approve: Option<f64>,
    /// Segments.
    segments: i64,
    /// Starts and resends that were refused before anything was sent, by reason: the name of the limit, or a code.
    refused: BTreeMap<String, i64>,
    /// What it cost, as far as the providers told.
    cost: Vec<CostReply>,
}

/// Sums of counts.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "from": "2026-11-21T18:00:00.000Z", "until": "2026-11-22T18:00:00.000Z",
    "groups": [{
        "country": "US", "sent": 40, "delivered": 38, "undelivered": 1, "unknown": 0, "failed": 2, "approved": 36, "conversion": 0.9,
        "mean_seconds_to_approve": 14.203, "median_seconds_to_approve": 11.5, "segments": 40,
        "refused": { "sends_per_phone": 3 }, "cost": [{ "amount": "0.316", "currency": "USD" }]
    }]
})))]
struct StatsReply {
    /// From this hour on.
    #[schema(format = DateTime)]
    from: String,
    /// To the end of the hour before this one.
    #[schema(format = DateTime)]
    until: String,
    /// One for everything, or one a group, in the order of what was told apart; what has no counts is left out.
    groups: Vec<StatsGroup>,
}

/// Billionths as a decimal number without zeros at its end.
fn amount(nanos: i64) -> String {
    let (sign, size) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let text = format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn ratio(part: i64, whole: i64) -> Option<f64> {
    // Four digits, and no more than counts can say.
    let parts = u32::try_from(part.checked_mul(10_000)?.checked_div(whole)?).ok()?;
    Some(f64::from(parts) / 10_000.0)
}

fn seconds(ms: Option<u64>) -> Option<f64> {
    // A mean beyond 49 days is none that a verification can have.
    Some(f64::from(u32::try_from(ms?).ok()?) / 1_000.0)
}

impl From<(GroupKey, Counts)> for StatsGroup {
    fn from((key, counts): (GroupKey, Counts)) -> Self {
        let cost = counts.cost.iter().filter(|(_, nanos)| **nanos != 0);
        Self {
            start: key.start.map(|start| rfc3339(start).to_string()),
            service: key.service.map(|service| service.to_string()),
            country: key.country.map(|country| country.as_str().to_owned()),
            sender: key.sender.map(Into::into),
            channel: key.channel.map(Channel::as_str),
            sent: counts.sent(),
            delivered: counts.delivered,
            undelivered: counts.undelivered,
            unknown: counts.unknown,
            failed: counts.failed,
            approved: counts.approved,
            conversion: ratio(counts.approved, counts.sent()),
            mean_seconds_to_approve: seconds(counts.waits.mean_ms()),
            median_seconds_to_approve: seconds(counts.waits.median_ms()),
            segments: counts.segments,
            cost: cost
                .map(|(currency, nanos)| CostReply { amount: amount(*nanos), currency: currency.as_str().to_owned() })
                .collect(),
            refused: counts.refused.into_iter().map(|(reason, count)| (reason.into(), count)).collect(),
        }
    }
}

fn group_by(params: &StatsParams) -> Result<GroupBy, Problem> {
    let mut group = GroupBy {
        period: field("period", params.period.as_deref(), "hour or day", |text| match text {
            "hour" => Some(Period::Hour),
            "day" => Some(Period::Day),
            _ => None,
        })?,
        ..GroupBy::default()
    };
    for word in params.by.iter().flat_map(|words| words.split(',')) {
        match word {
            "service" => group.service = true,
            "country" => group.country = true,
            "sender" => group.sender = true,
            "channel" => group.channel = true,
            _ => {
                return Err(Problem::invalid_field(
                    "by",
                    "expected service, country, sender or channel, with commas between",
                ));
            }
        }
    }
    Ok(group)
}

/// The hours from that of `from` to that of `until`, which counts if it has begun at that instant.
fn hours(from: Option<Timestamp>, until: Option<Timestamp>, now: Timestamp) -> (Hour, Hour) {
    let until = until.unwrap_or(now);
    let end = Hour::of(until);
    let end = if end.start() < until { end.next() } else { end };
    (Hour::of(from.unwrap_or(until - USUAL_SPAN)), end)
}

/// How many, and what became of them
///
/// Sums of hourly counts. They name nobody, and are kept longer than the deliveries that they count.
#[utoipa::path(
    get, path = "/v1/stats", operation_id = "readStats", tag = "History", security(("api_key" = ["read"])),
    params(StatsParams),
    responses((status = 200, description = "Sums of counts.", body = StatsReply), StatsProblems),
)]
pub(super) async fn stats(
    State(app): Shared,
    caller: Allowed<Reading>,
    params: Result<Query<StatsParams>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(params) = params.map_err(|_rejection| {
        Problem::invalid_request(
            "the query takes service, from, until, country, channel, sender, period and by, each once",
        )
    })?;
    let (from, until) = (instant("from", params.from.as_deref())?, instant("until", params.until.as_deref())?);
    let (from, until) = hours(from, until, app.verifier.now());
    let query = StatsQuery {
        service: tenant(&app, &caller, params.service.as_deref())?,
        from,
        until,
        country: country(params.country.as_deref())?,
        sender: params.sender.clone(),
        channel: channel(params.channel.as_deref())?,
        group: group_by(&params)?,
    };
    let groups = app.verifier.stats(&query).await?;
    let body = StatsReply {
        from: rfc3339(from.start()).to_string(),
        until: rfc3339(until.start()).to_string(),
        groups: groups.0.into_iter().map(Into::into).collect(),
    };
    Ok(reply(StatusCode::OK, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_without_zeros_at_its_end() {
        let cases =
            [(0, "0"), (7_900_000, "0.0079"), (-500_000_000, "-0.5"), (12_000_000_000, "12"), (1, "0.000000001")];
        for (nanos, text) in cases {
            assert_eq!(amount(nanos), text);
        }
    }

    #[test]
    fn an_hour_that_has_begun_counts() {
        let at = |hours: u64, minutes: u64| Timestamp::from_unix_ms((hours * 60 + minutes) * 60_000);
        assert_eq!(hours(None, None, at(100, 30)), (Hour(76), Hour(101)));
        assert_eq!(hours(Some(at(50, 59)), Some(at(60, 0)), at(100, 0)), (Hour(50), Hour(60)));
        assert_eq!(ratio(9, 10), Some(0.9));
        assert_eq!(ratio(1, 0), None);
    }
}
