//! What every handler shares, and the router of everything that is served.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use verifyd_core::history::Recorder;
use verifyd_core::id::{ServiceId, VerificationId};
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::service::Service;
use verifyd_core::store::Refusal;
use verifyd_core::verifier::{Verifier, VerifyError};

use super::access::{Allowed, Metering};
use super::error_code::ErrorCode;
use super::inbox::{self, InboxParts};
use super::openapi::{self, KEYED, problems};
use super::problem::Problem;
use super::reference::{self, Examples};
use super::request_log;
use super::well_known;
use crate::api_keys::{ApiKeys, Caller};
use crate::config::DEFAULT_SERVICE;
use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::mock::Mock;
use crate::registry_view::RegistryView;

/// Everything a handler may use.
#[derive(Debug)]
pub struct App {
    /// The rules and the ports behind them.
    pub verifier: Verifier,
    /// The services by name.
    pub services: BTreeMap<String, Arc<Service>>,
    /// Who may call.
    pub api_keys: Arc<ApiKeys>,
    /// The data made at run time.
    pub registry: Arc<RegistryView>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Who notes what happened; its standing is among the counters.
    pub recorder: Arc<Recorder>,
    /// Canceled when the server begins to drain.
    pub shutdown: CancellationToken,
    /// Forgets a number where it lies outside the store: in the inbox of mock mode.
    pub forget_elsewhere: Option<ForgetElsewhere>,
    /// What the examples of the reference page name.
    pub examples: Examples,
}

/// Called with every number that the store forgot.
#[derive(Clone)]
pub struct ForgetElsewhere(Arc<dyn Fn(&PhoneNumber) + Send + Sync>);

impl fmt::Debug for ForgetElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForgetElsewhere")
    }
}

impl ForgetElsewhere {
    /// Calls `forget`, which must neither block nor fail.
    #[must_use]
    pub fn new(forget: impl Fn(&PhoneNumber) + Send + Sync + 'static) -> Self {
        Self(Arc::new(forget))
    }

    pub(crate) fn call(&self, number: &PhoneNumber) {
        (self.0)(number);
    }
}

impl App {
    /// The service a request is for: the one it names, else the key's, else `default`. What the key may not see does not exist.
    pub(crate) fn service(&self, caller: &Caller, named: Option<&str>) -> Result<Arc<Service>, Problem> {
        let found = match (named, caller.service) {
            (Some(named), _) => {
                self.services.get(named).or_else(|| self.services.values().find(|s| s.id().to_string() == named))
            }
            (None, Some(id)) => self.by_id(id),
            (None, None) => self.services.get(DEFAULT_SERVICE),
        };
        found
            .filter(|service| caller.service.is_none_or(|own| own == service.id()))
            .cloned()
            .ok_or_else(|| Problem::not_found("no such service"))
    }

    fn by_id(&self, id: ServiceId) -> Option<&Arc<Service>> {
        self.services.values().find(|service| service.id() == id)
    }

    /// The service that owns a verification, among those the caller may see.
    pub(crate) async fn service_of(&self, caller: &Caller, id: VerificationId) -> Result<Arc<Service>, Problem> {
        if caller.service.is_some() || self.services.len() == 1 {
            let only = match caller.service {
                Some(own) => self.by_id(own),
                None => self.services.values().next(),
            };
            return only.cloned().ok_or_else(|| Problem::not_found("no such service"));
        }
        for service in self.services.values() {
            match self.verifier.load(service, id).await {
                Ok(_) => return Ok(Arc::clone(service)),
                Err(VerifyError::Refused { refusal: Refusal::NotFound, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::not_found("no such verification"))
    }
}

/// Shared state of the handlers.
pub(crate) type Shared = State<Arc<App>>;

/// Is it alive?
#[utoipa::path(
    get, path = "/healthz", operation_id = "readHealth", tag = "Service", security(()),
    responses((status = 200, description = "The process answers.", body = String, content_type = "text/plain")),
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Can it decide?
///
/// For load balancers: not while it drains, nor while the store cannot answer.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readReadiness", tag = "Service", security(()),
    responses(
        (status = 200, description = "It can.", body = String, content_type = "text/plain"),
        ReadyProblems,
    ),
)]
async fn readyz(State(app): Shared) -> Response {
    if app.shutdown.is_cancelled() {
        return Problem::draining().into_response();
    }
    match app.verifier.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(VerifyError::Store(error)) => Problem::from(error).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Counters
///
/// In the text format of `OpenMetrics`; `metrics_listen` opens a listener of its own that needs no key.
#[utoipa::path(
    get, path = "/metrics", operation_id = "readMetrics", tag = "Service", security(("api_key" = ["metrics"])),
    responses((status = 200, description = "Counters.", body = String, content_type = "application/openmetrics-text"), MetricsProblems),
)]
async fn metrics(State(app): Shared, _caller: Allowed<Metering>) -> Result<Response, Problem> {
    let text = app.metrics.render(app.verifier.in_flight(), app.recorder.standing());
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

problems! {
    ReadyProblems: [&[ErrorCode::StoreUnavailable]];
    MetricsProblems: [KEYED];
}

/// The routes that belong to no version of the API, with their operations.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(well_known::jwks))
        .routes(routes!(openapi::serve))
        .routes(routes!(reference::serve))
}

async fn no_route() -> Problem {
    Problem::not_found("no such path")
}

async fn no_method() -> Problem {
    Problem::method_not_allowed()
}

/// What the pages of mock mode need.
#[derive(Debug)]
pub struct MockPages {
    /// The inbox, the clock and what moves it.
    pub mock: Mock,
    /// Host names under which the server may be asked, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Whether the listener speaks TLS.
    pub tls: bool,
    /// The API key in examples.
    pub example_key: String,
}

fn mock_routes(pages: MockPages, app: &App) -> Router {
    let MockPages { mock, hosts, tls, example_key } = pages;
    let default = app.services.get(DEFAULT_SERVICE);
    inbox::routes(InboxParts {
        inbox: mock.inbox,
        clock: mock.clock,
        mover: mock.mover,
        default_region: default.and_then(|service| service.settings().default_region),
        hosts,
        tls,
        example_key,
    })
}

/// The router of the API, with the pages of mock mode if it is on.
pub fn router(app: &Arc<App>, pages: Option<MockPages>) -> Router {
    let mock = pages.map(|pages| mock_routes(pages, app));
    let (documented, _document) = openapi::routes();
    let api = documented
        .merge(reference::assets())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(Arc::clone(app));
    let all = match mock {
        Some(mock) => mock.merge(api),
        None => api,
    };
    request_log::layer(all, Arc::clone(&app.metrics))
}

/// `/metrics` alone, for a listener of its own that needs no key.
pub fn metrics_router(app: Arc<App>) -> Router {
    let render = |State(app): Shared| async move {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics.render(app.verifier.in_flight(), app.recorder.standing()))
    };
    Router::new().route("/metrics", get(render)).fallback(no_route).with_state(app)
}
