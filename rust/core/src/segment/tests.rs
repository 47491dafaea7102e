//! What conditions mean, which are refused, and that matching agrees with a plain
//! reading of the source form.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use proptest::prelude::*;

use super::*;

const ATTRIBUTES: [(&str, Value<'static>); 6] = [
    ("country", Value::Text("FR")),
    ("age", Value::Number(42.0)),
    ("beta", Value::Boolean(true)),
    ("app", Value::Text("2.4.1-rc.1+build.7")),
    ("email", Value::Text("élodie@example.org")),
    ("odd", Value::Number(f64::NAN)),
];

fn text(value: &str) -> Literal {
    Literal::Text(value.to_owned())
}

fn equals(attribute: &str, value: Literal) -> Condition {
    let attribute = attribute.to_owned();
    Condition::Equals { attribute, value }
}

fn one_of(attribute: &str, values: impl IntoIterator<Item = Literal>) -> Condition {
    Condition::In {
        attribute: attribute.to_owned(),
        values: values.into_iter().collect(),
    }
}

fn range(attribute: &str, lower: Bound<f64>, upper: Bound<f64>) -> Condition {
    let attribute = attribute.to_owned();
    Condition::Range {
        attribute,
        lower,
        upper,
    }
}

fn matching(attribute: &str, pattern: &str) -> Condition {
    Condition::Matches {
        attribute: attribute.to_owned(),
        pattern: pattern.to_owned(),
    }
}

fn semver(attribute: &str, range: &str) -> Condition {
    Condition::Semver {
        attribute: attribute.to_owned(),
        range: range.to_owned(),
    }
}

fn present(attribute: &str) -> Condition {
    Condition::Present {
        attribute: attribute.to_owned(),
    }
}

fn segment(name: &str) -> Condition {
    Condition::Segment {
        name: name.to_owned(),
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn compile(condition: &Condition) -> Result<Matcher, SegmentError> {
    Matcher::compile(condition, &BTreeMap::new())
}

fn holds(condition: &Condition) -> bool {
    compile(condition).unwrap().matches(ATTRIBUTES.as_slice())
}

#[test]
fn conditions_that_hold() {
    use Bound::{Excluded, Included, Unbounded};
    for condition in [
        equals("country", text("FR")),
        equals("age", Literal::Number(42.0)),
        equals("beta", Literal::Boolean(true)),
        one_of("country", [text("DE"), text("FRA"), text("FR"), text("")]),
        one_of("age", [Literal::Number(7.0), Literal::Number(42.0)]),
        one_of("beta", [text("true"), Literal::Boolean(true)]),
        range("age", Included(42.0), Unbounded),
        range("age", Unbounded, Included(42.0)),
        range("age", Excluded(41.9), Excluded(42.1)),
        Condition::Prefix {
            attribute: "email".to_owned(),
            text: "élo".to_owned(),
        },
        Condition::Suffix {
            attribute: "email".to_owned(),
            text: ".org".to_owned(),
        },
        matching("email", "@example"),
        matching("email", r"^\p{L}+@[a-z.]+$"),
        semver("app", ">=2.4.1-rc.0, <3"),
        present("odd"),
        not(present("nothing")),
        not(equals("nothing", text("FR"))),
        Condition::All(vec![present("age"), present("beta")]),
        Condition::Any(vec![present("nothing"), present("beta")]),
    ] {
        assert!(holds(&condition), "{condition:?}");
    }
}

#[test]
fn conditions_that_do_not_hold() {
    use Bound::{Excluded, Unbounded};
    for condition in [
        equals("country", text("fr")),
        equals("country", Literal::Number(1.0)),
        equals("nothing", text("")),
        equals("age", text("42")),
        one_of("country", [text("DE"), Literal::Boolean(true)]),
        one_of("odd", [Literal::Number(0.0)]),
        range("age", Excluded(42.0), Unbounded),
        range("odd", Unbounded, Unbounded),
        matching("email", "^example"),
        semver("app", ">=2"),
        semver("country", "*"),
        present("nothing"),
        not(present("age")),
        Condition::All(vec![present("age"), present("nothing")]),
        Condition::Any(vec![present("nothing"), equals("country", text("DE"))]),
    ] {
        assert!(!holds(&condition), "{condition:?}");
    }
}

#[test]
fn large_sets_hold_their_members_only() {
    let members =
        (0..500_usize).map(|number| text(&("x".repeat(number % 7) + &number.to_string())));
    let matcher = compile(&one_of("id", members)).unwrap();
    for number in 0..500_usize {
        let member = "x".repeat(number % 7) + &number.to_string();
        let other = "y".repeat(number % 7 + 1) + &number.to_string();
        assert!(matcher.matches([("id", Value::Text(&member))].as_slice()));
        assert!(!matcher.matches([("id", Value::Text(&other))].as_slice()));
    }
}

#[test]
fn zero_has_no_sign() {
    let attributes = [("x", Value::Number(-0.0))];
    for condition in [
        equals("x", Literal::Number(0.0)),
        one_of("x", [Literal::Number(0.0)]),
    ] {
        let matcher = compile(&condition).unwrap();
        assert!(matcher.matches(attributes.as_slice()));
    }
}

#[test]
fn a_segment_stands_for_its_condition() {
    let named = BTreeMap::from([
        ("french".to_owned(), equals("country", text("FR"))),
        (
            "adults".to_owned(),
            range("age", Bound::Included(18.0), Bound::Unbounded),
        ),
        (
            "both".to_owned(),
            Condition::All(vec![segment("french"), segment("adults")]),
        ),
    ]);
    let matcher = Matcher::compile(&not(segment("both")), &named).unwrap();
    assert!(!matcher.matches(ATTRIBUTES.as_slice()));
    assert!(matcher.matches(&ATTRIBUTES[..1]));
}

fn nested(depth: usize) -> Condition {
    (0..depth).fold(present("a"), |inner, _| not(inner))
}

#[test]
fn errors_name_the_bad_condition() {
    use Bound::{Excluded, Included};
    let lookahead = matching("a", "(?=x)");
    let cases = [
        (Condition::All(vec![]), "all", "empty"),
        (one_of("a", []), "in", "empty"),
        (present(""), "present", "attribute is empty"),
        (equals("a", Literal::Number(f64::NAN)), "equals", "finite"),
        (
            range("a", Included(f64::INFINITY), Bound::Unbounded),
            "range",
            "finite",
        ),
        (
            range("a", Included(2.0), Included(1.0)),
            "range",
            "no number",
        ),
        (
            range("a", Included(1.0), Excluded(1.0)),
            "range",
            "no number",
        ),
        (semver("a", "latest"), "semver", "`latest`"),
        (segment("x"), "segment(x)", "`x` is not defined"),
        (
            Condition::All(vec![present("a"), not(Condition::Any(vec![lookahead]))]),
            "all[1].not.any[0].matches",
            "look-around",
        ),
        (
            matching("a", "((a{100}){100}){100}"),
            "matches",
            "size limit",
        ),
        (
            equals("a", text(&"x".repeat(MAX_TEXT_BYTES + 1))),
            "equals",
            "bytes",
        ),
        (
            one_of("a", (0..MAX_CONDITIONS).map(|_| text(""))),
            "in",
            "more than",
        ),
    ];
    for (condition, path, part) in cases {
        let error = compile(&condition).unwrap_err();
        assert_eq!(error.path, path);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn depth_is_bounded() {
    assert!(compile(&nested(MAX_DEPTH)).is_ok());
    let error = compile(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error.kind, SegmentErrorKind::TooDeep);
}

#[test]
fn a_segment_cannot_contain_itself() {
    let named = BTreeMap::from([
        ("a".to_owned(), not(segment("b"))),
        ("b".to_owned(), Condition::Any(vec![segment("a")])),
    ]);
    let error = Matcher::compile(&segment("a"), &named).unwrap_err();
    assert_eq!(error.kind, SegmentErrorKind::Cycle("a".to_owned()));
    assert_eq!(error.path, "segment(a).not.segment(b).any[0].segment(a)");
}

#[test]
fn references_cannot_multiply_without_bound() {
    let mut named = BTreeMap::from([("0".to_owned(), present("a"))]);
    for level in 1..8 {
        let inner = (0..6).map(|_| segment(&(level - 1).to_string())).collect();
        named.insert(level.to_string(), Condition::Any(inner));
    }
    let error = Matcher::compile(&segment("7"), &named).unwrap_err();
    assert_eq!(error.kind, SegmentErrorKind::TooMany);
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        prop::sample::select(vec!["", "a", "b", "ab"]).prop_map(text),
        (-2..3_i8).prop_map(|number| Literal::Number(number.into())),
        any::<bool>().prop_map(Literal::Boolean),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let name = || prop::sample::select(vec!["x", "y", "z"]);
    let leaf = prop_oneof![
        (name(), literal()).prop_map(|(name, value)| equals(name, value)),
        (name(), prop::collection::vec(literal(), 1..4)).prop_map(|(name, v)| one_of(name, v)),
        (name(), -2..1_i8, 1..3_i8).prop_map(|(name, low, high)| {
            range(
                name,
                Bound::Included(low.into()),
                Bound::Excluded(high.into()),
            )
        }),
        name().prop_map(present),
    ];
    leaf.prop_recursive(4, 30, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::Any),
            inner.prop_map(not),
        ]
    })
}

/// The meaning of a condition read straight off its source form.
fn reading(condition: &Condition, attributes: &BTreeMap<&str, Literal>) -> bool {
    let value = |name: &String| attributes.get(name.as_str());
    match condition {
        Condition::All(parts) => parts.iter().all(|part| reading(part, attributes)),
        Condition::Any(parts) => parts.iter().any(|part| reading(part, attributes)),
        Condition::Not(part) => !reading(part, attributes),
        Condition::Equals {
            attribute,
            value: v,
        } => value(attribute) == Some(v),
        Condition::In { attribute, values } => value(attribute).is_some_and(|v| values.contains(v)),
        Condition::Range {
            attribute,
            lower,
            upper,
        } => {
            matches!(value(attribute), Some(Literal::Number(n)) if (*lower, *upper).contains(n))
        }
        Condition::Present { attribute } => value(attribute).is_some(),
        _ => unreachable!("not generated"),
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_the_source_form(
        condition in condition(),
        attributes in prop::collection::btree_map(prop::sample::select(vec!["x", "y", "z"]), literal(), 0..4),
    ) {
        let pairs: Vec<(&str, Value<'_>)> = attributes
            .iter()
            .map(|(name, value)| (*name, match value {
                Literal::Text(text) => Value::Text(text),
                Literal::Number(number) => Value::Number(*number),
                Literal::Boolean(boolean) => Value::Boolean(*boolean),
            }))
            .collect();
        let matched = compile(&condition).unwrap().matches(pairs.as_slice());
        prop_assert_eq!(matched, reading(&condition, &attributes));
    }
}
