//! The bounds of every field of a start: one below, at and above each.

use verifyd_core::testing::{TestVerifier, Verb};
use verifyd_core::verifier::{
    MAX_METADATA_ENTRIES, MAX_METADATA_KEY_BYTES, MAX_METADATA_VALUE_BYTES, MAX_NONCE_BYTES, MAX_PURPOSE_BYTES,
    StartRequest, VerifyError,
};

use super::start_with;

/// The field that a start is refused for, if it is.
async fn refused_field(change: impl FnOnce(&mut StartRequest)) -> Option<&'static str> {
    let test = TestVerifier::new();
    let mut request = TestVerifier::request(TestVerifier::NUMBER);
    change(&mut request);
    let previewed = test.verifier.preview(&test.service, request.clone()).await.err();
    let refused = start_with(&test, request).await.err();
    let field = |error: Option<VerifyError>| match error {
        None => None,
        Some(VerifyError::Field { field, .. }) => Some(field),
        Some(other) => panic!("{other:?}"),
    };
    let (previewed, refused) = (field(previewed), field(refused));
    assert_eq!(previewed, refused, "a preview refuses what a start refuses");
    assert_eq!(test.store.calls(Verb::Admit), usize::from(refused.is_none()), "refused before anything is spent");
    refused
}

#[tokio::test]
async fn texts_have_bounds() {
    for (length, refused) in [(0, true), (1, false), (MAX_PURPOSE_BYTES, false), (MAX_PURPOSE_BYTES + 1, true)] {
        let field = refused_field(|request| request.purpose = Some("p".repeat(length))).await;
        assert_eq!(field, refused.then_some("purpose"), "{length} bytes");
    }
    for (length, refused) in [(0, true), (1, false), (MAX_NONCE_BYTES, false), (MAX_NONCE_BYTES + 1, true)] {
        let field = refused_field(|request| request.nonce = Some("n".repeat(length))).await;
        assert_eq!(field, refused.then_some("nonce"), "{length} bytes");
    }
}

#[tokio::test]
async fn metadata_has_bounds() {
    for (entries, refused) in [(MAX_METADATA_ENTRIES, false), (MAX_METADATA_ENTRIES + 1, true)] {
        let pairs = (0..entries).map(|n| (format!("key{n}"), String::new()));
        let field = refused_field(|request| request.metadata = pairs.collect()).await;
        assert_eq!(field, refused.then_some("metadata"), "{entries} entries");
    }
    for (key, value, refused) in [
        (0, 1, true),
        (1, 0, false),
        (MAX_METADATA_KEY_BYTES, MAX_METADATA_VALUE_BYTES, false),
        (MAX_METADATA_KEY_BYTES + 1, 1, true),
        (1, MAX_METADATA_VALUE_BYTES + 1, true),
    ] {
        let pair = ("k".repeat(key), "v".repeat(value));
        let field = refused_field(|request| request.metadata = [pair].into()).await;
        assert_eq!(field, refused.then_some("metadata"), "{key} and {value} bytes");
    }
}
