//! The verdict on ordinary numbers of the United States and Canada, without the library: its patterns take 5 µs a number, a tenth of
//! a whole verification, and say nothing that the area code does not.
//!
//! The two lists are what the library says: in these areas every central office code from 200 to 999 has one verdict. A test asks
//! it for each pair of area and office code, so a new version of the metadata that disagrees fails it. Every other number of the
//! plan (toll-free, premium, personal, the islands) is the library's.

use super::{NumberType, Region};

const UNITED_STATES: &[u16] = &[
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 220, 223, 224, 225, 227, 228,
    229, 231, 234, 235, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 272, 274, 276, 279, 281, 283,
    301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 324, 325, 326,
    327, 329, 330, 331, 332, 334, 336, 337, 339, 341, 346, 347, 350, 351, 352, 353, 360, 361, 363, 364, 369, 380, 385,
    386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 424, 425, 430, 432, 434, 435,
    440, 442, 443, 445, 447, 448, 458, 463, 464, 469, 470, 472, 475, 478, 479, 480, 484, 501, 502, 503, 504, 505, 507,
    508, 509, 510, 512, 513, 515, 516, 517, 518, 520, 530, 531, 534, 539, 540, 541, 551, 557, 559, 561, 562, 563, 564,
    567, 570, 571, 572, 573, 574, 575, 580, 582, 585, 586, 601, 602, 603, 605, 606, 607, 608, 609, 610, 612, 614, 615,
    616, 617, 618, 619, 620, 623, 626, 628, 629, 630, 631, 636, 640, 641, 645, 646, 650, 651, 656, 657, 659, 660, 661,
    662, 667, 669, 678, 680, 681, 682, 686, 689, 701, 702, 703, 704, 706, 707, 708, 712, 713, 714, 715, 716, 717, 718,
    719, 720, 724, 725, 726, 727, 728, 730, 731, 732, 734, 737, 738, 740, 743, 747, 748, 754, 757, 760, 762, 763, 765,
    769, 770, 771, 772, 773, 774, 775, 779, 781, 785, 786, 801, 802, 803, 804, 805, 806, 808, 810, 812, 813, 814, 815,
    816, 817, 818, 820, 821, 826, 828, 830, 831, 832, 835, 838, 839, 840, 843, 845, 847, 848, 850, 854, 856, 857, 858,
    859, 860, 862, 863, 864, 865, 870, 872, 878, 901, 903, 904, 906, 907, 908, 909, 910, 912, 913, 914, 915, 916, 917,
    918, 919, 920, 925, 928, 929, 930, 931, 934, 936, 937, 938, 940, 941, 943, 945, 947, 948, 949, 951, 952, 954, 956,
    959, 970, 971, 972, 973, 975, 978, 979, 980, 984, 985, 986, 989,
];

const CANADA: &[u16] = &[
    204, 226, 236, 249, 250, 257, 263, 273, 289, 306, 343, 354, 365, 367, 368, 382, 403, 416, 418, 428, 431, 437, 438,
    450, 468, 474, 506, 514, 519, 548, 579, 581, 584, 587, 604, 613, 639, 647, 672, 683, 705, 709, 742, 753, 778, 780,
    782, 807, 819, 825, 867, 873, 879, 902, 905, 942,
];

/// The verdict on a national number of country code 1; `None` if the library has to be asked.
pub(super) fn verdict(national: u64) -> Option<(Region, NumberType)> {
    let area = u16::try_from(national / 10_000_000).ok()?;
    let office = national / 10_000 % 1000;
    if !(200..=999).contains(&area) || office < 200 {
        return None;
    }
    let listed = |areas: &[u16]| areas.binary_search(&area).is_ok();
    let region = if listed(UNITED_STATES) {
        Region::UNITED_STATES
    } else if listed(CANADA) {
        Region::CANADA
    } else {
        return None;
    };
    Some((region, NumberType::FixedLineOrMobile))
}

#[cfg(test)]
mod tests {
    use super::super::parse::by_patterns;
    use super::*;
    use rlibphonenumber::PhoneNumber as LibraryNumber;

    #[test]
    fn the_library_agrees_about_every_area_and_office_code() {
        let all = UNITED_STATES.iter().chain(CANADA);
        for (index, area) in all.enumerate() {
            for office in 200..=999 {
                let line = (office * 7919 + index as u64 * 4271) % 10_000;
                let national = u64::from(*area) * 10_000_000 + office * 10_000 + line;
                let number = LibraryNumber { country_code: 1, national_number: national, ..LibraryNumber::default() };
                assert_eq!(verdict(national), by_patterns(&number), "{national}");
            }
        }
    }

    #[test]
    fn everything_else_is_left_to_the_library() {
        for national in [0, 4_155_552, 4_151_552_671, 8_005_552_671, 9_005_552_671, 2_425_552_671, 14_155_552_671] {
            assert_eq!(verdict(national), None, "{national}");
        }
        assert!(UNITED_STATES.is_sorted() && CANADA.is_sorted());
    }
}
