//! How the limits of a number stand; nothing is spent.

use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::params::{optional, required};
use super::problems::LimitsProblems;
use super::reply::LimitReply;
use super::verifications::{client_ip, reply};
use crate::http::access::{Allowed, Verifying};
use crate::http::app::Shared;
use crate::http::openapi::schema;
use crate::http::problem::Problem;

/// What `GET /v1/limits` is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsQuery {
    to: String,
    region: Option<String>,
    service: Option<String>,
    client_ip: Option<String>,
}

impl IntoParams for LimitsQuery {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let region = "The region in which a national number is read.";
        vec![
            required("to", ParameterIn::Query, "The number; a plus sign may stand as it is.", schema::number()),
            optional("region", ParameterIn::Query, region, schema::query_region()),
            optional("service", ParameterIn::Query, "The service (tenant).", schema::query_service()),
            optional("client_ip", ParameterIn::Query, "For the limits by address.", schema::query_client_ip()),
        ]
    }
}

/// How the limits of a number stand.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "to": "+14155552671", "service": "VA00112233445566778899aabbccddeeff", "allowed": true, "failed_checks_in_a_row": 0,
    "limits": [{
        "name": "sends_per_phone", "limit": 5, "used": 1, "remaining": 4, "reset_at": "2026-11-23T17:44:35.123Z",
        "window_seconds": 86400, "retry_after_seconds": 0
    }]
})))]
struct LimitsReply {
    #[schema(schema_with = schema::e164)]
    to: String,
    #[schema(schema_with = schema::service_id)]
    service: String,
    /// Whether a send would be admitted now.
    allowed: bool,
    /// How many wrong guesses in a row count against the number.
    failed_checks_in_a_row: u32,
    /// Every limit that applies.
    limits: Vec<LimitReply>,
}

/// How the limits of a number stand
///
/// Nothing is spent.
#[utoipa::path(
    get, path = "/v1/limits", operation_id = "readLimits", tag = "Limits", security(("api_key" = ["verify"])),
    params(LimitsQuery),
    responses((status = 200, description = "Every limit that applies.", body = LimitsReply), LimitsProblems),
)]
pub(super) async fn limits(
    State(app): Shared,
    caller: Allowed<Verifying>,
    query: Result<axum::extract::Query<LimitsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = query.map_err(|_rejection| {
        Problem::invalid_request("the query takes to, and optionally region, service and client_ip, each once")
    })?;
    let service = app.service(&caller, query.service.as_deref())?;
    let address = client_ip(query.client_ip.as_deref())?;
    // In a query a plus sign stands for a space, and everybody forgets to write %2B.
    let to = if query.to.starts_with(' ') { query.to.replacen(' ', "+", 1) } else { query.to.clone() };
    let report = app.verifier.limits(&service, &to, query.region.as_deref(), address).await?;
    let body = LimitsReply {
        to: report.number.e164().to_owned(),
        service: service.id().to_string(),
        allowed: report.info.send_allowed(),
        failed_checks_in_a_row: report.info.failed_checks_in_a_row,
        limits: report.info.limits.iter().map(|limit| LimitReply::new(limit, report.info.at)).collect(),
    };
    Ok(reply(StatusCode::OK, body))
}
