"""The commands of tools/bench-gpu."""
from __future__ import annotations

import argparse
import pathlib
import sys

import pack
import run

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench-gpu", description="Benchmarks and tests for a machine with an accelerator.")
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("pack", help="collect what a machine without the compiler needs into one archive")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where tools/build has built (default: build)")
    p.add_argument("--out", type=pathlib.Path, help="the archive (default: BUILD/kiln-gpu.tar.xz)")
    p.add_argument("--chips", default="sm_80,sm_90,sm_100", help="what to make machine code for (default: %(default)s)")
    p.add_argument("--programs", type=int, default=96, help="random programs among the tests (default: %(default)s)")
    p.add_argument("--reduced", action="store_true", help="small sizes, for trying the script")
    p.add_argument("--without-cubins", action="store_true", help="PTX alone, where ptxas is not installed")
    r = commands.add_parser("run", help="build, test and measure on this machine; exit status 0: all is well, 1: failures, 2: mistakes "
                            "in the call, 3: no accelerator, 4: not done in time")
    r.add_argument("--report", type=pathlib.Path, default=pathlib.Path("gpu-report"), help="the folder to write to (default: %(default)s)")
    r.add_argument("--work", type=pathlib.Path, default=pathlib.Path("gpu-work"),
                   help="a folder for the build and for what PyTorch compiles, which a second run uses again (default: %(default)s)")
    r.add_argument("--minutes", type=float, default=9.5, help="for all of it (default: %(default)s)")
    r.add_argument("--parts", default="tests,sanitizer,bench", help="of tests, sanitizer and bench (default: all)")
    r.add_argument("--lines", default="", help="a regular expression: which lines to measure, such as 'mlp.*bf16'")
    r.add_argument("--rounds", type=int, default=5, help="of each line, all programs in turns (default: %(default)s)")
    r.add_argument("--seconds", type=float, default=0.05, help="of a program in a round (default: %(default)s)")
    r.add_argument("--no-peers", action="store_true", help="leave PyTorch out")
    arguments = parser.parse_args()
    try:
        return pack.pack(ROOT, arguments) if arguments.command == "pack" else run.run(ROOT, arguments)
    except (pack.Failure, run.Failure) as failure:
        print(f"tools/bench-gpu: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
