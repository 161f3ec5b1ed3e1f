//! What was sent, and what came of it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use verifyd_core::clock::Timestamp;
use verifyd_core::history::{Country, Cursor, Filter, HistoryError};
use verifyd_core::id::{DeliveryId, ServiceId, VerificationId};
use verifyd_core::sender::{Channel, DeliveryStatus};
use verifyd_core::verifier::SeenDelivery;

use super::params::{DeliveryInPath, optional};
use super::path::Segment;
use super::problems::{DeliveriesProblems, DeliveryProblems};
use super::reply::PriceReply;
use super::verifications::reply;
use crate::api_keys::Caller;
use crate::http::access::{Allowed, Reading};
use crate::http::app::{App, Shared};
use crate::http::format::{parse_instant, rfc3339};
use crate::http::openapi::schema::{self, MAX_PAGE};
use crate::http::problem::Problem;

/// Deliveries of a page that asks for no number of them.
const USUAL_PAGE: usize = 20;

/// What `GET /v1/deliveries` is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesQuery {
    service: Option<String>,
    from: Option<String>,
    until: Option<String>,
    to: Option<String>,
    region: Option<String>,
    country: Option<String>,
    channel: Option<String>,
    sender: Option<String>,
    status: Option<String>,
    verification: Option<String>,
    approved: Option<bool>,
    cursor: Option<String>,
    limit: Option<usize>,
}

impl IntoParams for DeliveriesQuery {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let query = |name, text, schema: utoipa::openapi::Schema| optional(name, ParameterIn::Query, text, schema);
        let region = "The region in which a national `to` is read.";
        vec![
            query(
                "service",
                "Of one service; without it of every one that the key may see.",
                schema::query_service().into(),
            ),
            query("from", "Admitted at this instant or later.", schema::query_instant().into()),
            query("until", "Admitted before this instant.", schema::query_instant().into()),
            query("to", "To this number; a plus sign may stand as it is.", schema::number().into()),
            optional("region", ParameterIn::Query, region, schema::query_region()),
            query("country", "To numbers of this country.", schema::region_of_number().into()),
            query("channel", "By this channel.", schema::channel_used().into()),
            query("sender", "By this sender.", schema::sender().into()),
            query("status", "That stand so.", schema::delivery_status().into()),
            query("verification", "Of one verification.", schema::verification_id().into()),
            query("approved", "Whether the right code came.", schema::flag().into()),
            query("cursor", "`next_cursor` of the page before.", schema::cursor().into()),
            query("limit", "The most deliveries of the page; 20 without it.", schema::page_limit().into()),
        ]
    }
}

/// A message that was sent, or was to be.
#[derive(Serialize, ToSchema)]
struct ListedDelivery {
    #[schema(schema_with = schema::delivery_id)]
    id: String,
    #[schema(schema_with = schema::verification_id)]
    verification: String,
    #[schema(schema_with = schema::service_id)]
    service: String,
    /// The number in E.164 form; null if the key that sealed it is gone.
    #[schema(required)]
    to: Option<String>,
    #[schema(schema_with = schema::region_of_number)]
    country: String,
    #[schema(schema_with = schema::channel_used)]
    channel: &'static str,
    /// Who sent it.
    sender: String,
    #[schema(schema_with = schema::delivery_status)]
    status: &'static str,
    /// How many messages the provider counts; null while unknown.
    #[schema(required)]
    segments: Option<u16>,
    /// The provider's id of the message.
    #[schema(required)]
    message_id: Option<String>,
    /// What it cost, if the provider told.
    #[schema(required)]
    price: Option<PriceReply>,
    /// The provider's error code.
    #[schema(required)]
    error_code: Option<String>,
    /// When it was admitted.
    #[schema(format = DateTime)]
    at: String,
    /// When its status was learnt.
    #[schema(format = DateTime)]
    updated_at: String,
    /// When the right code came, if this is the delivery that the approval is counted for: the verification's last.
    #[schema(required, format = DateTime)]
    approved_at: Option<String>,
}

impl From<SeenDelivery> for ListedDelivery {
    fn from(SeenDelivery { to, entry }: SeenDelivery) -> Self {
        Self {
            id: entry.place.id.to_string(),
            verification: entry.verification.to_string(),
            service: entry.place.service.to_string(),
            to: to.map(|to| to.e164().to_owned()),
            country: entry.country.as_str().to_owned(),
            channel: entry.channel.as_str(),
            sender: entry.sender.into(),
            status: entry.status.as_str(),
            segments: (entry.segments > 0).then_some(entry.segments),
            message_id: entry.message_id.map(Into::into),
            price: entry.price.map(Into::into),
            error_code: entry.error_code.map(Into::into),
            at: rfc3339(entry.place.at).to_string(),
            updated_at: rfc3339(entry.updated_at).to_string(),
            approved_at: entry.approved_at.map(|at| rfc3339(at).to_string()),
        }
    }
}

/// Some deliveries, newest first.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "deliveries": [{
        "id": "VL00112233445566778899aabbccddeeff", "verification": "VE00112233445566778899aabbccddeeff",
        "service": "VA00112233445566778899aabbccddeeff", "to": "+14155552671", "country": "US", "channel": "sms",
        "sender": "twilio", "status": "delivered", "segments": 1, "message_id": "SM00112233445566778899aabbccddeeff",
        "price": { "amount": "0.0079", "currency": "USD", "estimated": false }, "error_code": null,
        "at": "2026-11-22T17:44:35.123Z", "updated_at": "2026-11-22T17:44:38.006Z", "approved_at": "2026-11-22T17:44:51.870Z"
    }],
    "next_cursor": null
})))]
struct DeliveriesReply {
    /// The deliveries.
    deliveries: Vec<ListedDelivery>,
    /// Goes into `cursor` for the next page; null when nothing older is asked for. A page may be short, even empty, and have a
    /// next: go on until it is null.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        if error == HistoryError::TooManyGroups {
            return Self::invalid_request(error.to_string());
        }
        tracing::error!(%error, "the history cannot be read");
        Self::store_unavailable(std::time::Duration::from_secs(5))
    }
}

/// Whose history a caller reads: of the service that the request names, else of the key's, else of all.
pub(super) fn tenant(app: &App, caller: &Caller, named: Option<&str>) -> Result<Option<ServiceId>, Problem> {
    match named {
        Some(named) => Ok(Some(app.service(caller, Some(named))?.id())),
        None => Ok(caller.service),
    }
}

/// A field of the query, read by `parse`.
pub(super) fn field<T>(
    name: &'static str,
    text: Option<&str>,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| Problem::invalid_field(name, format_args!("expected {expected}")))
}

/// An instant of the query.
pub(super) fn instant(name: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    field(name, text, "an instant such as 2026-11-22T17:44:35Z", parse_instant)
}

/// A country of the query.
pub(super) fn country(text: Option<&str>) -> Result<Option<Country>, Problem> {
    field("country", text, "two capitals of ISO 3166-1, or 001", |text| {
        Country::parse(text).filter(|country| *country != Country::NONE)
    })
}

/// A channel of the query.
pub(super) fn channel(text: Option<&str>) -> Result<Option<Channel>, Problem> {
    field("channel", text, "a channel such as sms", |text| text.parse().ok())
}

fn filter(app: &App, caller: &Caller, query: &DeliveriesQuery) -> Result<Filter, Problem> {
    let phone = match query.to.as_deref() {
        None => None,
        Some(to) => {
            let service = app.service(caller, query.service.as_deref())?;
            // In a query a plus sign stands for a space, and everybody forgets to write %2B.
            let to = if to.starts_with(' ') { to.replacen(' ', "+", 1) } else { to.to_owned() };
            Some(app.verifier.line_of(&service, &to, query.region.as_deref())?)
        }
    };
    let known = |text: &str| DeliveryStatus::ALL.into_iter().find(|status| status.as_str() == text);
    Ok(Filter {
        service: tenant(app, caller, query.service.as_deref())?,
        from: instant("from", query.from.as_deref())?,
        until: instant("until", query.until.as_deref())?,
        country: country(query.country.as_deref())?,
        channel: channel(query.channel.as_deref())?,
        sender: query.sender.clone(),
        status: field("status", query.status.as_deref(), "a status of a delivery", known)?,
        verification: field("verification", query.verification.as_deref(), "VE and 32 hex digits", |text| {
            text.parse::<VerificationId>().ok()
        })?,
        phone,
        approved: query.approved,
    })
}

/// What was sent
///
/// Newest first, a page at a time: what is sent meanwhile moves no page.
#[utoipa::path(
    get, path = "/v1/deliveries", operation_id = "listDeliveries", tag = "History", security(("api_key" = ["read"])),
    params(DeliveriesQuery),
    responses((status = 200, description = "A page of deliveries.", body = DeliveriesReply), DeliveriesProblems),
)]
pub(super) async fn list(
    State(app): Shared,
    caller: Allowed<Reading>,
    query: Result<Query<DeliveriesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|_rejection| {
        Problem::invalid_request(
            "the query takes service, from, until, to, region, country, channel, sender, status, verification, approved, \
             cursor and limit, each once",
        )
    })?;
    let limit = query.limit.unwrap_or(USUAL_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_field("limit", format_args!("expected 1 to {MAX_PAGE}")));
    }
    let cursor = field("cursor", query.cursor.as_deref(), "next_cursor of a page", |text| text.parse::<Cursor>().ok())?;
    let filter = filter(&app, &caller, &query)?;
    let page = app.verifier.deliveries(filter, cursor, limit).await?;
    let body = DeliveriesReply {
        deliveries: page.deliveries.into_iter().map(Into::into).collect(),
        next_cursor: page.next.map(|next| next.to_string()),
    };
    Ok(reply(StatusCode::OK, body))
}

/// One message
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", operation_id = "readDelivery", tag = "History", security(("api_key" = ["read"])),
    params(DeliveryInPath),
    responses((status = 200, description = "The delivery.", body = ListedDelivery), DeliveryProblems),
)]
pub(super) async fn load(
    State(app): Shared,
    caller: Allowed<Reading>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let not_found = || Problem::not_found("no such delivery");
    let id: DeliveryId = id.parse().map_err(|_source| not_found())?;
    let delivery = app.verifier.delivery(caller.service, id).await?.ok_or_else(not_found)?;
    Ok(reply(StatusCode::OK, ListedDelivery::from(delivery)))
}
