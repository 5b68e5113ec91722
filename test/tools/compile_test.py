"""Runs kiln-compile: objects that C programs link, several sizes, weights, mistakes.

$KILN_BIN is the folder of the programs (default: build/bin), $CC the C compiler (default: cc).
"""
from __future__ import annotations

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from tiny_model import write_safetensors

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("KILN_BIN", HERE.parents[1] / "build/bin"))
CC = os.environ.get("CC", "cc")

ROWS = "tensor<?x3xf32, #kiln.dims<rows, 3>>"
RESULT = "tensor<?x2xf32, #kiln.dims<rows, 2>>"
INDICES = "tensor<?xi64, #kiln.dims<rows>>"
# relu(table[indices] . weight^T + bias), twice the same function for x and for 2 x.
MODEL = f"""module @net attributes {{kiln.constraints = [{{between = array<i64: 1, 5>, dim = #kiln.dims<rows>}}]}} {{
  func.func @main(%indices: {INDICES} {{kiln.name = "argument 0", kiln.role = "argument"}},
                  %table: tensor<4x3xf32> {{kiln.name = "table", kiln.role = "weight"}},
                  %weight: tensor<2x3xf32> {{kiln.name = "dense.weight", kiln.role = "weight"}},
                  %bias: tensor<2xf32> {{kiln.name = "dense.bias", kiln.role = "weight"}}) -> ({RESULT}, {RESULT}) {{
    %x = kiln.gather %table[%indices] axis 0 : (tensor<4x3xf32>, {INDICES}) -> {ROWS}
    %double = kiln.add %x, %x : {ROWS}
    %y = call @dense(%x, %weight, %bias) : ({ROWS}, tensor<2x3xf32>, tensor<2xf32>) -> {RESULT}
    %z = call @dense(%double, %weight, %bias) : ({ROWS}, tensor<2x3xf32>, tensor<2xf32>) -> {RESULT}
    return %y, %z : {RESULT}, {RESULT}
  }}
  func.func private @dense(%x: {ROWS}, %weight: tensor<2x3xf32> {{kiln.role = "weight"}},
                           %bias: tensor<2xf32> {{kiln.role = "weight"}}) -> {RESULT} {{
    %t = kiln.permute %weight [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
    %w = kiln.matmul %x, %t : ({ROWS}, tensor<3x2xf32>) -> {RESULT}
    %y = kiln.add %w, %bias : ({RESULT}, tensor<2xf32>) -> {RESULT}
    %z = kiln.relu %y : {RESULT}
    return %z : {RESULT}
  }}
}}
"""
TABLE = [[1.0, 2.0, 3.0], [-1.0, 0.5, 0.25], [0.0, 4.0, -2.0], [8.0, -8.0, 1.0]]
WEIGHT = [[1.0, 2.0, -1.0], [-2.0, 0.5, 4.0]]
BIAS = [0.5, -3.0]
WEIGHTS = {"table": ("F32", [4, 3], sum(TABLE, [])), "dense.weight": ("F32", [2, 3], sum(WEIGHT, [])),
           "dense.bias": ("F32", [2], BIAS), "unused": ("F64", [1], [1.0])}

PROGRAM = """#include "net.h"
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  char message[256];
  net *model;
  int64_t indices[16];
  float y[32], z[32];
  int status = net_open(argv[1], 2, &model, message, sizeof message);
  if (status != NET_OK) {
    fprintf(stderr, "%s\\n", message);
    return 10 + status;
  }
  net_sizes sizes = {argc - 2};
  for (int i = 2; i < argc; ++i)
    indices[i - 2] = atoll(argv[i]);
  status = net_run(model, sizes, indices, y, z, message, sizeof message);
  if (status == NET_OK)
    for (int i = 0; i < 2 * (argc - 2); ++i)
      printf("%.9g %.9g\\n", y[i], z[i]);
  else
    fprintf(stderr, "%s\\n", message);
  net_close(model);
  return status == NET_OK ? 0 : 10 + status;
}
"""


def run(*command) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(MODEL.splitlines(), 1) if text in line)


def dense(row: list[float]) -> list[float]:
    return [max(0.0, sum(x * w for x, w in zip(row, weights, strict=True)) + bias) for weights, bias in zip(WEIGHT, BIAS, strict=True)]


class CompileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kiln-compile-test-")
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)
        self.weights = self.work / "net.safetensors"
        write_safetensors(self.weights, WEIGHTS)

    def write(self, text: str) -> pathlib.Path:
        path = self.work / "net.mlir"
        path.write_text(text)
        return path

    def compile(self, *arguments, text: str = MODEL, output: str = "net.o") -> None:
        result = run(BIN / "kiln-compile", self.write(text), "-o", self.work / output, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout + result.stderr, "")

    def bad(self, *arguments, says: str) -> None:
        """It must fail with exit code 2 and one line that holds `says`, and write nothing."""
        result = run(BIN / "kiln-compile", *arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("kiln-compile: "), result.stderr)
        self.assertIn(says, result.stderr)
        self.assertNotIn(".cpp", result.stderr)
        self.assertEqual({path.suffix for path in self.work.iterdir()} - {".mlir", ".safetensors"}, set())

    def bad_text(self, text: str, says: str) -> None:
        path = self.write(text)
        self.bad(path, "-o", self.work / "net.o", "--weights", self.weights, says=says)

    def program(self) -> pathlib.Path:
        source = self.work / "use.c"
        source.write_text(PROGRAM)
        built = run(CC, "-std=c99", "-Wall", "-Wextra", "-Werror", "-I", self.work, source, self.work / "net.o",
                    "-nodefaultlibs", "-lm", "-lpthread", "-lc", "-o", self.work / "use")
        self.assertEqual(built.returncode, 0, built.stderr)
        return self.work / "use"

    def test_a_c_program_computes_what_the_text_says(self):
        for target in ("x86-64", "native"):
            self.compile("--weights", self.weights, "--target", target)
            program = self.program()
            for indices in ([2], [0, 1, 2], [3, 3, 0, 1, 2]):
                result = run(program, self.work / "net.weights", *indices)
                self.assertEqual(result.returncode, 0, result.stderr)
                got = [[float(word) for word in line.split()] for line in result.stdout.splitlines()]
                rows = [TABLE[index] for index in indices]
                expected = [[y, z] for row in rows for y, z in zip(dense(row), dense([2 * x for x in row]), strict=True)]
                self.assertEqual(got, expected)  # small numbers: exact
            bad = run(program, self.work / "net.weights", *[0] * 6)
            self.assertEqual(bad.returncode, 12)
            self.assertIn("size rows: expected 1 to 5, got 6", bad.stderr)
            bad = run(program, self.work / "net.weights", 0, 4)
            self.assertEqual(bad.returncode, 13)
            self.assertIn("index 4 at position 1 is out of range [0, 4)", bad.stderr)
            self.assertIn(f"(at net.mlir:{line_of('kiln.gather')})", bad.stderr)

    def test_timing(self):
        result = run(BIN / "kiln-compile", self.write(MODEL), "-o", self.work / "net.o", "--weights", self.weights, "--timing")
        self.assertEqual(result.returncode, 0, result.stderr)
        for phase in ("fuse", "lower", "machine code", "in all"):
            self.assertRegex(result.stderr, rf"(?m)^{phase} +[0-9.]+ ms")

    def test_several_targets_share_what_they_read_alike(self):
        self.compile("--weights", self.weights, "--target", "x86-64-v2,x86-64-v3", "--target", "native", "--target", "avx2")
        header = (self.work / "net.h").read_text()
        native = re.search(r"Has code for (.*), x86-64-v3, x86-64; net_open", header).group(1)
        self.assertRegex(native, r"^x86-64-v[34]\+|^x86-64-v4")
        program = self.program()
        result = run(program, self.work / "net.weights", 2)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([[float(word) for word in line.split()] for line in result.stdout.splitlines()],
                         [[y, z] for y, z in zip(dense(TABLE[2]), dense([2 * x for x in TABLE[2]]), strict=True)])
        several = (self.work / "net.weights").stat().st_size
        self.compile("--weights", self.weights, "--target", "x86-64")
        single = (self.work / "net.weights").stat().st_size
        # The table and the bias are there once.
        self.assertLess(several, 3 * single)

    def test_no_code_for_this_cpu(self):
        targets = ["x86-64-v4+amx-tile", "x86-64-v4+amx-int8"]
        flags = pathlib.Path("/proc/cpuinfo").read_text().split()
        if "amx_tile" in flags:
            self.skipTest("this CPU has AMX")
        self.compile("--weights", self.weights, "--target", targets[0])
        bad = run(self.program(), self.work / "net.weights", 1)
        self.assertEqual(bad.returncode, 16)
        self.assertRegex(bad.stderr, r"^\[net\] this CPU has no \S+, which the code for x86-64-v4\+amx-tile needs\n$")
        self.compile("--weights", self.weights, "--target", ",".join(targets))
        bad = run(self.program(), self.work / "net.weights", 1)
        self.assertEqual(bad.returncode, 16)
        self.assertRegex(bad.stderr, r"needs; that for others needs more\n$")
        # With one that fits it runs.
        self.compile("--weights", self.weights, "--target", ",".join([*targets, "x86-64"]))
        good = run(self.program(), self.work / "net.weights", 1)
        self.assertEqual(good.returncode, 0, good.stderr)

    def test_the_name_is_the_object_s_or_the_one_given(self):
        self.compile("--weights", self.weights, "--name", "net", output="other.o")
        self.assertEqual({path.name for path in self.work.iterdir()},
                         {"net.mlir", "net.safetensors", "other.o", "net.h", "net.weights"})
        symbols = run("nm", "-g", "--defined-only", self.work / "other.o").stdout
        self.assertIn(" net_call\n", symbols)
        self.bad_name = self.work / "two words.o"
        result = run(BIN / "kiln-compile", self.work / "net.mlir", "-o", self.bad_name, "--weights", self.weights)
        self.assertEqual(result.returncode, 2)
        self.assertIn('name "two words": expected a name of C', result.stderr)

    def test_no_weights_are_needed_where_there_are_none(self):
        type_ = "tensor<?xf32, #kiln.dims<n>>"
        self.compile(text=f"""func.func @main(%x: {type_} {{kiln.role = "argument"}}) -> {type_} {{
          %y = kiln.relu %x : {type_}
          return %y : {type_} }}""")
        self.assertIn("int64_t n;", (self.work / "net.h").read_text())

    def test_bad_text_names_line_and_column(self):
        self.bad_text("module {\n  func.func @main( {\n", "net.mlir:2:")
        self.bad_text(MODEL.replace("kiln.relu", "kiln.nothing"), f"net.mlir:{line_of('kiln.relu')}:")
        self.bad_text(MODEL.replace("kiln.add %x, %x", "kiln.add %x, %bias"), f"net.mlir:{line_of('kiln.add')}:")
        self.bad_text("", "expected a function @main")
        self.bad_text("\0\xff", "net.mlir:1:")
        self.bad_text(MODEL.replace('"argument 0", kiln.role = "argument"', '"argument 0"'), "argument 0 of @main: expected kiln.role")
        self.bad_text(MODEL.replace('kiln.name = "table", ', ""), "weight 1 of @main has no kiln.name")
        self.bad_text(MODEL.replace("between = array<i64: 1, 5>", "multiple_of = 0 : i64"), "multiple of 0")
        self.bad_text(MODEL.replace("call @dense(%x", "call @main(%x"), "net.mlir:")
        recursive = MODEL.replace("%z = kiln.relu %y : " + RESULT,
                                  "%z = call @dense(%x, %weight, %bias) : (" + ROWS + ", tensor<2x3xf32>, tensor<2xf32>) -> " + RESULT)
        self.assertNotEqual(recursive, MODEL)
        self.bad_text(recursive, "expected calls in @main alone")
        self.bad_text(MODEL.replace('"table", kiln.role', '"table", kiln.device = "gpu:0", kiln.role'), "another device")
        linear = "kiln.linear %x, weights(%weight) : (" + ROWS + ", tensor<2x3xf32>) -> " + RESULT
        self.bad_text(MODEL.replace(f"kiln.matmul %x, %t : ({ROWS}, tensor<3x2xf32>) -> {RESULT}", linear),
                      f"net.mlir:{line_of('kiln.matmul')}:10: 'kiln.linear' is no operation of a model")
        x = "tensor<3xf32>"
        self.bad_text(f"""func.func @main() -> {x} {{
  %x = kiln.constant dense_resource<__elided__> : {x}
  return %x : {x} }}""", "net.mlir:2:")

    def test_hostile_text_is_refused(self):
        """What MLIR's parser would follow until the stack is full, and what would fill the memory."""
        deep = 100_000
        argument = "func.func @main(%x: "
        for text in ("func.func @main() -> " + "(" * deep, argument + "tuple<" * deep, "module {" * deep,
                     "module attributes {a = " + "[" * deep + "]" * deep + "} {}",
                     "module attributes {a = affine_map<(d0) -> (" + "(" * deep,
                     "module {} loc(" + "callsite(" * deep, argument + "() -> (" * deep,
                     "module attributes {a = dense<" + "[" * deep + "> : tensor<1xi32>} {}",
                     # what closes something else opens nothing
                     argument + "(>}]" * deep):
            self.bad_text(text, "nested more than 128 deep")
        self.bad_text("module attributes {a = affine_map<(d0) -> (" + "- " * deep + "d0)>} {}", "more than 128 minus signs")
        aliases = "#a0 = [1]\n" + "".join(f"#a{i + 1} = [#a{i}]\n" for i in range(deep))
        self.bad_text(aliases, "net.mlir:33:1: more than 32 aliases")
        self.bad_text(aliases.replace("#", "!"), "net.mlir:33:1: more than 32 aliases")
        self.bad_text("//" + "(" * deep + '\nmodule attributes {kiln.a = "' + "(" * deep + '\\"(("} {}', "expected a function @main")
        for sizes in ("99999999999", "4294967296x4294967296"):
            self.bad_text(f"""func.func @main() -> tensor<{sizes}xf32> {{
  %x = kiln.constant dense<0.0> : tensor<{sizes}xf32>
  return %x : tensor<{sizes}xf32> }}""", "net.mlir")

    def test_bad_weights_are_named(self):
        model = self.write(MODEL)

        def fails(says: str, **changes):
            entries = {**WEIGHTS, **{name.replace("_", "."): entry for name, entry in changes.items()}}
            write_safetensors(self.weights, {name: entry for name, entry in entries.items() if entry})
            self.bad(model, "-o", self.work / "net.o", "--weights", self.weights, says=says)

        fails('there is no weight "dense.bias" [2] f32', dense_bias=None)
        fails('weight "table": expected [4, 3] f32, got [3, 4] f32', table=("F32", [3, 4], [0.0] * 12))
        fails('weight "dense.bias": expected [2] f32, got [2] f64', dense_bias=("F64", [2], [0.0] * 2))
        self.bad(model, "-o", self.work / "net.o", says='--weights: the model has weights, the first of them "table" [4, 3] f32')
        self.weights.write_bytes(b"short")
        self.bad(model, "-o", self.work / "net.o", "--weights", self.weights, says="net.safetensors")

    def test_bad_command_lines(self):
        model = self.write(MODEL)
        self.bad(model, says="--output")
        self.bad("-o", self.work / "net.o", says="model")
        self.bad(self.work / "nowhere.mlir", "-o", self.work / "net.o", says="nowhere.mlir: No such file")
        self.bad(self.work, "-o", self.work / "net.o", says="Is a directory")
        self.bad(model, "-o", self.work / "net.o", "--weights", self.weights, "--target", "pdp-11", says="pdp-11")
        self.bad(model, "-o", self.work / "net.o", "--weights", self.weights, "--target", "native,pdp-11", says="pdp-11")
        self.bad(model, "-o", self.work / "net.o", "--weights", self.weights, "--target", "amx+quantum", says="unknown feature 'quantum'")
        self.bad(model, "-o", self.work / "no/net.o", "--weights", self.weights, says="No such file")
        help_ = run(BIN / "kiln-compile", "--help")
        self.assertEqual(help_.returncode, 0)
        self.assertIn("name lines of the text", help_.stdout)


if __name__ == "__main__":
    unittest.main()
