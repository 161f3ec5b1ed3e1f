//! How often and after which waits a request that certainly did nothing is tried again.
//!
//! Twilio's advice for 429: 100 ms × 2ⁿ, ±10 % jitter, at most 30 s, five tries. Failed connections use the same waits with
//! fewer tries, because each may cost the whole connect timeout and another sender is waiting.

use std::time::Duration;

use verifyd_core::random::Random;

/// Requests altogether for one message when Twilio is throttling.
pub(super) const MAX_THROTTLED_TRIES: u32 = 5;
/// Connections tried for one message.
pub(super) const MAX_CONNECT_TRIES: u32 = 3;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why the last try did nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setback {
    /// No connection.
    Connect,
    /// Throttled, with the provider's wish if it gave one.
    Throttled(Option<Duration>),
}

/// The tries of one message so far.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    connects: u32,
    throttles: u32,
}

impl Pacing {
    /// Notes a setback and says how long to wait before the next try; nothing if there is to be none.
    pub(super) fn next_wait(&mut self, setback: Setback, random: &dyn Random) -> Option<Duration> {
        let (count, max) = match setback {
            Setback::Connect => (&mut self.connects, MAX_CONNECT_TRIES),
            Setback::Throttled(_) => (&mut self.throttles, MAX_THROTTLED_TRIES),
        };
        *count += 1;
        if *count >= max {
            return None;
        }
        Some(match setback {
            // Never earlier than asked: the jitter only adds.
            Setback::Throttled(Some(wish)) => {
                wish.saturating_add(wish.saturating_mul(jitter(random)) / (10 * JITTER_STEPS))
            }
            Setback::Connect | Setback::Throttled(None) => {
                let wait = FIRST_WAIT.saturating_mul(1 << (*count - 1).min(16)).min(LONGEST_WAIT);
                // From nine tenths to eleven tenths.
                wait * 9 / 10 + wait * jitter(random) / (5 * JITTER_STEPS)
            }
        })
    }
}

const JITTER_STEPS: u32 = 255;

/// 0 to [`JITTER_STEPS`]. Without randomness the waits are only less spread.
fn jitter(random: &dyn Random) -> u32 {
    let mut byte = [0];
    match random.fill(&mut byte) {
        Ok(()) => u32::from(byte[0]),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use verifyd_core::random::RandomError;

    use super::*;

    /// Gives one byte for ever, or fails.
    #[derive(Debug)]
    struct FixedRandom(Option<u8>);

    impl Random for FixedRandom {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.fill(self.0.ok_or(RandomError)?);
            Ok(())
        }
    }

    fn waits(setback: Setback, byte: Option<u8>) -> Vec<u128> {
        let mut pacing = Pacing::default();
        std::iter::from_fn(|| pacing.next_wait(setback, &FixedRandom(byte))).map(|wait| wait.as_millis()).collect()
    }

    #[test]
    fn waits_double_within_a_tenth() {
        assert_eq!(waits(Setback::Throttled(None), Some(0)), [90, 180, 360, 720]);
        assert_eq!(waits(Setback::Throttled(None), Some(255)), [110, 220, 440, 880]);
        assert_eq!(waits(Setback::Throttled(None), None), [90, 180, 360, 720]);
        assert_eq!(waits(Setback::Connect, Some(0)), [90, 180]);
    }

    #[test]
    fn the_providers_wish_is_never_undercut() {
        let wish = Setback::Throttled(Some(Duration::from_secs(2)));
        assert_eq!(waits(wish, Some(0)), [2000; 4]);
        assert_eq!(waits(wish, Some(255)), [2200; 4]);
    }

    #[test]
    fn failed_connections_and_throttles_are_counted_apart() {
        let mut pacing = Pacing::default();
        let random = FixedRandom(Some(0));
        assert!(pacing.next_wait(Setback::Connect, &random).is_some());
        assert!(pacing.next_wait(Setback::Throttled(None), &random).is_some());
        assert!(pacing.next_wait(Setback::Connect, &random).is_some());
        assert!(pacing.next_wait(Setback::Connect, &random).is_none());
        assert!(pacing.next_wait(Setback::Throttled(None), &random).is_some());
    }
}
