//! `.env` files: `NAME=value` lines beside the manifest, read by the crate that Spin reads them with.

use std::collections::BTreeMap;

/// Reads the text of a `.env` file. Of two lines with one name the last counts. `${NAME}` outside single quotes stands
/// for a variable of this process, an earlier line, or nothing.
///
/// # Errors
/// A sentence that says after which name the unreadable line stands; it never quotes a line.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut place = "the first line".to_owned();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        // The error itself quotes the line.
        let (name, value) = line.map_err(|_| format!("{place} is not NAME=value, quoted where needed"))?;
        place = format!("the line after {name}");
        values.insert(name, value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_quoted_and_exported_values_are_read() {
        let text = "# note\n\nA=1\nexport B = 'two words' # note\nC='$x # y'\nD=\"a\\nb\\\"\" # note\nE=\nF=a=b;c==\n";
        let values = parse(text).unwrap();
        let expected =
            [("A", "1"), ("B", "two words"), ("C", "$x # y"), ("D", "a\nb\""), ("E", ""), ("F", "a=b;c==")];
        assert_eq!(values.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(values[name], value, "{name}");
        }
    }

    #[test]
    fn last_line_of_a_name_counts_and_names_are_replaced() {
        let values =
            parse("DOTENV_TEST_A=1\nDOTENV_TEST_A=2\nB=<${DOTENV_TEST_A}>\nC=<${DOTENV_TEST_NONE}>").unwrap();
        assert_eq!([&values["DOTENV_TEST_A"], &values["B"], &values["C"]], ["2", "<2>", "<>"]);
    }

    #[test]
    fn unreadable_line_is_refused_without_its_text() {
        for line in ["secret", "=secret", "B='secret", "B=\"secret", "B=two secrets", "B=\"\\qsecret\""] {
            assert_eq!(parse(line).unwrap_err(), "the first line is not NAME=value, quoted where needed");
            let error = parse(&format!("A=1\n{line}")).unwrap_err();
            assert_eq!(error, "the line after A is not NAME=value, quoted where needed");
        }
    }
}
