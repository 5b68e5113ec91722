"""tools/bench-gpu run: builds, tests and measures on a machine with an accelerator."""
from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import bench
import device
import lines
import report
from workers import end

OK, FAILED, MISTAKE, NO_ACCELERATOR, NOT_DONE = 0, 1, 2, 3, 4
# Until when a part may take, of all the time. What is left of one the next ones have.
SHARES = {"build": 0.4, "tests": 0.55, "sanitizer": 0.65, "bench": 0.98}
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
# Every family of kernels, at small sizes, and the errors of indices.
SANITIZED = "*Models.linear/*:*Models.mlp/*:*Models.gatherLinear/*:*Models.norms/*:*Models.encoder/*:Work.indexErrors"


class Failure(Exception):
    pass


class Run:
    def __init__(self, root: pathlib.Path, arguments: argparse.Namespace, found: dict):
        self.root, self.arguments = root, arguments
        self.begin = time.monotonic()
        self.folder, self.work = arguments.report.resolve(), arguments.work.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        self.pack = json.loads((root / "pack.json").read_text())
        self.bin = self.work / "build/bin"
        self.parts = arguments.parts.split(",")
        self.result = {"date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}", "command": shlex.join(["tools/bench-gpu", *sys.argv[1:]]),
                       "device": found, "clocks": device.clocks(), "pack": self.pack, "parts": {}, "lines": [], "left": []}
        self.failures: list[str] = []
        # Nobody but this user may write to code that will be run: however the archive was unpacked.
        artifacts = self.work / "artifacts"
        shutil.rmtree(artifacts, ignore_errors=True)
        artifacts.mkdir(mode=0o755)
        artifacts.chmod(0o755)
        for path in (root / "artifacts").glob("*.kiln"):
            shutil.copyfile(path, artifacts / path.name)
            (artifacts / path.name).chmod(0o644)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("KILN_") or name in ("KILN_CUDA_DRIVER", "KILN_NCCL", "KILN_CUDA_MEMORY_LIMIT")
                            or name.startswith("KILN_STANDIN_")}
        self.environment |= {"KILN_CACHE_DIR": "off", "KILN_COMPILER_LIBRARY": "/there/is/none", "KILN_ARTIFACTS": str(artifacts),
                             "KILN_REFERENCES": str(root / "references"), "KILN_DEVICE_PROGRAMS": str(self.pack["programs"]),
                             "TORCHINDUCTOR_CACHE_DIR": str(self.work / "inductor"), "TRITON_CACHE_DIR": str(self.work / "triton")}

    def left(self, part: str) -> float:
        """Seconds that a part may still take."""
        return max(0.0, self.begin + self.arguments.minutes * 60 * SHARES[part] - time.monotonic())

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.begin:5.0f} s  {text}", flush=True)

    def fail(self, text: str) -> None:
        self.failures.append(text)
        self.say(f"FAILED: {text}")

    def call(self, part: str, name: str, command: list, **environment: str) -> tuple[int | None, float]:
        """Runs a command within the part's time; what it says goes to NAME.log. None: it was not done in time."""
        begin = time.monotonic()
        with (self.folder / f"{name}.log").open("wb") as log:
            # A group of its own, so that what the command has started ends with it.
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       env=self.environment | environment, start_new_session=True)
            try:
                status = process.wait(max(self.left(part), 0.1))
            except subprocess.TimeoutExpired:
                status = None
            finally:
                end(process)
        seconds = time.monotonic() - begin
        self.result["parts"][name] = {"seconds": round(seconds, 1), "status": status}
        return status, seconds

    def build(self) -> None:
        folder = self.work / "build"
        flags = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0"] if self.pack["reduced"] else []
        for name, command in (("configure", ["cmake", "-S", self.root, "-B", folder, *flags]),
                              ("build", ["cmake", "--build", folder, "--parallel", os.cpu_count() or 1])):
            status, seconds = self.call("build", name, command)
            if status != 0:
                said = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
                errors = [line for line in said if "error" in line.lower()] or said[-5:]
                raise Failure(f"{name} {'was not done in time' if status is None else 'failed'}: " + "\n".join(errors[:5]))
        self.say(f"built in {seconds:.0f} s")

    def tests(self) -> None:
        counted = self.folder / "tests.json"
        counted.unlink(missing_ok=True)
        status, seconds = self.call("tests", "tests", [self.bin / "kiln-device-tests", f"--gtest_output=json:{counted}"])
        if status is None:
            self.result["left"].append("tests: not done in time")
            return
        counts = json.loads(counted.read_text()) if counted.exists() else {"tests": 0, "failures": 0, "testsuites": []}
        names = [f"{case['classname']}.{case['name']}" for suite in counts["testsuites"] for case in suite["testsuite"] if case.get("failures")]
        self.result["tests"] = {"run": counts["tests"], "failed": names}
        if status != 0:
            self.fail(f"tests: {', '.join(names) or f'status {status}, see tests.log'}")
        self.say(f"tests: {counts['tests']} run, {len(names)} failed, {seconds:.0f} s")

    def sanitizer(self) -> None:
        tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
        self.result["sanitizer"] = {}
        if not self.result["device"]["is_real"] or not os.path.exists(tool):
            self.result["left"].append("compute-sanitizer: " + ("not installed" if self.result["device"]["is_real"] else "no real device"))
            return
        for index, name in enumerate(SANITIZERS):
            share = self.left("sanitizer") / (len(SANITIZERS) - index)
            if share < 3:
                self.result["left"].append(f"compute-sanitizer {name}: no time")
                continue
            status, seconds = self.call("sanitizer", f"sanitizer-{name}", [
                "timeout", "--signal=KILL", f"{share:.0f}", tool, f"--tool={name}", "--error-exitcode=99", self.bin / "kiln-device-tests",
                f"--gtest_filter={SANITIZED}"], KILN_CUDA_GRAPHS="0")
            self.result["sanitizer"][name] = {0: "clean", 137: "not done in time", -9: "not done in time", None: "not done in time"}.get(status, "FAILED")
            if self.result["sanitizer"][name] == "not done in time":
                self.result["left"].append(f"compute-sanitizer {name}: not done in time")
            elif status != 0:
                self.fail(f"compute-sanitizer {name}: see sanitizer-{name}.log")
            self.say(f"compute-sanitizer {name}: {self.result['sanitizer'][name]}, {seconds:.0f} s")

    def all(self) -> int:
        peers = bench.Peers(self)
        if "bench" in self.parts:
            peers.warm(lines.groups(self.pack["reduced"], self.arguments.lines))
        try:
            self.build()
            if "tests" in self.parts:
                self.tests()
            if "sanitizer" in self.parts:
                self.sanitizer()
            if "bench" in self.parts:
                bench.measure(self, peers)
        except Failure as failure:
            self.fail(str(failure))
        finally:
            peers.close()
        self.result["clocks_at_end"] = device.clocks()
        self.result["failures"] = self.failures
        self.result["seconds"] = round(time.monotonic() - self.begin)
        (self.folder / "report.json").write_text(json.dumps(self.result, indent=1))
        text = report.markdown(self.result)
        (self.folder / "report.md").write_text(text)
        print(text)
        print(f"{self.folder}/report.json, report.md")
        return FAILED if self.failures else NOT_DONE if self.result["left"] and self.result["device"]["is_real"] else OK


def run(root: pathlib.Path, arguments: argparse.Namespace) -> int:
    if not (root / "pack.json").exists():
        print(f"tools/bench-gpu: {root} is not unpacked from what `tools/bench-gpu pack` makes", file=sys.stderr)
        return MISTAKE
    unknown = set(arguments.parts.split(",")) - {"tests", "sanitizer", "bench"}
    if unknown:
        print(f"tools/bench-gpu: --parts: there is no {', '.join(sorted(unknown))}", file=sys.stderr)
        return MISTAKE
    found = device.find()
    if isinstance(found, str):
        print(f"no accelerator: {found}", file=sys.stderr)
        return NO_ACCELERATOR
    return Run(root, arguments, found).all()
