//! Who calls and what they may do: settled before anything else of a request is read.
//!
//! A handler names the scope it needs in the type of its first argument after the state. axum reads the arguments in order
//! and the body last, so a caller without the scope learns nothing of what the body would have come to.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use verifyd_core::registry::Scope;

use super::app::App;
use super::problem::Problem;
use crate::api_keys::Caller;

/// Where the caller of a request is noted for its log line, as soon as the key is known: a refused request has one, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct CalledBy(Arc<OnceLock<Arc<str>>>);

impl CalledBy {
    /// The name of the key; nothing before one was recognised.
    pub(crate) fn key(&self) -> &str {
        self.0.get().map_or("", |key| key)
    }

    fn note(&self, caller: &Caller) {
        // Only the first counts, and a request has one caller.
        self.0.get_or_init(|| Arc::clone(&caller.key));
    }
}

/// A scope as a type.
pub(crate) trait Need {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident: $scope:ident, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Need for $name {
                const SCOPE: Scope = Scope::$scope;
            }
        )*
    };
}

needs! {
    Verifying: Verify, "Start, read, check, cancel, preview.";
    Forgetting: Forget, "Forget a number.";
    Unlocking: Unlock, "Lift a number's lock.";
    Reading: Read, "Read what was sent and how much.";
    Metering: Metrics, "Read the metrics.";
}

/// A caller whose key is known and has the scope of `N`.
#[derive(Debug)]
pub(crate) struct Allowed<N>(Caller, PhantomData<N>);

impl<N> Deref for Allowed<N> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim()).filter(|secret| !secret.is_empty())
}

fn caller(headers: &HeaderMap, app: &App) -> Result<Caller, Problem> {
    if headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(Problem::unauthorized("more than one Authorization header"));
    }
    let secret =
        bearer(headers).ok_or_else(|| Problem::unauthorized("send the API key as: Authorization: Bearer KEY"))?;
    app.api_keys.find(secret).ok_or_else(|| Problem::unauthorized("this API key is not known"))
}

/// Who calls, noted for the log line; what they may do is asked by [`Allowed`].
fn authenticate(parts: &Parts, app: &App) -> Result<Caller, Problem> {
    let caller = caller(&parts.headers, app)?;
    if let Some(by) = parts.extensions.get::<CalledBy>() {
        by.note(&caller);
    }
    Ok(caller)
}

impl<N: Need> FromRequestParts<Arc<App>> for Allowed<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = authenticate(parts, app)?;
        if caller.may(N::SCOPE) {
            return Ok(Self(caller, PhantomData));
        }
        Err(Problem::forbidden(format!("this API key lacks the scope {:?}", N::SCOPE.as_str())))
    }
}
