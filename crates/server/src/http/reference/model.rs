//! The `OpenAPI` document, flattened to what the page shows: groups of operations, fields in one list with their bounds in words.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use utoipa::openapi::path::{Operation as Described, Parameter, ParameterIn, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems};
use utoipa::openapi::{Components, Content, OpenApi, RefOr, Required, Response, Schema};

/// The most words of an enumeration that are listed; regions are more.
const LISTED_WORDS: usize = 16;
/// The longest pattern that helps a reader; the grammar of language tags is longer.
const SHOWN_PATTERN: usize = 48;

/// All of the page.
pub(super) struct Model {
    pub(super) version: String,
    pub(super) about: Vec<String>,
    pub(super) groups: Vec<Group>,
}

/// The operations of a tag.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) operations: Vec<Operation>,
}

/// One operation.
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) title: String,
    pub(super) text: String,
    /// The scope it needs; without one, no key is needed.
    pub(super) scope: Option<String>,
    pub(super) parameters: Vec<Field>,
    pub(super) body: Vec<Field>,
    /// Whether there is a body, and whether it may be left out.
    pub(super) takes_body: bool,
    pub(super) body_required: bool,
    /// The path of the example, with its query.
    pub(super) example_path: String,
    pub(super) example_body: Option<String>,
    pub(super) replies: Vec<Reply>,
    pub(super) errors: Vec<(String, Vec<String>)>,
}

impl Operation {
    /// The call as a command line.
    pub(super) fn curl(&self, base: &str, api_key: &str) -> String {
        let mut lines = vec![format!("curl '{base}{}'", self.example_path)];
        if self.method != "GET" && !(self.method == "POST" && self.takes_body) {
            lines.push(format!("-X {}", self.method));
        }
        if self.scope.is_some() {
            // In double quotes the shell puts a variable in.
            lines.push(format!("-H \"Authorization: Bearer {api_key}\""));
        }
        if let Some(body) = &self.example_body {
            lines.push("-H 'Content-Type: application/json'".to_owned());
            lines.push(format!("-d '{body}'"));
        }
        lines.join(" \\\n  ")
    }
}

/// A reply that is no error.
pub(super) struct Reply {
    pub(super) status: String,
    pub(super) text: String,
    pub(super) media_type: String,
    pub(super) fields: Vec<Field>,
    pub(super) example: Option<String>,
}

/// A parameter or a member of a body.
pub(super) struct Field {
    /// `deliveries[].status`
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) kind: String,
    pub(super) bounds: Vec<String>,
    pub(super) text: String,
}

impl Model {
    /// The page of `document`.
    pub(super) fn of(document: &OpenApi) -> Self {
        let components = document.components.clone().unwrap_or_default();
        let mut groups: Vec<_> = document
            .tags
            .iter()
            .flatten()
            .map(|tag| Group {
                name: tag.name.clone(),
                text: tag.description.clone().unwrap_or_default(),
                operations: Vec::new(),
            })
            .collect();
        for (path, item) in &document.paths.paths {
            for (method, described) in methods(item) {
                let tag = described.tags.iter().flatten().next();
                if let Some(group) = groups.iter_mut().find(|group| Some(&group.name) == tag) {
                    group.operations.push(Reader(&components).operation(method, path, described));
                }
            }
        }
        let about = document.info.description.as_deref().unwrap_or_default();
        Self { version: document.info.version.clone(), about: paragraphs(about), groups }
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n\n").map(str::to_owned).collect()
}

fn methods(item: &PathItem) -> impl Iterator<Item = (&'static str, &Described)> {
    [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete)]
        .into_iter()
        .filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

/// Reads operations against the schemas that they refer to.
struct Reader<'a>(&'a Components);

impl Reader<'_> {
    fn operation(&self, method: &'static str, path: &str, described: &Described) -> Operation {
        let mut operation = Operation {
            id: described.operation_id.clone().unwrap_or_default(),
            method,
            path: path.to_owned(),
            title: described.summary.clone().unwrap_or_default(),
            text: described.description.clone().unwrap_or_default(),
            scope: scope(described),
            parameters: Vec::new(),
            body: Vec::new(),
            takes_body: false,
            body_required: false,
            example_path: path.to_owned(),
            example_body: None,
            replies: Vec::new(),
            errors: Vec::new(),
        };
        for parameter in described.parameters.iter().flatten() {
            if let RefOr::T(parameter) = parameter {
                self.parameter(parameter, &mut operation);
            }
        }
        if let Some(RefOr::T(body)) = &described.request_body
            && let Some(RefOr::T(content)) = body.content.values().next()
        {
            operation.takes_body = true;
            operation.body_required = body.required == Some(Required::True);
            operation.body = self.fields(content);
            operation.example_body = self.example(content).map(|example| example.to_string());
        }
        for (status, response) in &described.responses.responses {
            if let RefOr::T(response) = response {
                self.response(status, response, &mut operation);
            }
        }
        operation
    }

    fn parameter(&self, parameter: &Parameter, operation: &mut Operation) {
        let required = parameter.required == Required::True;
        let place = match parameter.parameter_in {
            ParameterIn::Path => "path",
            ParameterIn::Header => "header",
            _ => "query",
        };
        let Some(schema) = &parameter.schema else { return };
        let mut fields = Vec::new();
        self.field(&parameter.name, required, schema, &mut fields);
        for mut field in fields {
            field.kind = format!("{place}, {}", field.kind);
            field.text = parameter.description.clone().unwrap_or(field.text);
            operation.parameters.push(field);
        }
        let example = self.resolve(schema).and_then(|schema| first_example(&json(schema)));
        let example = example.and_then(|example| example.as_str().map(str::to_owned)).unwrap_or_default();
        let example = utf8_percent_encode(&example, NON_ALPHANUMERIC).to_string();
        match parameter.parameter_in {
            ParameterIn::Path => {
                operation.example_path = operation.example_path.replace(&format!("{{{}}}", parameter.name), &example);
            }
            ParameterIn::Query if required => {
                operation.example_path = format!("{}?{}={example}", operation.example_path, parameter.name);
            }
            _ => {}
        }
    }

    fn response(&self, status: &str, response: &Response, operation: &mut Operation) {
        if !status.starts_with('2') {
            operation.errors.push((status.to_owned(), paragraphs(&response.description)));
            return;
        }
        for (media_type, content) in &response.content {
            if let RefOr::T(content) = content {
                operation.replies.push(Reply {
                    status: status.to_owned(),
                    text: response.description.clone(),
                    media_type: media_type.clone(),
                    fields: self.fields(content),
                    example: self.example(content).and_then(|example| serde_json::to_string_pretty(&example).ok()),
                });
            }
        }
    }

    fn resolve<'s>(&'s self, schema: &'s RefOr<Schema>) -> Option<&'s Schema> {
        match schema {
            RefOr::T(schema) => Some(schema),
            RefOr::Ref(reference) => {
                let name = reference.ref_location.rsplit('/').next()?;
                match self.0.schemas.get(name)? {
                    RefOr::T(schema) => Some(schema),
                    RefOr::Ref(_) => None,
                }
            }
        }
    }

    fn example(&self, content: &Content) -> Option<Value> {
        first_example(&json(self.resolve(content.schema.as_ref()?)?))
    }

    fn fields(&self, content: &Content) -> Vec<Field> {
        let mut fields = Vec::new();
        if let Some(schema) = content.schema.as_ref().and_then(|schema| self.resolve(schema)) {
            self.members("", schema, &mut fields);
        }
        fields
    }

    fn members(&self, prefix: &str, schema: &Schema, fields: &mut Vec<Field>) {
        if let Schema::Object(object) = schema {
            for (name, member) in &object.properties {
                self.field(&format!("{prefix}{name}"), object.required.contains(name), member, fields);
            }
        }
    }

    fn field(&self, name: &str, required: bool, schema: &RefOr<Schema>, fields: &mut Vec<Field>) {
        let Some(resolved) = self.resolve(schema) else { return };
        let said = match schema {
            RefOr::Ref(reference) if !reference.description.is_empty() => Some(reference.description.clone()),
            _ => None,
        };
        let (inner, choices) = self.choice(resolved);
        let value = json(inner);
        let outer = json(resolved);
        let text = said.or_else(|| text_of(&outer)).or_else(|| text_of(&value)).unwrap_or_default();
        let kind = choices.unwrap_or_else(|| kind_of(&value));
        fields.push(Field { name: name.to_owned(), required, kind, bounds: bounds(&value), text });
        match inner {
            Schema::Array(array) => {
                if let ArrayItems::RefOrSchema(item) = &array.items
                    && let Some(item) = self.resolve(item)
                {
                    self.members(&format!("{name}[]."), item, fields);
                }
            }
            Schema::Object(object) => match object.additional_properties.as_deref() {
                Some(AdditionalProperties::RefOr(RefOr::T(value))) => {
                    if let Some(last) = fields.last_mut() {
                        last.bounds.extend(bounds(&json(value)).into_iter().map(|bound| format!("each value {bound}")));
                    }
                }
                _ => self.members(&format!("{name}."), inner, fields),
            },
            _ => {}
        }
    }

    /// The one schema that `any of` comes to, and what its kinds are called.
    fn choice<'s>(&'s self, schema: &'s Schema) -> (&'s Schema, Option<String>) {
        let items = match schema {
            Schema::AnyOf(any) => &any.items,
            Schema::OneOf(one) => &one.items,
            _ => return (schema, None),
        };
        let resolved: Vec<_> = items.iter().filter_map(|item| self.resolve(item)).collect();
        let mut kinds: Vec<_> = resolved.iter().map(|schema| kind_of(&json(schema))).collect();
        kinds.dedup();
        (resolved.first().copied().unwrap_or(schema), Some(kinds.join(" or ")))
    }
}

fn scope(described: &Described) -> Option<String> {
    let requirements = serde_json::to_value(described.security.as_ref()?).ok()?;
    requirements.pointer("/0/api_key/0")?.as_str().map(str::to_owned)
}

fn json(schema: &Schema) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

fn first_example(schema: &Value) -> Option<Value> {
    schema.pointer("/examples/0").cloned()
}

fn text_of(schema: &Value) -> Option<String> {
    schema.get("description").and_then(Value::as_str).map(str::to_owned)
}

fn kind_of(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str).filter(|format| !format.starts_with("int"));
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        Some(Value::String(kind)) => kind.clone(),
        _ => String::new(),
    };
    match format {
        Some("date-time") => kind.replacen("string", "instant", 1),
        Some(format) => kind.replacen("string", format, 1),
        None => kind,
    }
}

/// The bounds of a schema in words.
fn bounds(schema: &Value) -> Vec<String> {
    let number = |name: &str| schema.get(name).and_then(Value::as_u64);
    let mut bounds = Vec::new();
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        bounds.push(match words.as_slice() {
            [one] => format!("only {one}"),
            words if words.len() <= LISTED_WORDS => format!("one of {}", words.join(", ")),
            words => format!("one of {} words", words.len()),
        });
    }
    let unit = if number("x-max-bytes").is_some() { "bytes" } else { "characters" };
    match (number("minLength"), number("maxLength")) {
        (Some(least), Some(most)) => bounds.push(format!("{least} to {most} {unit}")),
        (None, Some(most)) => bounds.push(format!("at most {most} {unit}")),
        _ => {}
    }
    let pattern = schema.get("pattern").and_then(Value::as_str);
    if let Some(pattern) = pattern.filter(|pattern| pattern.len() <= SHOWN_PATTERN) {
        bounds.push(format!("like {pattern}"));
    }
    if let Some(most) = number("maxProperties") {
        bounds.push(format!("at most {most} entries"));
    }
    if let Some(names) = schema.get("propertyNames") {
        bounds.extend(self::bounds(names).into_iter().map(|bound| format!("each name {bound}")));
    }
    bounds
}
