"""Prints the parse trees of the Bicep files that are named, as one JSON object by path."""

import json
import sys
from pathlib import Path

from pycep import BicepParser

parser = BicepParser()
trees = {path: parser.parse(text=Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:]}
json.dump(trees, sys.stdout, default=str)
