//! Random programs against a reference that takes one element at a time through R's rules: no blocks, no lanes, no promotion but its own.

mod elements;

use elements::Memory;
use rfmalloc_core::Dtype;
use rfmalloc_core::compute::{
    Arith, Binary, Compare, Context, Fused, Isa, Logic, Math, Missing, Operand, Step, Unary,
};
use rfmalloc_core::na::{NA_INT, is_na, na_real};

/// Numbers that look random and are the same each time (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) % n) as usize
    }

    fn real(&mut self) -> f64 {
        let odd = [na_real(), f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1.0, f64::MAX];
        if self.below(4) == 0 { odd[self.below(8)] } else { self.below(2001) as f64 / 8.0 - 125.0 }
    }

    fn int(&mut self) -> i32 {
        let odd = [NA_INT, i32::MAX, -i32::MAX, 0];
        if self.below(5) == 0 { odd[self.below(4)] } else { self.below(81) as i32 - 40 }
    }
}

/// One element.
#[derive(Clone, Copy, Debug)]
enum One {
    Logical(Option<bool>),
    Int(Option<i32>),
    Real(f64),
}

fn tidy(x: f64, na: bool) -> f64 {
    match (x.is_nan(), na) {
        (false, _) => x,
        (true, true) => na_real(),
        (true, false) => f64::NAN,
    }
}

impl One {
    fn is_real(self) -> bool {
        matches!(self, Self::Real(_))
    }

    /// Of integers and logicals; `None`: NA.
    fn int(self) -> Option<i32> {
        match self {
            Self::Logical(x) => x.map(i32::from),
            Self::Int(x) => x,
            Self::Real(_) => None,
        }
    }

    fn real(self) -> f64 {
        match (self, self.int()) {
            (Self::Real(x), _) => x,
            (_, Some(x)) => f64::from(x),
            _ => na_real(),
        }
    }

    fn truth(self) -> Option<bool> {
        match self {
            Self::Real(x) => (!x.is_nan()).then_some(x != 0.0),
            _ => self.int().map(|x| x != 0),
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Real(x) => x.to_bits().to_le_bytes().to_vec(),
            _ => self.int().unwrap_or(NA_INT).to_le_bytes().to_vec(),
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::Logical(_) => Dtype::Logical,
            Self::Int(_) => Dtype::Integer,
            Self::Real(_) => Dtype::Numeric,
        }
    }
}

fn arith(op: Arith, x: One, y: One) -> One {
    if !x.is_real() && !y.is_real() && op != Arith::Div {
        let wide = x.int().zip(y.int()).map(|(a, b)| {
            let (a, b) = (i64::from(a), i64::from(b));
            match op {
                Arith::Add => a + b,
                Arith::Sub => a - b,
                _ => a * b,
            }
        });
        return One::Int(wide.and_then(|x| i32::try_from(x).ok()).filter(|&x| x != NA_INT));
    }
    let (a, b) = (x.real(), y.real());
    let out = match op {
        Arith::Add => a + b,
        Arith::Sub => a - b,
        Arith::Mul => a * b,
        _ => a / b,
    };
    One::Real(tidy(out, is_na(a) || is_na(b)))
}

fn compare(op: Compare, x: One, y: One) -> One {
    let (a, b) = (x.real(), y.real());
    let out = match op {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    };
    One::Logical((!a.is_nan() && !b.is_nan()).then_some(out))
}

fn logic(op: Logic, x: One, y: One) -> One {
    One::Logical(match (op, x.truth(), y.truth()) {
        (Logic::And, Some(false), _) | (Logic::And, _, Some(false)) => Some(false),
        (Logic::Or, Some(true), _) | (Logic::Or, _, Some(true)) => Some(true),
        (Logic::Xor, Some(a), Some(b)) => Some(a != b),
        (Logic::And | Logic::Or, Some(a), Some(_)) => Some(a),
        _ => None,
    })
}

fn one_of(step: &Step, parts: &[One], operands: &[One]) -> One {
    match *step {
        Step::Operand(idx) => operands[idx],
        Step::Binary(Binary::Arith(op), x, y) => arith(op, parts[x], parts[y]),
        Step::Binary(Binary::Compare(op), x, y) => compare(op, parts[x], parts[y]),
        Step::Binary(Binary::Logic(op), x, y) => logic(op, parts[x], parts[y]),
        Step::Unary(Unary::Not, x) => One::Logical(parts[x].truth().map(|x| !x)),
        Step::Unary(_, x) => match parts[x] {
            One::Real(x) => One::Real(tidy(-x, is_na(x))),
            other => One::Int(other.int().map(|x| -x)),
        },
        Step::Math(_, x) => match parts[x] {
            One::Real(x) => One::Real(tidy(x.abs(), is_na(x))),
            other => One::Int(other.int().map(i32::abs)),
        },
        Step::Missing(which, x) => One::Logical(Some(match (parts[x], which) {
            (One::Real(x), Missing::NaOrNan) => x.is_nan(),
            (One::Real(x), Missing::Nan) => x.is_nan() && !is_na(x),
            (other, Missing::NaOrNan) => other.int().is_none(),
            (_, Missing::Nan) => false,
        })),
        Step::Math2(..) => unreachable!("not among the random steps"),
    }
}

/// Steps over a numeric, an integer, a logical operand and one value; later ones use any earlier one.
fn random_steps(dice: &mut Dice, count: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = (0..4).map(Step::Operand).collect();
    let ariths = [Arith::Add, Arith::Sub, Arith::Mul, Arith::Div];
    let compares = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];
    let logics = [Logic::And, Logic::Or, Logic::Xor];
    for _ in 0..count {
        let (x, y) = (dice.below(steps.len() as u64), dice.below(steps.len() as u64));
        steps.push(match dice.below(10) {
            0 => Step::Unary(Unary::Minus, x),
            1 => Step::Unary(Unary::Not, x),
            2 => Step::Math(Math::Abs, x),
            3 => Step::Missing([Missing::NaOrNan, Missing::Nan][dice.below(2)], x),
            4 => Step::Binary(Binary::Compare(compares[dice.below(6)]), x, y),
            5 => Step::Binary(Binary::Logic(logics[dice.below(3)]), x, y),
            _ => Step::Binary(Binary::Arith(ariths[dice.below(4)]), x, y),
        });
    }
    steps
}

#[test]
fn random_programs_are_what_a_scalar_reference_says() {
    let mut dice = Dice(2026);
    for round in 0..64 {
        let steps = random_steps(&mut dice, 3 + round % 14);
        let len = [1, 2, 511, 513, 2047, 2049, 512, [5000, 65_537][round % 2]][round % 8];
        let single = dice.real();
        let operands: Vec<[One; 4]> = (0..len)
            .map(|_| {
                let logical = [Some(true), Some(false), None][dice.below(3)];
                let whole = Some(dice.int()).filter(|&x| x != NA_INT);
                [One::Real(dice.real()), One::Int(whole), One::Logical(logical), One::Real(single)]
            })
            .collect();
        let want: Vec<One> = operands
            .iter()
            .map(|operands| {
                let mut parts = Vec::with_capacity(steps.len());
                for step in &steps {
                    parts.push(one_of(step, &parts, operands));
                }
                parts[parts.len() - 1]
            })
            .collect();
        let bytes = |k: usize, n: usize| operands[..n].iter().flat_map(|o| o[k].bytes()).collect::<Vec<u8>>();
        let given = [
            (Dtype::Numeric, bytes(0, len)),
            (Dtype::Integer, bytes(1, len)),
            (Dtype::Logical, bytes(2, len)),
            (Dtype::Numeric, bytes(3, 1)),
        ];
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            for (threads, odd) in [(1, false), (2, true)] {
                let ctx = Context { isa, threads, ..Context::default() };
                let mut memories: Vec<Memory> =
                    given.iter().map(|(t, b)| Memory::holding(*t, b, odd)).collect();
                let operands: Vec<Operand> =
                    given.iter().zip(&mut memories).map(|((t, _), m)| Operand::new(*t, m.raw())).collect();
                let fused = Fused::new(&steps, &operands).expect("defined");
                assert_eq!(fused.dtype(), want[0].dtype(), "{steps:?}");
                let mut out = Memory::new(fused.dtype(), fused.len(), odd);
                fused.evaluate(&ctx, out.raw()).expect("defined").expect("nobody cancels");
                let got = out.bytes();
                let width = fused.dtype().width() as usize;
                // What is made of the one value alone is one value.
                assert!([1, len as u64].contains(&fused.len()), "{steps:?}");
                assert_eq!(got.len() as u64, fused.len() * width as u64, "{steps:?}");
                for (i, (got, want)) in got.chunks_exact(width).zip(&want).enumerate() {
                    assert!(
                        got == want.bytes(),
                        "{steps:?}: element {i} is {got:?}, not {want:?} ({isa}, {threads})"
                    );
                }
            }
        }
    }
}
