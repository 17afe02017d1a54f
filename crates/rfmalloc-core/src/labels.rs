//! R's rules for names: what is a syntactic name, and how repeated names are told apart.
//!
//! Pure functions over text, as the documentation of R's `make.names` and `make.unique` describes them.

use hashbrown::{HashMap, HashSet};

/// R's reserved words: none is a name.
const RESERVED: [&str; 19] = [
    "if",
    "else",
    "repeat",
    "while",
    "function",
    "for",
    "next",
    "break",
    "TRUE",
    "FALSE",
    "NULL",
    "Inf",
    "NaN",
    "NA",
    "NA_integer_",
    "NA_real_",
    "NA_character_",
    "NA_complex_",
    "in",
];

/// Syntactic names, each once: other characters than letters, digits, `.` and `_` become `.`; what does not start with a letter, or a dot that
/// no digit follows, gets an `X` in front; a reserved word gets a dot behind.
pub fn make_names<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| syntactic(name.as_ref())).collect();
    make_unique(&names)
}

fn syntactic(name: &str) -> String {
    let mut first = name.chars();
    let starts_well = match first.next() {
        Some('.') => !first.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_alphabetic(),
        None => false,
    };
    let mut out = String::from(if starts_well { "" } else { "X" });
    out.extend(name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '.' }));
    if RESERVED.contains(&out.as_str()) {
        out.push('.');
    }
    out
}

/// A name that stood before gets `.1`, `.2` and so on behind it, the first that is not there yet. Names can be added one at a time with the
/// same result.
pub fn make_unique<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    let mut seen: HashSet<String> = HashSet::with_capacity(names.len());
    let mut next: HashMap<String, u64> = HashMap::new();
    let mut out = Vec::with_capacity(names.len());
    for name in names.iter().map(AsRef::as_ref) {
        let mut unique = name.to_owned();
        if seen.contains(name) {
            let n = next.entry(name.to_owned()).or_insert(1);
            while {
                unique = format!("{name}.{n}");
                seen.contains(&unique)
            } {
                *n += 1;
            }
        }
        seen.insert(unique.clone());
        out.push(unique);
    }
    out
}

/// The names that stand more than once, each once, in the order of their second places.
pub(crate) fn duplicates<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let (mut seen, mut told) = (HashSet::new(), HashSet::new());
    names.filter(|name| !seen.insert(*name) && told.insert(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_syntactic_as_r_documents_it() {
        let given = ["a b", "1x", "_y", ".2", ".z", "", "TRUE", "é", "a-b", "in", "x_1", "NA", "...", "日本"];
        let made = [
            "a.b", "X1x", "X_y", "X.2", ".z", "X", "TRUE.", "é", "a.b.1", "in.", "x_1", "NA.", "...", "日本",
        ];
        assert_eq!(make_names(&given), made);
    }

    #[test]
    fn repeated_names_are_told_apart_one_at_a_time_or_at_once() {
        assert_eq!(make_unique(&["a", "a", "a"]), ["a", "a.1", "a.2"]);
        assert_eq!(make_unique(&["a", "a", "a.2", "a"]), ["a", "a.1", "a.2", "a.3"]);
        let (first, rest) = (["a", "a"], ["a.1", "a", "b"]);
        let at_once = make_unique(&[&first[..], &rest[..]].concat());
        let mut one_by_one = make_unique(&first);
        for name in rest {
            one_by_one.push(name.to_owned());
            one_by_one = make_unique(&one_by_one);
        }
        assert_eq!(at_once, one_by_one);
    }

    #[test]
    fn duplicates_are_named_once_each() {
        assert_eq!(duplicates(["a", "b", "a", "a", "c", "b"].into_iter()), ["a", "b"]);
        assert!(duplicates(["a", "b"].into_iter()).is_empty());
    }
}
