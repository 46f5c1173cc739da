//! Which arguments of which tool become headers (`x-mcp-header`), and which tools are not to be
//! shown because they misuse that (MCP 2026-07-28, Streamable HTTP, custom headers).

use std::collections::{BTreeSet, HashMap};

use http::header::HeaderName;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::core::members::Members;

/// One annotated argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotated {
    /// `Mcp-Param-…`.
    pub header: HeaderName,
    /// The names of the properties that lead to it.
    pub path: Vec<String>,
}

/// What is known of the tools that have annotations.
#[derive(Debug, Default)]
pub struct Schemas(HashMap<String, Vec<Annotated>>);

/// What a list of tools has taught.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The result without the tools that must not be shown, if there are any.
    pub kept: Option<String>,
    /// Their names, and what is wrong with them.
    pub rejected: Vec<(String, String)>,
}

/// How many tools with annotations are remembered: more than any host offers to a model.
const MAX_TOOLS: usize = 4096;
/// How many annotations one tool may have: servers limit the headers of a request to about 100.
const MAX_ANNOTATIONS: usize = 64;
/// How an annotation is called in a schema.
const KEY: &str = "x-mcp-header";

impl Schemas {
    /// The annotated arguments of this tool.
    pub fn of(&self, tool: &str) -> &[Annotated] {
        self.0.get(tool).map(Vec::as_slice).unwrap_or_default()
    }

    /// Remembers the tools of the result of a `tools/list`.
    pub fn learn(&mut self, result: &str) -> Learned {
        let mut learned = Learned::default();
        // Most lists have no annotation, and are not read any further.
        let annotated = memchr::memmem::find(result.as_bytes(), KEY.as_bytes()).is_some();
        if !annotated && self.0.is_empty() {
            return learned;
        }
        let Some(mut members) = Members::read(result) else { return learned };
        let Some(tools) = members.get("tools") else { return learned };
        let Ok(tools) = serde_json::from_str::<Vec<&RawValue>>(tools) else { return learned };
        let mut kept = Vec::with_capacity(tools.len());
        for tool in &tools {
            match self.learn_tool(tool.get()) {
                Ok(()) => kept.push(tool.get()),
                Err(rejected) => learned.rejected.push(rejected),
            }
        }
        if kept.len() < tools.len() {
            let kept = format!("[{}]", kept.join(","));
            members.set("tools", kept);
            learned.kept = Some(members.write());
        }
        learned
    }

    fn learn_tool(&mut self, tool: &str) -> Result<(), (String, String)> {
        let Some(members) = Members::read(tool) else { return Ok(()) };
        let Some(name) = members.string("name") else { return Ok(()) };
        let schema = members.get("inputSchema").map(serde_json::from_str::<Value>);
        self.0.remove(&name);
        let Some(Ok(schema)) = schema else { return Ok(()) };
        let annotated = scan(&schema).map_err(|why| (name.clone(), why))?;
        if !annotated.is_empty() && self.0.len() < MAX_TOOLS {
            self.0.insert(name, annotated);
        }
        Ok(())
    }
}

/// The annotations of a schema, or what is wrong with one of them.
fn scan(schema: &Value) -> Result<Vec<Annotated>, String> {
    let mut found = Found::default();
    found.properties(schema, &mut Vec::new())?;
    Ok(found.annotated)
}

#[derive(Default)]
struct Found {
    annotated: Vec<Annotated>,
    names: BTreeSet<String>,
}

impl Found {
    /// Looks at a schema that only `properties` lead to.
    fn properties(&mut self, schema: &Value, path: &mut Vec<String>) -> Result<(), String> {
        let Value::Object(members) = schema else { return Ok(()) };
        if let Some(annotation) = members.get(KEY) {
            self.annotation(annotation, members, path)?;
        }
        for (keyword, value) in members {
            match value {
                Value::Object(properties) if keyword == "properties" => {
                    for (name, schema) in properties {
                        path.push(name.clone());
                        self.properties(schema, path)?;
                        path.pop();
                    }
                }
                _ if holds_schemas(keyword) => elsewhere(value, holds_named_schemas(keyword))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn annotation(
        &mut self,
        annotation: &Value,
        schema: &Map<String, Value>,
        path: &[String],
    ) -> Result<(), String> {
        if path.is_empty() {
            return Err(MISPLACED.to_owned());
        }
        let Some(name) = annotation.as_str().filter(|name| !name.is_empty()) else {
            return Err(format!("`{KEY}` is empty or no string"));
        };
        let Ok(header) = HeaderName::from_bytes(format!("Mcp-Param-{name}").as_bytes()) else {
            return Err(format!("`{KEY}` is no name of a header"));
        };
        if !matches!(
            schema.get("type").and_then(Value::as_str),
            Some("string" | "integer" | "boolean")
        ) {
            return Err(format!("`{KEY}` stands at what is no string, integer or boolean"));
        }
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(format!("two arguments have the same `{KEY}`"));
        }
        if MAX_ANNOTATIONS <= self.annotated.len() {
            return Err(format!("`{KEY}` stands at more than {MAX_ANNOTATIONS} arguments"));
        }
        self.annotated.push(Annotated { header, path: path.to_vec() });
        Ok(())
    }
}

const MISPLACED: &str = "`x-mcp-header` stands where no chain of `properties` leads";

/// Refuses every annotation in what is not reached by `properties` alone.
fn elsewhere(value: &Value, named: bool) -> Result<(), String> {
    match value {
        Value::Array(schemas) => schemas.iter().try_for_each(|schema| elsewhere(schema, false)),
        Value::Object(schemas) if named => {
            schemas.values().try_for_each(|schema| elsewhere(schema, false))
        }
        Value::Object(members) => {
            if members.contains_key(KEY) {
                return Err(MISPLACED.to_owned());
            }
            let mut inner = members
                .iter()
                .filter(|(keyword, _)| holds_schemas(keyword) || keyword.as_str() == "properties");
            inner.try_for_each(|(keyword, value)| {
                elsewhere(value, keyword == "properties" || holds_named_schemas(keyword))
            })
        }
        _ => Ok(()),
    }
}

/// The keywords of JSON Schema 2020-12, besides `properties`, that hold schemas.
fn holds_schemas(keyword: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "items",
        "prefixItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "propertyNames",
        "oneOf",
        "anyOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
    ];
    holds_named_schemas(keyword) || OTHERS.contains(&keyword)
}

/// Those whose value gives each of its schemas a name.
fn holds_named_schemas(keyword: &str) -> bool {
    matches!(keyword, "patternProperties" | "dependentSchemas" | "$defs" | "definitions")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str, expected: &str) {
        let text = match scan(&serde_json::from_str(schema).unwrap()) {
            Ok(found) => {
                let one = |it: &Annotated| format!("{}={}", it.path.join("/"), it.header);
                found.iter().map(one).collect::<Vec<_>>().join(" ")
            }
            Err(why) => why,
        };
        assert_eq!(text, expected, "{schema}");
    }

    #[test]
    fn annotations_are_found_and_checked() {
        let one = |annotation: &str, kind: &str| {
            format!(r#"{{"properties":{{"a":{{"type":"{kind}","x-mcp-header":{annotation}}}}}}}"#)
        };
        check(&one(r#""Region""#, "string"), "a=mcp-param-region");
        check(&one(r#""!#$%&'*+-.^_`|~09Az""#, "boolean"), "a=mcp-param-!#$%&'*+-.^_`|~09az");
        check(&one(r#""""#, "string"), "`x-mcp-header` is empty or no string");
        check(&one("7", "string"), "`x-mcp-header` is empty or no string");
        for bad in ["My Region", "a:b", "Région", "a\\tb", "a\\r\\nb"] {
            check(&one(&format!("\"{bad}\""), "string"), "`x-mcp-header` is no name of a header");
        }
        for kind in ["number", "object", "array", "null"] {
            check(
                &one(r#""A""#, kind),
                "`x-mcp-header` stands at what is no string, integer or boolean",
            );
        }
        check(
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"X"},"o":{"type":"object","properties":{"b":{"type":"string","x-mcp-header":"x"}}}}}"#,
            "two arguments have the same `x-mcp-header`",
        );
        for place in [
            r#"{"x-mcp-header":"A","type":"string"}"#,
            r#"{"properties":{"a":{"items":{"type":"string","x-mcp-header":"A"}}}}"#,
            r#"{"properties":{"a":{"anyOf":[{"type":"string","x-mcp-header":"A"}]}}}"#,
            r##"{"$defs":{"d":{"type":"string","x-mcp-header":"A"}},"properties":{"a":{"$ref":"#/$defs/d"}}}"##,
            r#"{"if":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}"#,
        ] {
            check(place, MISPLACED);
        }
        // A property of that name is none, and neither is a value.
        check(r#"{"properties":{"x-mcp-header":{"type":"string"}}}"#, "");
        check(r#"{"properties":{"a":{"enum":[{"x-mcp-header":"A"}]}}}"#, "");
    }

    #[test]
    fn only_the_bad_tools_are_left_out() {
        let good = r#"{ "name":"good", "n":1.0,"inputSchema":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}"#;
        let bad = good.replace("good", "bad").replace("string", "number");
        let mut schemas = Schemas::default();
        let learned = schemas.learn(&format!(r#"{{"x":1e400,"tools":[{bad},{good}],"y":2}}"#));
        assert_eq!(learned.kept.unwrap(), format!(r#"{{"x":1e400,"tools":[{good}],"y":2}}"#));
        assert_eq!(learned.rejected.first().unwrap().0, "bad");
        assert_eq!(schemas.of("good").len(), 1);
        assert_eq!(schemas.of("bad").len(), 0);
        // A list that has no annotation any more takes the old one away.
        assert_eq!(
            schemas.learn(r#"{"tools":[{"name":"good","inputSchema":{}}]}"#),
            Learned::default()
        );
        assert_eq!(schemas.of("good").len(), 0);
    }
}
