//! An axum application with a user model and its phone verification, in one process with verifyd.
//!
//! Sign up with a number (pending), type the code (verified), ask for it again (resend); what the library refuses becomes
//! JSON with the right status and `Retry-After`. With `TWILIO_…` unset, messages land in an inbox that the program prints.
//!
//! ```text
//! cargo run -p verifyd --example axum-login
//! curl -s localhost:3000/signup -H 'Content-Type: application/json' -d '{"name": "Ada", "phone": "(415) 555-2671"}'
//! ```

mod app;
mod errors;
mod users;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use verifyd::senders::inbox::{Inbox, InboxSender};
use verifyd::{BuildError, Verifier};

/// The application's verifier over an inbox. For phones, give `.sender(…)` a `senders::twilio::TwilioSender`; to outlive the
/// process, `.store(…)` what `embedded::open` gives.
fn verifier(inbox: &Arc<Inbox>) -> Result<Verifier, BuildError> {
    let sender = Arc::new(InboxSender::new(Arc::clone(inbox)));
    Verifier::builder("Acme").default_region("US").sender(sender).build()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let inbox = Arc::new(Inbox::new());
    let verifier = verifier(&inbox)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::spawn(print_arrivals(inbox));
    let app = app::router(verifier.clone()).into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, app).await?;
    verifier.drain().await;
    Ok(())
}

/// What would have been on the phones.
async fn print_arrivals(inbox: Arc<Inbox>) {
    loop {
        for message in inbox.messages(None) {
            println!("{}: {}", message.to, message.body.expose());
        }
        inbox.clear();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
