//! Checks a proof of verifyd in Rust: copy `Proofs` into your application.
//!
//! ```text
//! cargo run -p verifyd-server --example verify_proof -- --keys http://127.0.0.1:8080/.well-known/jwks.json \
//!     --issuer http://127.0.0.1:8080 --audience VA... --purpose login --nonce n-1 < proof.txt
//! ```
//!
//! Prints the claims and exits with 0, or says on standard error why not and exits with 1. The proof comes by standard input,
//! since command lines can be read by others on the machine.

use std::collections::HashMap;
use std::error::Error;
use std::io::Read;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// What a proof says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    exp: u64,
    jti: String,
    verification_id: String,
    amr: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

/// Keys, and when they were fetched.
struct Fetched {
    keys: JwkSet,
    at: Instant,
}

/// Checks proofs of one issuer for one service. Keep it: it caches the keys and fetches them again for a new one.
struct Proofs {
    keys_url: String,
    validation: Validation,
    client: reqwest::Client,
    cache: Mutex<Option<Fetched>>,
}

/// How long verifyd lets its keys be cached.
const FRESH: Duration = Duration::from_secs(300);
/// A key that is not known is asked for at most so often, or strangers could make us ask all the time.
const ASK_AGAIN: Duration = Duration::from_secs(10);

impl Proofs {
    fn new(keys_url: &str, issuer: &str, audience: &str) -> Result<Self, Box<dyn Error>> {
        // One algorithm, whatever a header says.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 5;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
        Ok(Self { keys_url: keys_url.to_owned(), validation, client, cache: Mutex::new(None) })
    }

    /// The claims of a good proof. `purpose` and `nonce` are what you gave at the start of this very verification.
    async fn check(&self, proof: &str, purpose: Option<&str>, nonce: Option<&str>) -> Result<Claims, Box<dyn Error>> {
        let header = decode_header(proof)?;
        if header.typ.as_deref() != Some("phone-proof+jwt") || header.alg != Algorithm::EdDSA {
            return Err("not the header of a proof".into());
        }
        let key = self.key(&header.kid.ok_or("no key is named")?).await?;
        let claims = decode::<Claims>(proof, &key, &self.validation)?.claims;
        // Also where none is expected: a proof for one purpose is none for another.
        if claims.purpose.as_deref() != purpose || claims.nonce.as_deref() != nonce {
            return Err("another purpose or nonce".into());
        }
        Ok(claims)
    }

    /// The key of this name among those that verifyd publishes. A key that a header brings along is never looked at.
    async fn key(&self, kid: &str) -> Result<DecodingKey, Box<dyn Error>> {
        let mut cache = self.cache.lock().await;
        let usable = |fetched: &Fetched| {
            let age = fetched.at.elapsed();
            age < ASK_AGAIN || (age < FRESH && fetched.keys.find(kid).is_some())
        };
        if !cache.as_ref().is_some_and(usable) {
            let answer = self.client.get(&self.keys_url).send().await?.error_for_status()?;
            *cache = Some(Fetched { keys: serde_json::from_slice(&answer.bytes().await?)?, at: Instant::now() });
        }
        let key = cache.as_ref().and_then(|fetched| fetched.keys.find(kid)).ok_or("the key is not published")?;
        Ok(DecodingKey::from_jwk(key)?)
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut options = HashMap::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        options.insert(name, arguments.next().ok_or("every option has a value")?);
    }
    let option = |name: &str| options.get(name).map(String::as_str);
    let needed = |name: &str| option(name).ok_or_else(|| format!("{name} is missing"));
    let proofs = Proofs::new(needed("--keys")?, needed("--issuer")?, needed("--audience")?)?;
    let mut proof = String::new();
    std::io::stdin().read_to_string(&mut proof)?;
    let claims = proofs.check(proof.trim(), option("--purpose"), option("--nonce")).await?;
    println!("{}", serde_json::to_string(&claims)?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("refused: {error}");
            ExitCode::FAILURE
        }
    }
}
