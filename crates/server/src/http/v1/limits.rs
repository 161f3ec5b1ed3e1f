//! How the limits of a number stand; nothing is spent.

use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::reply::LimitReply;
use super::verifications::{client_ip, reply};
use crate::http::access::{Allowed, Verifying};
use crate::http::app::Shared;
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

#[derive(Serialize)]
struct LimitsReply {
    to: String,
    service: String,
    /// Whether a send would be admitted now.
    allowed: bool,
    failed_checks_in_a_row: u32,
    limits: Vec<LimitReply>,
}

/// `GET /v1/limits?to=`
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
