//! `verifyd start`, `check`, `show`, `resend`, `cancel`.

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};
use verifyd_core::id::VerificationId;
use zeroize::Zeroizing;

use super::server::Call;
use super::{ClientCommand, ClientFlags, count_of, idempotency_key, prompt_failure, put, text_of};
use crate::cli::exit::{Exit, Failure};
use crate::cli::prompt;
use crate::cli::style::{self, BAD, CARE, GOOD, STRONG, counted, fields, instant, is_ahead, paint};

/// What a start and a preview are asked with.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct MessageFlags {
    /// The number, such as +14155552671; in national form with `--region` or if the service has a default region.
    #[arg(value_name = "NUMBER")]
    pub(super) to: String,
    /// Region of a number in national form, such as US.
    #[arg(long)]
    region: Option<String>,
    /// Name or id of the service; without it the key's, else `default`.
    #[arg(long)]
    service: Option<String>,
    /// Channel of the message.
    #[arg(long)]
    channel: Option<String>,
    /// Language of the message, such as `de` or `pt-BR`.
    #[arg(long)]
    locale: Option<String>,
    /// The person's address as you saw it; without it no limit by address applies.
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Option<String>,
    /// Hash of an Android app that reads the message by itself.
    #[arg(long, value_name = "HASH")]
    app_hash: Option<String>,
    /// What the person proves the number for.
    #[arg(long)]
    purpose: Option<String>,
    /// Text that comes back with the verification.
    #[arg(long)]
    nonce: Option<String>,
    /// A pair that is kept with the verification; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl MessageFlags {
    pub(super) fn body(&self) -> Value {
        let mut body = Map::new();
        put(
            &mut body,
            &[
                ("to", Some(&self.to)),
                ("region", self.region.as_deref()),
                ("service", self.service.as_deref()),
                ("channel", self.channel.as_deref()),
                ("locale", self.locale.as_deref()),
                ("client_ip", self.client_ip.as_deref()),
                ("app_hash", self.app_hash.as_deref()),
                ("purpose", self.purpose.as_deref()),
                ("nonce", self.nonce.as_deref()),
            ],
        );
        if !self.metadata.is_empty() {
            let pairs = self.metadata.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            body.insert("metadata".to_owned(), Value::Object(pairs.collect()));
        }
        Value::Object(body)
    }
}

/// `verifyd start`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct StartArgs {
    #[command(flatten)]
    message: MessageFlags,
    /// Repeated with the same key within 24 h it is not done twice.
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
    #[command(flatten)]
    flags: ClientFlags,
}

impl ClientCommand for StartArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        let call = Call::new(Method::POST, &["v1", "verifications"]).body(&self.message.body());
        Ok(Call { idempotency_key: self.idempotency_key.clone(), ..call })
    }

    fn text(&self, reply: &Value) -> String {
        sent(reply)
    }
}

/// `verifyd check`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CheckArgs {
    /// Id of the verification (VE and 32 hex digits), or the number.
    #[arg(value_name = "ID|NUMBER")]
    target: String,
    /// Taken only to say why it is refused.
    #[arg(hide = true)]
    code: Option<Zeroizing<String>>,
    /// Region of a number in national form, such as US.
    #[arg(long)]
    region: Option<String>,
    /// Name or id of the service, for a check by number.
    #[arg(long)]
    service: Option<String>,
    /// Repeated with the same key within 24 h it is not done twice.
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
    #[command(flatten)]
    flags: ClientFlags,
}

impl ClientCommand for CheckArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        if self.code.is_some() {
            let why = "the code is no argument: every user of this machine can read the command line of every process";
            return Err(Failure::usage(why)
                .remedy("leave it out and type it when asked, or give it on standard input: printf %s \"$code\" | verifyd check …"));
        }
        let code = prompt::secret("Code").map_err(|error| prompt_failure(&error, "no code was given"))?;
        if code.is_empty() {
            return Err(Failure::usage("no code was given: the line is empty"));
        }
        let mut body = Map::new();
        let call = if self.target.parse::<VerificationId>().is_ok() {
            Call::new(Method::POST, &["v1", "verifications", &self.target, "check"])
        } else {
            put(
                &mut body,
                &[("to", Some(&self.target)), ("region", self.region.as_deref()), ("service", self.service.as_deref())],
            );
            Call::new(Method::POST, &["v1", "verifications", "check"])
        };
        put(&mut body, &[("code", Some(&code))]);
        Ok(Call { idempotency_key: self.idempotency_key.clone(), ..call.body(&Value::Object(body)) })
    }

    fn exit(&self, reply: &Value) -> Exit {
        if reply.get("valid") == Some(&Value::Bool(true)) { Exit::Done } else { Exit::WrongCode }
    }

    fn text(&self, reply: &Value) -> String {
        let to = text_of(reply, "to");
        if self.exit(reply) == Exit::Done {
            return format!("{}  {to}\n", paint(GOOD, "approved"));
        }
        let left = counted(count_of(reply, "checks_remaining"), "guess");
        let next = match text_of(reply, "next_check_at").as_str() {
            at if !is_ahead(at) => String::new(),
            at => format!(", the next not before {}", instant(at)),
        };
        format!("{}  {to}: {left} left{next}\n", paint(BAD, "wrong code"))
    }
}

/// Which verification.
#[derive(Debug, Clone, Args)]
struct Which {
    /// Id of the verification: VE and 32 hex digits.
    #[arg(value_name = "ID")]
    id: VerificationId,
    #[command(flatten)]
    flags: ClientFlags,
}

/// `verifyd show`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ShowArgs {
    #[command(flatten)]
    which: Which,
}

impl ClientCommand for ShowArgs {
    fn flags(&self) -> &ClientFlags {
        &self.which.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        Ok(Call::new(Method::GET, &["v1", "verifications", &self.which.id.to_string()]))
    }

    fn text(&self, reply: &Value) -> String {
        shown(reply)
    }
}

/// `verifyd resend`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ResendArgs {
    #[command(flatten)]
    which: Which,
    /// Channel of the message.
    #[arg(long)]
    channel: Option<String>,
    /// Language of the message, such as `de` or `pt-BR`.
    #[arg(long)]
    locale: Option<String>,
    /// The person's address as you saw it.
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Option<String>,
    /// Repeated with the same key within 24 h it is not done twice.
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
}

impl ClientCommand for ResendArgs {
    fn flags(&self) -> &ClientFlags {
        &self.which.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        let mut body = Map::new();
        put(
            &mut body,
            &[
                ("channel", self.channel.as_deref()),
                ("locale", self.locale.as_deref()),
                ("client_ip", self.client_ip.as_deref()),
            ],
        );
        let call = Call::new(Method::POST, &["v1", "verifications", &self.which.id.to_string(), "resend"]);
        Ok(Call { idempotency_key: self.idempotency_key.clone(), ..call.body(&Value::Object(body)) })
    }

    fn text(&self, reply: &Value) -> String {
        sent(reply)
    }
}

/// `verifyd cancel`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CancelArgs {
    #[command(flatten)]
    which: Which,
}

impl ClientCommand for CancelArgs {
    fn flags(&self) -> &ClientFlags {
        &self.which.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        Ok(Call::new(Method::POST, &["v1", "verifications", &self.which.id.to_string(), "cancel"]))
    }

    fn text(&self, reply: &Value) -> String {
        shown(reply)
    }
}

/// A verification after a message.
fn sent(reply: &Value) -> String {
    let check = format!("\nCheck it: {}\n", paint(STRONG, format_args!("verifyd check {}", text_of(reply, "id"))));
    format!("{}{check}", shown(reply))
}

/// A verification in a few lines.
fn shown(reply: &Value) -> String {
    let status = text_of(reply, "status");
    let style = match status.as_str() {
        "approved" => GOOD,
        "pending" => CARE,
        _ => BAD,
    };
    let left = |count: &str, next: &str| {
        let count = format!("{} left", count_of(reply, count));
        match text_of(reply, next).as_str() {
            at if !is_ahead(at) => count,
            at => format!("{count}, the next at {}", instant(at)),
        }
    };
    let mut lines = vec![
        ("id", text_of(reply, "id")),
        ("created", instant(&text_of(reply, "created_at"))),
        ("expires", instant(&text_of(reply, "expires_at"))),
        ("guesses", left("checks_remaining", "next_check_at")),
        ("messages", left("sends_remaining", "next_send_at")),
    ];
    let deliveries = reply.get("deliveries").and_then(Value::as_array);
    lines.extend(deliveries.into_iter().flatten().map(|delivery| ("sent", delivered(delivery))));
    for label in ["purpose", "nonce"] {
        lines.extend(Some((label, text_of(reply, label))).filter(|(_, text)| !text.is_empty()));
    }
    let metadata = reply.get("metadata").and_then(Value::as_object);
    lines.extend(metadata.into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        ("metadata", style::plain(&format!("{name}={value}")))
    }));
    let code = text_of(reply, "test_code");
    if !code.is_empty() {
        lines.push(("code", format!("{} {}", paint(STRONG, code), "(shown in development only)")));
    }
    format!("{}  {}\n{}", paint(style, &status), text_of(reply, "to"), fields(&lines))
}

/// One message: when, by whom, and what became of it.
fn delivered(delivery: &Value) -> String {
    let status = text_of(delivery, "status");
    let meaning = if status == "unknown" { " (it may have arrived; it is not sent again by itself)" } else { "" };
    let sender = match text_of(delivery, "sender") {
        sender if sender.is_empty() => "nobody".to_owned(),
        sender => sender,
    };
    let error = match text_of(delivery, "error_code") {
        code if code.is_empty() => code,
        code => format!(", error {code}"),
    };
    let (at, channel) = (instant(&text_of(delivery, "at")), text_of(delivery, "channel"));
    format!("{at}  {channel} by {sender}: {status}{meaning}{error}")
}
