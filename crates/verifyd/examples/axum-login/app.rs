//! The routes: sign up, resend, verify, show.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use verifyd::{ResendRequest, StartRequest, Verification, VerificationId, Verifier};

use crate::errors::AppError;
use crate::users::{Phone, User, Users};

/// What handlers share.
struct App {
    verifier: Verifier,
    users: Users,
}

/// Where the connection came from, where the server knows it: the router's tests have no connection.
type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

/// The application.
pub(crate) fn router(verifier: Verifier) -> Router {
    Router::new()
        .route("/signup", post(sign_up))
        .route("/users/{id}", get(show))
        .route("/users/{id}/resend", post(resend))
        .route("/users/{id}/verify", post(verify))
        .with_state(Arc::new(App { verifier, users: Users::default() }))
}

#[derive(Deserialize)]
struct SignUp {
    name: String,
    phone: String,
}

#[derive(Deserialize)]
struct Guess {
    code: String,
}

/// A user as the browser may see them: the number masked, as its `Display` is.
#[derive(Serialize)]
struct ShownUser {
    id: u64,
    name: String,
    phone: Option<String>,
    phone_verified: bool,
}

/// What a page needs to draw its form.
#[derive(Serialize)]
struct Pending {
    user: ShownUser,
    checks_remaining: u32,
    sends_remaining: u32,
    next_send_in_ms: Option<u64>,
}

fn shown(user: User) -> ShownUser {
    let phone = match user.phone {
        Phone::Pending(_) => None,
        Phone::Verified(number) => Some(number.to_string()),
    };
    ShownUser { id: user.id, name: user.name, phone_verified: phone.is_some(), phone }
}

fn pending(user: User, verification: &Verification) -> Pending {
    let standing = &verification.standing;
    let sent_at = verification.deliveries.last().map_or(verification.created_at, |delivery| delivery.at);
    let wait = standing.next_send_at.map(|at| at.since(sent_at).as_millis());
    Pending {
        user: shown(user),
        checks_remaining: standing.checks_remaining,
        sends_remaining: standing.sends_remaining,
        next_send_in_ms: wait.and_then(|ms| u64::try_from(ms).ok()),
    }
}

fn address(peer: Peer) -> Option<IpAddr> {
    peer.map(|Extension(ConnectInfo(address))| address.ip())
}

async fn sign_up(
    State(app): State<Arc<App>>,
    peer: Peer,
    Json(body): Json<SignUp>,
) -> Result<(StatusCode, Json<Pending>), AppError> {
    let request = StartRequest { client_ip: address(peer), ..StartRequest::new(&body.phone) };
    let started = app.verifier.start(request).await?;
    let user = app.users.add(body.name, started.verification.id);
    Ok((StatusCode::CREATED, Json(pending(user, &started.verification))))
}

/// The user and the verification that they wait for.
fn waiting(app: &App, id: u64) -> Result<(User, VerificationId), AppError> {
    let user = app.users.find(id).ok_or(AppError::NoSuchUser)?;
    match user.phone {
        Phone::Pending(verification) => Ok((user, verification)),
        Phone::Verified(_) => Err(AppError::NothingPending),
    }
}

async fn resend(State(app): State<Arc<App>>, peer: Peer, Path(id): Path<u64>) -> Result<Json<Pending>, AppError> {
    let (user, verification) = waiting(&app, id)?;
    let request = ResendRequest { client_ip: address(peer), ..ResendRequest::default() };
    let started = app.verifier.resend(verification, request).await?;
    Ok(Json(pending(user, &started.verification)))
}

async fn verify(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
    Json(guess): Json<Guess>,
) -> Result<Json<ShownUser>, AppError> {
    let (_, verification) = waiting(&app, id)?;
    let checked = app.verifier.check(verification, &guess.code).await?;
    if !checked.valid {
        return Err(AppError::WrongCode { checks_remaining: checked.verification.standing.checks_remaining });
    }
    let user = app.users.verified(id, verification, checked.verification.to).ok_or(AppError::NoSuchUser)?;
    Ok(Json(shown(user)))
}

async fn show(State(app): State<Arc<App>>, Path(id): Path<u64>) -> Result<Json<ShownUser>, AppError> {
    app.users.find(id).map(shown).map(Json).ok_or(AppError::NoSuchUser)
}
