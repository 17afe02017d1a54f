//! Selections against a model that goes element by element.

use super::*;
use crate::draw::Draw;
use crate::elements::BLOCK;
use crate::error::{Code, Result};
use crate::na::{NA_INT, na_real};
use crate::region::Span;

const ROUNDS: u32 = if cfg!(miri) { 20 } else { 600 };

fn span<T>(values: &[T]) -> Span {
    Span::foreign(values.as_ptr().cast_mut().cast(), size_of_val(values) as u64, false)
}

fn length(draw: &mut Draw) -> u64 {
    match draw.below(4) {
        0 => draw.below(4),
        1 => draw.below(100),
        2 => BLOCK - 2 + draw.below(5),
        _ => draw.below(3 * BLOCK),
    }
}

/// Positions below `n`; the rest is missing.
fn seen(runs: &dyn Runs, n: u64) -> Vec<Option<u64>> {
    let all = runs.positions().unwrap();
    assert_eq!(all.len() as u64, runs.len());
    all.into_iter().map(|p| (p < n).then_some(p)).collect()
}

fn read(s: &Subscript<'_>, n: u64) -> Result<Selection> {
    vector(s, n, None, Purpose::Read).map(|r| r.selection)
}

struct List(Vec<Option<String>>);

impl Texts for List {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn each(&self, start: u64, n: u64, f: &mut dyn FnMut(Option<&str>) -> bool) -> Result<()> {
        let _ = self.0[start as usize..(start + n) as usize].iter().all(|s| f(s.as_deref()));
        Ok(())
    }
}

#[test]
fn positions_from_zero_select_as_listed() {
    let mut draw = Draw(1);
    for _ in 0..ROUNDS {
        let (n, m) = (length(&mut draw), length(&mut draw));
        let start = draw.below(n + 2);
        let kind = draw.below(4);
        let chosen: Vec<Option<u64>> = (0..m)
            .map(|i| match kind {
                0 => Some(start + i),
                1 => Some(draw.below(n + 3)),
                2 if draw.once_in(50) => None,
                _ => Some(start + i + i / 500),
            })
            .collect();
        let reals: Vec<f64> = chosen.iter().map(|c| c.map_or(na_real(), |p| p as f64)).collect();
        let ints: Vec<i32> = chosen.iter().map(|c| c.map_or(NA_INT, |p| p as i32)).collect();
        let want: Vec<_> = chosen.iter().map(|c| c.filter(|p| *p < n)).collect();
        for numbers in [Numbers::F64(span(&reals)), Numbers::I32(span(&ints))] {
            let s = read(&Subscript::Numbers(numbers, Base::Zero), n).unwrap();
            assert_eq!(seen(&s, n), want);
            assert_eq!(s.has_missing(), chosen.contains(&None));
            assert_eq!(s.end(), chosen.iter().flatten().max().map_or(0, |p| p + 1));
        }
    }
}

#[test]
fn positions_from_zero_are_whole_and_not_negative() {
    for (wrong, index) in [
        (vec![0.0, 1.5], 1),
        (vec![-1.0], 0),
        (vec![f64::NAN], 0),
        (vec![3.0, f64::NEG_INFINITY], 1),
        (vec![-0.5], 0),
    ] {
        let e = read(&Subscript::Numbers(Numbers::F64(span(&wrong)), Base::Zero), 5).err().unwrap();
        assert_eq!((e.code(), e.details()[1].clone()), (Code::Subscript, ("index", (index as u64).into())));
    }
    let far = [f64::INFINITY, 1e300, 2_f64.powi(53), -0.0];
    let s = read(&Subscript::Numbers(Numbers::F64(span(&far)), Base::Zero), 5).unwrap();
    assert_eq!(seen(&s, 5), [None, None, None, Some(0)]);
}

#[test]
fn r_subscripts_drop_zeros_exclude_and_truncate() {
    let mut draw = Draw(2);
    for _ in 0..ROUNDS {
        let (n, m) = (length(&mut draw), length(&mut draw));
        let sign = if draw.once_in(2) { 1.0 } else { -1.0 };
        let x: Vec<f64> = (0..m)
            .map(|_| match draw.below(20) {
                0 => 0.0,
                1 if sign > 0.0 => {
                    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, na_real()][draw.below(4) as usize]
                }
                2 => 0.75 * sign,
                _ => sign * (draw.below(n + 3) as f64 + draw.below(2) as f64 / 2.0),
            })
            .collect();
        let s = read(&Subscript::Numbers(Numbers::F64(span(&x)), Base::One), n).unwrap();
        let whole: Vec<f64> = x.iter().map(|x| x.trunc()).collect();
        let want: Vec<Option<u64>> = if whole.iter().any(|x| x.is_finite() && *x < 0.0) {
            let mut left: Vec<u64> = (0..n).collect();
            let gone: std::collections::HashSet<u64> = whole.iter().map(|x| (-x) as u64).collect();
            left.retain(|p| !gone.contains(&(p + 1)));
            left.into_iter().map(Some).collect()
        } else {
            let picked = whole.iter().filter(|x| **x != 0.0);
            picked
                .map(|x| if x.is_finite() { Some(*x as u64 - 1).filter(|p| *p < n) } else { None })
                .collect()
        };
        assert_eq!(seen(&s, n), want);
    }
    for mixed in [[-1.0, 2.0], [-1.0, na_real()], [-3.0, f64::INFINITY]] {
        let e = read(&Subscript::Numbers(Numbers::F64(span(&mixed)), Base::One), 5).err().unwrap();
        assert_eq!(e.details()[0], ("kind", "mixed-signs".into()));
    }
}

#[test]
fn exclusion_from_zero_leaves_the_rest_in_order() {
    let mut draw = Draw(3);
    for _ in 0..ROUNDS {
        let n = length(&mut draw);
        let m = if draw.once_in(2) { draw.below(n / 64 + 1) } else { length(&mut draw) };
        let x: Vec<f64> = (0..m).map(|_| draw.below(n + 2) as f64).collect();
        let s = read(&Subscript::Except(Numbers::F64(span(&x))), n).unwrap();
        let want: Vec<_> = (0..n).filter(|p| !x.contains(&(*p as f64))).map(Some).collect();
        assert_eq!(seen(&s, n), want);
        assert!(s.end() <= n);
    }
}

#[test]
fn masks_recycle_and_reach_beyond() {
    let mut draw = Draw(4);
    for _ in 0..ROUNDS {
        let (n, m) = (length(&mut draw), length(&mut draw));
        let rare = [2, 50, 3000][draw.below(3) as usize];
        let x: Vec<i32> = (0..m)
            .map(|_| if draw.once_in(rare) { [0, NA_INT][draw.below(2) as usize] } else { 1 })
            .collect();
        let total = if m == 0 { 0 } else { n.max(m) };
        let mut want = Vec::new();
        let mut rest = Vec::new();
        for p in 0..total {
            match x[(p % m) as usize] {
                NA_INT => want.push(None),
                0 => rest.push(Some(p)),
                _ => want.push(Some(p).filter(|p| *p < n)),
            }
        }
        let mask = Mask::new(span(&x));
        let s = read(&Subscript::Mask(mask), n).unwrap();
        assert_eq!(seen(&s, n), want);
        assert_eq!(s.has_missing(), !want.is_empty() && x.contains(&NA_INT));
        if !x.contains(&NA_INT) && m <= n && m > 0 {
            let s = read(&Subscript::ExceptMask(mask), n).unwrap();
            assert_eq!(seen(&s, n), rest);
        }
    }
}

#[test]
fn the_first_name_that_matches_counts() {
    let mut draw = Draw(5);
    for _ in 0..ROUNDS {
        let (n, m) = (draw.below(40), draw.below(40));
        let name = |draw: &mut Draw| match draw.below(9) {
            0 => None,
            1 => Some(String::new()),
            i => Some("abcdefgh"[..i as usize].to_owned()),
        };
        let names = List((0..n).map(|_| name(&mut draw)).collect());
        let wanted = List((0..m).map(|_| name(&mut draw)).collect());
        let find = |w: &Option<String>| {
            let w = w.as_ref().filter(|w| !w.is_empty())?;
            names.0.iter().position(|s| s.as_ref() == Some(w)).map(|p| p as u64)
        };
        let want: Vec<_> = wanted.0.iter().map(find).collect();
        let s = vector(&Subscript::Names(&wanted), n, Some(&names), Purpose::Read).unwrap();
        assert_eq!(seen(&s.selection, n), want);
        // For writing, unknown names are new elements; equal ones the same.
        let s = vector(&Subscript::Names(&wanted), n, Some(&names), Purpose::Write).unwrap();
        let got = s.selection.positions().unwrap();
        for (i, p) in got.iter().enumerate() {
            if let Some(w) = want[i] {
                assert_eq!(*p, w);
            } else {
                let fresh = &wanted.0[s.fresh[(p - n) as usize] as usize];
                assert_eq!(fresh, &wanted.0[i]);
            }
        }
        assert_eq!(s.selection.end().max(n), n + s.fresh.len() as u64);
    }
}

#[test]
fn cells_of_an_array_come_in_column_major_order() {
    let mut draw = Draw(6);
    for round in 0..ROUNDS {
        let rank = 1 + draw.below(3) as usize;
        let dim: Vec<u64> = (0..rank).map(|_| draw.below(if round % 10 == 0 { 200 } else { 7 })).collect();
        let total: u64 = dim.iter().product();
        let picks: Vec<Option<Vec<Option<u64>>>> =
            dim.iter()
                .map(|&extent| match draw.below(4) {
                    0 => None,
                    1 => {
                        let start = draw.below(extent + 1);
                        Some((start..extent).map(Some).collect())
                    }
                    _ => {
                        let m = draw.below(6);
                        Some(
                            (0..m)
                                .map(|_| {
                                    if extent == 0 || draw.once_in(9) {
                                        None
                                    } else {
                                        Some(draw.below(extent))
                                    }
                                })
                                .collect(),
                        )
                    }
                })
                .collect();
        let numbers: Vec<Option<Vec<f64>>> = picks
            .iter()
            .map(|p| p.as_ref().map(|p| p.iter().map(|i| i.map_or(na_real(), |i| i as f64)).collect()))
            .collect();
        let subscripts: Vec<Subscript> = numbers
            .iter()
            .map(|x| {
                x.as_ref().map_or(Subscript::All, |x| Subscript::Numbers(Numbers::F64(span(x)), Base::Zero))
            })
            .collect();
        let mut want = vec![Some(0)];
        let mut stride = total;
        for (pick, &extent) in picks.iter().zip(&dim).rev() {
            stride = stride.checked_div(extent).unwrap_or(0);
            let all: Vec<Option<u64>> = pick.clone().unwrap_or_else(|| (0..extent).map(Some).collect());
            want = want
                .iter()
                .flat_map(|outer| all.iter().map(move |i| Some(outer.as_ref()? + i.as_ref()? * stride)))
                .collect();
        }
        let cells = dimensions(&subscripts, &dim, None).unwrap();
        assert_eq!(seen(&cells, total), want, "{dim:?} {picks:?}");
    }
}

#[test]
fn an_index_that_is_written_meanwhile_keeps_the_number_selected() {
    // A worker zeroed an R subscript between the check and the copy: the result had been made for more elements than came.
    let mut x = vec![2.0; 100];
    let s = read(
        &Subscript::Numbers(Numbers::F64(Span::foreign(x.as_mut_ptr().cast(), 800, true)), Base::One),
        5,
    )
    .unwrap();
    x[10..].fill(0.0);
    assert_eq!(seen(&s, 5).iter().filter(|p| p.is_some()).count(), 10);
    assert_eq!(s.positions().unwrap().len(), 100);
    let mut m = vec![1, 0, 0, 0];
    let s = read(&Subscript::Mask(Mask::new(Span::foreign(m.as_mut_ptr().cast(), 16, true))), 4).unwrap();
    m.fill(1);
    assert_eq!(s.positions().unwrap(), [0]);
}

#[test]
fn dimensions_refuse_what_vectors_forgive() {
    let kind = |s: &[Subscript<'_>], dimnames: Dimnames<'_>| {
        let e = dimensions(s, &[2, 3], dimnames).err().unwrap();
        format!("{:?}", e.details()[0].1)
    };
    let beyond = [2.0];
    let mask = [1, 0, 1];
    let names = List(vec![Some("a".into())]);
    let beyond = Subscript::Numbers(Numbers::F64(span(&beyond)), Base::Zero);
    assert_eq!(kind(&[beyond, Subscript::All], None), r#"Text("out-of-bounds")"#);
    assert_eq!(
        kind(&[Subscript::Mask(Mask::new(span(&mask))), Subscript::All], None),
        r#"Text("subscript-too-long")"#
    );
    assert_eq!(kind(&[Subscript::All, Subscript::Names(&names)], None), r#"Text("no-dimnames")"#);
    assert_eq!(
        kind(&[Subscript::All, Subscript::Names(&names)], Some(&[None, None])),
        r#"Text("out-of-bounds")"#
    );
    assert_eq!(kind(&[Subscript::All], None), r#"Text("wrong-dims")"#);
    assert_eq!(
        kind(&[Subscript::All, Subscript::Other(crate::Dtype::Raw)], None),
        r#"Text("bad-subscript")"#
    );
}

#[test]
fn one_element_is_named_or_refused() {
    let at = |x: f64, base, n| element(&Subscript::Numbers(Numbers::F64(span(&[x])), base), n, None);
    assert_eq!(at(0.0, Base::Zero, 3).unwrap(), 0);
    assert_eq!(at(2.9, Base::One, 3).unwrap(), 1);
    assert_eq!((at(-1.0, Base::One, 2).unwrap(), at(-2.0, Base::One, 2).unwrap()), (1, 0));
    assert_eq!(at(3.0, Base::Zero, 3).err().unwrap().code(), Code::OutOfBounds);
    assert_eq!(at(-1.0, Base::Zero, 2).err().unwrap().code(), Code::Subscript);
    assert_eq!(at(0.5, Base::Zero, 2).err().unwrap().code(), Code::Subscript);
    assert_eq!(at(na_real(), Base::Zero, 2).err().unwrap().code(), Code::OutOfBounds);
    assert_eq!(at(-3.0, Base::One, 2).err().unwrap().code(), Code::Subscript);
}
