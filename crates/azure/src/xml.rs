//! Reads and writes the XML of the services: flat records in responses, one text in a request.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Maximum depth of elements. The services' documents are flatter.
const MAX_DEPTH: usize = 16;

/// The requested leaves, by their path below the root, or below the record.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// The text of the first leaf of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }
}

/// A document: its records, and the leaves outside of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) fields: Fields,
    pub(crate) records: Vec<Fields>,
}

/// The elements to keep. Others are skipped, so that a long listing needs little memory.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Shape {
    /// The name of the root. Another one is an error.
    pub(crate) root: &'static str,
    /// The path of the repeated element below the root; empty if there is none.
    pub(crate) record: &'static str,
    /// The paths of the leaves; relative to the record for leaves inside one.
    pub(crate) leaves: &'static [&'static str],
}

/// Parses a document of that shape. A byte order mark, comments, any order of elements and both forms of an empty
/// element are accepted. White space in a leaf is kept.
pub(crate) fn read(bytes: &[u8], shape: Shape) -> Result<Document, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "XML that is not UTF-8")?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut state = State { shape, ..State::default() };
    loop {
        match reader.read_event().map_err(|_| "malformed XML")? {
            Event::Start(start) => state.open(&start)?,
            Event::Empty(start) => {
                state.open(&start)?;
                state.close();
            }
            Event::End(_) => state.close(),
            Event::Text(part) => state.text(&part)?,
            Event::CData(part) => state.text(&part)?,
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|_| "malformed XML")? {
                Some(character) => state.text(character.encode_utf8(&mut [0; 4]))?,
                None => state.text(entity(&name)?)?,
            },
            Event::DocType(_) => return Err("XML with a document type"),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return state.end(),
        }
    }
}

fn entity(name: &str) -> Result<&'static str, &'static str> {
    Ok(match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => return Err("XML with an unknown entity"),
    })
}

#[derive(Default)]
struct State {
    shape: Shape,
    document: Document,
    /// Path below the root, with a slash before each name.
    path: String,
    /// The length of `path` before each open element; the root is the first.
    open_elements: Vec<usize>,
    /// The text of the innermost element, while it has no child.
    leaf: Option<String>,
    percent_encoded: bool,
    has_root: bool,
    in_record: bool,
}

impl State {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), &'static str> {
        let name = start.name();
        if self.open_elements.is_empty() {
            if self.has_root || name.as_ref() != self.shape.root {
                return Err("another document than expected");
            }
            self.has_root = true;
            self.open_elements.push(0);
        } else {
            if self.open_elements.len() >= MAX_DEPTH {
                return Err("XML that is nested too deeply");
            }
            self.open_elements.push(self.path.len());
            self.path.push('/');
            self.path.push_str(name.as_ref());
        }
        if !self.in_record && !self.shape.record.is_empty() && self.path_below_root() == self.shape.record {
            self.in_record = true;
            self.document.records.push(Fields::default());
        }
        // Names with characters that XML does not allow are percent-encoded and have this attribute.
        let attributes = start.attributes_raw();
        self.percent_encoded =
            ["Encoded=\"true\"", "Encoded='true'"].iter().any(|known| attributes.contains(known));
        self.leaf = Some(String::new());
        Ok(())
    }

    fn path_below_root(&self) -> &str {
        self.path.strip_prefix('/').unwrap_or(&self.path)
    }

    fn text(&mut self, part: &str) -> Result<(), &'static str> {
        if self.open_elements.is_empty() && !part.trim().is_empty() {
            return Err("text outside of the document");
        }
        if let Some(leaf) = &mut self.leaf {
            leaf.push_str(part);
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(text) = self.leaf.take() {
            self.keep(text);
        }
        if self.in_record && self.path_below_root() == self.shape.record {
            self.in_record = false;
        }
        if let Some(length) = self.open_elements.pop() {
            self.path.truncate(length);
        }
    }

    fn keep(&mut self, text: String) {
        let below = |path: &str| {
            if self.in_record { path.strip_prefix(self.shape.record)?.strip_prefix('/') } else { Some(path) }
                .and_then(|name| self.shape.leaves.iter().copied().find(|leaf| *leaf == name))
        };
        let Some(name) = below(self.path_below_root()) else { return };
        let text = if self.percent_encoded {
            percent_encoding::percent_decode_str(&text)
                .decode_utf8()
                .map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
        } else {
            text
        };
        let fields = match self.document.records.last_mut() {
            Some(record) if self.in_record => record,
            _ => &mut self.document.fields,
        };
        fields.0.push((name, text));
    }

    fn end(self) -> Result<Document, &'static str> {
        if !self.has_root {
            return Err("an empty document");
        }
        if self.open_elements.is_empty() { Ok(self.document) } else { Err("XML that breaks off") }
    }
}

/// Appends `text`, escaped as the content of an element, so that it is read back unchanged.
///
/// # Errors
/// The first character that XML 1.0 does not allow, even escaped.
pub(crate) fn push_escaped(escaped: &mut String, text: &str) -> Result<(), char> {
    // By bytes, because almost all text is copied as it is. `copied` is the end of what is in `escaped`.
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            // Unescaped, it would be read as a line feed.
            b'\r' => "&#xD;",
            // The first byte of U+F000 to U+FFFF.
            0xef => match text.get(at..).and_then(|rest| rest.chars().next()) {
                Some(character @ '\u{fffe}'..='\u{ffff}') => return Err(character),
                _ => continue,
            },
            b'\t' | b'\n' | b' '.. => continue,
            _ => return Err(char::from(byte)),
        };
        escaped.push_str(text.get(copied..at).unwrap_or_default());
        escaped.push_str(replacement);
        copied = at + 1;
    }
    escaped.push_str(text.get(copied..).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests;
