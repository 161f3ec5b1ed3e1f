//! Services, `[service.NAME]`: each a tenant with its brand, codes, numbers and limits.

use std::collections::BTreeMap;
use std::time::Duration;

use verifyd_core::code::{CodeLength, MAX_CODE_DIGITS, MIN_CODE_DIGITS};
use verifyd_core::message::Brand;
use verifyd_core::phone_number::Region;
use verifyd_core::proof::ProofSubject;
use verifyd_core::service::{MAX_TTL, MIN_TTL, Service, ServiceName, ServiceSettings};

use super::reader::Reader;
use super::{DEFAULT_SERVICE, Environment, limits, numbers};

/// What the message of a service without a name says.
const DEFAULT_BRAND: &str = "verifyd";
/// NIST SP 800-63B, section 3.1.3.2: a code has at least six digits and lives at most ten minutes.
const ADVISED_DIGITS: u8 = 6;
const ADVISED_TTL: Duration = Duration::from_secs(600);

/// Every service; all are read, so that all errors are found.
pub(super) fn read_all(reader: &mut Reader<'_>) -> Option<BTreeMap<ServiceName, Service>> {
    let names = reader.values.services();
    let services: Vec<Option<Service>> = names.iter().map(|name| read(reader, name)).collect();
    let services: Option<Vec<Service>> = services.into_iter().collect();
    Some(services?.into_iter().map(|service| (service.settings().name.clone(), service)).collect())
}

fn read(reader: &mut Reader<'_>, name: &str) -> Option<Service> {
    let section = format!("service.{name}");
    let path = |key: &str| format!("{section}.{key}");
    let brand = read_brand(reader, name, &path("name"));
    let code_length = reader
        .number(&path("code_length"), &(MIN_CODE_DIGITS..=MAX_CODE_DIGITS))
        .and_then(|digits| CodeLength::new(digits).ok());
    let ttl = reader.duration(&path("ttl"), &(MIN_TTL..=MAX_TTL));
    let default_region = read_region(reader, &path("default_region"));
    let numbers = numbers::read(reader, &section);
    let limits = limits::read(reader, &section);
    let locale = reader.parsed(&path("locale"));
    let web_otp_host = reader.parsed(&path("web_otp_host"));
    let subjects = [("number", ProofSubject::Number), ("hash", ProofSubject::Hash)];
    let proof_subject = reader.word(&path("proof_subject"), &subjects);
    let settings = ServiceSettings {
        name: name.parse().ok()?,
        brand: brand?,
        code_length: code_length?,
        ttl: ttl?,
        default_region: default_region?,
        numbers: numbers?,
        limits: limits?,
        custom_codes: reader.switch(&path("custom_codes"))?,
        locale: locale?,
        do_not_share_warning: reader.switch(&path("do_not_share_warning"))?,
        web_otp_host,
        proof_subject: proof_subject?,
    };
    remarks(reader, &section, &settings);
    // Every bound was looked at above, where the key is known; core has the last word.
    Service::new(settings).map_err(|error| reader.refuse(&section, error)).ok()
}

fn read_brand(reader: &mut Reader<'_>, service: &str, path: &str) -> Option<Brand> {
    if reader.text(path).is_some() {
        return reader.parsed(path);
    }
    if service != DEFAULT_SERVICE {
        reader.refuse(path, "missing; give the brand that its messages show");
        return None;
    }
    if reader.environment == Environment::Production {
        reader.findings.remark(path, format!("not set: messages say {DEFAULT_BRAND:?} instead of your brand"));
    }
    DEFAULT_BRAND.parse().ok()
}

/// `Some(None)` is a service that takes only E.164.
#[expect(clippy::option_option, reason = "the outer option is whether the key could be read")]
fn read_region(reader: &mut Reader<'_>, path: &str) -> Option<Option<Region>> {
    reader.parsed_by(path, |text| match text {
        "" => Ok(None),
        text => match text.parse() {
            // Numbers of no country have no national form.
            Ok(Region::WORLD) => Err("expected a country such as US, or \"\" to take only E.164".to_owned()),
            parsed => parsed.map(Some).map_err(|error| format!("{error}; or \"\" to take only E.164")),
        },
    })
}

fn remarks(reader: &mut Reader<'_>, section: &str, settings: &ServiceSettings) {
    let digits = settings.code_length.digits();
    if digits < ADVISED_DIGITS {
        let message = format!(
            "codes of {digits} digits are easier to guess than the {ADVISED_DIGITS} that NIST SP 800-63B asks for"
        );
        reader.findings.warn(reader.field(&format!("{section}.code_length")), message);
    }
    if settings.ttl > ADVISED_TTL {
        let message = "a code lives longer than the 10m that NIST SP 800-63B allows";
        reader.findings.warn(reader.field(&format!("{section}.ttl")), message);
    }
    limits::remarks(reader, section, &settings.limits);
}
