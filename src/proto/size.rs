//! Decimal sizes and argument splitting, as the control lines use them.

use crate::limits::MAX_SIZE_DIGITS;

/// Parses a decimal of at most nine digits, the rule for every size on the wire. Signs, blanks,
/// an empty text or more digits give `None`.
pub fn parse_size(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > MAX_SIZE_DIGITS {
        return None;
    }
    let mut value = 0usize;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + usize::from(digit);
    }
    Some(value)
}

/// Arguments of a control line; `count` may exceed `N`, the surplus is not kept.
pub struct Arguments<'a, const N: usize> {
    pub items: [&'a [u8]; N],
    pub count: usize,
}

/// Splits on runs of blanks, tabs and carriage returns, without allocation.
pub fn split<const N: usize>(line: &[u8]) -> Arguments<'_, N> {
    let mut items: [&[u8]; N] = [&[]; N];
    let mut count = 0;
    let mut start = None;
    for (i, &byte) in line.iter().enumerate() {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            if let Some(from) = start.take() {
                if count < N {
                    items[count] = &line[from..i];
                }
                count += 1;
            }
        } else if start.is_none() {
            start = Some(i);
        }
    }
    if let Some(from) = start {
        if count < N {
            items[count] = &line[from..];
        }
        count += 1;
    }
    Arguments { items, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_plain_decimals_of_at_most_nine_digits() {
        assert_eq!(parse_size(b"0"), Some(0));
        assert_eq!(parse_size(b"000000012"), Some(12));
        assert_eq!(parse_size(b"999999999"), Some(999_999_999));
        for bad in [&b""[..], b"1000000000", b"-1", b"+1", b"1 ", b"0x1", b"a"] {
            assert_eq!(parse_size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn splitting_counts_surplus_arguments() {
        let args = split::<3>(b" a\t b  c d\r");
        assert_eq!(args.count, 4);
        assert_eq!(args.items, [&b"a"[..], b"b", b"c"]);
        assert_eq!(split::<3>(b" \t").count, 0);
    }
}
