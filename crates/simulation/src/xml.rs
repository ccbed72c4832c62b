//! The texts of XML elements, for requests to storage and its responses.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

/// The texts of all elements `name` without child elements in `xml`, in order. Reading ends where `xml` is not
/// well-formed.
#[must_use]
pub fn texts(xml: &[u8], name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(xml) = std::str::from_utf8(xml) else { return found };
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) if start.name().as_ref() == name => {
                let Ok(raw) = reader.read_text(start.name()) else { break };
                let Ok(text) = unescape(&raw) else { break };
                found.push(text.into_owned());
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    found
}

/// The text of the first element `name`; empty when there is none.
#[must_use]
pub fn text(xml: &[u8], name: &str) -> String {
    texts(xml, name).into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_is_read_back() {
        let xml = b"<A><B>1 &lt; 2 &amp;&#x20;3</B><B/><B>x</B></A>";
        assert_eq!(texts(xml, "B"), ["1 < 2 & 3", "x"]);
        assert_eq!(text(xml, "B"), "1 < 2 & 3");
        assert_eq!(text(b"<A><B>", "B"), "");
    }
}
