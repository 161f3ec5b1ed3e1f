//! The schemas of single fields. Every bound is the constant that the rule itself uses.

use crate::http::v1::MAX_KEY_BYTES;
use utoipa::openapi::Ref;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{
    AnyOfBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use verifyd_core::code::{MAX_CODE_DIGITS, MIN_CODE_DIGITS};
use verifyd_core::id::{DeliveryId, ServiceId, VerificationId};
use verifyd_core::limits::LimitName;
use verifyd_core::message::{APP_HASH_CHARS, Encoding, MAX_LOCALE_BYTES};
use verifyd_core::phone_number::{MAX_INPUT_BYTES, NumberType, Region};
use verifyd_core::routing::RouteReason;
use verifyd_core::sender::{Channel, DeliveryStatus};
use verifyd_core::verification::VerificationStatus;
use verifyd_core::verifier::{
    MAX_METADATA_ENTRIES, MAX_METADATA_KEY_BYTES, MAX_METADATA_VALUE_BYTES, MAX_NONCE_BYTES, MAX_PURPOSE_BYTES,
};

/// The grammar of RFC 5646 §2.1 as `Locale` reads it, but for its rule that no variant or singleton stands twice.
const LOCALE: &str = "^([A-Za-z]{2,3}([-_][A-Za-z]{3}){0,3}|[A-Za-z]{4,8})([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?\
    ([-_]([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*([-_][0-9A-WY-Za-wy-z]([-_][A-Za-z0-9]{2,8})+)*\
    ([-_][xX]([-_][A-Za-z0-9]{1,8})+)?$";

/// Text.
pub(crate) fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

/// One of these words.
pub(crate) fn word<'a>(description: &str, words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    text(description).enum_values(Some(words))
}

/// A number that is never negative.
pub(super) fn count(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).description(Some(description)).minimum(Some(0))
}

/// An instant.
pub(super) fn instant(description: &str) -> ObjectBuilder {
    text(description).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// At most so many bytes of UTF-8. A schema counts characters, of which there are at most as many.
fn within(object: ObjectBuilder, max_bytes: usize) -> ObjectBuilder {
    let bytes = ExtensionsBuilder::new().add("x-max-bytes", max_bytes).build();
    object.max_length(Some(max_bytes)).extensions(Some(bytes))
}

/// The same, or null, which is the same as leaving it out.
fn or_null(object: ObjectBuilder) -> Object {
    let mut object = object.build();
    if let SchemaType::Type(kind) = &object.schema_type {
        object.schema_type = SchemaType::from_iter([kind.clone(), Type::Null]);
    }
    if let Some(words) = &mut object.enum_values {
        words.push(serde_json::Value::Null);
    }
    object
}

fn id(description: &str, prefix: &str) -> ObjectBuilder {
    text(description).pattern(Some(format!("^{prefix}[0-9a-f]{{32}}$")))
}

/// The most entries of a page.
pub(crate) const MAX_PAGE: usize = 100;

/// An instant of a query.
pub(crate) fn query_instant() -> ObjectBuilder {
    instant("RFC 3339, such as `2026-11-22T17:44:35Z`.").examples(["2026-11-22T17:44:35Z"])
}

/// Where a page goes on.
pub(crate) fn cursor() -> ObjectBuilder {
    text("Means nothing to anybody else.").pattern(Some("^[0-9a-f]{48}$"))
}

/// How many a page has.
pub(crate) fn page_limit() -> ObjectBuilder {
    count("How many.").minimum(Some(1)).maximum(Some(MAX_PAGE))
}

/// Yes or no.
pub(crate) fn flag() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

/// The name of a sender.
pub(crate) fn sender() -> ObjectBuilder {
    text("The name of a sender.").examples(["twilio"])
}

/// A span of time.
pub(crate) fn period() -> ObjectBuilder {
    word("A span of time.", ["hour", "day"])
}

/// What counts are told apart by.
pub(crate) fn groups() -> ObjectBuilder {
    text("Of `service`, `country`, `sender` and `channel` any, with commas between.")
        .pattern(Some("^(service|country|sender|channel)(,(service|country|sender|channel)){0,3}$"))
        .examples(["country,sender"])
}

/// The number that a request is about.
pub(crate) fn number() -> ObjectBuilder {
    let description = "The number: international, or national with `region` or the service's default region. Digits of six scripts, \
        separators, `tel:` and `00` are read; letters and extensions are refused.";
    within(text(description), MAX_INPUT_BYTES)
        .format(Some(SchemaFormat::Custom("phone-number".to_owned())))
        .examples(["+14155552671"])
}

/// A number in a reply.
pub(crate) fn e164() -> ObjectBuilder {
    text("The number in E.164 form.").pattern(Some("^\\+[1-9][0-9]{1,14}$"))
}

/// The name of the schema of regions.
pub(super) const REGION: &str = "Region";

/// Every region in which a national number can be read.
pub(super) fn regions() -> Object {
    let regions = Region::all();
    let known = std::iter::once(&Region::WORLD).chain(&regions).map(Region::as_str);
    word("A region of the numbering plans: ISO 3166-1, or `001` for none.", known).examples(["US"]).build()
}

/// The region of national numbers.
pub(crate) fn region() -> Schema {
    let any = AnyOfBuilder::new()
        .description(Some("The region in which a national number is read."))
        .item(Ref::from_schema_name(REGION))
        .item(ObjectBuilder::new().schema_type(Type::Null));
    Schema::AnyOf(any.build())
}

/// The region of national numbers, in a query.
pub(crate) fn query_region() -> Ref {
    Ref::from_schema_name(REGION)
}

/// The region of a number.
pub(crate) fn region_of_number() -> ObjectBuilder {
    text("The region it belongs to; `001` for none.").pattern(Some("^([A-Z]{2}|001)$"))
}

fn service_name() -> ObjectBuilder {
    text("The service (tenant), by name or `VA…` id; the key's own, else `default`.")
}

/// The service that a request names.
pub(crate) fn service() -> Object {
    or_null(service_name())
}

/// The service that a query names.
pub(crate) fn query_service() -> ObjectBuilder {
    service_name()
}

/// The channel that a request names.
pub(crate) fn channel() -> Object {
    or_null(word("How the code travels.", Channel::ALL.map(Channel::as_str)))
}

/// The channel in a reply.
pub(crate) fn channel_used() -> ObjectBuilder {
    word("How the last message travelled.", Channel::ALL.map(Channel::as_str))
}

/// The language that a request names.
pub(crate) fn locale() -> Object {
    let description =
        "The language of the message: a BCP 47 tag; falls back to its language, then the service's, then English.";
    let object = text(description).pattern(Some(LOCALE)).max_length(Some(MAX_LOCALE_BYTES)).examples(["en", "pt-BR"]);
    or_null(object)
}

fn address(nullable: bool) -> Schema {
    let format =
        |format| ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
    let any = AnyOfBuilder::new()
        .description(Some("The person's address as you saw it. Without it no limit by address applies."))
        .examples(["203.0.113.7"])
        .item(format(KnownFormat::Ipv4))
        .item(format(KnownFormat::Ipv6));
    let any = if nullable { any.item(ObjectBuilder::new().schema_type(Type::Null)) } else { any };
    Schema::AnyOf(any.build())
}

/// The address of the person that a request is for.
pub(crate) fn client_ip() -> Schema {
    address(true)
}

/// The address of the person that a query is for.
pub(crate) fn query_client_ip() -> Schema {
    address(false)
}

/// A code of the caller's own.
pub(crate) fn own_code() -> Object {
    or_null(text(&format!(
        "Your own code, {MIN_CODE_DIGITS} to {MAX_CODE_DIGITS} digits, if the service allows it (`custom_codes`)."
    )))
}

/// A guess.
pub(crate) fn guess() -> ObjectBuilder {
    let description = "What the person typed. Spaces, hyphens, invisible marks and digits of other scripts are fine; what cannot be a code \
         is refused and costs nothing.";
    text(description).examples(["123456"])
}

/// The hash of an Android app.
pub(crate) fn app_hash() -> Object {
    let description = "Hash of your Android app, for the SMS Retriever: the message then has at most 140 bytes.";
    or_null(text(description).pattern(Some(format!("^[A-Za-z0-9+/]{{{APP_HASH_CHARS}}}$"))))
}

/// What the proof is for.
pub(crate) fn purpose() -> Object {
    or_null(within(text("What the verification is for."), MAX_PURPOSE_BYTES).min_length(Some(1)))
}

/// The caller's nonce.
pub(crate) fn nonce() -> Object {
    or_null(within(text("Comes back as it is."), MAX_NONCE_BYTES).min_length(Some(1)))
}

/// The caller's data.
pub(crate) fn metadata() -> Object {
    let key = within(ObjectBuilder::new().schema_type(Type::String), MAX_METADATA_KEY_BYTES).min_length(Some(1));
    let value = within(ObjectBuilder::new().schema_type(Type::String), MAX_METADATA_VALUE_BYTES);
    let object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Your data; it comes back as it is."))
        .max_properties(Some(MAX_METADATA_ENTRIES))
        .property_names(Some(Schema::Object(key.build())))
        .additional_properties(Some(Schema::Object(value.build())));
    or_null(object)
}

/// The id of a verification.
pub(crate) fn verification_id() -> ObjectBuilder {
    id("The id of the verification.", VerificationId::PREFIX).examples(["VE00112233445566778899aabbccddeeff"])
}

/// The id of a service.
pub(crate) fn service_id() -> ObjectBuilder {
    id("The id of the service it belongs to.", ServiceId::PREFIX)
}

/// The id of a delivery.
pub(crate) fn delivery_id() -> ObjectBuilder {
    id("The id of the delivery.", DeliveryId::PREFIX)
}

/// The status of a verification.
pub(crate) fn status() -> ObjectBuilder {
    word(
        "Where it stands. `failed`: no message could be sent at all.",
        VerificationStatus::ALL.map(VerificationStatus::as_str),
    )
}

/// The status of a delivery.
pub(crate) fn delivery_status() -> ObjectBuilder {
    let description =
        "What is known of it. `unknown`: it may have been sent; it is charged and not repeated unless you ask for it.";
    word(description, DeliveryStatus::ALL.map(DeliveryStatus::as_str))
}

/// The type of a number.
pub(crate) fn number_type() -> ObjectBuilder {
    word("The type of the number.", NumberType::ALL.iter().map(|kind| kind.as_str()))
}

/// The encoding of a message.
pub(crate) fn encoding() -> ObjectBuilder {
    word("How the text is encoded, which decides how much fits into a segment.", Encoding::ALL.map(Encoding::as_str))
}

/// Why a sender was chosen.
pub(crate) fn route_reason() -> ObjectBuilder {
    word("Why this sender.", RouteReason::ALL.map(RouteReason::as_str))
}

/// The name of a limit.
pub(crate) fn limit_name() -> ObjectBuilder {
    word("Its name.", LimitName::ALL.map(LimitName::as_str))
}

/// The header with which a request may be repeated: printable ASCII.
pub(crate) fn idempotency_key() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]+$"))
        .max_length(Some(MAX_KEY_BYTES))
        .examples(["6f3b7c2e-8d0a-4c57-9f6e-2b1d3c4e5f60"])
}

/// Whether an answer is the one that was given before.
pub(super) fn replayed() -> ObjectBuilder {
    word("There only if this answer was given before, to the first request with this `Idempotency-Key`.", ["true"])
}

/// The id of a request.
pub(super) fn request_id() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

#[cfg(test)]
mod tests {
    use super::*;
    use verifyd_core::message::Locale;

    #[test]
    fn the_pattern_of_locales_says_what_the_parser_does() {
        let schema = serde_json::json!({ "type": "string", "pattern": LOCALE, "maxLength": MAX_LOCALE_BYTES });
        let pattern = jsonschema::validator_for(&schema).unwrap();
        for tag in [
            "en",
            "EN_us",
            "pt-BR",
            "zh-Hant-TW",
            "zh-cmn-Hans-CN",
            "sl-rozaj-biske",
            "de-CH-1901",
            "es-419",
            "en-a-bbb-x-a-ccc",
            "de-x-goethe",
            "abcd",
            "abcdefgh",
            "en-u-ca-gregory",
            "en-1a",
            "",
            "e",
            "abcdefghi",
            "en-",
            "-en",
            "en--us",
            "en-a",
            "en-x",
            "x-en",
            "en-us-us",
            "en-Latn-Latn",
            "1n",
            "abcd-efg",
            "en-abc-def-ghi-jkl",
            "en us",
            "en-us-x",
            "en-a-b",
            "en-12345",
            "é",
        ] {
            let parsed = tag.parse::<Locale>().is_ok();
            assert_eq!(pattern.is_valid(&serde_json::json!(tag)), parsed, "{tag:?}");
        }
    }
}
