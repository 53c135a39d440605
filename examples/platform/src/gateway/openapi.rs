//! The OpenAPI 3.1 description: made from the table of routes, so that it cannot leave one out; schemas from a file.

use axum::Json as Answer;
use serde_json::{Map, Value, json};

use super::routes::{Access, ROUTES, Route};
use crate::error::{Error, Result};

const SCHEMAS: &str = include_str!("schemas.json");

/// `GET /openapi.json`.
pub(super) async fn document() -> Result<Answer<Value>> {
    describe().map(Answer)
}

fn describe() -> Result<Value> {
    let schemas: Value = serde_json::from_str(SCHEMAS).map_err(|e| Error::Internal(format!("schemas.json: {e}")))?;
    let mut paths = Map::new();
    for route in ROUTES {
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        methods[route.method.to_lowercase()] = operation(route);
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "facerec platform", "version": env!("CARGO_PKG_VERSION"),
            "description": "Enrol people from photos, find them in videos. Times are ms since 1970 UTC (`*_ms`) or ms of the video; boxes are [x1, y1, x2, y2] in pixels.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "ticket": {"type": "apiKey", "in": "query", "name": "ticket"},
            },
        },
    }))
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(route: &Route) -> Value {
    let mut parameters = Vec::new();
    for part in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        parameters.push(json!({"name": part, "in": "path", "required": true, "schema": {"type": "string"}}));
    }
    for name in route.query {
        let (name, required) = name.strip_suffix('!').map_or((*name, false), |name| (name, true));
        let schema = if name == "limit" { json!({"type": "integer", "minimum": 1, "maximum": 200}) } else { json!({"type": "string"}) };
        parameters.push(json!({"name": name, "in": "query", "required": required, "schema": schema}));
    }
    if route.method == "POST" {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": 200});
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "required": false, "schema": schema}));
    }
    if route.body == "bytes" {
        let schema = json!({"type": "integer", "minimum": 0});
        parameters.push(json!({"name": "Upload-Offset", "in": "header", "required": true, "schema": schema}));
    }
    let mut good = json!({"description": "All is well"});
    if let Some(item) = route.answer.strip_prefix("page:") {
        let page = json!({
            "type": "object", "required": ["items", "next"],
            "properties": {"items": {"type": "array", "items": reference(item)}, "next": {"type": ["string", "null"]}},
        });
        good["content"] = json!({"application/json": {"schema": page}});
    } else if route.answer.contains('/') {
        good["content"] = route.answer.split(", ").map(|media_type| (media_type.to_owned(), json!({}))).collect::<Map<_, _>>().into();
    } else if !route.answer.is_empty() {
        good["content"] = json!({"application/json": {"schema": reference(route.answer)}});
    }
    let error = json!({"description": "An error", "content": {"application/json": {"schema": reference("Error")}}});
    let mut operation = json!({
        "summary": route.summary, "parameters": parameters, "responses": {route.status.to_string(): good, "default": error},
    });
    match route.body {
        "" => {}
        "image" => operation["requestBody"] = json!({"required": true, "content": {"image/*": {}}}),
        "bytes" => operation["requestBody"] = json!({"required": true, "content": {"application/octet-stream": {}}}),
        schema => operation["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": reference(schema)}}}),
    }
    operation["security"] = match route.access {
        Access::Open => json!([]),
        _ if route.method == "GET" => json!([{"key": []}, {"ticket": []}]),
        _ => json!([{"key": []}]),
    };
    if let Access::Needs(scope) = route.access {
        operation["description"] = json!(format!("Needs scope `{}`.", scope.name()));
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_schema_and_every_schema_is_used() {
        let document = describe().unwrap();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut used = std::collections::BTreeSet::new();
        for piece in text.split("#/components/schemas/").skip(1) {
            let name = piece.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "no schema {name}");
            used.insert(name.to_owned());
        }
        let unused: Vec<_> = schemas.keys().filter(|name| !used.contains(*name)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}
