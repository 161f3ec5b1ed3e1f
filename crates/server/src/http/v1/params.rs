//! Parameters that several operations share.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::http::openapi::schema;

/// `Idempotency-Key`, as every POST takes it.
pub(super) struct IdempotencyKey;
/// The `{id}` of a path.
pub(super) struct IdInPath;
/// The `{id}` of a path that names a delivery.
pub(super) struct DeliveryInPath;
/// The `{to}` of a path.
pub(super) struct NumberInPath;

fn parameter(name: &str, place: ParameterIn, text: &str) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).description(Some(text))
}

/// A parameter that must be there.
pub(super) fn required(name: &str, place: ParameterIn, text: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(name, place, text).required(Required::True).schema(Some(schema)).build()
}

/// A parameter that may be left out.
pub(super) fn optional(name: &str, place: ParameterIn, text: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(name, place, text).required(Required::False).schema(Some(schema)).build()
}

impl IntoParams for IdempotencyKey {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = "A fresh text of yours, such as a UUID: the same request with the same key gets the same answer.";
        vec![optional("Idempotency-Key", ParameterIn::Header, text, schema::idempotency_key())]
    }
}

impl IntoParams for IdInPath {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![required("id", ParameterIn::Path, "The id of the verification.", schema::verification_id())]
    }
}

impl IntoParams for DeliveryInPath {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![required("id", ParameterIn::Path, "The id of the delivery.", schema::delivery_id())]
    }
}

impl IntoParams for NumberInPath {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![required("to", ParameterIn::Path, "The number.", schema::number())]
    }
}
