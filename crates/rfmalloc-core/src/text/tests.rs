//! Text of numbers against exact decimal arithmetic of the standard library, and reading against printing.

use super::digits::decimal;
use super::parse::{Read, complex as read_complex, numeric as read};
use super::{TextBuf, format};
use crate::draw::Draw;

const ROUNDS: u32 = if cfg!(miri) { 5 } else { 10_000 };

fn text(x: f64) -> String {
    let mut buf = TextBuf::new();
    format::numeric(x, &mut buf).unwrap_or("<NA>").to_owned()
}

/// Fifteen digits by exact arithmetic: 766 digits behind the point are all a double has; half-way goes to the even digit.
fn fifteen(x: f64) -> (String, i32) {
    let all = format!("{x:.766e}");
    let (mantissa, exponent) = all.split_once('e').unwrap();
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let mut exponent: i32 = exponent.parse().unwrap();
    let mut n: u64 = std::str::from_utf8(&digits[..15]).unwrap().parse().unwrap();
    let (half, rest) = (digits[15], &digits[16..]);
    let more = rest.iter().any(|d| *d != b'0');
    if half > b'5' || half == b'5' && (more || n % 2 == 1) {
        n += 1;
    }
    if n == 1_000_000_000_000_000 {
        n /= 10;
        exponent += 1;
    }
    (n.to_string().trim_end_matches('0').to_owned(), exponent)
}

/// What the digits make, by the widths of both forms alone.
fn by_width((digits, exponent): &(String, i32)) -> String {
    let (n, e) = (digits.len() as i32, *exponent);
    let mantissa = if n > 1 { format!("{}.{}", &digits[..1], &digits[1..]) } else { digits.clone() };
    let scientific = format!("{mantissa}e{}{:02}", if e < 0 { '-' } else { '+' }, e.abs());
    let fixed = if e < 0 {
        format!("0.{}{digits}", "0".repeat((-e - 1) as usize))
    } else if n <= e + 1 {
        format!("{digits}{}", "0".repeat((e + 1 - n) as usize))
    } else {
        format!("{}.{}", &digits[..=e as usize], &digits[e as usize + 1..])
    };
    if fixed.len() > scientific.len() { scientific } else { fixed }
}

fn check(x: f64) {
    let d = decimal(x, ryu::Buffer::new().format_finite(x).as_bytes());
    let got = (String::from_utf8(d.digits[..d.len].to_vec()).unwrap(), d.exponent);
    let want = fifteen(x);
    // Beyond fifteen digits before the point all of them are written.
    if x < 1e15 {
        assert_eq!(text(x), by_width(&got), "{x:e}");
    }
    if got != want {
        // Only where fewer digits name the same double, as below the normal numbers.
        let short: f64 = format!("0.{}e{}", got.0, got.1 + 1).parse().unwrap();
        assert!(got.0.len() < want.0.len() && short == x && x < f64::MIN_POSITIVE, "{x:e}: {got:?} {want:?}");
    }
}

#[test]
fn fifteen_digits_are_rounded_correctly() {
    let mut draw = Draw(1);
    for _ in 0..ROUNDS {
        let x = f64::from_bits(draw.bits() & !(1 << 63));
        if x.is_finite() && x > 0.0 {
            check(x);
        }
        // Sixteen digits that end in 5: the double decides, or the even digit if it is exactly there.
        let m = (draw.bits() % 100_000_000_000_000 * 10 + 1_000_000_000_000_000) as f64;
        check((m + 5.0) / [1.0, 2.0, 4.0, 8.0, 10.0, 1e3, 1e22][draw.bits() as usize % 7]);
        check((draw.bits() % 1_000_000_000) as f64 / 1000.0 + 0.001);
    }
    for x in [
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        1e-310,
        2.225_073_858_507_201e-308,
        1e15,
        1e16,
        999_999_999_999_999.9,
    ] {
        check(x);
    }
    // Exactly half-way: the even neighbour.
    assert_eq!(
        (text(1_000_000_000_000_022.5), text(100_000_000_000_000.5)),
        ("1000000000000022".into(), "1e+14".into())
    );
    assert_eq!(text(100_000_000_000_001.5), "100000000000002");
}

#[test]
fn a_form_is_chosen_by_its_width() {
    for (x, s) in [
        (0.0, "0"),
        (-0.0, "0"),
        (100_000.0, "1e+05"),
        (123_456.0, "123456"),
        (150_000.0, "150000"),
        (-100_000.0, "-1e+05"),
        (1e-4, "1e-04"),
        (0.000_123_4, "0.0001234"),
        (1e15, "1e+15"),
        (1_234_567_890_123_456.0, "1234567890123456"),
        (123_456_789_012_345_680.0, "123456789012345680"),
        (1.797_693_134_862_315_7e308, "1.79769313486232e+308"),
        (-1.5e-300, "-1.5e-300"),
        (5e-324, "5e-324"),
        (0.1 + 0.2, "0.3"),
        (2.0 / 3.0, "0.666666666666667"),
        (99_999.0, "99999"),
        (50_000.0, "50000"),
        (1_000_000.5, "1000000.5"),
        (f64::NEG_INFINITY, "-Inf"),
        (f64::NAN, "NaN"),
        (12_345_678_901_234_567_000.0, "12345678901234567168"),
    ] {
        assert_eq!(text(x), s);
    }
}

#[test]
fn what_is_written_reads_back_as_the_same_fifteen_digits() {
    let mut draw = Draw(2);
    for _ in 0..ROUNDS.div_ceil(10) {
        let x = f64::from_bits(draw.bits());
        if !x.is_finite() {
            continue;
        }
        let s = text(x);
        let Read::Value(y) = read(&s) else { panic!("{s}") };
        assert_eq!(text(y), s);
        assert_eq!(read(&format!("  {x:e}\t")), Read::Value(x));
    }
}

#[test]
fn what_is_no_number_is_garbage() {
    for s in [
        "1L", "1d2", "TRUE", "1e", "1e+", "NA", ".", "e5", "1 2", "1,5", "1_0", "--1", "0x", "0x.p1", "0x1p",
        "infinit", "é", "+", "1i",
    ] {
        assert_eq!(read(s), Read::Garbage, "{s}");
    }
    for s in ["", "  ", "\t\n\r"] {
        assert_eq!(read(s), Read::Blank);
    }
    for (s, x) in [
        ("+7", 7.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e400", f64::INFINITY),
        ("-1e-400", -0.0),
        ("-InFinity", f64::NEG_INFINITY),
        ("0x1A", 26.0),
        ("0X1p3", 8.0),
        ("0x.8p1", 1.0),
        ("-0x1.8", -1.5),
        ("9007199254740993", 9_007_199_254_740_992.0),
    ] {
        assert_eq!(read(s), Read::Value(x), "{s}");
    }
    assert!(matches!(read(" -nan "), Read::Value(x) if x.is_nan()));
}

#[test]
fn hexadecimal_is_rounded_once() {
    for (s, x) in [
        ("0x1.fffffffffffff7p0", 2.0_f64.next_down()),
        ("0x1.fffffffffffff8p0", 2.0),
        ("0x1.00000000000008p0", 1.0),
        ("0x1.000000000000080000000000000000001p0", 1.0_f64.next_up()),
        ("0x1.00000000000018p0", 1.0_f64.next_up().next_up()),
        ("0x1p-1074", 5e-324),
        ("0x1p-1075", 0.0),
        ("0x1.8p-1075", 5e-324),
        ("0x1p-99999999999999999999", 0.0),
        ("0x1p1023", 2.0_f64.powi(1023)),
        ("0x1p1024", f64::INFINITY),
        ("0x1.fffffffffffffp1023", f64::MAX),
        ("0x1.fffffffffffff8p1023", f64::INFINITY),
        ("0xffffffffffffffffffff", 1_208_925_819_614_629_174_706_175.0),
    ] {
        assert_eq!(read(s), Read::Value(x), "{s}");
    }
}

#[test]
fn complex_text_has_no_blanks_inside() {
    for (s, z) in [
        ("1+2i", (1.0, 2.0)),
        ("3.5-1e2i", (3.5, -100.0)),
        (" -1 ", (-1.0, 0.0)),
        ("2i", (0.0, 2.0)),
        ("1e5-Infi", (1e5, f64::NEG_INFINITY)),
    ] {
        assert_eq!(read_complex(s), Read::Value(z), "{s}");
    }
    for s in ["1 + 2i", "1+2", "1+i", "i", "1+2i3", "1i+2"] {
        assert_eq!(read_complex(s), Read::Garbage, "{s}");
    }
    let mut buf = TextBuf::new();
    assert_eq!(format::complex(-0.0, -0.0, &mut buf), Some("0+0i"));
    assert_eq!(format::complex(f64::INFINITY, f64::NEG_INFINITY, &mut buf), Some("Inf-Infi"));
    assert_eq!(format::complex(f64::NAN, f64::NAN, &mut buf), Some("NaN+NaNi"));
    assert_eq!(format::complex(1e5, -1e-5, &mut buf), Some("1e+05-1e-05i"));
}
