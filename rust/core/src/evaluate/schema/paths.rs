//! Counts the parts of a schema as the engine will walk them, references followed.
//!
//! The engine evaluates a referenced subschema once per reference, so forty
//! definitions that each refer twice to the next are 2^40 evaluations from two
//! kilobytes. Counting is cheap, because each subschema is counted once and its count
//! reused. A cycle is cut where it closes: the engine remembers what it has decided
//! for a recursive reference at a value.

use std::collections::{HashMap, HashSet};

use jsonschema::{Draft, Registry, Uri};
use referencing::Resolver;
use serde_json::{Map, Value};

use super::limits::{MAX_PATHS, MAX_PATTERNS, MAX_REFERENCE_DEPTH};
use super::{SchemaError, kind};

/// Where a schema without `$id` is taken to live.
const BASE: &str = "json-schema:///";

/// How far a schema expands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paths {
    /// The parts with references followed and cycles cut.
    pub(super) count: usize,
    /// Whether some reference closes a cycle.
    pub(super) recursive: bool,
}

/// Counts the paths of a schema, or names the limit that it passes.
pub(super) fn count(schema: &Value) -> Result<Paths, SchemaError> {
    let draft =
        draft_of(schema, Draft::Draft202012).ok_or_else(|| SchemaError::UnsupportedDraft {
            path: "/$schema".to_owned(),
        })?;
    let unresolved = |cause: &referencing::Error| kind::unresolved(cause, String::new());
    let registry = Registry::new()
        .draft(draft)
        .add(BASE, draft.create_resource_ref(schema))
        .and_then(referencing::RegistryBuilder::prepare)
        .map_err(|cause| unresolved(&cause))?;
    let base: Uri<String> = jsonschema::uri::from_str(BASE).map_err(|cause| unresolved(&cause))?;
    let document = Place {
        schema,
        draft,
        resolver: registry.resolver(base),
    };
    let root = document.child(schema)?;
    let mut survey = Survey::default();
    survey.visit(&root)?;
    let mut counter = Counter {
        anchors: &survey.anchors,
        known: HashMap::new(),
        open: HashSet::new(),
        recursive: false,
    };
    let count = counter.count(&root, 0)?;
    Ok(Paths {
        count,
        recursive: counter.recursive,
    })
}

/// The draft that a schema names, `inherited` when it names none, or `None` when it
/// names one that the policy refuses.
fn draft_of(schema: &Value, inherited: Draft) -> Option<Draft> {
    let Some(Value::String(uri)) = schema.get("$schema") else {
        return Some(inherited);
    };
    match Draft::from_schema_uri(uri) {
        draft @ (Draft::Draft7 | Draft::Draft201909 | Draft::Draft202012) => Some(draft),
        _ => None,
    }
}

/// A subschema, with what is needed to resolve references in it.
#[derive(Clone)]
struct Place<'a> {
    schema: &'a Value,
    draft: Draft,
    resolver: Resolver<'a>,
}

impl<'a> Place<'a> {
    fn fields(&self) -> Option<&'a Map<String, Value>> {
        self.schema.as_object()
    }

    /// A subschema right inside this one.
    fn child(&self, schema: &'a Value) -> Result<Self, SchemaError> {
        let draft = draft_of(schema, self.draft).ok_or_else(|| SchemaError::UnsupportedDraft {
            path: "$schema".to_owned(),
        })?;
        let resolver = self
            .resolver
            .in_subresource(draft.create_resource_ref(schema))
            .map_err(|cause| kind::unresolved(&cause, String::new()))?;
        Ok(Self {
            schema,
            draft,
            resolver,
        })
    }

    /// What a reference in this schema leads to.
    fn target(&self, keyword: &str, reference: &str) -> Result<Self, SchemaError> {
        let target = self
            .resolver
            .lookup(reference)
            .map_err(|cause| kind::unresolved(&cause, keyword.to_owned()))?;
        let (schema, resolver, draft) = target.into_inner();
        Ok(Self {
            schema,
            draft,
            resolver,
        })
    }

    /// An address that tells subschemas apart while the registry lives.
    fn key(&self) -> *const Value {
        std::ptr::from_ref(self.schema)
    }
}

/// One pass over every subschema of the document, used or not.
#[derive(Default)]
struct Survey<'a> {
    patterns: usize,
    /// Places by `$dynamicAnchor`; those with `$recursiveAnchor` under the empty name.
    anchors: HashMap<&'a str, Vec<Place<'a>>>,
}

impl<'a> Survey<'a> {
    /// The recursion is bounded by the depth of the document.
    fn visit(&mut self, place: &Place<'a>) -> Result<(), SchemaError> {
        let Some(fields) = place.fields() else {
            return Ok(());
        };
        self.count_patterns(fields)?;
        if let Some(Value::String(name)) = fields.get("$dynamicAnchor") {
            self.anchors.entry(name).or_default().push(place.clone());
        }
        if fields.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
            self.anchors.entry("").or_default().push(place.clone());
        }
        let mut inside = place.draft.subresources_of(place.schema);
        inside.try_for_each(|schema| self.visit(&place.child(schema)?))
    }

    fn count_patterns(&mut self, fields: &Map<String, Value>) -> Result<(), SchemaError> {
        self.patterns += usize::from(fields.contains_key("pattern"));
        if let Some(Value::Object(patterns)) = fields.get("patternProperties") {
            self.patterns += patterns.len();
        }
        if self.patterns > MAX_PATTERNS {
            return Err(SchemaError::TooManyPatterns);
        }
        Ok(())
    }
}

struct Counter<'s, 'a> {
    anchors: &'s HashMap<&'a str, Vec<Place<'a>>>,
    known: HashMap<*const Value, usize>,
    /// The subschemas being counted: meeting one again closes a cycle.
    open: HashSet<*const Value>,
    recursive: bool,
}

impl<'a> Counter<'_, 'a> {
    fn count(&mut self, place: &Place<'a>, depth: usize) -> Result<usize, SchemaError> {
        let key = place.key();
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        if self.open.contains(&key) {
            self.recursive = true;
            return Ok(1);
        }
        if depth > MAX_REFERENCE_DEPTH {
            return Err(SchemaError::ReferencesTooDeep);
        }
        self.open.insert(key);
        let mut total = 1_usize;
        for next in successors(place, self.anchors)? {
            total += self.count(&next, depth + 1)?;
            if total > MAX_PATHS {
                return Err(SchemaError::TooManyPaths);
            }
        }
        self.open.remove(&key);
        self.known.insert(key, total);
        Ok(total)
    }
}

/// The subschemas that evaluating this one may evaluate.
fn successors<'a>(
    place: &Place<'a>,
    anchors: &HashMap<&'a str, Vec<Place<'a>>>,
) -> Result<Vec<Place<'a>>, SchemaError> {
    let Some(fields) = place.fields() else {
        return Ok(Vec::new());
    };
    let definitions: HashSet<*const Value> = ["$defs", "definitions"]
        .into_iter()
        .filter_map(|keyword| fields.get(keyword)?.as_object())
        .flat_map(Map::values)
        .map(std::ptr::from_ref)
        .collect();
    let mut next = Vec::new();
    for schema in place.draft.subresources_of(place.schema) {
        if !definitions.contains(&std::ptr::from_ref(schema)) {
            next.push(place.child(schema)?);
        }
    }
    for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
        if let Some(Value::String(reference)) = fields.get(keyword) {
            next.push(place.target(keyword, reference)?);
            // Which anchor a dynamic reference finds depends on the way to it.
            let name = match keyword {
                "$ref" => continue,
                "$recursiveRef" => "",
                _ => reference.rsplit('#').next().unwrap_or(reference),
            };
            next.extend(anchors.get(name).into_iter().flatten().cloned());
        }
    }
    Ok(next)
}
