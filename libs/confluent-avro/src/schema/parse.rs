//! Parses a schema's JSON into types (Avro specification 1.12, "Schema Declaration" and "Names").

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    Decimal, Enum, Field, Fixed, FixedLogical, IntLogical, LongLogical, MAX_TYPES, ParseError, Record, Type,
    TypeId, Unit, summary,
};

type Object = Map<String, Value>;

/// All types, and the number of the outermost one. The names of types in `referenced` are known.
pub(super) fn parse(json: &Value, referenced: &[Value]) -> Result<(Vec<Type>, TypeId), ParseError> {
    let mut parser = Parser::default();
    for other in referenced {
        parser.resolve(other, None)?;
    }
    let root = parser.resolve(json, None)?;
    Ok((parser.types, root))
}

#[derive(Default)]
struct Parser {
    types: Vec<Type>,
    /// Named types by full name, including those whose fields are still being parsed.
    named: HashMap<String, TypeId>,
    /// The same without their namespaces, as some libraries write names; `None` if several share one.
    short: HashMap<String, Option<TypeId>>,
}

fn not_avro(text: impl Into<String>) -> ParseError {
    ParseError::NotAvro(text.into())
}

impl Parser {
    /// Recurses as deep as the JSON, which serde_json limits to 128 levels.
    fn resolve(&mut self, json: &Value, namespace: Option<&str>) -> Result<TypeId, ParseError> {
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.object(object, namespace),
            _ => Err(not_avro(format!("expected a type, found {}", summary(json)))),
        }
    }

    fn add(&mut self, of: Type) -> Result<TypeId, ParseError> {
        if self.types.len() >= MAX_TYPES {
            return Err(ParseError::TooLarge);
        }
        self.types.push(of);
        Ok(TypeId(self.types.len() - 1))
    }

    fn by_name(&mut self, name: &str, namespace: Option<&str>) -> Result<TypeId, ParseError> {
        if let Some(primitive) = primitive(name) {
            return self.add(primitive);
        }
        let full = qualified(name, namespace);
        match self.named.get(&full).or_else(|| self.named.get(name)) {
            Some(id) => Ok(*id),
            None => match self.short.get(name) {
                Some(Some(id)) => Ok(*id),
                _ => Err(not_avro(format!("no type is named {full:?}"))),
            },
        }
    }

    /// Later uses of a name mean the type that was declared last.
    fn declare(&mut self, name: String, id: TypeId) {
        let short = name.rsplit('.').next().unwrap_or_default().to_owned();
        let is_again = self.named.contains_key(&name);
        let known = self.short.entry(short).or_insert(Some(id));
        match known {
            Some(other) if *other != id && !is_again => *known = None,
            Some(other) => *other = id,
            None => {}
        }
        self.named.insert(name, id);
    }

    fn union(&mut self, branches: &[Value], namespace: Option<&str>) -> Result<TypeId, ParseError> {
        let mut ids = Vec::with_capacity(branches.len());
        for branch in branches {
            if branch.is_array() {
                return Err(not_avro("a union is a branch of a union"));
            }
            ids.push(self.resolve(branch, namespace)?);
        }
        let mut names = HashSet::new();
        for id in &ids {
            let name = self.types.get(id.0).map_or("", Type::branch_name);
            if !names.insert(name) {
                return Err(not_avro(format!("a union has two branches of type {name:?}")));
            }
        }
        self.add(Type::Union(ids))
    }

    fn object(&mut self, object: &Object, namespace: Option<&str>) -> Result<TypeId, ParseError> {
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(inner) => return self.resolve(inner, namespace),
            None => return Err(not_avro("a type has no \"type\"")),
        };
        let logical = object
            .get("logicalType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let of = match name {
            "int" => Type::Int(match logical {
                "date" => IntLogical::Date,
                "time-millis" => IntLogical::TimeMillis,
                _ => IntLogical::None,
            }),
            "long" => Type::Long(match logical {
                "time-micros" => LongLogical::TimeMicros,
                "timestamp-millis" => LongLogical::Timestamp(Unit::Millis),
                "timestamp-micros" => LongLogical::Timestamp(Unit::Micros),
                "timestamp-nanos" => LongLogical::Timestamp(Unit::Nanos),
                "local-timestamp-millis" => LongLogical::LocalTimestamp(Unit::Millis),
                "local-timestamp-micros" => LongLogical::LocalTimestamp(Unit::Micros),
                "local-timestamp-nanos" => LongLogical::LocalTimestamp(Unit::Nanos),
                _ => LongLogical::None,
            }),
            "bytes" => Type::Bytes(decimal(object, logical)),
            "array" => Type::Array(self.resolve(member(object, "items")?, namespace)?),
            "map" => Type::Map(self.resolve(member(object, "values")?, namespace)?),
            "record" | "error" | "enum" | "fixed" => return self.named(name, object, namespace),
            name => return self.by_name(name, namespace),
        };
        self.add(of)
    }

    fn named(&mut self, kind: &str, object: &Object, namespace: Option<&str>) -> Result<TypeId, ParseError> {
        let name = full_name(object, namespace)?;
        let bad = |what: &str| not_avro(format!("{name:?}: {what}"));
        match kind {
            "enum" => {
                let symbols = member(object, "symbols")?
                    .as_array()
                    .ok_or_else(|| bad("symbols is not a list"))?;
                let text = |symbol: &Value| -> Result<Box<str>, ParseError> {
                    let symbol = symbol.as_str().ok_or_else(|| bad("a symbol is not a string"))?;
                    Ok(symbol.into())
                };
                let symbols: Arc<[Box<str>]> = symbols.iter().map(text).collect::<Result<_, _>>()?;
                let mut positions = HashMap::new();
                for (position, symbol) in symbols.iter().enumerate() {
                    if positions.insert(symbol.to_string(), position).is_some() {
                        return Err(bad(&format!("two symbols are {symbol:?}")));
                    }
                }
                let id = self.add(Type::Enum(Enum {
                    name: name.clone(),
                    symbols,
                    positions,
                }))?;
                self.declare(name, id);
                Ok(id)
            }
            "fixed" => {
                let size = member(object, "size")?
                    .as_u64()
                    .and_then(|size| usize::try_from(size).ok())
                    .ok_or_else(|| bad("size is not a number"))?;
                let id = self.add(Type::Fixed(Fixed {
                    name: name.clone(),
                    size,
                    logical: fixed_logical(object, size),
                }))?;
                self.declare(name, id);
                Ok(id)
            }
            _ => {
                // Its own fields can refer to it.
                let id = self.add(Type::Record(Record {
                    name: name.clone(),
                    fields: Vec::new(),
                    required: HashMap::new(),
                }))?;
                self.declare(name.clone(), id);
                let fields = self.fields(object, &name)?;
                let required = fields
                    .iter()
                    .map(|field| (field.name.clone(), field.default.is_none()))
                    .collect();
                if let Some(place) = self.types.get_mut(id.0) {
                    *place = Type::Record(Record {
                        name,
                        fields,
                        required,
                    });
                }
                Ok(id)
            }
        }
    }

    fn fields(&mut self, object: &Object, full: &str) -> Result<Vec<Field>, ParseError> {
        let bad = |what: &str| not_avro(format!("{full:?}: {what}"));
        let namespace = full.rsplit_once('.').map(|(namespace, _)| namespace);
        let list = member(object, "fields")?
            .as_array()
            .ok_or_else(|| bad("fields is not a list"))?;
        let mut fields = Vec::with_capacity(list.len());
        let mut names = HashSet::new();
        for json in list {
            let object = json.as_object().ok_or_else(|| bad("a field is not an object"))?;
            let name = member(object, "name")?.as_str().unwrap_or_default();
            if name.is_empty() {
                return Err(bad("a field has no name"));
            }
            if !names.insert(name) {
                return Err(bad(&format!("two fields are named {name:?}")));
            }
            fields.push(Field {
                name: name.to_owned(),
                of: self.resolve(member(object, "type")?, namespace)?,
                default: object.get("default").cloned(),
            });
        }
        Ok(fields)
    }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int(IntLogical::None),
        "long" => Type::Long(LongLogical::None),
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes(None),
        "string" => Type::String,
        _ => return None,
    })
}

fn decimal(object: &Object, logical: &str) -> Option<Decimal> {
    let number = |key: &str| {
        object
            .get(key)
            .map(|value| value.as_u64().and_then(|n| usize::try_from(n).ok()))
    };
    let precision = number("precision")??;
    let scale = match number("scale") {
        None => 0,
        Some(scale) => scale?,
    };
    let is_whole = logical == "decimal" && precision > 0 && scale <= precision;
    is_whole.then_some(Decimal { precision, scale })
}

fn fixed_logical(object: &Object, size: usize) -> FixedLogical {
    match object.get("logicalType").and_then(Value::as_str) {
        Some("duration") if size == 12 => FixedLogical::Duration,
        Some("uuid") if size == 16 => FixedLogical::Uuid,
        Some("decimal") => decimal(object, "decimal").map_or(FixedLogical::None, FixedLogical::Decimal),
        _ => FixedLogical::None,
    }
}

fn member<'j>(object: &'j Object, key: &str) -> Result<&'j Value, ParseError> {
    object
        .get(key)
        .ok_or_else(|| not_avro(format!("a type or field has no {key:?}")))
}

fn qualified(name: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) if !name.contains('.') => format!("{namespace}.{name}"),
        _ => name.to_owned(),
    }
}

/// The full name of a named type (Avro specification, "Names"): a name with dots is already full.
pub(crate) fn full_name(object: &Object, enclosing: Option<&str>) -> Result<String, ParseError> {
    let name = member(object, "name")?.as_str().unwrap_or_default();
    let namespace = object
        .get("namespace")
        .and_then(Value::as_str)
        .or(enclosing)
        .filter(|namespace| !namespace.is_empty());
    let full = qualified(name, namespace);
    if name.is_empty() {
        Err(not_avro("a named type has no name"))
    } else {
        Ok(full)
    }
}

/// Avro's rule for names, plus what real schemas use (letters of other alphabets, `-`).
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
