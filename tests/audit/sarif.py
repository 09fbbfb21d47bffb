#!/usr/bin/env python3
"""Holds `natssl audit --format sarif` against the SARIF 2.1.0 schema.

    tests/audit/sarif.py NATSSL SCHEMA CONFIGURATION...

SCHEMA is OASIS' sarif-schema-2.1.0.json (github.com/oasis-tcs/sarif-spec, sarif-2.1/schema); it is
not part of this repository. Needs python3-jsonschema.
"""
import json
import subprocess
import sys

from jsonschema import Draft4Validator, FormatChecker


def main():
    natssl, schema, *files = sys.argv[1:]
    with open(schema, encoding="utf-8") as text:
        validator = Draft4Validator(json.load(text), format_checker=FormatChecker())
    wrong = 0
    for file in files:
        for profiles in [[], ["--profile", "cnsa-2.0", "--profile", "mozilla-modern", "--host"]]:
            command = [natssl, "audit", "-c", file, "--format", "sarif", *profiles]
            output = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            log = json.loads(output.stdout)
            errors = list(validator.iter_errors(log))
            results = log["runs"][0]["results"]
            print(f"{file} {' '.join(profiles)}: {len(results)} results, {len(errors)} errors")
            for error in errors:
                print(f"  {'/'.join(map(str, error.path))}: {error.message}")
            wrong += len(errors)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
