//! Bytes that are not text: base64 (RFC 4648, with padding) and hexadecimal, both ways.

use clap::ValueEnum;

/// How keys and values are shown, or given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Encoding {
    /// As they are
    #[default]
    Text,
    /// Base64
    Base64,
    /// Hexadecimal
    Hex,
}

impl Encoding {
    pub(crate) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Text => bytes.to_vec(),
            Self::Base64 => base64(bytes).into_bytes(),
            Self::Hex => hex(bytes).into_bytes(),
        }
    }

    /// `None` when the text is not in this encoding.
    pub(crate) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Text => Some(text.to_vec()),
            Self::Base64 => from_base64(text),
            Self::Hex => from_hex(text),
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for sextet in 0..4 {
            let index = (group >> (18 - 6 * sextet)) as usize & 63;
            let letter = if sextet <= chunk.len() { ALPHABET.get(index).copied().unwrap_or(b'=') } else { b'=' };
            text.push(char::from(letter));
        }
    }
    text
}

pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|letter| **letter == b'=').count();
    let letters = text.get(..text.len() - padding)?;
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in letters.chunks(4) {
        let mut group = 0_u32;
        for letter in chunk {
            group = group << 6 | u32::try_from(ALPHABET.iter().position(|known| known == letter)?).ok()?;
        }
        let [_, decoded @ ..] = (group << (6 * (4 - chunk.len()))).to_be_bytes();
        bytes.extend_from_slice(decoded.get(..chunk.len() - 1)?);
    }
    Some(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |letter: &u8| char::from(*letter).to_digit(16);
    text.chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{base64, from_base64, from_hex, hex};

    #[test]
    fn base64_of_the_rfc() {
        for (plain, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), text);
            assert_eq!(from_base64(text.as_bytes()).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(from_base64(base64(&all).as_bytes()), Some(all.clone()));
        assert_eq!(from_hex(hex(&all).as_bytes()), Some(all));
    }

    #[test]
    fn what_is_not_encoded_is_refused() {
        for text in ["Zg=", "Z===", "Zg==Zg==", "Zm9*", "Z", "===="] {
            assert_eq!(from_base64(text.as_bytes()), None, "{text}");
        }
        for text in ["0", "0g", "zz"] {
            assert_eq!(from_hex(text.as_bytes()), None, "{text}");
        }
    }
}
