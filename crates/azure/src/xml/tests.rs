use proptest::prelude::*;

use super::*;

const LIST: Shape =
    Shape { root: "List", record: "Items/Item", leaves: &["Name", "Properties/Size", "Next", "Text"] };

fn record(inner: &str) -> Fields {
    let document = read(format!("<List><Items><Item>{inner}</Item></Items></List>").as_bytes(), LIST);
    document.unwrap().records.remove(0)
}

#[test]
fn records_and_other_fields_are_separated_in_any_order() {
    let xml = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<List Service=\"x\"><Next>abc</Next>\
        <!-- c --><Items>\n <Item><Name>a</Name><Properties><Size>7</Size><Other/></Properties></Item>\
        <Item><Properties><Size>8</Size></Properties><Name>b</Name></Item></Items><Name>outer</Name></List>\n";
    let document = read(xml.as_bytes(), LIST).unwrap();
    assert_eq!(document.fields.get("Next"), Some("abc"));
    assert_eq!(document.fields.get("Name"), Some("outer"));
    let seen: Vec<_> = document.records.iter().map(|r| (r.get("Name"), r.get("Properties/Size"))).collect();
    assert_eq!(seen, [(Some("a"), Some("7")), (Some("b"), Some("8"))]);
}

#[test]
fn list_is_empty_in_both_forms_of_an_empty_element() {
    for xml in ["<List/>", "<List></List>", "<List><Items/></List>", "<List>\n<Items>\n</Items>\n</List>"] {
        assert_eq!(read(xml.as_bytes(), LIST).unwrap().records.len(), 0, "{xml}");
    }
}

#[test]
fn entities_and_cdata_become_text_and_white_space_is_kept() {
    let fields =
        record("<Text> &lt;a b=&quot;c&quot;&gt;&amp;&apos;\n\t&#13;&#x41;<![CDATA[<&amp;>]]> </Text>");
    assert_eq!(fields.get("Text"), Some(" <a b=\"c\">&'\n\t\rA<&amp;> "));
    assert_eq!(record("<Text/>").get("Text"), Some(""));
    assert_eq!(record("<Text></Text>").get("Text"), Some(""));
    assert_eq!(record("").get("Text"), None);
}

#[test]
fn name_marked_as_percent_encoded_is_decoded() {
    assert_eq!(record("<Name Encoded=\"true\">a%EF%BF%BEb</Name>").get("Name"), Some("a\u{fffe}b"));
    assert_eq!(record("<Name>a%20b</Name>").get("Name"), Some("a%20b"));
}

#[test]
fn unexpected_document_is_an_error() {
    for xml in [
        "",
        "   ",
        "busy",
        "<html><body>502</body></html>",
        "<List><Items>",
        "<List></Items></List>",
        "<List/><List/>",
        "<List/>trailing",
        "<!DOCTYPE List [<!ENTITY a \"b\">]><List>&a;</List>",
        "<List>&unknown;</List>",
        "<List>a & b</List>",
    ] {
        assert!(read(xml.as_bytes(), LIST).is_err(), "{xml}");
    }
    assert!(read(&[0xff, 0xfe, 0x00], LIST).is_err());
    assert!(read("<List>".repeat(100_000).as_bytes(), LIST).is_err());
}

fn escape(text: &str) -> Result<String, char> {
    let mut escaped = String::new();
    push_escaped(&mut escaped, text).map(|()| escaped)
}

#[test]
fn text_invalid_in_xml_is_refused() {
    for character in ['\0', '\u{1}', '\u{8}', '\u{b}', '\u{c}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
        assert_eq!(escape(&format!("a{character}b")), Err(character));
    }
    assert_eq!(
        escape("\u{7f}\u{80}\u{85}\u{2028}\u{fdd0}"),
        Ok("\u{7f}\u{80}\u{85}\u{2028}\u{fdd0}".to_owned())
    );
    assert_eq!(escape("a\r\n<&>\"'"), Ok("a&#xD;\n&lt;&amp;&gt;\"'".to_owned()));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, LIST);
        let wrapped = [b"<List><Items><Item><Name>", &bytes[..], b"</Name></Item></Items></List>"].concat();
        let _ = read(&wrapped, LIST);
    }

    #[test]
    fn almost_xml_never_panics(xml in "(<|>|/|&|;|#|List|Item|Items|\\]\\]>|<!\\[CDATA\\[|<!--|-->|\"|=| |x|\u{e9}){0,60}") {
        let _ = read(xml.as_bytes(), LIST);
        let _ = read(format!("<List>{xml}</List>").as_bytes(), LIST);
    }

    #[test]
    fn escaped_text_is_read_back_unchanged(text in any::<String>()) {
        if let Ok(escaped) = escape(&text) {
            let fields = record(&format!("<Text>{escaped}</Text>"));
            prop_assert_eq!(fields.get("Text"), Some(text.as_str()));
        }
    }
}
