"""Asks kiln-bench, over its protocol, for cases with small weights, and checks what it computes."""
from __future__ import annotations

import json
import math
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from tiny_model import TinyModel, read_safetensors, write_safetensors

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("KILN_BIN", HERE.parents[1] / "build/bin"))


def matmul(x, w, b):
    return [[sum(p * q for p, q in zip(r, o)) + c for o, c in zip(w, b)] for r in x]


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kiln-bench-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.random = random.Random(3)
        self.tensors = {}

    def matrix(self, name, *shape):
        """Makes a tensor of random float32 values; returns its rows, or its values if it has one axis."""
        values = [struct.unpack("f", struct.pack("f", self.random.gauss(0, 0.5)))[0] for _ in range(math.prod(shape))]
        self.tensors[name] = ("F32", list(shape), values)
        return values if len(shape) == 1 else [values[i : i + shape[1]] for i in range(0, len(values), shape[1])]

    def write(self, name):
        write_safetensors(self.folder / name, self.tensors)
        self.tensors = {}

    def ask(self, case, dtype, requests):
        """The program's answers, the first of which says that it is ready."""
        text = "".join(json.dumps(r) + "\n" for r in requests)
        result = subprocess.run([BIN / "kiln-bench", case, dtype, self.folder], input=text, capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertIs(answers[0]["ready"], True)
        self.assertGreater(answers[0]["compile_s"], 0)
        return answers[1:]

    def check(self, case, shape, expected):
        """Saved results must be `expected`, rows of float64, within the precision of each dtype."""
        path = self.folder / "out"
        largest = max(abs(v) for row in expected for v in row)
        for dtype, tolerance in (("f32", 1e-5), ("bf16", 2e-2)):
            with self.subTest(f"{case} {dtype}"):
                saved, timed = self.ask(case, dtype, [{"shape": shape, "save": str(path)}, {"shape": shape, "seconds": 0.01}])
                self.assertEqual(saved, {"saved": True})
                ((name, (out_dtype, out_shape, values)),) = read_safetensors(path).items()
                self.assertEqual((name, out_dtype), ("out", "F32"))
                flat = [v for row in expected for v in row]
                self.assertEqual(math.prod(out_shape), len(flat))
                self.assertEqual(out_shape[-1], len(expected[0]))
                self.assertLess(max(abs(a - b) for a, b in zip(values, flat)), tolerance * largest)
                self.assertGreaterEqual(timed["calls"], 1)
                self.assertLessEqual(timed["min_us"], timed["median_us"])

    def test_linear(self):
        w, b = self.matrix("weight", 5, 7), self.matrix("bias", 5)
        self.write("weights.safetensors")
        x = self.matrix("in0", 3, 7)
        self.write("3.safetensors")
        self.check("linear", [3], matmul(x, w, b))

    def test_mlp(self):
        w0, b0 = self.matrix("0.weight", 9, 6), self.matrix("0.bias", 9)
        w2, b2 = self.matrix("2.weight", 6, 9), self.matrix("2.bias", 6)
        self.write("weights.safetensors")
        x = self.matrix("in0", 2, 6)
        self.write("2.safetensors")
        hidden = [[0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in r] for r in matmul(x, w0, b0)]
        self.check("mlp", [2], matmul(hidden, w2, b2))

    def test_gather_linear(self):
        table = self.matrix("0.weight", 11, 4)
        w, b = self.matrix("1.weight", 3, 4), self.matrix("1.bias", 3)
        self.write("weights.safetensors")
        ids = [self.random.randrange(11) for _ in range(10)]
        self.tensors["in0"] = ("I64", [2, 5], ids)
        self.write("2x5.safetensors")
        self.check("gather_linear", [2, 5], matmul([table[i] for i in ids], w, b))

    def test_layer_norm(self):
        w, b = self.matrix("weight", 8), self.matrix("bias", 8)
        self.write("weights.safetensors")
        x = self.matrix("in0", 4, 8)
        self.write("4.safetensors")
        expected = []
        for r in x:
            mean = sum(r) / 8
            scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in r) / 8 + 1e-5)
            expected.append([(v - mean) * scale * p + q for v, p, q in zip(r, w, b)])
        self.check("layer_norm", [4], expected)

    def test_conv2d(self):
        for size in (3, 2):  # padded to keep the size, and cut into patches
            self.matrix("weight", size, size, 4, 5)
            f, b = self.tensors["weight"][2], self.matrix("bias", 5)
            self.write("weights.safetensors")
            self.matrix("in0", 1, 4, 6, 4)
            x = self.tensors["in0"][2]
            self.write("1x4x6x4.safetensors")
            stride, before = (1, 1) if size == 3 else (2, 0)
            expected = []
            for row in range(0, 4, stride):
                for column in range(0, 6, stride):
                    sums = list(b)
                    for i in range(size):
                        for j in range(size):
                            h, w = row + i - before, column + j - before
                            if 0 <= h < 4 and 0 <= w < 6:
                                for c in range(4):
                                    for o in range(5):
                                        sums[o] += x[(h * 6 + w) * 4 + c] * f[((i * size + j) * 4 + c) * 5 + o]
                    expected.append(sums)
            self.check("conv2d", [1, 4, 6, 4], expected)

    def test_minilm(self):
        model = TinyModel(hidden=24, heads=12)
        model.write(self.folder)
        (self.folder / "model.safetensors").rename(self.folder / "weights.safetensors")
        rows = [[2, 5, 6, 7, 3], [2, 9, 3]]
        self.tensors["in0"] = ("I64", [2, 5], rows[0] + rows[1] + [0, 0])
        self.tensors["in1"] = ("I64", [2, 5], [1] * 5 + [1, 1, 1, 0, 0])
        self.write("2x5.safetensors")
        self.check("minilm", [2, 5], [model.embed(ids) for ids in rows])

    def report(self, *arguments):
        """The kernels' rows of a report: launches, GFLOP/s, GB/s, the limit, the kernel's name."""
        result = subprocess.run([BIN / "kiln-bench", *map(str, arguments)], capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        machine, rest = result.stdout.split("\n\n", 1)
        self.assertRegex(machine, r"(?m)^memory \(512 MiB\) +[0-9.]+ GB/s")
        rows = []
        for line in rest.splitlines():
            words = line.split()
            if words and words[0].isdigit() and len(words) == 12:
                seconds = float(words[2]) * 1e-6
                rows.append((int(words[1]), float(words[6]) * 1e9 * seconds, float(words[7]) * 1e9 * seconds, words[8], words[11]))
                self.assertIn(words[8], ("products", "memory", "cache"))
        return rows, result.stdout

    def test_report(self):
        picture = self.folder / "roofline.svg"
        rows, text = self.report("--report", "mlp", "--layers", "64x512x256", "--shape", "300x64", "--roofline", picture, "--timing")
        self.assertEqual(sorted(row[4] for row in rows), ["linear", "linear_gelu"])
        by_name = {row[4]: row for row in rows}
        # As printed, to three digits: a term of a product is two operations; of weights and rows each byte counts once.
        for name, flops, size in (("linear_gelu", 300 * 512 * (2 * 64 + 2), 4 * (300 * (64 + 512) + 64 * 512 + 512)),
                                  ("linear", 300 * 256 * (2 * 512 + 1), 4 * (300 * (512 + 256) + 512 * 256 + 256))):
            launches, counted, moved, _, _ = by_name[name]
            self.assertEqual(launches, 1)
            self.assertAlmostEqual(counted / flops, 1, delta=0.05)
            self.assertAlmostEqual(moved / size, 1, delta=0.05)
        self.assertRegex(text, r"(?m)^(machine code|load and pack) +[0-9.]+ ms")
        svg = picture.read_text()
        self.assertEqual(xml.etree.ElementTree.fromstring(svg).tag, "{http://www.w3.org/2000/svg}svg")
        self.assertEqual(svg.count("<circle"), 2)
        self.assertIn("linear_gelu", svg)

    def test_report_of_the_encoder(self):
        rows, _ = self.report("--report", "minilm", "--dtype", "bf16", "--layers", "24x48x2", "--shape", "2x5")
        names = " ".join(row[4] for row in rows)
        self.assertIn("attention", names)
        self.assertEqual({row[0] for row in rows if "attention" in row[4]}, {2})

    def test_fusions(self):
        model = TinyModel(hidden=24, heads=12)
        model.write(self.folder)
        result = subprocess.run([BIN / "kiln-bench", "--fusions", self.folder / "model.safetensors", "--batch", "2", "5", "--seconds", "0.1"],
                                capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = re.findall(r"(?m)^(.*?) +([0-9]+) kernels +([0-9.]+) MB of weights +([0-9.]+) MB between", result.stdout)
        self.assertEqual(len(lines), 8, result.stdout)
        kernels = {name: int(count) for name, count, _, _ in lines}
        for name, count in kernels.items():
            self.assertLessEqual(kernels["all fusions"], count, name)
            self.assertGreaterEqual(kernels["none"], count, name)
        self.assertGreater(kernels["without kiln-fuse-epilogue"], kernels["all fusions"])

    def test_threads(self):
        result = subprocess.run([BIN / "kiln-bench", "--threads", "--seconds", "0.02"], capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(re.findall(r"(?m)us on 1 thread, .* times as fast$", result.stdout)), 8, result.stdout)
        self.assertEqual(len(re.findall(r"(?m)^two models .* for a call of each", result.stdout)), 2, result.stdout)

    def test_report_of_what_is_none(self):
        for arguments, says in ((["--report", "none"], "minilm"), (["--report", "linear", "--layers", "3"], "INxOUT"),
                                (["--report", "linear", "--shape", "8by8"], "8x128"), (["--report", "linear", "--shape", "4x9"], "expected 768")):
            result = subprocess.run([BIN / "kiln-bench", *arguments], capture_output=True, text=True)
            self.assertEqual(result.returncode, 2)
            self.assertIn(says, result.stderr)

    def test_compile_budget(self):
        result = subprocess.run([BIN / "kiln-bench", "--compile-budget", "--rounds", "1"], capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        for name in ("Linear", "mlp", "encoder", "encoder, filled cache"):
            self.assertRegex(result.stdout, rf"(?m)^{name}.* +[0-9.]+ ms +[0-9]+ ms +[0-9.]+ ms$")
        self.assertRegex(result.stdout, r"(?m)^48 layers / 6 layers: [0-9.]+ ")

    def test_quantized_linear(self):
        arguments = ["--quantized-linear", "q4_k", "--sizes", "256", "40", "--seconds", "0.01"]
        result = subprocess.run([BIN / "kiln-bench", *arguments], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        title, _, *rows = result.stdout.splitlines()
        self.assertIn("Q4_K 256x40", title)
        self.assertEqual([row.split()[0] for row in rows], ["1", "8", "64", "512"])

    def test_quantized_linear_asked(self):
        arguments = ["--quantized-linear", "Q4_K", "--sizes", "256", "40", "--asked"]
        requests = [{"rows": 1, "int8": False, "seconds": 0.01}, {"seconds": 0},
                    {"rows": 3, "int8": True, "seconds": 0}]
        result = subprocess.run([BIN / "kiln-bench", *arguments], capture_output=True, text=True,
                                input="\n".join(map(json.dumps, requests)))
        self.assertEqual(result.returncode, 0, result.stderr)
        ready, *answers = map(json.loads, result.stdout.splitlines())
        self.assertEqual(ready, {"ready": True})
        self.assertEqual([list(answer) for answer in answers],
                         [["median_us"], ["memory_gb_s"], ["median_us"]])
        for answer in answers:
            self.assertGreater(*answer.values(), 0)

    def draw(self, case, layers, *shapes, folder=None):
        command = [BIN / "kiln-bench", "--draw", layers, "--draw-shapes", *shapes, "--", case, "f32", folder or self.folder]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_drawn_data_are_the_same_everywhere(self):
        self.draw("mlp", "8x16x4", "2x8", "5x8")
        again = self.folder / "again"
        self.draw("mlp", "8x16x4", "5x8", folder=again)
        for name in ("weights.safetensors", "5x8.safetensors"):
            self.assertEqual((self.folder / name).read_bytes(), (again / name).read_bytes(), name)
        self.assertEqual(sorted(path.name for path in self.folder.glob("*.safetensors")),
                         ["2x8.safetensors", "5x8.safetensors", "weights.safetensors"])
        values = read_safetensors(self.folder / "5x8.safetensors")["in0"]
        self.assertEqual(values, read_safetensors(again / "5x8.safetensors")["in0"])
        self.assertEqual(len(set(values[2])), 40)

    def test_references(self):
        self.draw("linear", "16x24", "1x16", "7x16")
        for shape in ([1, 16], [7, 16]):
            path = str(self.folder / "ref")
            for dtype, most in (("f32", 2e-6), ("bf16", 2e-2)):
                saved, good = self.ask("linear", dtype, [{"shape": shape, "reference": path}, {"shape": shape, "check": path}])
                self.assertEqual(saved, {"saved": True})
                self.assertGreater(good["error"], 0)
                self.assertLess(good["error"], most)
            # Held against results of bfloat16 those of float32 differ.
            other, = self.ask("linear", "f32", [{"shape": shape, "check": path}])
            self.assertGreater(other["error"], 2e-5)
        result = subprocess.run([BIN / "kiln-bench", "linear", "f32", self.folder], capture_output=True, text=True, timeout=60,
                                input=json.dumps({"shape": [1, 16], "check": path}))
        self.assertEqual(result.returncode, 2)
        self.assertIn("does not fit the result", result.stderr)

    def test_on_an_accelerator(self):
        driver = BIN.parent / "lib/libkiln-standin.so"
        if not driver.exists():
            self.skipTest(f"there is no {driver}")
        environment = os.environ | {"KILN_CUDA_DRIVER": str(driver), "KILN_PTXAS": "none"}
        for case, layers, shape in (("linear", "64x48", [5, 64]), ("mlp", "64x96x40", [3, 64]), ("gather_linear", "100x64x48", [2, 7]),
                                    ("layer_norm", "96", [5, 96]), ("minilm", "24x48x1", [1, 3])):
            folder = self.folder / case
            self.draw(case, layers, "x".join(map(str, shape)), folder=folder)
            for dtype, most in (("f32", 1e-5 if case == "minilm" else 2e-6), ("bf16", 2e-2)):
                with self.subTest(f"{case} {dtype}"):
                    requests = [{"shape": shape, "reference": str(folder / "ref")}, {"shape": shape, "check": str(folder / "ref")},
                                {"shape": shape, "seconds": 0}]
                    result = subprocess.run([BIN / "kiln-bench", case, dtype, folder, "--device", "cuda"], capture_output=True, text=True,
                                            timeout=300, env=environment, input="\n".join(map(json.dumps, requests)))
                    self.assertEqual(result.returncode, 0, result.stderr)
                    _, _, check, times = map(json.loads, result.stdout.splitlines())
                    self.assertLess(check["error"], most)
                    self.assertGreater(times["median_us"], 0)
        result = subprocess.run([BIN / "kiln-bench", "linear", "f32", self.folder / "linear", "--device", "cuda"], capture_output=True,
                                text=True, env=environment | {"KILN_CUDA_DRIVER": "off"}, input="")
        self.assertEqual(result.returncode, 2)
        self.assertIn("accelerator", result.stderr)

    def test_list_and_mistakes(self):
        listed = subprocess.run([BIN / "kiln-bench", "--list"], capture_output=True, text=True)
        names = [line.split()[0] for line in listed.stdout.splitlines()]
        self.assertEqual((listed.returncode, names), (0, ["linear", "mlp", "gather_linear", "layer_norm", "conv2d", "minilm"]))
        for arguments in (["none", "f32", "."], ["linear", "f16", "."], ["linear", "f32", self.folder], ["linear"], ["--none"],
                          ["--quantized-linear", "Q9"], ["--quantized-linear", "Q4_K", "--sizes", "100", "8"]):
            result = subprocess.run([BIN / "kiln-bench", *arguments], capture_output=True, text=True, input="")
            self.assertEqual((result.returncode, result.stderr.count("\n")), (2, 1), result.stderr)


if __name__ == "__main__":
    unittest.main()
