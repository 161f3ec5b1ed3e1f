//! `verifyd deliveries` and `verifyd stats`: what was sent, and how much of it.

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::Value;

use super::server::Call;
use super::{ClientCommand, ClientFlags, count_of, text_of};
use crate::cli::exit::Failure;
use crate::cli::style::{BAD, CARE, FAINT, GOOD, instant, paint, table};

/// `verifyd deliveries`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct DeliveriesArgs {
    /// To this number, such as +14155552671.
    #[arg(value_name = "NUMBER")]
    to: Option<String>,
    /// Name or id of the service; without it all that the key may see.
    #[arg(long)]
    service: Option<String>,
    /// Admitted at this instant or later, such as 2026-11-22T17:00:00Z.
    #[arg(long, value_name = "INSTANT")]
    from: Option<String>,
    /// Admitted before this instant.
    #[arg(long, value_name = "INSTANT")]
    until: Option<String>,
    /// To numbers of this country, such as US.
    #[arg(long)]
    country: Option<String>,
    /// By this sender, such as twilio.
    #[arg(long)]
    sender: Option<String>,
    /// By this channel, such as sms.
    #[arg(long)]
    channel: Option<String>,
    /// That stand so, such as `delivered`.
    #[arg(long)]
    status: Option<String>,
    /// Of this verification.
    #[arg(long, value_name = "ID")]
    verification: Option<String>,
    /// Only those whose code was checked rightly (`true`), or was not (`false`).
    #[arg(long)]
    approved: Option<bool>,
    /// The most of them, 1 to 100.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    /// Where the page before ended.
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    flags: ClientFlags,
}

/// Puts the fields that were given into the query of a call.
fn query(call: &mut Call, fields: &[(&'static str, Option<&str>)]) {
    let given = fields.iter().filter_map(|(name, value)| Some((*name, (*value)?.to_owned())));
    call.query.extend(given);
}

impl ClientCommand for DeliveriesArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        let mut call = Call::new(Method::GET, &["v1", "deliveries"]);
        let fields = [
            ("to", self.to.as_deref()),
            ("service", self.service.as_deref()),
            ("from", self.from.as_deref()),
            ("until", self.until.as_deref()),
            ("country", self.country.as_deref()),
            ("sender", self.sender.as_deref()),
            ("channel", self.channel.as_deref()),
            ("status", self.status.as_deref()),
            ("verification", self.verification.as_deref()),
            ("approved", self.approved.map(|approved| if approved { "true" } else { "false" })),
            ("limit", Some(&*self.limit.to_string())),
            ("cursor", self.cursor.as_deref()),
        ];
        query(&mut call, &fields);
        Ok(call)
    }

    fn text(&self, reply: &Value) -> String {
        let rows: Vec<_> = items(reply, "deliveries").map(delivery).collect();
        let heads = ["admitted", "to", "country", "sender", "channel", "status", "approved", ">price", "id"];
        let text = if rows.is_empty() { format!("{}\n", paint(FAINT, "none")) } else { table(&heads, &rows) };
        match text_of(reply, "next_cursor") {
            next if next.is_empty() => text,
            next => format!("{text}{}\n", paint(FAINT, format_args!("older ones: --cursor {next}"))),
        }
    }
}

fn items<'a>(reply: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    reply.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn delivery(delivery: &Value) -> Vec<String> {
    let status = text_of(delivery, "status");
    let style = match status.as_str() {
        "failed" | "undelivered" => BAD,
        "unknown" => CARE,
        _ => GOOD,
    };
    let approved = text_of(delivery, "approved_at");
    let price = delivery.get("price").filter(|price| !price.is_null());
    vec![
        instant(&text_of(delivery, "at")),
        text_of(delivery, "to"),
        text_of(delivery, "country"),
        text_of(delivery, "sender"),
        text_of(delivery, "channel"),
        paint(style, status),
        if approved.is_empty() { "-".to_owned() } else { instant(&approved) },
        price.map_or_else(
            || "-".to_owned(),
            |price| format!("{} {}", text_of(price, "amount"), text_of(price, "currency")),
        ),
        text_of(delivery, "id"),
    ]
}

/// What `verifyd stats` tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// By tenant.
    Service,
    /// By the number's country.
    Country,
    /// By who sent it.
    Sender,
    /// By how it travelled.
    Channel,
}

impl Group {
    const fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Country => "country",
            Self::Sender => "sender",
            Self::Channel => "channel",
        }
    }
}

/// Whether `verifyd stats` tells times apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Period {
    /// By the hour.
    Hour,
    /// By the day, of UTC.
    Day,
}

/// `verifyd stats`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct StatsArgs {
    /// What is told apart, with commas between.
    #[arg(long, value_delimiter = ',', default_value = "country")]
    by: Vec<Group>,
    /// Tells hours or days apart, too.
    #[arg(long)]
    period: Option<Period>,
    /// Name or id of the service; without it all that the key may see.
    #[arg(long)]
    service: Option<String>,
    /// From the hour of this instant on, such as 2026-11-22T17:00:00Z; without it a day.
    #[arg(long, value_name = "INSTANT")]
    from: Option<String>,
    /// Until the hour of this instant; without it now.
    #[arg(long, value_name = "INSTANT")]
    until: Option<String>,
    /// To numbers of this country, such as US.
    #[arg(long)]
    country: Option<String>,
    /// By this sender, such as twilio.
    #[arg(long)]
    sender: Option<String>,
    /// By this channel, such as sms.
    #[arg(long)]
    channel: Option<String>,
    #[command(flatten)]
    flags: ClientFlags,
}

impl ClientCommand for StatsArgs {
    fn flags(&self) -> &ClientFlags {
        &self.flags
    }

    fn call(&self) -> Result<Call, Failure> {
        let mut call = Call::new(Method::GET, &["v1", "stats"]);
        let mut by: Vec<&str> = self.by.iter().map(|group| group.word()).collect();
        by.dedup();
        let period = self.period.map(|period| match period {
            Period::Hour => "hour",
            Period::Day => "day",
        });
        let fields = [
            ("by", Some(&*by.join(","))),
            ("period", period),
            ("service", self.service.as_deref()),
            ("from", self.from.as_deref()),
            ("until", self.until.as_deref()),
            ("country", self.country.as_deref()),
            ("sender", self.sender.as_deref()),
            ("channel", self.channel.as_deref()),
        ];
        query(&mut call, &fields);
        Ok(call)
    }

    fn text(&self, reply: &Value) -> String {
        let head = format!("{} to {}", instant(&text_of(reply, "from")), instant(&text_of(reply, "until")));
        let mut heads: Vec<&str> = self.period.iter().map(|_| "from").collect();
        heads.extend(self.by.iter().map(|group| group.word()));
        heads.extend([
            ">sent",
            ">delivered",
            ">failed",
            ">approved",
            ">conversion",
            ">median",
            ">mean",
            ">refused",
            ">cost",
        ]);
        let rows: Vec<_> = items(reply, "groups").map(|group| self.row(group)).collect();
        let text = if rows.is_empty() { format!("{}\n", paint(FAINT, "nothing")) } else { table(&heads, &rows) };
        format!("{}\n{text}", paint(FAINT, head))
    }
}

impl StatsArgs {
    fn row(&self, group: &Value) -> Vec<String> {
        let named = |field: &str| Some(text_of(group, field)).filter(|text| !text.is_empty()).unwrap_or("-".to_owned());
        let number = |field: &str| group.get(field).and_then(Value::as_f64);
        let seconds = |field: &str| number(field).map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
        let costs =
            items(group, "cost").map(|cost| format!("{} {}", text_of(cost, "amount"), text_of(cost, "currency")));
        let costs = costs.collect::<Vec<_>>().join(", ");
        let refused = group.get("refused").and_then(Value::as_object);
        let refused: u64 = refused.map_or(0, |reasons| reasons.values().filter_map(Value::as_u64).sum());
        let mut row: Vec<String> = self.period.iter().map(|_| instant(&text_of(group, "start"))).collect();
        row.extend(self.by.iter().map(|by| named(by.word())));
        row.extend([
            text_of(group, "sent"),
            text_of(group, "delivered"),
            (count_of(group, "failed") + count_of(group, "undelivered")).to_string(),
            text_of(group, "approved"),
            number("conversion").map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0)),
            seconds("median_seconds_to_approve"),
            seconds("mean_seconds_to_approve"),
            refused.to_string(),
            if costs.is_empty() { "-".to_owned() } else { costs },
        ]);
        row
    }
}
