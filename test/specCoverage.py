"""Checks that docs/spec.md and the operations agree.

usage: specCoverage.py ROOT
Every operation of ir/Elementwise.def, of the table in ir/ShapeRules.cpp and of ir/KilnOps.td has its
section or its row in a table, and no other has one; labels count C1, C2, … without a gap. Prints one line
for each difference; exit code 1 if there is one.
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])


def text(path):
    return (root / path).read_text(encoding="utf-8")


elementwise = set(re.findall(r"^KILN_(?:UNARY|BINARY)\((\w+),", text("ir/Elementwise.def"), re.M))
ruled = set(re.findall(r'^\s*\{"(\w+)", \{\{', text("ir/ShapeRules.cpp"), re.M)) | elementwise
dialect = set(re.findall(r'^def Kiln_\w+Op : [\w_]+<"(\w+)"', text("ir/KilnOps.td"), re.M))

spec = text("docs/spec.md")
rows = set()
for row in re.findall(r"^\| ((?:`\w+` ?)+)\| (?:Float|Number|Bits|Predicate) \|", spec, re.M):
    rows |= set(re.findall(r"`(\w+)`", row))
sections = dict(re.findall(r"^## (.+?)$(.*?)(?=^#|\Z)", spec, re.M | re.S))
named = {title for title in sections if re.fullmatch(r"[a-z_0-9]+", title)}

differences = []
if rows != elementwise:
    differences.append(f"rows of elementwise operations: {sorted(rows ^ elementwise)}")
if dialect != ruled | {"fusion", "yield", "launch"}:
    differences.append(f"the dialect and the shape rules: {sorted(dialect ^ ruled)}")
if named != dialect - elementwise:
    differences.append(f"sections: {sorted(named ^ (dialect - elementwise))}")
for title, body in sections.items():
    labels = []
    for label in re.findall(r"^- \*\*C(\d+)\*\*", body, re.M):
        if int(label) not in labels:
            labels.append(int(label))
    first = 0 if title == "Constraints of all operations" else 1
    if labels != list(range(first, first + len(labels))):
        differences.append(f"{title}: labels {labels}")

for difference in differences:
    print(f"docs/spec.md: {difference}")
if not differences:
    print(f"docs/spec.md has all {len(dialect)} operations")
sys.exit(bool(differences))
