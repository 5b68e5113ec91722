"""Runs kiln-cache on folders that kiln-bench has filled: lists, explanations, damage, clearing.

$KILN_BIN is the folder of the programs (default: build/bin).
"""
from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile
import unittest

from tiny_model import write_safetensors

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("KILN_BIN", HERE.parents[1] / "build/bin"))



class CacheTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kiln-cache-test-")
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)
        self.cache = self.work / "cache"

    def run_cache(self, *arguments) -> subprocess.CompletedProcess:
        environment = os.environ | {"KILN_CACHE_DIR": str(self.cache)}
        return subprocess.run([BIN / "kiln-cache", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env=environment)

    def good(self, *arguments) -> str:
        result = self.run_cache(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def compile_linear(self, columns: int) -> None:
        """Compiles `linear` with a weight [columns, 4] through the benchmark's worker."""
        data = self.work / f"linear{columns}"
        data.mkdir()
        write_safetensors(data / "weights.safetensors", {
            "weight": ("F32", [columns, 4], list(range(4 * columns))),
            "bias": ("F32", [columns], list(range(columns)))})
        environment = os.environ | {"KILN_CACHE_DIR": str(self.cache)}
        result = subprocess.run([BIN / "kiln-bench", "linear", "f32", data], input="", capture_output=True, text=True,
                                timeout=60, env=environment)
        self.assertEqual(result.returncode, 0, result.stderr)

    def keys(self) -> list[str]:
        return [line.split()[0] for line in self.good("list").splitlines()[:-1]]

    def test_an_empty_cache(self):
        self.assertEqual(self.good("list"), f"0 artifacts, 0 bytes in {self.cache}\n")
        self.assertEqual(self.good("verify"), "0 usable, 0 not\n")
        self.assertEqual(self.good("clear"), "0 removed\n")

    def test_ships_what_programs_without_the_compiler_find(self):
        self.compile_linear(3)
        shipment = self.work / "shipment"
        self.assertEqual(self.good("ship", shipment), f"1 artifacts in {shipment}\n")
        data = self.work / "linear3"
        write_safetensors(data / "2x4.safetensors", {"in0": ("F32", [2, 4], [1, 0, 0, 0, 0, 0, 0, 1])})
        environment = os.environ | {"KILN_CACHE_DIR": "off", "KILN_COMPILER_LIBRARY": str(self.work / "none.so"),
                                    "KILN_ARTIFACTS": str(shipment)}

        def bench(case: str, folder: pathlib.Path):
            return subprocess.run([BIN / "kiln-bench", case, "f32", folder], input='{"shape": [2, 4], "seconds": 0}', capture_output=True,
                                  text=True, timeout=60, env=environment)
        result = bench("linear", data)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("median_us", result.stdout)
        write_safetensors(data / "weights.safetensors", {"weight": ("F32", [5, 4], list(range(20))), "bias": ("F32", [5], [0] * 5)})
        result = bench("linear", data)
        self.assertEqual(result.returncode, 2)
        self.assertIn("the compiler cannot be loaded", result.stderr)
        self.assertIn(f"there is no {shipment}", result.stderr)

    def test_lists_and_explains(self):
        self.compile_linear(3)
        (first,) = self.keys()
        text = self.good("list")
        self.assertIn(", 4] f32) -> [", text)
        self.assertIn("1 kernels", text)
        self.compile_linear(5)
        second = next(key for key in self.keys() if key != first)
        explained = self.good("explain", second[:8])
        self.assertIn(f"key       {second}\n", explained)
        self.assertIn("ranks 1", explained)
        self.assertIn("weight : [5, 4] f32", explained)
        self.assertIn(f"nearest: {first} differs in graph line 2", explained)
        difference = self.good("explain", first, second)
        self.assertIn("[3, 4] f32", difference)
        self.assertIn("[5, 4] f32", difference)
        self.assertNotIn("target", difference)
        self.assertEqual(self.good("explain", first, first), "the same parts\n")

    def test_the_same_again_is_no_new_entry(self):
        self.compile_linear(3)
        before = self.keys()
        (self.work / "linear3").rename(self.work / "old")
        self.compile_linear(3)
        self.assertEqual(self.keys(), before)

    def test_what_is_cached_needs_no_compiler(self):
        """The memory map of a worker that is ready: the compiler, which carries MLIR and LLVM, is there or not."""
        def libraries() -> str:
            environment = os.environ | {"KILN_CACHE_DIR": str(self.cache)}
            with subprocess.Popen([BIN / "kiln-bench", "linear", "f32", self.work / "linear3"], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as worker:
                self.assertIn("ready", worker.stdout.readline())
                maps = pathlib.Path(f"/proc/{worker.pid}/maps").read_text()
                worker.stdin.close()
            return maps

        self.compile_linear(3)
        self.assertEqual(self.good("clear"), "1 removed\n")
        self.assertIn("libkiln-compiler", libraries())
        warm = libraries()
        self.assertIn("libkiln", warm)
        for name in ("libkiln-compiler", "LLVM", "MLIR"):
            self.assertNotIn(name, warm)

    def test_keys_that_are_not_there_or_not_alone(self):
        self.compile_linear(3)
        self.compile_linear(5)
        result = self.run_cache("explain", "xyz")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr, f"kiln-cache: there is no artifact xyz in {self.cache}\n")
        result = self.run_cache("explain", "")
        self.assertEqual(result.returncode, 2)
        self.assertIn("several keys begin with", result.stderr)

    def test_damage_is_found_and_not_hidden(self):
        self.compile_linear(3)
        (key,) = self.keys()
        file = self.cache / f"{key}.kiln"
        contents = bytearray(file.read_bytes())
        contents[-1] ^= 1
        file.write_bytes(contents)
        result = self.run_cache("verify")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the contents are damaged", result.stdout)
        self.assertIn("0 usable, 1 not", result.stdout)
        self.assertIn("not usable", self.good("list"))
        self.assertEqual(self.run_cache("explain", key).returncode, 2)
        (self.work / "linear3").rename(self.work / "old")
        self.compile_linear(3)
        self.assertEqual(self.good("verify"), "1 usable, 0 not\n")

    def test_prunes_the_oldest_and_clears(self):
        for columns in (3, 5, 7):
            self.compile_linear(columns)
        keys = self.keys()
        oldest = self.cache / f"{keys[0]}.kiln"
        os.utime(oldest, (1, 1))
        size = sum(file.stat().st_size for file in self.cache.glob("*.kiln"))
        self.assertEqual(self.good("prune", "--limit", size - 1), "1 removed\n")
        self.assertFalse(oldest.exists())
        self.assertEqual(self.good("clear"), "2 removed\n")
        self.assertEqual(self.keys(), [])

    def test_a_cache_that_is_off(self):
        result = subprocess.run([BIN / "kiln-cache", "list"], capture_output=True, text=True, timeout=60,
                                env=os.environ | {"KILN_CACHE_DIR": "off"})
        self.assertEqual(result.returncode, 2)
        self.assertIn("the cache is off", result.stderr)


if __name__ == "__main__":
    unittest.main()
