"""Holds the example of every event type against its JSON Schema, as printed by `easel catalog`.

Usage: schemas.py EASEL
"""

import json
import subprocess
import sys

from jsonschema import Draft202012Validator


def easel(*args):
    """What the command prints, as JSON."""
    return json.loads(subprocess.check_output([sys.argv[1], "catalog", *args]))


def main():
    schemas = {schema["title"]: schema for schema in easel("*", "--schema")}
    taken, refused = 0, 0
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        example = easel(name, "--json")["example"]
        validator.validate(example)
        taken += 1
        example["metadata"]["event_time"] = "noon"
        refused += not validator.is_valid(example)
    print(f"{taken} schemas took their examples and refused {refused} changed ones")


if __name__ == "__main__":
    main()
