use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// One JSON value, kept as compact text so that numbers of any size and the order of members survive.
///
/// Two values are equal when they are equal as parsed JSON; spelling and member order do not count.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Takes JSON text; insignificant white space is dropped.
    ///
    /// # Errors
    /// When the text is not one JSON value, or nests deeper than 127 levels.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        // Parsing as a value applies the depth limit, so that later comparisons cannot fail.
        serde_json::from_slice::<Value>(text.as_bytes())?;
        RawValue::from_string(compact(text)).map(Self)
    }

    /// The compact JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The parsed value; `null` stands for text that does not parse, which [`Json::parse`] excludes.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(self.0.get().as_bytes()).unwrap_or(Value::Null)
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self(serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get() || self.value() == other.value()
    }
}

impl std::fmt::Debug for Json {
    /// The size only: inputs and results are the caller's data and do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Json({} bytes)", self.get().len())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

/// Drops white space outside strings. The text is known to be JSON.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}
