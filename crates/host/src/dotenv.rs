//! `.env` files: `NAME=value` lines beside the manifest.

use std::collections::BTreeMap;

/// Reads the text of a `.env` file.
///
/// A value is plain, in single quotes (taken as it is) or in double quotes (`\n`, `\r`, `\t`, `\"`,
/// `\\`, `\$`). `export` before a name and `#` comments are allowed. Spin also puts other variables in the
/// place of `$NAME`; that is refused here, so that a file means the same on both.
///
/// # Errors
/// A sentence with the line number; it never quotes the value.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or_else(|| format!("line {number} has no ="))?;
        let name = name.trim();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(format!("line {number} does not begin with a name"));
        }
        let value = read_value(value.trim_start()).map_err(|reason| format!("line {number} {reason}"))?;
        values.entry(name.to_owned()).or_insert(value);
    }
    Ok(values)
}

fn read_value(text: &str) -> Result<String, &'static str> {
    const SUBSTITUTION: &str = "has a $, which Spin takes for a substitution: use single quotes";
    if let Some(quoted) = text.strip_prefix('\'') {
        let (value, rest) = quoted.split_once('\'').ok_or("has no closing '")?;
        return only_comment(rest).map(|()| value.to_owned());
    }
    let Some(quoted) = text.strip_prefix('"') else {
        let value = match text.find(" #") {
            Some(comment) => text.get(..comment).unwrap_or(text),
            None => text,
        };
        return if value.contains('$') { Err(SUBSTITUTION) } else { Ok(value.trim_end().to_owned()) };
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return only_comment(characters.as_str()).map(|()| value),
            '$' => return Err(SUBSTITUTION),
            '\\' => value.push(match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other @ ('"' | '\\' | '$' | '\'')) => other,
                _ => return Err("has an unknown escape"),
            }),
            other => value.push(other),
        }
    }
    Err("has no closing \"")
}

fn only_comment(rest: &str) -> Result<(), &'static str> {
    let rest = rest.trim();
    if rest.is_empty() || rest.starts_with('#') { Ok(()) } else { Err("goes on after the closing quote") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_quoted_and_exported_values_are_read() {
        let text =
            "# note\n\nA=1\nexport B = two words # note\nC='$x # y'\nD=\"a\\nb\\\"\" # note\nE=\nF=a=b;c==\n";
        let values = parse(text).unwrap();
        let expected =
            [("A", "1"), ("B", "two words"), ("C", "$x # y"), ("D", "a\nb\""), ("E", ""), ("F", "a=b;c==")];
        assert_eq!(values.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(values[name], value, "{name}");
        }
    }

    #[test]
    fn the_first_of_two_lines_with_one_name_counts() {
        assert_eq!(parse("A=1\nA=2").unwrap()["A"], "1");
    }

    #[test]
    fn unclear_lines_are_refused_without_showing_the_value() {
        for text in
            ["secret", "=secret", "A='secret", "A=\"secret", "A=$secret", "A=\"\\qsecret\"", "A='x'secret"]
        {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("line 1 "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
