"""opsCoverage.py SOURCE_DIR: namespace kiln::ops, in Graph.h, has every operation of Ops.h.

Operations there are functions of namespace kiln that give tensors or a truth.
"""

import pathlib
import re
import sys

DECLARATION = re.compile(
    r"^(?:inline |template <[^>]*> )*(?:Tensor|bool|std::(?:vector|pair|tuple|array)<[^;{]*?>)\s+(\w+)\(",
    re.MULTILINE,
)


def namesIn(text: str) -> set[str]:
    return set(DECLARATION.findall(text))


def main(source: str) -> None:
    headers = pathlib.Path(source) / "frontend/include/kiln"
    functions = namesIn((headers / "Ops.h").read_text())
    if len(functions) < 50:
        sys.exit(f"Ops.h declares {len(functions)} operations: is its form another?")
    graph = (headers / "Graph.h").read_text()
    inOps = graph[graph.index("namespace ops {") :]
    known = set(re.findall(r"kiln::(\w+)\s*[,;]", inOps)) | namesIn(inOps)
    missing = sorted(functions - known)
    if missing:
        sys.exit(f"namespace ops in Graph.h lacks {', '.join(missing)}")
    print(f"{len(functions)} operations")


main(*sys.argv[1:])
