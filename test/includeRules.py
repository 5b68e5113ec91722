"""Checks the #include lines of the tree against the table "folder | may include" of CONTRIBUTING.md.

usage: includeRules.py ROOT | includeRules.py --self-test
Prints one line for each violation; exit code 1 if there is one.
"""

import pathlib
import re
import sys
import tempfile

# What an #include line can name, as prefixes of the path below the repository root. The public headers of
# runtime and frontend share the prefix kiln/ in a line; they are told apart by where the file lies.
MLIR = ("mlir/", "llvm/ADT/", "llvm/Support/")  # MLIR's interface is made of LLVM's support library
LLVM = ("llvm/", "llvm-c/")
GRAPH = ("ir/Graph", "ir/ShapeRules", "ir/Elementwise.def")
LIBRARIES = ("dlpack/", "fmt/", "nlohmann/", "oneapi/", "tbb/", "xxhash.h")
EVERYTHING = ("",)

# The first matching rule counts: (files it is about, what they may include beside the standard library).
RULES = [
    # Installed: a user of the package has the standard library and these headers, nothing else.
    ("runtime/include/", ("runtime/include/",)),
    ("frontend/include/", ("runtime/include/", "frontend/include/")),
    ("runtime/", ("runtime/",) + LIBRARIES),
    ("ir/Graph", ("runtime/include/",) + GRAPH + LIBRARIES),
    ("ir/ShapeRules", ("runtime/include/",) + GRAPH + LIBRARIES),
    # The interpreter decodes packed weights with the decoder of the runtime: the one that is tested.
    ("ir/InterpreterPacked", ("runtime/include/", "runtime/quantization/", "ir/")),
    ("ir/", ("runtime/include/", "ir/") + LIBRARIES + MLIR),
    ("passes/", ("runtime/include/", "runtime/Abi.h", "ir/", "passes/") + MLIR),
    ("codegen/", ("runtime/include/", "runtime/Artifact.h", "runtime/Assembly.h", "runtime/Interpretation.h", "runtime/Abi.h",
                  "runtime/cpu/HostCpu.h", "ir/", "passes/", "codegen/") + MLIR + LLVM),
    # codegen/Compiler.h declares the doors and names neither MLIR nor LLVM.
    ("frontend/", ("runtime/", "frontend/", "codegen/Compiler.h") + GRAPH + LIBRARIES),
    # Examples are programs of users.
    ("docs/", ("runtime/include/", "frontend/include/", "docs/examples/")),
    ("tools/", EVERYTHING),
    ("test/", EVERYTHING),
]
SOURCES = {".h", ".cpp", ".c", ".hpp", ".cc", ".inc", ".def"}
PUBLIC = ("runtime/include/", "frontend/include/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def rule_for(path):
    for prefix, allowed in RULES:
        if path.startswith(prefix):
            return allowed
    return None


def resolve(root, source, name, angled):
    """The path that an include line means: below the root where it is ours, else as written."""
    for base in ("", *PUBLIC):
        if (root / base / name).is_file():
            return base + name
    if not angled and (source.parent / name).is_file():
        return (source.parent / name).resolve().relative_to(root.resolve()).as_posix()
    return name


def is_standard(name):
    """<vector>, <dlfcn.h>, <sys/mman.h>: the standard library and the system's own headers."""
    return (name.startswith(("sys/", "linux/", "asm/")) or
            "/" not in name and not name.startswith(("cuda", "nccl")) and name not in LIBRARIES)


def violations(root):
    for source in sorted(root.rglob("*")):
        path = source.relative_to(root).as_posix()
        top = path.split("/")[0]
        if top.startswith((".", "build")) or source.suffix not in SOURCES or not source.is_file():
            continue
        allowed = rule_for(path)
        if allowed is None:
            yield f"{path}: the folder has no rule in test/includeRules.py"
            continue
        for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            angled, name = match[1] == "<", match[2]
            if angled and is_standard(name):
                continue
            target = resolve(root, source, name, angled)
            if not target.startswith(allowed):
                yield f"{path}:{number}: may not include {target}"


def self_test():
    """Plants one violation of each kind beside lines that are allowed, and expects just the violations."""
    files = {
        "runtime/include/kiln/Dim.h": "#include <vector>\n",
        "runtime/include/kiln/Bad.h": "#include <fmt/format.h>\n",
        "runtime/Buffer.cpp": '#include "kiln/Dim.h"\n#include <sys/mman.h>\n#include <xxhash.h>\n',
        "runtime/Bad.cpp": '#include "ir/Graph.h"\n',
        "frontend/include/kiln/kiln.h": '#include "kiln/Dim.h"\n',
        "frontend/Bad.cpp": '#include "mlir/IR/Builders.h"\n#include "ir/Graph.h"\n',
        "ir/Graph.h": '#include "kiln/Dim.h"\n',
        "ir/GraphBad.cpp": '#  include "llvm/ADT/SmallVector.h"\n',
        "ir/Ops.cpp": '#include "mlir/IR/Builders.h"\n#include "ir/KilnOps.h.inc"\n',
        "ir/Bad.cpp": '#include <kiln/kiln.h>\n',
        "passes/Bad.cpp": '#include "llvm/IR/Module.h"\n#include "mlir/Pass/Pass.h"\n',
        "codegen/Emit.cpp": '#include "llvm/IR/Module.h"\n#include "runtime/Artifact.h"\n',
        "codegen/Bad.cpp": '#include "runtime/Buffer.h"\n',
        "tools/kiln-opt.cpp": '#include "passes/Passes.h"\n',
        "extras/Bad.cpp": "#include <vector>\n",
        "build/ignored/Bad.cpp": '#include "llvm/IR/Module.h"\n',
    }
    expected = {"runtime/include/kiln/Bad.h", "runtime/Bad.cpp", "frontend/Bad.cpp", "ir/GraphBad.cpp",
                "ir/Bad.cpp", "passes/Bad.cpp", "codegen/Bad.cpp", "extras/Bad.cpp"}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = [line.split(":")[0] for line in violations(root)]
    if sorted(found) != sorted(expected):
        print(f"self-test: found {sorted(found)}, expected {sorted(expected)}")
        return 1
    print(f"self-test: all {len(expected)} planted violations were found, and nothing else")
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "every #include line keeps to the rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
