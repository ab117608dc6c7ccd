"""Validates the example of every event type with its JSON Schema. `easel catalog` prints both.

Usage: schemas.py EASEL
"""

import json
import subprocess
import sys

from jsonschema import Draft202012Validator


def easel(*args):
    """Runs `easel catalog` and returns the printed JSON."""
    return json.loads(subprocess.check_output([sys.argv[1], "catalog", *args]))


def main():
    schemas = {schema["title"]: schema for schema in easel("*", "--schema")}
    accepted, rejected = 0, 0
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        example = easel(name, "--json")["example"]
        validator.validate(example)
        accepted += 1
        example["metadata"]["event_time"] = "noon"
        rejected += not validator.is_valid(example)
    print(f"{accepted} schemas accepted their examples and rejected {rejected} invalid examples")


if __name__ == "__main__":
    main()
