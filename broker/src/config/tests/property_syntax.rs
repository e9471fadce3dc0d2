//! Java's properties syntax, case by case.

use crate::config::properties::{decode, parse};

/// Text, and the `(line, key, value)`s that `java.util.Properties` reads from it.
type Case = (&'static str, &'static [(usize, &'static str, &'static str)]);
const CASES: &[Case] = &[
    ("", &[]),
    ("# a\n! b\n\n   \t\n  # c", &[]),
    ("a=1", &[(1, "a", "1")]),
    ("a:1", &[(1, "a", "1")]),
    ("a 1", &[(1, "a", "1")]),
    ("a\t:\t1", &[(1, "a", "1")]),
    ("  a = 1", &[(1, "a", "1")]),
    ("a==1", &[(1, "a", "=1")]),
    ("a= :1", &[(1, "a", ":1")]),
    ("a", &[(1, "a", "")]),
    ("a=", &[(1, "a", "")]),
    ("=1", &[(1, "", "1")]),
    ("a=1 ", &[(1, "a", "1 ")]),
    ("a=b#c", &[(1, "a", "b#c")]),
    ("a=1\r\nb=2\r\n", &[(1, "a", "1"), (2, "b", "2")]),
    ("a=1\nb=2\na=3", &[(1, "a", "1"), (2, "b", "2"), (3, "a", "3")]),
    ("a=1,\\\n   2,\\\n\t3\nb=4", &[(1, "a", "1,2,3"), (4, "b", "4")]),
    ("a=1\\\n# not a comment", &[(1, "a", "1# not a comment")]),
    ("# a comment does not go on \\\na=1", &[(2, "a", "1")]),
    ("a=1\\\\\nb=2", &[(1, "a", "1\\"), (2, "b", "2")]),
    ("a=1\\", &[(1, "a", "1")]),
    ("a\\ b\\=c\\:d=1", &[(1, "a b=c:d", "1")]),
    ("a=\\t\\n\\r\\f\\q\\\\", &[(1, "a", "\t\n\r\u{c}q\\")]),
    ("a=\\u0041\\u00e9", &[(1, "a", "A\u{e9}")]),
    ("a=\\ud83c\\udf0a", &[(1, "a", "\u{1f30a}")]),
    ("a=\\ud83c!", &[(1, "a", "\u{fffd}!")]),
    ("\u{e9}=\u{1f30a}", &[(1, "\u{e9}", "\u{1f30a}")]),
];

#[test]
fn text_is_read_as_java_reads_it() {
    for (text, expected) in CASES {
        let properties = parse(text).unwrap();
        let found: Vec<_> = properties.iter().map(|it| (it.line, it.key.as_str(), it.value.as_str())).collect();
        assert_eq!(found, *expected, "{text:?}");
    }
}

#[test]
fn a_broken_escape_names_its_line() {
    for text in ["a=1\nb=\\u12", "a=1\n\\u00zz=1", "a=1\nb=\\u", "a=1\nb=\\\n\\u+123"] {
        assert_eq!(parse(text).unwrap_err().line, 2, "{text:?}");
    }
}

#[test]
fn bytes_are_utf_8_or_latin_1() {
    assert_eq!(decode("r\u{e9}gion".as_bytes()), "r\u{e9}gion");
    assert_eq!(decode(b"r\xe9gion"), "r\u{e9}gion");
    assert_eq!(decode("\u{feff}a=1".as_bytes()), "a=1");
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    // A small multiplicative generator: the same bytes in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let alphabet = b"a=:\\u0041 \t\r\n#!\xff\x0c";
    for _ in 0..2_000 {
        let bytes: Vec<u8> = (0..40)
            .map(|_| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                alphabet[(state >> 33) as usize % alphabet.len()]
            })
            .collect();
        let text = decode(&bytes);
        let lines = text.split('\n').count();
        if let Ok(properties) = parse(&text) {
            assert!(properties.iter().all(|it| (1..=lines).contains(&it.line)));
        }
    }
}
