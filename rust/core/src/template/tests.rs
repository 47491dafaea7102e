//! What templates render, refuse, and never do with the values they are given.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn compile(syntax: Syntax, source: &str) -> Template {
    Template::compile(syntax, source).unwrap()
}

fn render(syntax: Syntax, source: &str, variables: &Value) -> Result<String, TemplateError> {
    compile(syntax, source).render(variables.as_object().unwrap())
}

fn names(template: &Template) -> Vec<&str> {
    template.variables().collect()
}

#[test]
fn plain_writes_every_kind_of_value() {
    let variables = json!({
        "text": "a <b> & \"c\"", "whole": 3.0, "large": 9_007_199_254_740_993_i64, "half": 0.5,
        "yes": true, "none": null, "list": [1.0, "a"], "object": {"k": [2.0, 0.5]}, "unused": 1
    });
    let source = "{{text}}|{{ whole }}|{{\tlarge}}|{{half}}|{{yes}}|{{none}}|{{list}}|{{object}}";
    assert_eq!(
        render(Syntax::Plain, source, &variables).unwrap(),
        "a <b> & \"c\"|3|9007199254740993|0.5|true||[1,\"a\"]|{\"k\":[2,0.5]}"
    );
}

#[test]
fn plain_names_its_variables() {
    let template = compile(Syntax::Plain, "{{b}} {{a}} {{b}} \\{{c}}");
    assert_eq!(names(&template), ["a", "b"]);
    assert!(!template.is_constant());
    assert!(compile(Syntax::Plain, "no variables").is_constant());
}

#[test]
fn escaped_and_single_braces_are_text() {
    let source = r#"\{{x}} { {a} } }} {"json": {"deep": 1}} \\"#;
    let expected = r#"{{x}} { {a} } }} {"json": {"deep": 1}} \\"#;
    assert_eq!(render(Syntax::Plain, source, &json!({})).unwrap(), expected);
}

#[test]
fn plain_refuses_what_is_not_a_name() {
    for source in [
        "{{",
        "{{}}",
        "{{ a b }}",
        "{{1a}}",
        "{{a.b}}",
        "{{a",
        "{{{a}}}",
        "{{é}}",
        "{{a}",
    ] {
        let error = Template::compile(Syntax::Plain, &format!("one\ntwo {source}")).unwrap_err();
        assert!(
            matches!(error, TemplateError::Syntax { line: 2, .. }),
            "{source}"
        );
    }
}

#[test]
fn a_missing_variable_is_named_in_both_syntaxes() {
    for syntax in [Syntax::Plain, Syntax::Jinja] {
        let error = render(syntax, "{{a}} {{b}}", &json!({"a": "x"})).unwrap_err();
        assert_eq!(error, TemplateError::UnknownVariable("b".to_owned()));
    }
}

#[test]
fn jinja_has_logic_and_integers() {
    let source =
        "{% for x in items %}{{ loop.index }}:{{ x | upper }} {% endfor %}{{ n }} {{ n + 1 }}\n";
    let variables = json!({"items": ["a", "<b>"], "n": 3.0});
    assert_eq!(
        render(Syntax::Jinja, source, &variables).unwrap(),
        "1:A 2:<B> 3 4\n"
    );
}

#[test]
fn jinja_names_its_variables_but_not_functions() {
    let source = "{% set local = 1 %}{% if flag is defined %}{{ user.name }}{% endif %}{{ local }}{% for i in range(3) %}{{ i }}{% endfor %}";
    let template = compile(Syntax::Jinja, source);
    assert_eq!(names(&template), ["flag", "user"]);
    assert_eq!(template.render(&Map::new()).unwrap(), "1012");
}

#[test]
fn values_are_never_read_as_templates() {
    let hostile = "{{secret}} {% for i in range(9) %} \\{{x}} {{ 7*7 }}";
    let variables = json!({"v": hostile, "secret": "s3cr3t"});
    for syntax in [Syntax::Plain, Syntax::Jinja] {
        assert_eq!(render(syntax, "{{v}}", &variables).unwrap(), hostile);
    }
}

#[test]
fn jinja_reaches_nothing_outside() {
    for source in [
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
    ] {
        assert!(
            Template::compile(Syntax::Jinja, source).is_err(),
            "{source}"
        );
    }
}

#[test]
fn bombs_run_out_of_fuel() {
    let doublings = (0..60).map(|i| format!("{{% set x{} = x{i} ~ x{i} %}}", i + 1));
    let deep = ["{% set x0 = 'xxxxxxxxxxxxxxxx' %}".to_owned()]
        .into_iter()
        .chain(doublings)
        .collect::<Vec<_>>()
        .concat();
    for source in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ i }}{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999 }}",
        "{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('xxxx') }}",
        "{% set ns = namespace(x='xx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{{ range(100000) | list | join('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') }}",
        &deep,
    ] {
        let error = render(Syntax::Jinja, source, &json!({})).unwrap_err();
        let bounded = matches!(
            &error,
            TemplateError::OutOfFuel | TemplateError::Failed { .. }
        );
        assert!(bounded, "{source:.60}: {error}");
    }
}

#[test]
fn the_output_is_bounded() {
    let variables = json!({"v": "x".repeat(MAX_OUTPUT_BYTES / 2)});
    assert!(render(Syntax::Plain, "{{v}}{{v}}", &variables).is_ok());
    for syntax in [Syntax::Plain, Syntax::Jinja] {
        let error = render(syntax, "{{v}}{{v}}{{v}}", &variables).unwrap_err();
        assert_eq!(error, TemplateError::OutputTooLong);
    }
    let long = "x".repeat(MAX_SOURCE_BYTES + 1);
    let error = Template::compile(Syntax::Plain, &long).unwrap_err();
    assert_eq!(error, TemplateError::SourceTooLong);
}

#[test]
fn failures_do_not_quote_values() {
    let variables = json!({"v": "s3cr3t", "list": ["s3cr3t"]});
    for source in [
        "{{ v + 1 }}",
        "{{ v.s3.x }}",
        "{{ list | int }}",
        "{{ v | round }}",
        "{{ [] [v] }}",
    ] {
        let error = render(Syntax::Jinja, source, &variables).unwrap_err();
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
    }
}

proptest! {
    #[test]
    fn a_plain_text_without_braces_is_itself(text in "[^{]*") {
        let template = compile(Syntax::Plain, &text);
        prop_assert_eq!(template.render(&Map::new()).unwrap(), text);
    }

    #[test]
    fn any_source_compiles_or_is_refused(source in r"([{}%# \\a-c\n']|\{\{|\}\}|\{%|%\}|for|if|in|set|range\(9\)){0,30}") {
        for syntax in [Syntax::Plain, Syntax::Jinja] {
            if let Ok(template) = Template::compile(syntax, &source) {
                let _ = template.render(&Map::new());
            }
        }
    }
}
