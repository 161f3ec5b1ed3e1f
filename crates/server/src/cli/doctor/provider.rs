//! The provider's account: whether the credentials are taken, and whether it may send with the configured sender.

use super::Report;
use crate::cli::exit::chain;
use crate::config::{Config, InboxReason, Sending};
use crate::wiring::examine::{self, AccountError, AccountReport, AccountStatus, SenderStanding};

const CHECK: &str = "provider";
const SENDER: &str = "sender";

/// Asks the provider; nothing is sent and nothing is charged.
pub(super) async fn examine(report: &mut Report, config: &Config) {
    match examine::account(config).await {
        Ok(None) => inbox(report, config),
        Ok(Some(Ok(account))) => {
            told(report, account);
            sender(report, account.sender);
        }
        Ok(Some(Err(error))) => refused(report, &error),
        Err(error) => report.problem(CHECK, chain(&error), "install the system's root certificates (ca-certificates)"),
    }
}

fn inbox(report: &mut Report, config: &Config) {
    match config.sending {
        Sending::Inbox(InboxReason::NoCredentials) => report.warn(
            CHECK,
            "no credentials are given, so no message reaches a phone: all go to the inbox",
            "set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER",
        ),
        Sending::Inbox(InboxReason::MockMode | InboxReason::NotServing) => {
            report.fine(CHECK, "mock mode: messages go to the inbox, none reaches a phone");
        }
        // It was asked, and has lines of its own.
        Sending::Twilio(_) => {}
    }
}

fn told(report: &mut Report, account: AccountReport) {
    match (account.status, account.is_trial) {
        (AccountStatus::Active, false) => report.fine(CHECK, "Twilio takes the credentials, and the account is active"),
        (AccountStatus::Active, true) => report.warn(
            CHECK,
            "Twilio takes the credentials, but it is a trial account: it sends only to numbers verified in its console",
            "upgrade the account before real people depend on it",
        ),
        (AccountStatus::NotTold, _) => {
            report.fine(CHECK, "Twilio takes the credentials; they may not ask whether the account is active");
        }
        (AccountStatus::Suspended, _) => {
            report.problem(
                CHECK,
                "Twilio has suspended the account",
                "the console of Twilio says why; often its funds",
            );
        }
        (AccountStatus::Closed, _) => {
            report.problem(CHECK, "the account is closed", "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN of another");
        }
    }
}

fn sender(report: &mut Report, standing: SenderStanding) {
    let remedy = "set TWILIO_PHONE_NUMBER (twilio.from) to a number of this account that can send text messages";
    match standing {
        SenderStanding::Owned => report.fine(SENDER, "the account has the sender's number"),
        SenderStanding::NotOwned => {
            report.problem(SENDER, "the account does not have the sender's number (twilio.from)", remedy);
        }
        SenderStanding::NoSms => report.problem(SENDER, "the sender's number (twilio.from) can only call", remedy),
        SenderStanding::NotTold => {}
    }
}

fn refused(report: &mut Report, error: &AccountError) {
    let credentials = "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or the API key) are those of the console's first page";
    match error {
        AccountError::WrongCredentials => {
            report.problem(CHECK, error, format!("{credentials}; or the account is suspended"));
        }
        AccountError::NoSuchAccount => report.problem(CHECK, error, credentials),
        AccountError::TestCredentials => {
            report.warn(CHECK, error, "set the live credentials before real people depend on it");
        }
        AccountError::NoAnswer(_) => report.problem(
            CHECK,
            error,
            "can this machine reach api.twilio.com on port 443? No proxy is used; --offline leaves this out",
        ),
        AccountError::Other { status: 429, .. } => {
            report.warn(CHECK, error, "too many requests at once: run doctor again later");
        }
        AccountError::Other { .. } => {
            report.problem(CHECK, error, "status.twilio.com tells of outages; run doctor again later");
        }
    }
}
