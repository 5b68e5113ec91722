"""tools/bench-gpu at small sizes on the stand-in for the driver: packs here, then builds, tests and measures in an empty
folder with a PATH that has CMake, GCC and Python alone.

usage: benchGpu.py SOURCE BUILD WORK
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

SOURCE, BUILD, WORK = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
TOOLS = ("bash", "sh", "env", "cmake", "make", "as", "ld", "ar", "ranlib", "uname", "cat", "rm", "mkdir", "dirname", "touch")
COMPILERS = {"cc": "gcc", "gcc": "gcc", "c++": "g++", "g++": "g++"}


def make_path(folder: pathlib.Path) -> None:
    """Links to what a machine without MLIR has. ccache, where it is installed, stands before the compilers: what is compiled
    is the same each time."""
    folder.mkdir(parents=True)
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    ccache = shutil.which("ccache")
    for name, compiler in COMPILERS.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\nexec {ccache or ''} {shutil.which(compiler)} \"$@\"\n")
        script.chmod(0o755)


class BenchGpu(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        make_path(WORK / "path")
        archive = WORK / "kiln-gpu.tar.xz"
        result = subprocess.run([SOURCE / "tools/bench-gpu", "pack", "--build", BUILD, "--out", archive, "--reduced", "--without-cubins",
                                 "--chips", "sm_80", "--programs", "8"], capture_output=True, text=True)
        if result.returncode:
            raise AssertionError(result.stdout + result.stderr)
        shutil.copy(BUILD / "lib/libkiln-standin.so", WORK)
        cls.archive_bytes = archive.stat().st_size
        shutil.unpack_archive(archive, WORK)
        cls.pack = WORK / "kiln-gpu"
        cls.first = cls.run_there("--rounds", "2", "--seconds", "0", "--minutes", "60")

    @classmethod
    def run_there(cls, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        clean = {"PATH": str(WORK / "path"), "HOME": os.environ.get("HOME", "/"), "CCACHE_BASEDIR": str(WORK), "CCACHE_NOHASHDIR": "1",
                 "KILN_CUDA_DRIVER": str(WORK / "libkiln-standin.so"), "KILN_NCCL": "off"}
        return subprocess.run(["tools/bench-gpu", "run", *arguments], cwd=cls.pack, env=clean | environment, capture_output=True, text=True)

    def report(self, name: str = "gpu-report") -> dict:
        return json.loads((self.pack / name / "report.json").read_text())

    def test_the_archive(self):
        self.assertLess(self.archive_bytes, 60_000_000)
        names = {path.name for path in (WORK / "path").iterdir()}
        self.assertFalse([name for name in names if "clang" in name or "mlir" in name or "llvm" in name])
        there = [path for path in self.pack.rglob("*") if path.is_file() and "gpu-work" not in path.parts and "gpu-report" not in path.parts]
        self.assertFalse([path for path in there if path.suffix in (".so", ".a", ".o") or path.parts[-2:] == ("bin", "kiln-bench")])
        self.assertGreater(sum(path.suffix == ".kiln" for path in there), 30)

    def test_all_of_it(self):
        self.assertEqual(self.first.returncode, 0, self.first.stdout + self.first.stderr)
        report = self.report()
        self.assertEqual(report["tests"]["failed"], [])
        self.assertGreater(report["tests"]["run"], 15)
        self.assertEqual(len(report["lines"]), 12)
        for line in report["lines"]:
            self.assertLess(line["error"], line["tolerance"], line["line"])
            self.assertGreater(line["error"], 0, line["line"])
            self.assertGreater(line["median_us"]["kiln"], 0, line["line"])
        self.assertIn("PyTorch was left out", report["peers"])
        text = (self.pack / "gpu-report/report.md").read_text()
        self.assertIn("This was no real device", text)
        self.assertIn("| minilm | bf16 | 24x48x1 | 1x3 |", text)

    def test_what_is_not_exact_fails(self):
        reference = self.pack / "references/layer_norm-96-f32-5x96.safetensors"
        whole = reference.read_bytes()
        self.addCleanup(reference.write_bytes, whole)
        reference.write_bytes(whole[:-8] + bytes(reversed(whole[-8:])))
        result = self.run_there("--parts", "bench", "--lines", "layer_norm", "--rounds", "1", "--seconds", "0", "--report", "wrong")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stdout, r"FAILED: layer_norm f32 96 5x96: error .* at most 2e-06 is allowed")
        self.assertEqual(len(self.report("wrong")["lines"]), 2)

    def test_a_program_that_has_no_code_fails(self):
        artifacts = self.pack / "artifacts"
        artifacts.rename(self.pack / "elsewhere")
        self.addCleanup((self.pack / "elsewhere").rename, artifacts)
        result = self.run_there("--parts", "tests,bench", "--lines", "layer_norm f32", "--report", "none")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("FAILED: tests: ", result.stdout)
        self.assertRegex(result.stdout, r"FAILED: layer_norm-96-f32: .*the compiler cannot be loaded")

    def test_no_time(self):
        result = self.run_there("--minutes", "0.0001", "--report", "late")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, "FAILED: (configure|build) was not done in time")

    def test_no_accelerator(self):
        for driver in ("off", str(WORK / "none.so")):
            result = self.run_there(KILN_CUDA_DRIVER=driver)
            self.assertEqual(result.returncode, 3, result.stdout)
            self.assertIn("no accelerator: ", result.stderr)
        result = self.run_there(KILN_STANDIN_DEVICES="0")
        self.assertEqual((result.returncode, result.stderr), (3, "no accelerator: the driver has no device\n"))

    def test_mistakes(self):
        self.assertEqual(self.run_there("--parts", "everything").returncode, 2)
        result = subprocess.run([SOURCE / "tools/bench-gpu", "run"], cwd=WORK, capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("is not unpacked from", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
