//! How a provider's id of a message is packed: Twilio's, two capitals and 32 hex digits, takes 19 bytes instead of 36.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
enum Packed<'a> {
    None,
    Text(&'a str),
    /// The capitals, and what the lower-case digits say.
    Sid([u8; 2], [u8; 16]),
}

const SID_BYTES: usize = 34;

#[expect(clippy::ref_option, reason = "serde calls it so")]
/// For `#[serde(with = "message_id")]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(id: &Option<Box<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    let packed = match id.as_deref() {
        None => Packed::None,
        Some(text) => sid(text).unwrap_or(Packed::Text(text)),
    };
    packed.serialize(serializer)
}

/// Reads what [`serialize`] wrote.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    Ok(match Packed::deserialize(deserializer)? {
        Packed::None => None,
        Packed::Text(text) => Some(text.into()),
        Packed::Sid(capitals, digits) => {
            let mut text = String::with_capacity(SID_BYTES);
            text.extend(capitals.map(char::from));
            text.extend(digits.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
            Some(text.into())
        }
    })
}

fn sid<'a>(text: &str) -> Option<Packed<'a>> {
    let (capitals, digits) = text.as_bytes().split_first_chunk::<2>()?;
    if digits.len() != SID_BYTES - 2 || !capitals.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; 16];
    let (pairs, _) = digits.as_chunks();
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(Packed::Sid(*capitals, bytes))
}

fn digit(value: u8) -> char {
    char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 })
}

/// Of a digit that [`digit`] writes: capitals would not come back as they were.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Record(#[serde(with = "super")] Option<Box<str>>);

    #[test]
    fn every_id_comes_back_as_it_was() {
        let sid = "SM0123456789abcdef0123456789abcdef";
        let longer = format!("{sid}0");
        let texts = [sid, &sid.to_uppercase(), &sid.to_lowercase(), &sid[1..], &longer, "", "SM", "message-1", "é"];
        for text in texts {
            let packed = postcard::to_stdvec(&Record(Some(text.into()))).unwrap();
            assert_eq!(packed.len(), if text == sid { 19 } else { text.len() + 2 }, "{text}");
            assert_eq!(postcard::from_bytes::<Record>(&packed).unwrap().0.as_deref(), Some(text));
        }
        let packed = postcard::to_stdvec(&Record(None)).unwrap();
        assert_eq!(postcard::from_bytes::<Record>(&packed).unwrap().0, None);
    }
}
