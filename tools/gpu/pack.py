"""tools/bench-gpu pack: everything into one archive."""
from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import time

import lines

MOST_BYTES = 60_000_000
# Folders of the project, and what of them.
SOURCES = {
    "runtime": ("**/*.h", "**/*.cpp", "**/*.c", "**/*.inc", "**/*.def"),
    "frontend": ("**/*.h", "**/*.cpp", "**/*.inc", "**/*.def"),
    "ir": ("Graph*.h", "Graph*.cpp", "ShapeRules*.h", "ShapeRules*.cpp", "Elementwise.def"),
    "codegen": ("Compiler.h",),
    "tools/kiln-bench": ("*.h", "*.cpp"),
    "tools/common": ("*.h", "*.cpp", "minilm/*.h", "minilm/*.cpp"),
    "tools/gpu": ("*.py", "CMakeLists.txt", "threads/**/*.h"),
    "tools/cmake": ("KilnAot.cmake",),
    "test/device": ("*.h", "*.cpp"),
    "test/unit/random": ("*.h", "*.cpp"),
}
# Libraries that the project is built on: headers and, of GoogleTest, sources; with their licences.
HEADERS = ("fmt", "nlohmann", "CLI", "dlpack", "xxhash.h")
LICENCES = ("libfmt-dev", "nlohmann-json3-dev", "libcli11-dev", "libdlpack-dev", "libxxhash-dev", "googletest")
# Machines differ in what their CPU has beyond AVX2: what is packed does without.
WITHOUT = ("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avxvnni,avx512vbmi,avx512vnni,avx512bf16,avx512fp16,"
           "amx-tile,amx-int8,amx-bf16")


class Failure(Exception):
    pass


def say(text: str) -> None:
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", flush=True)


def checked(command: list, environment: dict, seconds: float = 3600, text: str = "") -> str:
    command = [str(part) for part in command]
    result = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=seconds)
    if result.returncode:
        raise Failure(f"{' '.join(command)} ended with status {result.returncode}:\n{(result.stdout + result.stderr)[-3000:]}")
    return result.stdout


class Packer:
    def __init__(self, root: pathlib.Path, arguments: argparse.Namespace, stage: pathlib.Path, work: pathlib.Path):
        self.root, self.arguments, self.stage, self.work = root, arguments, stage, work
        self.bin = arguments.build.resolve() / "bin"
        standin = arguments.build.resolve() / "lib/libkiln-standin.so"
        for needed in (self.bin / "kiln-bench", self.bin / "kiln-device-tests", self.bin / "kiln-cache", standin):
            if not needed.exists():
                raise Failure(f"there is no {needed}: tools/build first")
        self.references = stage / "references"
        self.references.mkdir(parents=True)
        # Programs run as there, but on a driver that takes kernels and executes none: what they compile is what
        # they will look for.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("KILN_")} | {
            "KILN_CUDA_DRIVER": str(standin), "KILN_STANDIN_EXECUTE": "0", "KILN_STANDIN_MEMORY": "16384",
            "KILN_NCCL": "off", "KILN_CPU_WITHOUT": WITHOUT, "KILN_CACHE_LIMIT": "20G"}
        for kept in ("KILN_PTXAS", "KILN_COMPILER_LIBRARY"):
            if kept in os.environ:
                self.environment[kept] = os.environ[kept]
        if arguments.without_cubins:
            self.environment["KILN_PTXAS"] = "none"

    def on(self, chip: str | None) -> dict:
        """The environment of programs for a chip; for none: of what is for this machine alone."""
        return self.environment | ({"KILN_STANDIN_CHIP": chip, "KILN_CACHE_DIR": str(self.work / "cache")} if chip else
                                   {"KILN_CACHE_DIR": str(self.work / "cache-here"), "KILN_CUDA_DRIVER": "off"})

    def copy_sources(self) -> None:
        for folder, patterns in SOURCES.items():
            found = [path for pattern in patterns for path in (self.root / folder).glob(pattern)]
            if not found:
                raise Failure(f"nothing of {folder} is there")
            for path in found:
                to = self.stage / path.relative_to(self.root)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
        for name in ("LICENSE", "tools/bench-gpu", "docs/performance-gpu.md"):
            (self.stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.root / name, self.stage / name)
        shutil.copyfile(self.root / "tools/gpu/CMakeLists.txt", self.stage / "CMakeLists.txt")
        there = [pathlib.Path(folder) for folder in os.environ.get("KILN_PACK_INCLUDE", "").split(":") if folder]
        third = self.stage / "third_party"
        third.mkdir()
        for name in HEADERS:
            found = next((f / name for f in [*there, pathlib.Path("/usr/include"), pathlib.Path("/usr/local/include")] if (f / name).exists()), None)
            if not found:
                raise Failure(f"no header {name}: name its folder in KILN_PACK_INCLUDE")
            (shutil.copytree if found.is_dir() else shutil.copyfile)(found, third / name)
        for part in ("include", "src"):
            shutil.copytree(pathlib.Path("/usr/src/googletest/googletest") / part, third / "googletest/googletest" / part)
        for package in LICENCES:
            text = pathlib.Path("/usr/share/doc") / package / "copyright"
            if text.exists():
                shutil.copyfile(text, third / f"{package}.copyright")

    def record_tests(self, chip: str) -> None:
        environment = self.on(chip) | {"KILN_REFERENCES": str(self.references), "KILN_REFERENCES_RECORD": "1",
                                       "KILN_DEVICE_PROGRAMS": str(self.arguments.programs)}
        checked([self.bin / "kiln-device-tests"], environment)

    def record_group(self, group: lines.Group) -> None:
        chips, folder = self.arguments.chips.split(","), self.work / "data"
        checked([self.bin / "kiln-bench", "--draw", group.layers, "--draw-shapes", *group.shapes, "--", group.case, group.dtype, folder],
                self.on(chips[0]))
        requests = [json.dumps({"shape": lines.sizes(shape), "reference": str(self.references / group.reference(shape))})
                    for shape in group.shapes]
        checked([self.bin / "kiln-bench", group.case, group.dtype, folder], self.on(None), text="\n".join(requests))
        least = group.shapes[0]
        requests = [json.dumps({"shape": lines.sizes(least), **what})
                    for what in ({"check": str(self.references / group.reference(least))}, {"seconds": 0})]
        for chip in chips:
            checked([self.bin / "kiln-bench", group.case, group.dtype, folder, "--device", "cuda"], self.on(chip),
                    text="\n".join(requests))
        shutil.rmtree(folder)

    def write_archive(self, out: pathlib.Path) -> None:
        def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            return entry
        with tarfile.open(out, "w:xz", preset=6) as archive:
            archive.add(self.stage, "kiln-gpu", filter=plain)
        if out.stat().st_size > MOST_BYTES:
            raise Failure(f"{out} has {out.stat().st_size} bytes, more than {MOST_BYTES}: fewer --programs or --chips")


def pack(root: pathlib.Path, arguments: argparse.Namespace) -> int:
    out = arguments.out or arguments.build / "kiln-gpu.tar.xz"
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kiln-gpu-") as folder:
        work = pathlib.Path(folder)
        packer = Packer(root, arguments, work / "stage", work)
        packer.copy_sources()
        for chip in arguments.chips.split(","):
            packer.record_tests(chip)
            say(f"tests for {chip}")
        groups = lines.groups(arguments.reduced)
        for group in groups:
            packer.record_group(group)
            say(str(group))
        cubins = [] if arguments.without_cubins else ["--needs-cubins"]
        text = checked([packer.bin / "kiln-cache", "ship", *cubins, packer.stage / "artifacts"], packer.on(arguments.chips.split(",")[0]))
        say(text.split(" in ")[0])
        commit = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
        (packer.stage / "pack.json").write_text(json.dumps({
            "made": f"{datetime.datetime.now():%Y-%m-%d %H:%M}", "commit": commit, "chips": arguments.chips.split(","),
            "reduced": arguments.reduced, "programs": arguments.programs, "cubins": not arguments.without_cubins}, indent=1))
        packer.write_archive(out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, after {time.monotonic() - begin:.0f} s")
    return 0
