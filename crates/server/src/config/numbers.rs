//! Which numbers get messages: `[numbers]`, and a service's own rules under `[service.NAME.numbers]`.

use std::collections::BTreeSet;

use verifyd_core::phone_number::{NumberPolicy, NumberPrefix, NumberType, Region};

use super::reader::Reader;

/// The policy of the service whose section is `section`.
pub(super) fn read(reader: &mut Reader<'_>, section: &str) -> Option<NumberPolicy> {
    let types = reader.list(&format!("{section}.numbers.forbidden_types"), str::parse::<NumberType>);
    let prefixes = reader.list(&format!("{section}.numbers.forbidden_prefixes"), str::parse::<NumberPrefix>);
    let countries = reader.list(&format!("{section}.allowed_countries"), str::parse::<Region>);
    let countries: BTreeSet<Region> = countries?.into_iter().collect();
    Some(NumberPolicy {
        forbidden_types: types?.into_iter().collect(),
        forbidden_prefixes: prefixes?,
        allowed_countries: (!countries.is_empty()).then_some(countries),
    })
}
