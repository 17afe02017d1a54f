//! Hexadecimal constants: `0x1A`, `0X1p3`, `0x.8p1`, rounded to the nearest double, ties to even.

/// Beyond this a binary exponent is as good as infinite; far from overflow in the sums below.
const EXPONENT_LIMIT: i64 = 1 << 40;

/// The constant that `s` begins with (no sign), and what follows it.
pub(super) fn constant(s: &[u8]) -> Option<(f64, &[u8])> {
    let [b'0', b'x' | b'X', rest @ ..] = s else { return None };
    // The first 60 bits that count, whether any was left behind, and the power of two of the last bit kept.
    let (mut m, mut sticky, mut exponent) = (0_u64, false, 0_i64);
    let (mut at, mut seen, mut point) = (0, false, false);
    while let Some(&c) = rest.get(at) {
        if c == b'.' && !point {
            point = true;
        } else if let Some(d) = char::from(c).to_digit(16) {
            seen = true;
            if m >> 60 == 0 {
                m = m << 4 | u64::from(d);
                exponent -= if point { 4 } else { 0 };
            } else {
                sticky |= d != 0;
                exponent += if point { 0 } else { 4 };
            }
        } else {
            break;
        }
        at += 1;
    }
    if !seen {
        return None;
    }
    if matches!(rest.get(at), Some(b'p' | b'P')) {
        let negative = rest.get(at + 1) == Some(&b'-');
        let sign = usize::from(matches!(rest.get(at + 1), Some(b'+' | b'-')));
        let digits = rest[at + 1 + sign..].iter().take_while(|c| c.is_ascii_digit());
        let (mut p, mut n) = (0_i64, 0);
        for &c in digits {
            p = (p * 10 + i64::from(c - b'0')).min(EXPONENT_LIMIT);
            n += 1;
        }
        if n > 0 {
            exponent += if negative { -p } else { p };
            at += 1 + sign + n;
        }
    }
    Some((scaled(m, sticky, exponent), &rest[at..]))
}

/// `m × 2^exponent`, a little more if `sticky`, rounded once.
fn scaled(m: u64, sticky: bool, exponent: i64) -> f64 {
    if m == 0 {
        return 0.0;
    }
    let bits = 64 - i64::from(m.leading_zeros());
    // Power of two of the leading bit; a double keeps 53 bits from there, less below the smallest normal one.
    let lead = exponent + bits - 1;
    if lead > 1023 {
        return f64::INFINITY;
    }
    let unit = (lead - 52).max(-1074);
    let drop = unit - exponent;
    let (kept, round) = match drop {
        ..=0 => (m << -drop, false),
        // The rounding bit is the highest of those dropped; the others only say whether it is more than half.
        1..=64 => {
            let kept = if drop == 64 { 0 } else { m >> drop };
            let half = m >> (drop - 1) & 1 == 1;
            let more = sticky || m & ((1 << (drop - 1)) - 1) != 0;
            (kept, half && (more || kept & 1 == 1))
        }
        _ => (0, false),
    };
    // A mantissa that rounds up to the next power of two is exact, and so is the product with a power of two that is representable.
    let n = (kept + u64::from(round)) as f64;
    if unit >= -1022 {
        n * f64::from_bits(((unit + 1023) as u64) << 52)
    } else {
        // 2^unit is below the normal numbers; n × 2^-1074 … has at most 53 bits above 2^-1074, so both steps are exact.
        n * f64::from_bits(1 << 52) * f64::from_bits(((unit + 1022 + 1023) as u64) << 52)
    }
}
