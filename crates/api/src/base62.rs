//! Bytes as digits and letters of a fixed number, so that a double click takes the whole text.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `bytes` as `width` digits; `width` must be enough for any bytes of that number.
pub fn encode(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            (*byte, rest) = ((value / 62) as u8, value % 62);
        }
        digits.push(DIGITS[rest as usize]);
    }
    digits.into_iter().rev().map(char::from).collect()
}

/// The `N` bytes that `text` stands for; nothing if it is not of that alphabet or too large.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for digit in text.bytes() {
        let mut carry = DIGITS.iter().position(|known| *known == digit)? as u32;
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            (*byte, carry) = (value as u8, value >> 8);
        }
        if carry > 0 {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_too_much_is_not() {
        for bytes in [[0; 16], [255; 16], *b"0123456789abcdef"] {
            let text = encode(&bytes, 22);
            assert_eq!((text.len(), decode(&text)), (22, Some(bytes)));
        }
        assert_eq!(encode(&[0, 61], 3), "00z");
        assert_eq!(encode(&[0, 62], 3), "010");
        assert_eq!(decode::<16>(&"z".repeat(22)), None, "more than 16 bytes");
        assert_eq!(decode::<2>("é"), None);
    }
}
