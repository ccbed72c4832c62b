//! `docs/logging.md` lists every log message of the programs, with its level and fields.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Tree;

const DOCUMENT: &str = "docs/logging.md";
const LEVELS: [&str; 3] = ["info", "warn", "error"];

/// A message by its component and text.
type Key = (String, String);

/// What the source says about a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Empty when the level is computed.
    levels: BTreeSet<String>,
    /// Fields that are added where the message is written. Others may be added elsewhere.
    fields: BTreeSet<String>,
}

/// Compares the tables of the document with the source.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let document = tree.files.get(DOCUMENT).and_then(Option::as_deref).unwrap_or_default();
    let messages = messages(tree);
    let names = literals(tree);
    let documented = rows(document, 5);
    let fields: BTreeSet<_> =
        rows(document, 2).iter().filter_map(|cells| cells.first()).flat_map(|cell| codes(cell)).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for cells in documented {
        let [message, component, level, row_fields, _] = &cells[..] else { continue };
        let Some(message) = code(message) else { continue };
        let key = (component.clone(), message.clone());
        if !seen.insert(key.clone()) {
            wrong.push(format!("{DOCUMENT} lists `{message}` of {component} twice"));
        }
        let Some(found) = messages.get(&key) else {
            wrong.push(format!("{DOCUMENT} lists `{message}`, which {component} does not log"));
            continue;
        };
        let levels: Vec<_> = found.levels.iter().map(String::as_str).collect();
        let listed: BTreeSet<_> = level.split(", ").map(str::to_owned).collect();
        let is_known = listed.iter().all(|level| LEVELS.contains(&level.as_str()));
        if !is_known || !levels.is_empty() && listed != found.levels {
            let levels = levels.join(", ");
            wrong.push(format!("{DOCUMENT}: the level of `{message}` is {levels}, not {level}"));
        }
        let row_fields: BTreeSet<_> = codes(row_fields).collect();
        for field in found.fields.difference(&row_fields) {
            wrong.push(format!("{DOCUMENT}: the row of `{message}` lacks the field `{field}`"));
        }
        for field in row_fields.difference(&fields) {
            wrong.push(format!("{DOCUMENT} does not explain the field `{field}` of `{message}`"));
        }
    }
    for (component, message) in messages.keys().filter(|key| !seen.contains(*key)) {
        wrong.push(format!("{DOCUMENT} has no row for `{message}`, which {component} logs"));
    }
    let unused = fields.iter().filter(|field| !names.contains(*field));
    wrong
        .extend(unused.map(|field| format!("{DOCUMENT} explains the field `{field}`, which does not exist")));
    wrong
}

/// The cells of the document's table rows that have this many columns.
fn rows(document: &str, columns: usize) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let inner = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
    };
    document.lines().filter_map(cells).filter(|cells| cells.len() == columns).collect()
}

/// The text between back-ticks if a cell has nothing else.
fn code(cell: &str) -> Option<String> {
    Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned())
}

/// The texts between back-ticks of a list.
fn codes(cell: &str) -> impl Iterator<Item = String> {
    cell.split(", ").filter_map(code)
}

/// Source files of programs that ship, with their component, without their test modules.
fn sources(tree: &Tree) -> impl Iterator<Item = (&str, &'static str, &str)> {
    tree.text(&[".rs"]).filter_map(|(path, text)| {
        let (folder, _) = path.split_once("/src/")?;
        let component = match folder {
            "crates/launcher" => "launcher",
            "crates/api" => "API",
            "crates/worker" => "worker",
            "crates/service" | "crates/storage" | "crates/guest" => "API and worker",
            _ => return None,
        };
        let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        Some((path, component, own))
    })
}

/// Every string literal that could be the name of a field.
fn literals(tree: &Tree) -> BTreeSet<String> {
    let report = tree.text(&["models/src/drain.rs"]).map(|(_, text)| text);
    let texts = sources(tree).map(|(_, _, text)| text).chain(report);
    texts.flat_map(|text| text.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Every message that is written as a literal, to `Line` or to a function that passes it on to `Line`.
fn messages(tree: &Tree) -> BTreeMap<Key, Found> {
    let mut messages: BTreeMap<Key, Found> = BTreeMap::new();
    let mut helpers: BTreeMap<(&str, &str), Found> = BTreeMap::new();
    for (_, component, text) in sources(tree) {
        for (at, _) in text.match_indices("Line::") {
            let Some((kind, rest)) = text.get(at + "Line::".len()..).and_then(|rest| rest.split_once('('))
            else {
                continue;
            };
            if kind != "new" && !LEVELS.contains(&kind) {
                continue;
            }
            let Some((arguments, _)) = parenthesised(rest) else { continue };
            let (function, body) = enclosing(text, at);
            let mut levels: BTreeSet<_> = LEVELS
                .into_iter()
                .filter(|level| body.contains(&format!("level = Level::{}", capital(level))))
                .map(str::to_owned)
                .collect();
            if kind != "new" {
                levels.insert(kind.to_owned());
            }
            let found = Found { levels, fields: added(body) };
            let entry = match literal(arguments) {
                Some(message) => messages.entry((component.to_owned(), message)).or_default(),
                None => helpers.entry((component, function)).or_default(),
            };
            entry.levels.extend(found.levels);
            entry.fields.extend(found.fields);
        }
    }
    for (_, component, text) in sources(tree) {
        for ((_, function), found) in helpers.iter().filter(|((of, _), _)| *of == component) {
            for (at, call) in text.match_indices(&format!("{function}(")) {
                let is_other = text.get(..at).is_some_and(|before| {
                    before.ends_with("fn ") || before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                let arguments = text.get(at + call.len()..).and_then(parenthesised);
                let Some(message) =
                    arguments.filter(|_| !is_other).and_then(|(arguments, _)| literal(arguments))
                else {
                    continue;
                };
                let entry = messages.entry((component.to_owned(), message)).or_default();
                entry.levels.extend(found.levels.iter().cloned());
                entry.fields.extend(found.fields.iter().cloned());
            }
        }
    }
    messages
}

/// The text up to the parenthesis that closes, and what follows it. Parentheses in literals do not count.
fn parenthesised(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut in_literal, mut escaped) = (1usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_literal => escaped = true,
            '"' => in_literal = !in_literal,
            '(' if !in_literal => depth += 1,
            ')' if !in_literal => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(..at)?, text.get(at + 1..)?));
        }
    }
    None
}

/// The first argument that is a string literal.
fn literal(arguments: &str) -> Option<String> {
    let mut rest = arguments;
    loop {
        let trimmed = rest.trim_start();
        if let Some(inner) = trimmed.strip_prefix('"') {
            return inner.split_once('"').map(|(text, _)| text.to_owned());
        }
        let at = trimmed.find([',', '('])?;
        rest = trimmed.get(at + 1..)?;
        if trimmed.get(at..)?.starts_with('(') {
            rest = parenthesised(rest)?.1.split_once(',')?.1;
        }
    }
}

/// The names of the fields that are added here.
fn added(body: &str) -> BTreeSet<String> {
    let arguments = body.split(".with(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    arguments.filter_map(|rest| rest.split_once('"')).map(|(field, _)| field.to_owned()).collect()
}

/// The name of the function that `at` is in, and its text from there on to the next line that it logs.
fn enclosing(text: &str, at: usize) -> (&str, &str) {
    let (before, behind) = text.split_at(at);
    let name = before.rsplit("fn ").next().and_then(|rest| rest.split(['(', '<']).next()).unwrap_or_default();
    let end = ["Line::", "\nfn ", " fn "]
        .iter()
        .filter_map(|end| behind.match_indices(end).find(|(at, _)| *at > 0));
    let end = end.map(|(at, _)| at).min().unwrap_or(behind.len());
    (name, behind.get(..end).unwrap_or_default())
}

fn capital(level: &str) -> String {
    let (first, rest) = level.split_at(1);
    format!("{}{rest}", first.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
fn accept() {
    env.log(&Line::info("accepted (new)").with("task_id", id.to_string()).with("count", n(1)));
    let mut line = Line::info("ended");
    line.level = Level::Warn;
}

fn note(what: &'static str, error: &Error) {
    let line = if error.passes() { Line::warn(what) } else { Line::error(what) };
    log(&line.with("cause", error.to_string()));
}

fn fail() {
    self.note("failed", &error);
    engine::note(engine(1), "failed again", &error);
    Line::new(level, "refused").with("status", 1);
}
"#;

    fn wrong(rows: &[&str]) -> Vec<String> {
        let fields = "| `task_id` | x |\n| `count` | x |\n| `status` | x |\n| `cause` | x |\n";
        let document = format!("{fields}{}", rows.join("\n"));
        let source = format!("{SOURCE}#[cfg(test)]\nmod tests {{ Line::info(\"only in a test\") }}");
        check(&Tree::of(&[(DOCUMENT, &document), ("crates/worker/src/a.rs", &source)]))
    }

    const ROWS: [&str; 5] = [
        "| `accepted (new)` | worker | info | `task_id`, `count` | x |",
        "| `ended` | worker | info, warn | | x |",
        "| `failed` | worker | warn, error | `cause` | x |",
        "| `failed again` | worker | warn, error | `cause` | x |",
        "| `refused` | worker | error | `status` | x |",
    ];

    #[test]
    fn complete_table_is_accepted() {
        assert_eq!(wrong(&ROWS), Vec::<String>::new());
    }

    #[test]
    fn missing_and_surplus_rows_are_named() {
        let sentences = wrong(&ROWS[1..]);
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        assert!(sentences[0].contains("no row for `accepted (new)`"));
        let sentences = wrong(&[&ROWS[..], &["| `gone` | worker | info | | x |"]].concat());
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        assert!(sentences[0].contains("lists `gone`, which worker does not log"));
        assert!(wrong(&[&ROWS[..], &ROWS[..1]].concat())[0].contains("twice"));
    }

    #[test]
    fn wrong_levels_and_fields_are_named() {
        for (row, expected) in [
            ("| `ended` | worker | info | | x |", "the level of `ended` is info, warn"),
            ("| `failed` | worker | warn, error | | x |", "lacks the field `cause`"),
            ("| `refused` | worker | loud | `status` | x |", "the level of `refused`"),
            (
                "| `refused` | worker | error | `status`, `made_up` | x |",
                "does not explain the field `made_up`",
            ),
        ] {
            let others = ROWS.iter().filter(|other| other.split('`').nth(1) != row.split('`').nth(1));
            let sentences = wrong(&others.copied().chain([row]).collect::<Vec<_>>());
            assert_eq!(sentences.len(), 1, "{row}: {sentences:?}");
            assert!(sentences[0].contains(expected), "{sentences:?}");
        }
    }
}
