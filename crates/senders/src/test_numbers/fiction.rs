//! Phone numbers that regulators keep free for films and books: nobody holds one, and nobody will.
//!
//! A range stands here only if its regulator publishes it; a missing one costs an operator another choice of number, a wrong
//! one opens a real person's account. Some of them are no valid numbers to libphonenumber today, the British mobile ones among
//! them; they stay in the table for the day when they are.

use std::ops::RangeInclusive;

use verifyd_core::phone_number::PhoneNumber;

/// Ranges of whole E.164 numbers, without the `+`. The digits give the length too, so a longer number never falls in one.
#[rustfmt::skip]
const RANGES: &[RangeInclusive<u64>] = &[
    // United Kingdom: Ofcom, "Telephone numbers for use in TV and radio drama programmes". No area, then Leeds, Sheffield,
    // Nottingham, Leicester, Bristol, Reading, Birmingham, Edinburgh, Glasgow, Liverpool, Manchester, London, Tyneside,
    // Northern Ireland, Cardiff, mobile.
    441_632_960_000..=441_632_960_999,
    441_134_960_000..=441_134_960_999,
    441_144_960_000..=441_144_960_999,
    441_154_960_000..=441_154_960_999,
    441_164_960_000..=441_164_960_999,
    441_174_960_000..=441_174_960_999,
    441_184_960_000..=441_184_960_999,
    441_214_960_000..=441_214_960_999,
    441_314_960_000..=441_314_960_999,
    441_414_960_000..=441_414_960_999,
    441_514_960_000..=441_514_960_999,
    441_614_960_000..=441_614_960_999,
    442_079_460_000..=442_079_460_999,
    441_914_980_000..=441_914_980_999,
    442_896_496_000..=442_896_496_999,
    442_920_180_000..=442_920_180_999,
    447_700_900_000..=447_700_900_999,
    // Australia: ACMA, "Phone numbers for use in TV shows, films and creative works": 5550 and 7010 in the four area codes.
    61_255_500_000..=61_255_509_999, 61_270_100_000..=61_270_109_999,
    61_355_500_000..=61_355_509_999, 61_370_100_000..=61_370_109_999,
    61_755_500_000..=61_755_509_999, 61_770_100_000..=61_770_109_999,
    61_855_500_000..=61_855_509_999, 61_870_100_000..=61_870_109_999,
    // France: Arcep, decision 2018-0881, annex 1: six roots of 10,000 for audiovisual works.
    33_199_000_000..=33_199_009_999,
    33_261_910_000..=33_261_919_999,
    33_353_010_000..=33_353_019_999,
    33_465_710_000..=33_465_719_999,
    33_536_490_000..=33_536_499_999,
    33_639_980_000..=33_639_989_999,
    // Germany: Bundesnetzagentur, notice 148/2021: Berlin, Frankfurt, Hamburg, Cologne, Munich.
    493_023_125_000..=493_023_125_999,
    496_990_009_000..=496_990_009_999,
    494_066_969_000..=494_066_969_999,
    492_214_710_000..=492_214_710_999,
    498_999_998_000..=498_999_998_999,
    // Sweden: PTS, numbers for fiction (2020): mobile.
    46_701_740_605..=46_701_740_699,
];

/// Single numbers, in the same form: the mobile numbers of ACMA's list (see above), each in the block 0491 57x xxx, and one of
/// the Bundesnetzagentur's.
#[rustfmt::skip]
const NUMBERS: &[u64] = &[
    61_491_570_006, 61_491_570_110, 61_491_570_156, 61_491_570_157, 61_491_570_158, 61_491_570_159, 61_491_570_313,
    61_491_570_737, 61_491_571_266, 61_491_571_491, 61_491_571_804, 61_491_572_549, 61_491_572_665, 61_491_572_983,
    61_491_573_087, 61_491_573_770, 61_491_574_118, 61_491_574_632, 61_491_575_254, 61_491_575_789, 61_491_576_398,
    61_491_576_801, 61_491_577_426, 61_491_577_644, 61_491_578_148, 61_491_578_888, 61_491_578_957, 61_491_579_212,
    61_491_579_455, 61_491_579_760,
    4_915_228_817_386,
];

/// The lines 555-0100 to 555-0199 of every area code of the United States and Canada (ATIS-0300115, NANPA).
const AMERICAN_LINES: RangeInclusive<u64> = 5_550_100..=5_550_199;

/// Whether nobody can hold `number`, because its regulator reserves it for fiction.
///
/// ```
/// use verifyd_core::phone_number::PhoneNumber;
/// use verifyd_senders::test_numbers::is_fictional;
///
/// let number = |text| PhoneNumber::parse(text, None).unwrap();
/// assert!(is_fictional(&number("+1 415 555 0142")));
/// assert!(!is_fictional(&number("+1 415 555 2671")));
/// ```
#[must_use]
pub fn is_fictional(number: &PhoneNumber) -> bool {
    let digits = number.e164().trim_start_matches('+').parse().unwrap_or(0);
    let american = matches!(number.region().as_str(), "US" | "CA") && is_american_line(digits);
    american || is_reserved(digits)
}

/// The last seven digits of an eleven-digit number behind the country code 1.
fn is_american_line(digits: u64) -> bool {
    digits / 10_000_000_000 == 1 && AMERICAN_LINES.contains(&(digits % 10_000_000))
}

fn is_reserved(digits: u64) -> bool {
    RANGES.iter().any(|range| range.contains(&digits)) || NUMBERS.contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_they_should() {
        for (inside, outside) in [
            ("+14155550100", "+14155550099"),
            ("+12125550199", "+12125550200"),
            ("+12045550123", "+12045551123"),
            ("+441134960000", "+441134959999"),
            ("+442079460999", "+442079461000"),
            ("+441914980000", "+441914990000"),
            ("+61255500000", "+61255510000"),
            ("+61491570006", "+61491570007"),
            ("+33199009999", "+33199010000"),
            ("+493023125000", "+493023126000"),
            ("+46701740605", "+46701740604"),
            ("+46701740699", "+46701740700"),
            ("+4915228817386", "+4915228817387"),
        ] {
            assert!(is_fictional(&PhoneNumber::parse_e164(inside).unwrap()), "{inside}");
            assert!(!is_fictional(&PhoneNumber::parse_e164(outside).unwrap()), "{outside}");
        }
    }

    /// Germany has numbers of several lengths: one digit more is another number.
    #[test]
    fn a_longer_number_is_not_in_a_range() {
        assert!(is_reserved(493_023_125_123));
        assert!(!is_reserved(4_930_231_251_234));
        assert!(!is_reserved(49_302_312_512));
    }

    #[test]
    fn the_same_line_elsewhere_in_the_north_american_plan_is_not_reserved() {
        let jamaican = PhoneNumber::parse_e164("+18765550123").unwrap();
        assert!(!is_fictional(&jamaican));
        assert!(!is_american_line(4_155_550_100), "ten digits");
        assert!(!is_american_line(214_155_550_100), "twelve digits");
    }

    #[test]
    fn no_range_is_upside_down_or_covers_more_than_ten_thousand() {
        for range in RANGES {
            let size = range.end() + 1 - range.start();
            assert!((95..=10_000).contains(&size), "{range:?}");
        }
    }
}
