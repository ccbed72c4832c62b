use super::*;

const WHOLE: &str = r#"
spin_manifest_version = 2
[application]
name = "whole"
version = "1.0.0"
description = "d"
authors = ["a"]
[application.trigger.http]
base = "/"
[variables]
host = { default = "http://127.0.0.1:10000" }
key = { required = true, secret = true, description = "the key" }
[[trigger.http]]
id = "first"
route = "/t/:id/..."
component = "api"
executor = { type = "http" }
[[trigger.http]]
route = { private = true }
component = "worker"
[[trigger.http]]
id = "pages"
route = "/pages/..."
component = { source = "pages.wasm" }
[component.api]
source = "api.wasm"
description = "the API"
allowed_outbound_hosts = ["{{ host }}", "http://worker.spin.internal"]
variables = { key = "<{{ key }}>", plain = "x" }
environment = { A = "{{ not_a_template }}" }
files = [{ source = "web", destination = "/" }]
build = { command = "cargo build", workdir = ".", watch = ["src"] }
tool = { any = { thing = 1 } }
[component.worker]
source = "worker.wasm"
[component.worker.build]
command = ["one", "two"]
"#;

fn refusal(text: &str) -> String {
    Manifest::parse(text, PathBuf::from("/app")).unwrap_err()
}

#[test]
fn everything_that_spin_writes_is_read() {
    let manifest = Manifest::parse(WHOLE, PathBuf::from("/app")).unwrap();
    assert_eq!(manifest.name, "whole");
    assert_eq!(manifest.components.keys().collect::<Vec<_>>(), ["api", "pages-component", "worker"]);
    let api = &manifest.components["api"];
    assert_eq!(api.source, Path::new("/app/api.wasm"));
    assert_eq!(api.files, [Mount { source: "/app/web".into(), destination: "/".into() }]);
    assert_eq!(api.allowed_outbound_hosts.len(), 2);
    assert_eq!(api.variables["key"].variables().collect::<Vec<_>>(), ["key"]);
    assert_eq!(manifest.router.find("/t/7/x").unwrap().component, "api");
    assert_eq!(manifest.router.find("/worker"), None);
    assert_eq!(manifest.variables["key"].default, None);
}

#[test]
fn templates_work_only_in_variables_and_hosts() {
    let manifest = Manifest::parse(WHOLE, PathBuf::from("/app")).unwrap();
    assert_eq!(manifest.components["api"].environment["A"], "{{ not_a_template }}");
}

#[test]
fn unknown_key_is_refused_by_name() {
    for (from, to, key) in [
        ("spin_manifest_version = 2", "spin_manifest_version = 2\nspin_version = 1", "spin_version"),
        ("name = \"whole\"", "name = \"whole\"\nnames = 1", "names"),
        ("secret = true", "secret = true, hidden = true", "hidden"),
        ("id = \"first\"", "id = \"first\"\npath = \"/\"", "path"),
        ("description = \"the API\"", "descriptoin = \"the API\"", "descriptoin"),
        ("component = { source = \"pages.wasm\" }", "component = { source = \"p\", rout = 1 }", "rout"),
        ("workdir = \".\"", "workdirs = \".\"", "workdirs"),
        ("destination = \"/\"", "destination = \"/\", mode = 1", "mode"),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        let sentence = refusal(&WHOLE.replacen(from, to, 1));
        assert!(sentence.contains(key), "{key}: {sentence}");
    }
}

#[test]
fn unsupported_parts_of_spin_are_refused_with_the_reason() {
    for (line, sentence) in [
        (
            "key_value_stores = [\"default\"]",
            "key_value_stores is not supported: this host has no such store",
        ),
        (
            "sqlite_databases = [\"default\"]",
            "sqlite_databases is not supported: this host has no such store",
        ),
        ("ai_models = [\"m\"]", "ai_models is not supported: this host runs no models"),
        (
            "exclude_files = [\"x\"]",
            "exclude_files is not supported: name a folder that holds only what is wanted",
        ),
        ("allowed_http_hosts = [\"x\"]", "allowed_http_hosts is not supported: use allowed_outbound_hosts"),
        (
            "dependencies = { \"a:b\" = \"1\" }",
            "is not supported: this host has no registry, give a path or a component",
        ),
        (
            "dependencies = { \"a:b\" = { path = \"p\", component = \"api\" } }",
            "needs either a path or a component",
        ),
        ("dependencies = { \"a:b\" = { component = \"c\" } }", "is the component \"c\", which is not there"),
        ("profile = { debug = {} }", "profile is not supported: this host knows only the default profile"),
        ("files = [\"*.txt\"]", "is not supported: write { source = \"folder\", destination = \"/\" }"),
    ] {
        let text = WHOLE.replace("source = \"worker.wasm\"", &format!("source = \"worker.wasm\"\n{line}"));
        let refusal = refusal(&text);
        assert!(refusal.starts_with("component \"worker\": ") && refusal.ends_with(sentence), "{refusal}");
    }
    for (from, to, sentence) in [
        (
            "[[trigger.http]]\nid = \"first\"",
            "[[trigger.redis]]\n[[trigger.http]]\nid = \"first\"",
            "trigger.redis",
        ),
        ("type = \"http\"", "type = \"wagi\"", "the executor \"wagi\" is not supported"),
        ("source = \"worker.wasm\"", "source = { url = \"x\", digest = \"y\" }", "only a file is supported"),
    ] {
        let refusal = refusal(&WHOLE.replacen(from, to, 1));
        assert!(refusal.contains(sentence), "{refusal}");
    }
}

#[test]
fn contradictions_are_refused() {
    for (from, to, sentence) in [
        ("spin_manifest_version = 2", "spin_manifest_version = 1", "must be 2"),
        ("{ required = true,", "{", "needs either a default or required = true"),
        ("{ required = true,", "{ required = true, default = \"x\",", "needs either a default or required"),
        ("component = \"worker\"", "component = \"wroker\"", "\"wroker\", which is not there"),
        ("private = true", "private = false", "{ private = true }"),
        ("{ private = true }", "\"/t/:other/...\"", "match the same paths"),
        ("{{ key }}", "{{ kee }}", "uses the variable \"kee\", which is not in [variables]"),
        ("{{ host }}", "{{ host", "does not close it"),
        ("plain = \"x\"", "Plain = \"x\"", "may contain only lower-case"),
        ("plain = \"x\"", "plain_2 = \"x\"", "must have a letter after each underscore"),
        ("route = \"/pages/...\"", "route = \"pages\"", "must begin with /"),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        let refusal = refusal(&WHOLE.replacen(from, to, 1));
        assert!(refusal.contains(sentence), "{sentence}: {refusal}");
    }
}

#[test]
fn component_without_a_trigger_is_refused() {
    let refusal = refusal(&format!("{WHOLE}\n[component.lost]\nsource = \"lost.wasm\""));
    assert_eq!(refusal, "no trigger names the component \"lost\"");
}

#[test]
fn dependency_is_a_file_or_another_component_and_inherits_nothing_by_itself() {
    let text = WHOLE.replace(
        "source = \"worker.wasm\"",
        r#"source = "worker.wasm"
[component.worker.dependencies]
"a:b/c@0.1.0" = { path = "d/c.wasm", export = "x:y/z", inherit_configuration = ["files"] }
"a:d" = { component = "api" }
"a:e" = { component = "only", inherit_configuration = true }
[component.only]
source = "only.wasm"
"#,
    );
    let manifest = Manifest::parse(&text, PathBuf::from("/app")).unwrap();
    assert!(!manifest.components.contains_key("only"));
    let [c, d, e] = &manifest.components["worker"].dependencies[..] else { panic!("not three") };
    assert_eq!((c.source.as_path(), c.export.as_deref()), (Path::new("/app/d/c.wasm"), Some("x:y/z")));
    assert!(c.inherits.includes("files") && !c.inherits.includes("variables"));
    assert_eq!((d.source.as_path(), d.inherits.includes("files")), (Path::new("/app/api.wasm"), false));
    assert_eq!((e.source.as_path(), e.inherits.includes("files")), (Path::new("/app/only.wasm"), true));
}

#[test]
fn inheritance_is_written_for_the_component_or_for_each_dependency() {
    let dependencies = "\ndependencies = { \"a:b\" = { path = \"p\", inherit_configuration = true } }";
    let both = format!("source = \"worker.wasm\"\ndependencies_inherit_configuration = true{dependencies}");
    let refusal = refusal(&WHOLE.replace("source = \"worker.wasm\"", &both));
    assert!(refusal.ends_with("and the component both say what is inherited"), "{refusal}");
    let one = both.replace(", inherit_configuration = true", "");
    let manifest =
        Manifest::parse(&WHOLE.replace("source = \"worker.wasm\"", &one), PathBuf::from("/app")).unwrap();
    assert_eq!(manifest.components["worker"].dependencies[0].inherits, Inherited::All);
}
