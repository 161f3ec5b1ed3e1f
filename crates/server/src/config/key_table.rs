//! Every key of the configuration, one entry each. What is done with the table is in [`super::reference`].

use super::reference::Kind::{
    Duration, Durations, Instant, List, Mock, Number, Path, Private, Rate, Secret, Switch, Text, Url,
};
use super::reference::{Key, Kind};

const fn given(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default: Some(default), variables: &[], doc }
}

const fn unset(path: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { path, kind, default: None, variables: &[], doc }
}

const fn also(key: Key, variables: &'static [&'static str]) -> Key {
    Key { variables, ..key }
}

/// Every key, in the order of the reference page and of `verifyd config print`.
pub static KEYS: &[Key] = &[
    given(
        "environment",
        Text,
        "\"development\"",
        "`development` or `production`, which refuses everything that is only for development.",
    ),
    given("listen", Text, "\"127.0.0.1:8080\"", "Address and port of the API; port 0 takes a free one."),
    unset(
        "public_url",
        Text,
        "Where the internet reaches this server; providers send delivery receipts there. None are asked for without it.",
    ),
    given(
        "trusted_proxies",
        List,
        "[]",
        "Networks of the proxies in front, whose word on a connection's address counts on pages that people open; no such page exists yet.",
    ),
    given(
        "data_dir",
        Path,
        "\"verifyd-data\"",
        "Directory of the embedded store, the API keys and the generated keys (none of them with Redis); made if absent, for its owner only. The default is in the working directory, because a container or a system service often has no home.",
    ),
    also(
        given(
            "mock",
            Mock,
            "false",
            "Send to the inbox instead of phones. `auto` does so only if no provider's credentials are given at start. Never in production.",
        ),
        &["SMS_MOCK_MODE"],
    ),
    given(
        "expose_codes",
        Switch,
        "false",
        "Show the code of a message that went to the inbox in the reply, as `test_code`. Mock mode only.",
    ),
    unset("api_key", Secret, "An API key with all rights, beside those of `api_keys` and `verifyd keys`."),
    unset("account_sid", Text, "The user name that the Verify v2 API takes: `AC` and 32 hex digits."),
    unset(
        "keys",
        Secret,
        "Master keys, `id:base64 of 32 bytes`, separated by commas or lines. The first makes new data, all read old. Without it the embedded store makes one in `data_dir`, and the memory store one for the process; with Redis it must be given.",
    ),
    given("send_deadline", Duration, "\"15s\"", "Longest time for one send over all senders and waits, 1s to 2m."),
    also(
        given(
            "store.url",
            Url,
            "\"embedded\"",
            "`embedded` (durable, in `data_dir`), `memory` (gone with the process), or for several nodes a Redis or Valkey: `redis://`, `redis+sentinel://` or `redis+cluster://`, with TLS `rediss…`; [FLEET.md](FLEET.md) shows each.",
        ),
        &["VERIFYD_STORE"],
    ),
    given(
        "store.max_records",
        Number,
        "4000000",
        "The most verifications, numbers, addresses and answers (of `Idempotency-Key`) that the embedded and the memory store keep; beyond it new starts are refused with 503.",
    ),
    given(
        "store.keep_finished",
        Duration,
        "\"1h\"",
        "How long a verification stays readable after its life, 0s to 30d.",
    ),
    given(
        "history.retention",
        Duration,
        "\"30d\"",
        "How long deliveries stay listed, 1h to 400d; see [privacy](privacy.md).",
    ),
    given(
        "history.counts_retention",
        Duration,
        "\"400d\"",
        "How long the counts of an hour are kept, 1d to 1200d; they name nobody.",
    ),
    given(
        "history.max_entries",
        Number,
        "1000000",
        "The most deliveries kept; beyond it the oldest go first. About 200 bytes each on disk.",
    ),
    unset("redis.password", Secret, "Password for Redis, if `store.url` has none; the user stands in the URL."),
    given("redis.prefix", Text, "\"verifyd\"", "What every key in Redis begins with: 1 to 40 of `a-z 0-9 _ -`."),
    given("redis.timeout", Duration, "\"250ms\"", "Longest wait for an answer of Redis, 10ms to 10s."),
    given(
        "redis.wait_replicas",
        Number,
        "0",
        "How many replicas must confirm a write that spends or approves before it is answered, 0 to 10.",
    ),
    given("redis.wait_timeout", Duration, "\"250ms\"", "How long they may take, 10ms to 10s."),
    unset(
        "tls.cert_file",
        Path,
        "Certificate chain in PEM; with `tls.key_file` the API speaks HTTPS. Read again when it changes.",
    ),
    unset("tls.key_file", Path, "Private key in PEM."),
    given("server.max_connections", Number, "10000", "Connections served at once."),
    given("server.header_timeout", Duration, "\"10s\"", "Time for a whole request head."),
    given("server.max_head_bytes", Number, "16384", "Request line and header fields together, in bytes."),
    given("server.max_headers", Number, "100", "Header fields of a request."),
    given("server.max_uri_bytes", Number, "8192", "Request target, in bytes."),
    given("server.keep_alive_idle", Duration, "\"75s\"", "How long a connection may stay open between two requests."),
    given("server.max_body_bytes", Number, "16384", "Request body, in bytes."),
    given("server.body_timeout", Duration, "\"10s\"", "Time for a whole request body."),
    given("server.write_stall", Duration, "\"30s\"", "How long a client may take nothing of an answer that is ready."),
    given("server.handshake_timeout", Duration, "\"10s\"", "Time for a TLS handshake."),
    given("server.max_streams", Number, "100", "HTTP/2 requests open at once on a connection."),
    given(
        "server.max_stream_resets",
        Number,
        "100",
        "HTTP/2 requests that a client may cancel, beyond those it let finish, before its connection is closed.",
    ),
    given(
        "server.lame_duck",
        Duration,
        "\"0s\"",
        "Time between the signal to stop and the end of accepting, for a load balancer to notice.",
    ),
    given("server.drain_limit", Duration, "\"25s\"", "How long open requests may take to finish at a stop."),
    given(
        "server.linger",
        Duration,
        "\"2s\"",
        "How long what a refused client still sends is read, so that the refusal reaches it.",
    ),
    given(
        "server.certificate_check",
        Duration,
        "\"60s\"",
        "How often the certificate files are looked at for a change.",
    ),
    also(
        given(
            "log.filter",
            Text,
            "\"info\"",
            "What is logged, as `RUST_LOG` writes it; `RUST_LOG` counts where this is set nowhere.",
        ),
        &["VERIFYD_LOG"],
    ),
    also(
        unset("log.format", Text, "`human` or `json`; without it `json` in production and `human` elsewhere."),
        &["VERIFYD_LOG_FORMAT"],
    ),
    unset("metrics.listen", Text, "Address and port of a listener for `/metrics` alone, which then needs no API key."),
    given(
        "proofs.enabled",
        Switch,
        "true",
        "Whether an approval brings a signed proof; see the page on [proofs](proofs.md).",
    ),
    unset(
        "proofs.issuer",
        Text,
        "The `iss` of proofs, 1 to 255 visible ASCII characters. Without it `public_url` without its last slash, else the URL of `listen`.",
    ),
    given("proofs.ttl", Duration, "\"5m\"", "How long a proof holds, 1s to 10m."),
    given(
        "limits.sends_per_phone",
        Rate,
        "\"5/1h\"",
        "Sends to a number for one service; `SMS_RATE_LIMIT_PER_PHONE` and `SMS_RATE_LIMIT_WINDOW` (seconds) set it, too. At most 100 per window.",
    ),
    given(
        "limits.sends_per_phone_all_services",
        Rate,
        "\"10/24h\"",
        "Sends to a number over all services. At most 100 per window.",
    ),
    given(
        "limits.sends_per_ip",
        Rate,
        "\"30/1h\"",
        "Sends for one address of a person; IPv6: N per /64, 2N per /56, 8N per /48.",
    ),
    given("limits.sends_per_verification", Number, "5", "Sends within a verification, 1 to 20."),
    given("limits.checks_per_verification", Number, "5", "Guesses within a verification, 1 to 20."),
    given("limits.failed_checks_per_phone", Rate, "\"10/24h\"", "Wrong guesses for a number. At most 100 per window."),
    given(
        "limits.failed_checks_in_a_row",
        Number,
        "100",
        "Wrong guesses in a row for a number, until an operator unlocks it (`POST /v1/phones/{to}/unlock`), 1 to 100.",
    ),
    given(
        "limits.resend_delays",
        Durations,
        "[\"30s\", \"60s\", \"120s\", \"300s\"]",
        "Waiting times between sends of a verification; the last one repeats, an empty list means none.",
    ),
    given("limits.check_delays", Durations, "[]", "Waiting times between guesses."),
    given(
        "numbers.forbidden_types",
        List,
        "[\"toll_free\", \"premium_rate\", \"shared_cost\", \"pager\", \"uan\"]",
        "Types of numbers that get no message.",
    ),
    given(
        "numbers.forbidden_prefixes",
        List,
        "[\"+870\", \"+878\", \"+881\", \"+882\", \"+883\", \"+888\", \"+979\", \"+991\"]",
        "Beginnings of numbers that get no message: satellites and networks of no country.",
    ),
    unset(
        "service.*.name",
        Text,
        "The brand in the message. Required, except of `default`, which says `verifyd` without it.",
    ),
    given("service.*.code_length", Number, "6", "Digits of a code, 4 to 10."),
    given("service.*.ttl", Duration, "\"10m\"", "Life of a verification, 1s to 24h."),
    given(
        "service.*.default_region",
        Text,
        "\"US\"",
        "Region in which national numbers are read; \"\" takes only E.164.",
    ),
    given(
        "service.*.allowed_countries",
        List,
        "[]",
        "The only countries that get messages, such as [\"US\", \"CA\"]; empty means all.",
    ),
    given("service.*.custom_codes", Switch, "false", "Whether callers may bring their own code."),
    given("service.*.locale", Text, "\"en\"", "Language of the message where a start names none."),
    given("service.*.do_not_share_warning", Switch, "false", "Whether the message warns not to share the code."),
    unset("service.*.web_otp_host", Text, "Host of the website that may fill the code in by itself (WebOTP)."),
    given(
        "service.*.proof_subject",
        Text,
        "\"number\"",
        "Whom its proofs name in `sub`: `number` (E.164), or `hash`, a keyed hash that no other service sees for the same number.",
    ),
    unset("service.*.limits.sends_per_phone", Rate, "Overrides `limits.sends_per_phone`."),
    unset("service.*.limits.sends_per_ip", Rate, "Overrides `limits.sends_per_ip`."),
    unset("service.*.limits.sends_per_verification", Number, "Overrides `limits.sends_per_verification`."),
    unset("service.*.limits.checks_per_verification", Number, "Overrides `limits.checks_per_verification`."),
    unset("service.*.limits.failed_checks_per_phone", Rate, "Overrides `limits.failed_checks_per_phone`."),
    unset("service.*.limits.failed_checks_in_a_row", Number, "Overrides `limits.failed_checks_in_a_row`."),
    unset("service.*.limits.resend_delays", Durations, "Overrides `limits.resend_delays`."),
    unset("service.*.limits.check_delays", Durations, "Overrides `limits.check_delays`."),
    unset("service.*.numbers.forbidden_types", List, "Overrides `numbers.forbidden_types`."),
    unset("service.*.numbers.forbidden_prefixes", List, "Overrides `numbers.forbidden_prefixes`."),
    also(unset("twilio.account_sid", Text, "Twilio account: `AC` and 32 hex digits."), &["TWILIO_ACCOUNT_SID"]),
    also(
        unset("twilio.auth_token", Secret, "The account's auth token, unless an API key is given."),
        &["TWILIO_AUTH_TOKEN"],
    ),
    also(unset("twilio.api_key_sid", Text, "A Twilio API key: `SK` and 32 hex digits."), &["TWILIO_API_KEY"]),
    also(unset("twilio.api_key_secret", Secret, "The API key's secret."), &["TWILIO_API_SECRET"]),
    also(
        unset("twilio.from", Text, "The sender: a number in E.164, a short code or a name of up to 11 letters."),
        &["TWILIO_PHONE_NUMBER"],
    ),
    also(
        unset(
            "twilio.messaging_service_sid",
            Text,
            "A messaging service that picks the sender: `MG` and 32 hex digits.",
        ),
        &["TWILIO_MESSAGING_SERVICE_SID"],
    ),
    also(
        given(
            "twilio.base_url",
            Text,
            "\"https://api.twilio.com\"",
            "Where Twilio answers; plain http only to this machine.",
        ),
        &["TWILIO_BASE_URL"],
    ),
    given(
        "twilio.smart_encoded",
        Switch,
        "true",
        "Let Twilio replace look-alike characters that would make a message dearer.",
    ),
    unset(
        "twilio.risk_check",
        Text,
        "Twilio's SMS Pumping Protection: `enable` or `disable`; Twilio's own default without it.",
    ),
    given("twilio.connect_timeout", Duration, "\"2s\"", "Longest wait for a connection."),
    given("twilio.timeout", Duration, "\"10s\"", "Longest time for one message, 1ms to 2m."),
    unset("twilio.root_certificates_file", Path, "Certificates in PEM to trust besides the system's."),
    unset("api_keys[].name", Text, "What logs call the key: 1 to 40 of `a-z 0-9 _ -`."),
    unset("api_keys[].key", Secret, "The key itself."),
    unset("api_keys[].service", Text, "The one service it is for; all without it."),
    unset(
        "api_keys[].scopes",
        List,
        "What it may do: `verify`, `forget`, `unlock`, `read`, `metrics`; the first two without it.",
    ),
    unset(
        "test_numbers[].number",
        Private,
        "A number in E.164 that gets no message and always the same code. In production only from a range reserved for fiction.",
    ),
    unset("test_numbers[].code", Secret, "Its code."),
    unset("test_numbers[].until", Instant, "When that ends: a date (its whole day, UTC) or a time (RFC 3339)."),
];
