//! Prompts found in the wild, given as values, reach the text unchanged and unread.

mod common;

use pitcanary_core::template::{Syntax, Template};
use serde_json::{Map, Value};

#[test]
fn hostile_prompts_are_data() {
    let Some(folder) = common::data_folder("inthewild_jailbreaks") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("prompts.json")).unwrap();
    let prompts: Vec<String> = serde_json::from_str(&text).unwrap();
    assert_eq!(prompts.len(), 333);
    for syntax in [Syntax::Plain, Syntax::Jinja] {
        let template = Template::compile(syntax, "User: {{ question }}.").unwrap();
        for prompt in &prompts {
            let question = Value::String(prompt.clone());
            let variables = Map::from_iter([("question".to_owned(), question)]);
            let rendered = template.render(&variables).unwrap();
            assert_eq!(rendered, format!("User: {prompt}."));
        }
    }
}

#[test]
fn real_prompts_compile_or_are_refused_with_a_line() {
    let Some(folder) = common::data_folder("fabric_versions") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("edits.jsonl")).unwrap();
    let mut compiled = 0;
    for line in text.lines() {
        let edit: Value = serde_json::from_str(line).unwrap();
        for source in edit.as_object().unwrap().values().filter_map(Value::as_str) {
            compiled += usize::from(Template::compile(Syntax::Plain, source).is_ok());
            let _ = Template::compile(Syntax::Jinja, source);
        }
    }
    assert!(compiled >= 2 * 259, "{compiled}");
}
