//! The reference page in `docs/` is made from the table of keys, and must be what the table says now.

use std::path::Path;

use crate::config::reference;

const HEAD: &str = "# Configuration

One file (`verifyd.toml`, or `--config`, or `VERIFYD_CONFIG`), the environment and flags, each over the one before. Unknown keys and contradictions are errors that name
the field; `verifyd config check` tells all of them at once, `verifyd config print` shows what is in force with secrets masked.

- In the environment a value is a TOML value or bare text; an empty variable counts as unset. A list of tables is one variable, such as
  `VERIFYD_TEST_NUMBERS='[{number = \"+14155550123\", code = \"424242\", until = 2027-03-31}]'`.
- Every secret can come from a file: the key, or variable, with `_file` (`_FILE`) behind it. Secrets are never flags.
- Durations are written `90s`, `10m`, `24h`; limits `N/duration`.
- The variables of the original service work as they are: `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN`, `TWILIO_PHONE_NUMBER`, `SMS_RATE_LIMIT_PER_PHONE`,
  `SMS_RATE_LIMIT_WINDOW` (seconds), `SMS_MOCK_MODE`.

This page is made from the code: `VERIFYD_WRITE_DOCS=1 cargo test -p verifyd-server --lib the_reference_page` writes it anew.

";

#[test]
fn the_reference_page_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let wanted = format!("{HEAD}{}", reference::markdown());
    if std::env::var_os("VERIFYD_WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(
        found == wanted,
        "docs/configuration.md is not made from this code; see its last paragraph before the table"
    );
}
