"""examples.py PASSES_TD KILN_OPT: runs the example of each pass, as its documentation states it.

A description holds "Example:", a block of MLIR, "becomes" and the block that the pass makes of it.
Both go through kiln-opt, the first with the pass, and must print the same. After "becomes, in part",
the lines of the second block must occur in the output, in order.
"""

import re
import subprocess
import sys

PASS = re.compile(r'^def \w+ : Pass<"([\w-]+)".*?^}', re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(
    r"Example:\s*```mlir\n(.*?)```\s*becomes(, in part)?:?\s*```mlir\n(.*?)```", re.DOTALL
)


def optimise(kilnOpt: str, module: str, *options: str) -> str:
    done = subprocess.run(
        [kilnOpt, "-", *options], input=module, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(options)} fails on\n{module}\n{done.stderr}")
    return done.stdout


def check(name: str, description: str, kilnOpt: str) -> None:
    example = EXAMPLE.search(description)
    if not example:
        sys.exit(f"{name} has no example")
    before, inPart, after = example.groups()
    got = optimise(kilnOpt, before, f"--{name}")
    if inPart:
        at = 0
        for line in filter(None, map(str.strip, after.splitlines())):
            at = got.find(line, at)
            if at < 0:
                sys.exit(f"{name}: the example's result has no line\n{line}\nbut is\n{got}")
            at += len(line)
    elif got != (expected := optimise(kilnOpt, after)):
        sys.exit(f"{name}: the example becomes\n{got}\nits documentation says\n{expected}")
    print(f"{name}: as documented")


def main(definitions: str, kilnOpt: str) -> None:
    passes = list(PASS.finditer(open(definitions).read()))
    if len(passes) < 8:
        sys.exit(f"{definitions} holds {len(passes)} passes: is its form another?")
    for found in passes:
        check(found.group(1), found.group(0), kilnOpt)


main(*sys.argv[1:])
