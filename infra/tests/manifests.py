"""Prints the documents of the YAML files that are named, and what their kinds' schemas find wrong, as JSON."""

import json
import sys
from pathlib import Path

import jsonschema
import yaml

kinds = json.loads(Path("infra/tests/schemas/kinds.json").read_text(encoding="utf-8"))
documents, errors = [], []
for path in sys.argv[1:]:
    for document in yaml.safe_load_all(Path(path).read_text(encoding="utf-8")):
        kind = f"{document.get('apiVersion')} {document.get('kind')}"
        documents.append({"path": path, "kind": kind, "document": document})
        if kind not in kinds["$defs"]:
            errors.append(f"{path}: there is no schema for {kind}")
            continue
        schema = {
            "$defs": kinds["$defs"],
            "allOf": [{"$ref": f"#/$defs/{kind.replace('/', '~1').replace(' ', '%20')}"}],
            "required": ["apiVersion", "kind", "metadata"],
            "additionalProperties": False,
            "properties": {"apiVersion": True, "kind": True, "metadata": {"$ref": "#/$defs/metadata"}, "spec": True},
        }
        validator = jsonschema.Draft202012Validator(schema)
        for error in validator.iter_errors(document):
            errors.append(f"{path}: {error.json_path}: {error.message}")
json.dump({"documents": documents, "errors": errors}, sys.stdout, default=str)
