"""Runs kiln-gguf: lists, conversions in both directions, mistakes.

$KILN_BIN is the folder of the programs (default: build/bin).
"""
from __future__ import annotations

import json
import os
import pathlib
import pty
import random
import signal
import struct
import subprocess
import tempfile
import time
import unittest

from tiny_model import read_safetensors, write_safetensors

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("KILN_BIN", HERE.parents[1] / "build/bin"))
DATA = HERE.parent / "data"

# Of normally distributed weights, relative root mean square: docs/gguf.md, and some more for few numbers.
ERRORS = {"q4_0": 0.095, "q8_0": 0.006, "q4_k": 0.075, "q5_k": 0.038, "q6_k": 0.019}


def kiln_gguf(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([BIN / "kiln-gguf", *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)


def relative_error(values, expected) -> float:
    difference = sum((x - y) ** 2 for x, y in zip(values, expected, strict=True))
    return (difference / sum(y * y for y in expected)) ** 0.5


class GgufTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kiln-gguf-test-")
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)

    def good(self, *arguments, **options) -> subprocess.CompletedProcess:
        result = kiln_gguf(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def bad(self, *arguments, says: str, **options) -> None:
        """It must fail with exit code 2 and one line that holds `says`."""
        result = kiln_gguf(*arguments, **options)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("kiln-gguf: "), result.stderr)
        self.assertIn(says, result.stderr)
        self.assertNotIn(".cpp", result.stderr)

    def model(self, rows: int = 4) -> pathlib.Path:
        draw = random.Random(1)
        path = self.work / "model.safetensors"
        normal = lambda count: [draw.gauss(0, 0.05) for _ in range(count)]
        self.tensors = {
            "embed.weight": ("F32", [rows, 512], normal(rows * 512)),
            "layer.weight": ("F32", [2, 256], normal(512)),
            "layer.bias": ("F32", [256], normal(256)),
            "narrow.weight": ("F32", [3, 5], normal(15)),
            "position_ids": ("I64", [1, 4], [0, 1, 2, 3]),
        }
        write_safetensors(path, self.tensors)
        return path

    def rows_of(self, path) -> dict[str, list[str]]:
        """Of the list's table of tensors: shape, encoding and bytes by name."""
        lines = self.good("list", path).stdout.split("\ntensors\n")[1].splitlines()[1:]
        table = {}
        for line in lines:
            name, rest = line.split("  ", 1)
            shape, rest = rest.strip().split("]", 1)
            table[name] = [shape + "]", *rest.split()]
        return table

    # Lists

    def test_list(self):
        text = self.good("list", DATA / "blocks.gguf").stdout
        self.assertIn("blocks.gguf: GGUF version 3, 20 metadata entries, 13 tensors\n", text)
        lines = [" ".join(line.split()) for line in text.splitlines()]
        for line in ("general.alignment uint32 64", 'general.architecture string "kiln-test"',
                     'test.string string "Grüße, 東京\\n"', "test.int32s int32[3] [1, -2, 3]", "test.bool bool true",
                     "test.nested array[2] [[1, 2], [3]]", "test.uint64 uint64 18446744073709551615",
                     "name shape encoding bytes", "Q6_K.packed [2, 1024] Q6_K 1680", "input [4, 1024] F32 16384"):
            self.assertIn(line, lines)

    def test_list_of_what_cannot_be_decoded(self):
        path = self.work / "x.gguf"
        name = b"\x1b[31mred"
        path.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, len(name)) + name +
                         struct.pack("<IQIQ", 1, 256, 16, 0) + bytes(200))
        text = self.good("list", path).stdout
        self.assertIn("IQ2_XXS (cannot be decoded)", text)
        self.assertNotIn("\x1b", text)
        self.bad("convert", path, self.work / "x.safetensors", says="IQ2_XXS cannot be decoded")
        self.assertEqual(list(self.work.iterdir()), [path])

    # Conversions

    def test_to_gguf_and_back_as_it_is(self):
        model, packed, back = self.model(), self.work / "a.gguf", self.work / "back.safetensors"
        self.good("convert", model, packed)
        self.assertEqual(self.rows_of(packed)["embed.weight"], ["[4, 512]", "F32", "8192"])
        self.good("convert", packed, back)
        self.assertEqual(read_safetensors(back), read_safetensors(model))

    def test_every_encoding(self):
        model = self.model()
        for encoding, error in ERRORS.items():
            packed, back = self.work / "a.gguf", self.work / "back.safetensors"
            result = self.good("convert", model, packed, "--encoding", encoding)
            self.assertIn(f"embed.weight [4, 512] float32 -> {encoding.upper()}\n", result.stderr)
            table = self.rows_of(packed)
            self.assertEqual({name: row[1] for name, row in table.items()},
                             {"embed.weight": encoding.upper(), "layer.weight": encoding.upper(),
                              "layer.bias": "F32", "narrow.weight": "F32", "position_ids": "I64"})
            self.good("convert", packed, back)
            decoded = read_safetensors(back)
            self.assertEqual(decoded.keys(), self.tensors.keys())
            for name, (dtype, shape, values) in self.tensors.items():
                self.assertEqual(decoded[name][:2], (dtype, shape))
                if table[name][1] == encoding.upper():
                    self.assertLess(relative_error(decoded[name][2], values), error)
                else:
                    self.assertEqual(decoded[name], read_safetensors(model)[name])

    def test_only(self):
        packed = self.work / "a.gguf"
        self.good("convert", self.model(), packed, "--encoding", "Q8_0", "--only", "^layer\\.")
        self.assertEqual({name: row[1] for name, row in self.rows_of(packed).items() if row[1] != "F32"},
                         {"layer.weight": "Q8_0", "position_ids": "I64"})

    def test_metadata_goes_both_ways(self):
        model, packed, back = self.work / "m.safetensors", self.work / "a.gguf", self.work / "b.safetensors"
        text = json.dumps({"__metadata__": {"format": "pt", "x y": "ü"}}, ensure_ascii=False).encode()
        model.write_bytes(struct.pack("<Q", len(text)) + text)
        self.good("convert", model, packed)
        self.assertIn('safetensors.format  string  "pt"', self.good("list", packed).stdout)
        self.good("convert", packed, back)
        raw = back.read_bytes()
        self.assertEqual(json.loads(raw[8:])["__metadata__"], {"format": "pt", "x y": "ü"})

    def test_reference_file(self):
        back = self.work / "back.safetensors"
        self.good("convert", DATA / "max.gguf", back)
        tensors = read_safetensors(back)
        self.assertEqual(tensors["a"], ("I32", [5, 2], list(range(10))))
        self.assertEqual(tensors["b"], ("F64", [1, 2, 3], [3.5] * 6))
        self.assertEqual(tensors["fancy/name"], ("I64", [3], [1, 2, 3]))
        self.assertEqual(tensors["quantized"][:2], ("F32", [2, 256]))

    # What it says

    def test_one_line_for_each_tensor_where_there_is_no_terminal(self):
        model, packed = self.model(), self.work / "a.gguf"
        result = self.good("convert", model, packed)
        self.assertEqual([line.split()[0] for line in result.stderr.splitlines()], sorted(self.tensors))
        self.assertEqual(result.stdout, "")
        self.assertEqual(self.good("convert", model, packed, "--quiet").stderr, "")

    def test_bar_on_a_terminal(self):
        model, packed = self.model(), self.work / "a.gguf"
        controller, terminal = pty.openpty()
        process = subprocess.run([BIN / "kiln-gguf", "convert", model, packed], stderr=terminal, timeout=300)
        os.close(terminal)
        text = b""
        try:
            while part := os.read(controller, 65536):
                text += part
        except OSError:  # Linux reports the end of a terminal so.
            pass
        os.close(controller)
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"[==============================] 100 %", text)
        self.assertTrue(text.endswith(b"\r\x1b[K"), text)

    # Mistakes

    def test_command_line(self):
        self.bad(says="subcommand")
        self.bad("list", says="file")
        self.bad("convert", "a", says="output")
        self.bad("list", DATA / "max.gguf", "--colour", says="--colour")
        model, packed = self.model(), self.work / "a.gguf"
        self.bad("convert", model, packed, "--encoding", "q3_k", says="q3_k")
        self.bad("convert", model, packed, "--only", "a", says="--encoding")
        self.bad("convert", model, packed, "--encoding", "q4_0", "--only", "(", says="--only")
        self.bad("convert", model, packed, "--encoding", "q4_0", "--only", "none", says="none")
        self.bad("convert", model, packed, "--encoding", "q4_0", "--only", "bias", says="rank 2")
        self.bad("convert", model, self.work / "a.bin", says="a.bin")
        self.bad("convert", model, self.work / "a.safetensors", says="both safetensors")
        self.bad("convert", DATA / "max.gguf", packed, says="both GGUF")
        self.bad("convert", DATA / "max.gguf", self.work / "a.safetensors", "--encoding", "q4_0", says="--encoding")
        for arguments in (["--help"], ["convert", "--help"]):
            self.assertIn("convert", self.good(*arguments).stdout)
        self.assertIn("--encoding", self.good("convert", "--help").stdout)
        self.assertEqual(list(self.work.iterdir()), [model])

    def test_files_that_cannot_be_read_or_written(self):
        self.bad("list", self.work / "none.gguf", says="none.gguf: No such file")
        self.bad("convert", self.work / "none.gguf", self.work / "a.gguf", says="none.gguf: No such file")
        self.bad("list", self.work, says="directory")
        model = self.model()
        self.bad("list", model, says="does not begin with")
        self.bad("convert", model, self.work / "no/folder.gguf", says="No such file")
        broken = self.work / "broken.gguf"
        broken.write_bytes((DATA / "max.gguf").read_bytes()[:-200])
        self.bad("list", broken, says='tensor "quantized", offset')
        broken.write_bytes((DATA / "max.gguf").read_bytes()[:50])
        self.bad("convert", broken, self.work / "a.safetensors", says="tensor count")
        with open("/dev/full", "w") as full:
            result = subprocess.run([BIN / "kiln-gguf", "list", DATA / "max.gguf"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 2, result.stderr)

    def test_values_that_an_encoding_cannot_hold(self):
        path = self.work / "nan.safetensors"
        write_safetensors(path, {"w": ("F32", [1, 32], [float("nan")] * 32)})
        self.bad("convert", path, self.work / "a.gguf", "--encoding", "q4_0", "--quiet", says='tensor "w"')
        write_safetensors(path, {"w": ("U8", [1], [1])})
        self.bad("convert", path, self.work / "a.gguf", says="uint8")
        self.assertEqual(list(self.work.iterdir()), [path])

    def test_no_partial_file(self):
        model = self.model(rows=64)
        for arguments, output in ([model], "a.gguf"), ([DATA / "blocks.gguf"], "a.safetensors"):
            path = self.work / output
            path.write_text("old")
            command = ["prlimit", "--fsize=20000", BIN / "kiln-gguf", "convert", *arguments, path, "--quiet"]
            result = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr.count("\n")), (2, 1), result.stderr)
            self.assertIn("File too large", result.stderr)
            self.assertEqual(path.read_text(), "old")
        self.assertEqual(len(list(self.work.iterdir())), 3)

    def test_interrupt(self):
        # 4 GB of zeros that are nowhere: half a minute of work, which is interrupted when it has begun.
        size = 4096 * 10**6
        header = json.dumps({"w": {"dtype": "F32", "shape": [10**6, 1024], "data_offsets": [0, size]}}).encode()
        header += b" " * (-len(header) % 8)
        model, packed = self.work / "m.safetensors", self.work / "a.gguf"
        with open(model, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            file.truncate(8 + len(header) + size)
        command = [BIN / "kiln-gguf", "convert", model, packed, "--encoding", "q4_k", "--threads", "1"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            while len(list(self.work.iterdir())) < 2 and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(60), 128 + signal.SIGINT)
        self.assertEqual(list(self.work.iterdir()), [model])


if __name__ == "__main__":
    unittest.main()
