//! The decimal digits of a double: the fewest that read back as it, at most fifteen, rounded correctly.
//!
//! R writes a number as its nearest decimal of fifteen significant digits without trailing zeros; where fewer digits already name the
//! double (the subnormals have less than fifteen to give) the fewest. The shortest digits come from `ryu`. If there are more than fifteen
//! they are rounded, which is the same as rounding the double itself unless they end exactly half-way: then the double decides.

/// Most significant digits R writes.
const DIGITS: usize = 15;

/// Significant digits of a positive finite number, first digit not zero: `0.d1 d2 … × 10^(exponent + 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// ASCII digits; the last is not zero (unless it is the only one).
    pub(super) digits: [u8; DIGITS],
    /// How many of them count.
    pub(super) len: usize,
    /// Power of ten of the first digit.
    pub(super) exponent: i32,
}

/// The digits R writes for `x`, which is finite and above zero. `shortest`: what `ryu` writes for it.
pub(super) fn decimal(x: f64, shortest: &[u8]) -> Decimal {
    let (all, len, exponent) = split(shortest);
    let mut digits = [b'0'; DIGITS];
    let kept = len.min(DIGITS);
    digits[..kept].copy_from_slice(&all[..kept]);
    let mut d = Decimal { digits, len: kept, exponent };
    if len > DIGITS && rounds_up(x, &all[..len], exponent) {
        d.increment();
    }
    d.trim();
    d
}

/// The digits, their number and the exponent of the first in `ryu`'s text (`0.00012`, `123.0`, `1.5e-7`).
fn split(text: &[u8]) -> ([u8; 20], usize, i32) {
    let (mut digits, mut len) = ([0; 20], 0);
    // Digits before the point, and zeros behind it before the first digit that counts.
    let (mut before, mut zeros, mut point, mut exp) = (0_i32, 0_i32, false, 0_i32);
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'.' => point = true,
            b'e' => {
                exp = exponent(&text[at + 1..]);
                break;
            }
            b'0' if len == 0 => zeros += i32::from(point),
            c => {
                digits[len] = c;
                len += 1;
                before += i32::from(!point);
            }
        }
        at += 1;
    }
    while len > 1 && digits[len - 1] == b'0' {
        len -= 1;
    }
    (digits, len, if before > 0 { before - 1 } else { -zeros - 1 } + exp)
}

fn exponent(text: &[u8]) -> i32 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let n = digits.iter().fold(0, |n, &c| n * 10 + i32::from(c - b'0'));
    if negative { -n } else { n }
}

/// Whether `x`, whose shortest digits are `all` (more than fifteen), rounds up at the fifteenth.
fn rounds_up(x: f64, all: &[u8], exponent: i32) -> bool {
    let tail = &all[DIGITS..];
    // Shortest digits do not end in zero, so half-way is the one tail "5".
    if tail != b"5" {
        return tail[0] >= b'5';
    }
    match beside_half(x, all, exponent) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => all[DIGITS - 1] % 2 == 1,
    }
}

/// How `x` compares with the sixteen digits `all`, which are its shortest decimal and end in 5.
fn beside_half(x: f64, all: &[u8], exponent: i32) -> std::cmp::Ordering {
    let m = all.iter().fold(0_u128, |m, &c| m * 10 + u128::from(c - b'0'));
    // x = f × 2^q and the half-way point is m × 10^e.
    let bits = x.to_bits();
    let field = (bits >> 52) as i32;
    let fraction = u128::from(bits & ((1 << 52) - 1));
    let (f, q) = if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
    let e = exponent - (all.len() as i32 - 1);
    // Both sides as integers where they fit 128 bits: m < 2^54, f < 2^53.
    let ten = |n: i32| 10_u128.checked_pow(n.unsigned_abs()).unwrap_or(u128::MAX);
    let left = if e < 0 { f.checked_mul(ten(e)) } else { Some(f) };
    let right = if e > 0 { m.checked_mul(ten(e)) } else { Some(m) };
    let shifted = |v: u128, n: i32| if v.leading_zeros() as i32 >= n { Some(v << n) } else { None };
    let left = left.and_then(|v| if q > 0 { shifted(v, q) } else { Some(v) });
    let right = right.and_then(|v| if q < 0 { shifted(v, -q) } else { Some(v) });
    match (left, right) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => exactly(x, all),
    }
}

/// The same by all digits of `x`, for the far ends of the range.
fn exactly(x: f64, all: &[u8]) -> std::cmp::Ordering {
    // A double has at most 767 significant digits, so this prints every one of them.
    let text = format!("{x:.766e}");
    let exact = text.bytes().take_while(|c| *c != b'e').filter(u8::is_ascii_digit);
    let half = all.iter().copied().chain(std::iter::repeat(b'0'));
    exact.zip(half).map(|(a, b)| a.cmp(&b)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

impl Decimal {
    fn increment(&mut self) {
        for d in self.digits[..self.len].iter_mut().rev() {
            if *d < b'9' {
                *d += 1;
                return;
            }
            *d = b'0';
        }
        self.digits[0] = b'1';
        self.exponent += 1;
    }

    fn trim(&mut self) {
        while self.len > 1 && self.digits[self.len - 1] == b'0' {
            self.len -= 1;
        }
    }
}
