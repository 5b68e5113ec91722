"""close.py BEFORE AFTER: two outputs of --kiln-interpret hold the same numbers.

Passes may round elsewhere (a bias is added before a sum is rounded), so numbers may differ by 1e-5
of their size; a NaN has to stay one. Everything else is compared as text.
"""

import math
import re
import sys

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)", re.IGNORECASE)


def close(x: float, y: float) -> bool:
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    return x == y or abs(x - y) <= 1e-5 * max(1, abs(x), abs(y))


def main(paths: list[str]) -> None:
    texts = [open(path).read() for path in paths]
    if "result 0:" not in texts[0]:
        sys.exit(f"{paths[0]} holds no results")
    if NUMBER.sub("#", texts[0]) != NUMBER.sub("#", texts[1]):
        sys.exit(f"results of other shapes:\n{texts[0]}\n{texts[1]}")
    for x, y in zip(*(NUMBER.findall(text) for text in texts)):
        if not close(float(x), float(y)):
            sys.exit(f"{x} became {y}:\n{texts[0]}\n{texts[1]}")


main(sys.argv[1:])
