//! Writing against a model that goes element by element.

use super::*;
use crate::draw::Draw;
use crate::elements::BLOCK;
use crate::na::na_real;
use crate::region::Span;
use crate::subscript::{Base, Mask, Numbers, Purpose, Runs, Subscript, dimensions, vector};

const ROUNDS: u32 = if cfg!(miri) { 20 } else { 400 };

fn span<T>(values: &mut [T]) -> Span {
    Span::foreign(values.as_mut_ptr().cast(), size_of_val(values) as u64, true)
}

#[test]
fn values_are_recycled_in_order_and_the_last_one_stays() {
    let mut draw = Draw(1);
    for round in 0..ROUNDS {
        let n = 1 + draw.below(2 * BLOCK);
        let m = draw.below(2 * BLOCK);
        let k = 1 + if round % 2 == 0 { draw.below(9) } else { draw.below(2 * BLOCK) };
        let mut x: Vec<u64> = (0..n).collect();
        let mut values: Vec<u64> = (0..k).map(|i| 1_000_000 + i).collect();
        let mut index: Vec<f64> = match draw.below(3) {
            0 => (0..m.min(n)).map(|i| i as f64).collect(),
            1 => (0..m).map(|_| draw.below(n) as f64).collect(),
            _ => (0..m).map(|_| if draw.once_in(9) { na_real() } else { draw.below(n) as f64 }).collect(),
        };
        let mut want = x.clone();
        for (i, p) in index.iter().enumerate() {
            if !p.is_nan() {
                want[*p as usize] = values[i % k as usize];
            }
        }
        let subscript = Subscript::Numbers(Numbers::F64(span(&mut index)), Base::Zero);
        let chosen = vector(&subscript, n, None, Purpose::Write).unwrap();
        scatter(span(&mut x), 8, &chosen.selection, span(&mut values)).unwrap();
        assert_eq!(x, want);
    }
}

#[test]
fn whole_columns_take_values_across_their_ends() {
    let mut x = [0_u8; 12];
    let mut columns = [0.0, 2.0];
    let subscripts = [Subscript::All, Subscript::Numbers(Numbers::F64(span(&mut columns)), Base::Zero)];
    let cells = dimensions(&subscripts, &[4, 3], None).unwrap();
    assert_eq!(cells.len(), 8);
    scatter(span(&mut x), 1, &cells, span(&mut [1_u8, 2, 3])).unwrap();
    assert_eq!(x, [1, 2, 3, 1, 0, 0, 0, 0, 2, 3, 1, 2]);
}

#[test]
fn setting_in_place_neither_grows_nor_recycles_what_does_not_fit() {
    let check = |positions: &mut [f64], values: u64| {
        let subscript = Subscript::Numbers(Numbers::F64(span(positions)), Base::Zero);
        let chosen = vector(&subscript, 5, None, Purpose::Write).unwrap();
        {
            let s = &chosen.selection;
            in_place(5, s.end(), s.has_missing(), s.len(), values)
        }
        .err()
        .map(|e| format!("{:?}", e.details()[0].1))
    };
    assert_eq!(check(&mut [0.0, 4.0], 2), None);
    assert_eq!(check(&mut [0.0, 4.0], 1), None);
    assert_eq!(check(&mut [0.0, na_real()], 1), None);
    assert_eq!(check(&mut [0.0, 5.0], 1).as_deref(), Some(r#"Text("out-of-bounds")"#));
    assert_eq!(check(&mut [0.0, na_real()], 2).as_deref(), Some(r#"Text("na-subscript")"#));
    assert_eq!(check(&mut [0.0, 1.0, 2.0, 3.0], 2).as_deref(), Some(r#"Text("assign-length")"#));
    assert_eq!(check(&mut [0.0], 0).as_deref(), Some(r#"Text("empty-replacement")"#));
    let mut mask = [1, 1, 1, 1, 1, 1];
    let chosen = vector(&Subscript::Mask(Mask::new(span(&mut mask))), 5, None, Purpose::Write).unwrap();
    assert!(in_place(5, chosen.selection.end(), false, 6, 1).is_err());
}
