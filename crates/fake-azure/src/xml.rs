//! The little XML that the services read and write.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;

/// Starts every document that is written.
pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// Deepest nesting that is read; the documents of the services have three levels.
const MAX_DEPTH: usize = 16;

/// Escapes text for element content and attribute values. A carriage return is written as a reference, because
/// readers turn a plain one into a line feed.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\r' => escaped.push_str("&#xD;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// Whether XML 1.0 can carry the character at all, escaped or not.
pub(crate) fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The text of each leaf below the root element `root`, by element name; `None` when `body` is not such a
/// document.
pub(crate) fn leaves(body: &[u8], root: &str) -> Option<BTreeMap<String, String>> {
    Some(elements(body, root)?.into_iter().collect())
}

/// The blocks of a block list in order: where each is looked for, and its id.
pub(crate) fn block_list(body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut blocks = elements(body, "BlockList")?;
    blocks.retain(|(place, _)| matches!(place.as_str(), "Latest" | "Uncommitted" | "Committed"));
    Some(blocks)
}

/// The text of each element at or below `root`, in the order of their ends.
fn elements(body: &[u8], root: &str) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let mut leaves = Vec::new();
    let mut content = String::new();
    let mut seen_root = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                if open.is_empty() && (seen_root || name != root) || open.len() >= MAX_DEPTH {
                    return None;
                }
                seen_root = true;
                open.push(name);
                content.clear();
            }
            Event::Empty(empty) => {
                let name = empty.name().as_ref().to_owned();
                if open.is_empty() && (seen_root || name != root) {
                    return None;
                }
                seen_root = true;
                leaves.push((name, String::new()));
            }
            Event::End(_) => {
                leaves.push((open.pop()?, std::mem::take(&mut content)));
            }
            Event::Text(piece) => {
                if open.is_empty() && !piece.trim().is_empty() {
                    return None;
                }
                // XML turns the line ends of a document into line feeds before anyone sees them.
                content.push_str(&piece.replace("\r\n", "\n").replace('\r', "\n"));
            }
            Event::CData(piece) => content.push_str(&piece),
            Event::GeneralRef(reference) => content.push(resolve(&reference)?),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return None,
        }
    }
    (seen_root && open.is_empty() && leaves.iter().all(|(_, text)| text.chars().all(is_legal)))
        .then_some(leaves)
}

fn resolve(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = reference.strip_prefix('#')?;
            let code = match digits.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_escaping_and_reading() {
        let text = " <&>\"' \r\n]]> ü 🦀 ";
        let document = format!("{DECLARATION}<A><B>{}</B></A>", escape(text));
        assert_eq!(leaves(document.as_bytes(), "A").unwrap()["B"], text);
    }

    #[test]
    fn anything_else_than_the_expected_document_is_refused() {
        for wrong in [
            "",
            "text",
            "<B/>",
            "<A>",
            "<A></B>",
            "<A/><A/>",
            "<A>&undefined;</A>",
            "<A>&#1;</A>",
            "<!DOCTYPE A><A/>",
            "<A>\u{1}</A>",
        ] {
            assert_eq!(leaves(wrong.as_bytes(), "A"), None, "{wrong}");
        }
        assert_eq!(leaves(b"<A>\xff</A>", "A"), None);
    }
}
