//! What the tests of the link share: a script that behaves like one of the store, and how long an answer may take.

use std::time::{Duration, Instant};

use verifyd_core::store::StoreError;
use verifyd_store_redis::link::Target;
use verifyd_store_redis::{Link, LinkSettings, Script};

/// Above the configured wait of 250 ms: slack for machines with other work.
pub(crate) const PROMPT: Duration = Duration::from_millis(250 + 500);

/// A link with the settings that an operator gets without asking.
pub(crate) fn open(url: &str) -> Link {
    Link::open(LinkSettings::new(Target::parse(url).unwrap())).unwrap()
}

/// What a [`guess`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guess {
    /// `new`; `counts`: its record is of an era that counts; `void`: of one that does not.
    pub(crate) found: String,
    /// How many there were.
    pub(crate) number: u64,
    /// Since when counters may be incomplete, in milliseconds; zero if they are not.
    pub(crate) incomplete_since_ms: u64,
}

/// Counts in a record that remembers the era it was made in, with a second key beside it that only the script knows of: as the scripts
/// of the store do.
pub(crate) async fn guess(link: &Link, tag: &str) -> Result<Guess, StoreError> {
    let script = Script::new(
        "local eras, era = ARGV[1], redis.call('HGET', KEYS[1], 'era')
         local beside = string.gsub(KEYS[1], 'record', 'beside')
         local number = (redis.call('GET', beside) or 0) + 1
         redis.call('HINCRBY', KEYS[1], 'number', 1)
         redis.call('SET', beside, number)
         if not era then
           redis.call('HSET', KEYS[1], 'era', string.sub(eras, 1, 8))
           return {'new', number, ARGV[2]}
         end
         for first = 1, #eras, 8 do
           if string.sub(eras, first, first + 7) == era then return {'counts', number, ARGV[2]} end
         end
         return {'void', number, ARGV[2]}",
    );
    let keys = [format!("t:{{{tag}}}:record").into_bytes()];
    let answer = link.call(&script.confirmed(), &keys, Vec::new()).await?;
    let (found, number, since): (String, u64, String) = redis::from_redis_value(answer).unwrap();
    Ok(Guess { found, number, incomplete_since_ms: since.parse().unwrap() })
}

/// Guesses again and again until one is answered.
pub(crate) async fn guess_until_answered(link: &Link, tag: &str, within: Duration) -> Guess {
    let started = Instant::now();
    loop {
        match guess(link, tag).await {
            Ok(guess) => return guess,
            Err(error) => assert!(started.elapsed() < within, "no answer in {within:?}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A call must fail, and soon. How long it took.
pub(crate) async fn fails_promptly(link: &Link, tag: &str) -> Duration {
    let started = Instant::now();
    let answer = guess(link, tag).await;
    let took = started.elapsed();
    let Err(StoreError::Unavailable { retry_after, .. }) = answer else { panic!("an answer: {answer:?}") };
    assert!(retry_after >= Duration::from_secs(1), "{retry_after:?}");
    assert!(took < PROMPT, "it took {took:?}");
    took
}
