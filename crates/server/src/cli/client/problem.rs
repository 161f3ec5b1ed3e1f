//! Problem documents of the server in words for people, and the exit code for each.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::cli::exit::{Exit, Failure};
use crate::cli::style;

/// The failure that a problem document tells.
pub(super) fn failure(status: u16, problem: Value) -> Failure {
    let told = Told { problem: &problem };
    let code = told.text("code").to_owned();
    let (message, remedy) = told.words(status, &code);
    Failure { exit: exit(status, &code), code, message, remedy, problem: Some(problem) }
}

/// An answer that is none of verifyd's: of a proxy, or of another program.
pub(super) fn foreign(status: u16, base: &Url) -> Failure {
    let exit = if status >= 500 { Exit::Unavailable } else { Exit::Failed };
    Failure::new(
        exit,
        "not_verifyd",
        format_args!("{base} answered {status} with something that is no answer of verifyd"),
    )
    .remedy("is this the address of a verifyd server? --url or VERIFYD_URL says another")
}

fn exit(status: u16, code: &str) -> Exit {
    match (status, code) {
        (_, "unauthorized" | "forbidden") => Exit::Unauthorized,
        (_, "idempotency_conflict") => Exit::Failed,
        (429, _) => Exit::Limited,
        (404 | 409 | 410, _) => Exit::Over,
        (500.., _) => Exit::Unavailable,
        _ => Exit::Failed,
    }
}

struct Told<'a> {
    problem: &'a Value,
}

impl Told<'_> {
    fn text(&self, field: &str) -> &str {
        self.problem.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.problem.get(field).and_then(Value::as_u64)
    }

    /// `try again in 12 min (2026-11-22 18:41:42 UTC)`.
    fn when(&self) -> Option<String> {
        let seconds = self.number("retry_after_seconds")?;
        let span = style::wait(Duration::from_secs(seconds));
        Some(match self.text("retry_at") {
            "" => format!("try again in {span}"),
            at => format!("try again in {span} ({})", style::instant(at)),
        })
    }

    fn words(&self, status: u16, code: &str) -> (String, Option<String>) {
        let detail = match (self.text("detail"), self.text("title")) {
            ("", "") => format!("the server answered {status}"),
            ("", title) => title.to_owned(),
            (detail, _) => detail.to_owned(),
        };
        match code {
            "rate_limited" => (self.limited(), self.when()),
            "max_checks_reached" if self.problem.get("unlock_required") == Some(&Value::Bool(true)) => {
                (detail, Some("verifyd unlock NUMBER lifts it, with a key that has the scope unlock".to_owned()))
            }
            "unauthorized" => (
                detail,
                Some(
                    "VERIFYD_API_KEY, VERIFYD_API_KEY_FILE or --key FILE gives a key; verifyd keys create makes one"
                        .to_owned(),
                ),
            ),
            "forbidden" => {
                (detail, Some("verifyd keys create --scope SCOPE makes a key with another scope".to_owned()))
            }
            "invalid_phone_number" => {
                (detail, Some("write it with + and the country code, or say where it is: --region US".to_owned()))
            }
            "store_unavailable" if self.text("reason") == "clock_went_back" => (
                "the clock of the server went back".to_owned(),
                Some("on the server, verifyd doctor says what to mend".to_owned()),
            ),
            "undeliverable" => (format!("nothing was sent: {detail}{}", self.provider()), None),
            "sender_unavailable" => (format!("{detail}{}", self.provider()), self.when()),
            _ => (detail, self.when()),
        }
    }

    fn limited(&self) -> String {
        let (name, limit) = (self.text("name"), self.number("limit"));
        let window = self.number("window_seconds").map(|seconds| style::wait(Duration::from_secs(seconds)));
        match (name, limit, window) {
            ("resend_delay", _, _) => "the last message has just been sent; the next must wait".to_owned(),
            ("check_delay", _, _) => "the last guess has just been made; the next must wait".to_owned(),
            (name, Some(limit), Some(window)) if !name.is_empty() => {
                format!("the limit {name} is reached ({limit} in {window}); nothing was spent")
            }
            _ => "a limit is reached; nothing was spent".to_owned(),
        }
    }

    fn provider(&self) -> String {
        match (self.text("sender"), self.text("provider_code")) {
            ("", _) => String::new(),
            (sender, "") => format!(" ({sender})"),
            (sender, code) => format!(" ({sender} {code})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, problem: Value) -> (u8, String, Option<String>) {
        let failure = failure(status, problem);
        (failure.exit.number(), failure.message, failure.remedy)
    }

    #[test]
    fn a_limit_says_which_and_when() {
        let problem = json!({"code": "rate_limited", "name": "sends_per_phone", "limit": 5, "remaining": 0,
            "window_seconds": 3600, "retry_after_seconds": 700, "retry_at": "2026-11-22T18:41:42.621Z"});
        let (exit, message, remedy) = told(429, problem);
        assert_eq!(
            (exit, message.as_str()),
            (4, "the limit sends_per_phone is reached (5 in 60 min); nothing was spent")
        );
        assert_eq!(remedy.as_deref(), Some("try again in 12 min (2026-11-22 18:41:42 UTC)"));
        let (_, message, remedy) =
            told(429, json!({"code": "rate_limited", "name": "resend_delay", "limit": 1, "retry_after_seconds": 30}));
        assert_eq!(message, "the last message has just been sent; the next must wait");
        assert_eq!(remedy.as_deref(), Some("try again in 30 s"));
        let (_, message, _) = told(429, json!({"code": "rate_limited"}));
        assert_eq!(message, "a limit is reached; nothing was spent");
    }

    #[test]
    fn every_code_of_the_api_has_its_exit_code() {
        for (status, code, exit) in [
            (400, "invalid_request", 1),
            (401, "unauthorized", 6),
            (403, "forbidden", 6),
            (403, "blocked", 1),
            (404, "not_found", 7),
            (409, "already_approved", 7),
            (409, "canceled", 7),
            (409, "idempotency_conflict", 1),
            (410, "expired", 7),
            (422, "invalid_phone_number", 1),
            (422, "invalid_code_format", 1),
            (429, "rate_limited", 4),
            (429, "max_checks_reached", 4),
            (500, "internal", 5),
            (503, "sender_unavailable", 5),
            (503, "store_unavailable", 5),
        ] {
            let (found, message, _) = told(status, json!({"code": code, "detail": "why"}));
            assert_eq!(found, exit, "{code}");
            assert!(!message.is_empty(), "{code}");
        }
    }

    #[test]
    fn what_only_an_operator_can_mend_says_how() {
        let (_, _, remedy) = told(
            429,
            json!({"code": "max_checks_reached", "detail": "d", "unlock_required": true, "retry_after_seconds": 86400}),
        );
        assert!(remedy.unwrap().starts_with("verifyd unlock"));
        let (_, message, remedy) =
            told(503, json!({"code": "store_unavailable", "reason": "clock_went_back", "detail": "d"}));
        assert!(message.contains("clock") && remedy.unwrap().contains("doctor"));
        let (_, message, _) = told(
            422,
            json!({"code": "undeliverable", "detail": "refused", "sender": "twilio", "provider_code": "21211"}),
        );
        assert_eq!(message, "nothing was sent: refused (twilio 21211)");
        assert_eq!(told(418, json!({"code": "new"})).1, "the server answered 418");
    }
}
