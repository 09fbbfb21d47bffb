"""Prints the queries of Grafana dashboards and of the alerts in documentation, one a line.

Variables of Grafana become what they stand for in the test.
"""

import json
import re
import sys


def panels(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


for path in sys.argv[1:]:
    text = open(path, encoding="utf-8").read()
    if path.endswith(".json"):
        board = json.loads(text)
        found = [target["expr"] for panel in panels(board) for target in panel.get("targets", [])]
    else:
        found = re.findall(r"^ +expr: (.*)$", text, re.M)
    for query in found:
        print(re.sub(r"\$__rate_interval|\$\w+", lambda m: "1m" if "interval" in m[0] else ".*", query))
