//! `verifyd limits`, `preview`, `forget`, `unlock`: what holds for a number.

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::server::Call;
use super::verification::MessageFlags;
use super::{ClientCommand, ClientFlags, count_of, text_of};
use crate::cli::exit::Failure;
use crate::cli::style::{BAD, GOOD, STRONG, counted, fields, instant, paint, table, wait};

/// `verifyd limits`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct LimitsArgs {
    /// The number, such as +14155552671.
    #[arg(value_name = "NUMBER")]
    to: String,
    /// Region of a number in national form, such as US.
    #[arg(long)]
    region: Option<String>,
    /// Name or id of the service; without it the key's, else `default`.
    #[arg(long)]
    service: Option<String>,
    /// The person's address, for the limit by address.
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Option<String>,
    #[command(flatten)]
    flags: ClientFlags,
}

impl ClientCommand for LimitsArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        let mut call = Call::new(Method::GET, &["v1", "limits"]);
        let given = [
            ("to", Some(&self.to)),
            ("region", self.region.as_ref()),
            ("service", self.service.as_ref()),
            ("client_ip", self.client_ip.as_ref()),
        ];
        call.query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))));
        Ok(call)
    }

    fn text(&self, reply: &Value) -> String {
        let row = match count_of(reply, "failed_checks_in_a_row") {
            0 => String::new(),
            count => format!("\n{} in a row\n", counted(count, "wrong guess")),
        };
        format!(
            "{}\n{}{row}",
            headline(reply, "a message may be sent now", "no message may be sent now"),
            limits(reply)
        )
    }
}

/// `verifyd preview`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct PreviewArgs {
    #[command(flatten)]
    message: MessageFlags,
    #[command(flatten)]
    flags: ClientFlags,
}

impl ClientCommand for PreviewArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        Ok(Call::new(Method::POST, &["v1", "preview"]).body(&self.message.body()))
    }

    fn text(&self, reply: &Value) -> String {
        let route = reply.get("route").filter(|route| !route.is_null());
        let route = route.map_or_else(
            || paint(BAD, "none"),
            |route| format!("{} ({})", text_of(route, "sender"), text_of(route, "reason")),
        );
        let resend = reply.get("resend") == Some(&Value::Bool(true));
        let what = if resend { "another message of the pending verification" } else { "a new verification" };
        let number = format!("{}, {}", text_of(reply, "region"), text_of(reply, "number_type"));
        let segments = counted(count_of(reply, "segments"), "segment");
        let lines = [
            ("number", number),
            ("would be", what.to_owned()),
            ("route", route),
            ("language", text_of(reply, "locale")),
            ("size", format!("{segments}, {}", text_of(reply, "encoding"))),
            // Only here a line end of the message is one.
            ("text", paint(STRONG, text_of(reply, "text").replace('\u{fffd}', " "))),
        ];
        let head = headline(reply, "a start would send", "a start would be refused");
        format!("{head}\n{}\n{}", fields(&lines), limits(reply))
    }
}

fn headline(reply: &Value, yes: &str, no: &str) -> String {
    let allowed = reply.get("allowed") == Some(&Value::Bool(true));
    let verdict = if allowed { paint(GOOD, yes) } else { paint(BAD, no) };
    format!("{}: {verdict}", text_of(reply, "to"))
}

/// The limits of a reply as a table.
fn limits(reply: &Value) -> String {
    let limits = reply.get("limits").and_then(Value::as_array).into_iter().flatten();
    let row = |limit: &Value| {
        let seconds = |field: &str| Duration::from_secs(count_of(limit, field));
        let retry = match seconds("retry_after_seconds") {
            Duration::ZERO => "now".to_owned(),
            span => format!("in {}", wait(span)),
        };
        let style = if count_of(limit, "remaining") == 0 { BAD } else { GOOD };
        vec![
            text_of(limit, "name"),
            text_of(limit, "used"),
            text_of(limit, "limit"),
            paint(style, text_of(limit, "remaining")),
            wait(seconds("window_seconds")),
            retry,
            if count_of(limit, "used") == 0 { "-".to_owned() } else { instant(&text_of(limit, "reset_at")) },
        ]
    };
    let rows: Vec<_> = limits.map(row).collect();
    table(&["limit", ">used", ">of", ">left", ">window", "next", "all again at"], &rows)
}

/// `verifyd forget`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ForgetArgs {
    /// The number, such as +14155552671.
    #[arg(value_name = "NUMBER")]
    to: String,
    #[command(flatten)]
    flags: ClientFlags,
}

impl ClientCommand for ForgetArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        Ok(Call::new(Method::DELETE, &["v1", "phones", &self.to]))
    }

    fn text(&self, reply: &Value) -> String {
        let count = counted(count_of(reply, "forgotten_verifications"), "verification");
        format!("{}  {count}; counters stay, under a keyed hash, until their windows end\n", paint(GOOD, "forgotten"))
    }
}

/// `verifyd unlock`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct UnlockArgs {
    /// The number, such as +14155552671.
    #[arg(value_name = "NUMBER")]
    to: String,
    /// Name or id of the service; without it the key's, else `default`.
    #[arg(long)]
    service: Option<String>,
    #[command(flatten)]
    flags: ClientFlags,
}

impl ClientCommand for UnlockArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        let call = Call::new(Method::POST, &["v1", "phones", &self.to, "unlock"]);
        Ok(match &self.service {
            Some(service) => call.body(&json!({ "service": service })),
            None => call,
        })
    }

    fn text(&self, reply: &Value) -> String {
        let count = count_of(reply, "failed_checks_in_a_row_before");
        format!("{}  wrong guesses in a row were {count}, are 0\n", paint(GOOD, "unlocked"))
    }
}
