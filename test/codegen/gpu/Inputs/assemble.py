"""Assembles the kernels of all tests beside this folder for sm_80, sm_90 and sm_100, and compares the
registers and the shared memory that ptxas counts for sm_90 with a table; no kernel may spill.

    assemble.py KILN_OPT PTXAS FOLDER TABLE TEMPORARY [--write]

Tests with products are assembled with each precision of float32, those that name sm_90a for that, too, and the
table has what that needs. A line of the table: test (linear.high: with
another precision than the highest), kernel, most registers, static shared memory in bytes. Registers may be fewer
than it says, as other versions of ptxas differ by some.
"""

import itertools
import pathlib
import re
import subprocess
import sys


def assemble(kilnOpt, ptxas, source, chip, precision, folder):
    """What ptxas says of each kernel: {name: (registers, shared bytes, spilled bytes)}."""
    ptx = folder / f"{source.stem}.{precision}.{chip}.ptx"
    with open(ptx, "w") as out:
        subprocess.run([kilnOpt, source, f"--kiln-gpu-pipeline=chip={chip} precision={precision}", "--kiln-to-ptx", "-o",
                        "/dev/null"], stdout=out, check=True)
    run = subprocess.run([ptxas, "-v", "-arch=" + chip, ptx, "-o", ptx.with_suffix(".cubin")],
                         stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True)
    if run.returncode or "warning" in run.stdout:  # setmaxnreg or asynchronous wgmma given up
        sys.exit(f"{source.name} for {chip}:\n{run.stdout}")
    kernels = {}
    for text in run.stdout.split("Compiling entry function '")[1:]:
        def number(pattern):
            found = re.search(pattern, text)
            return int(found.group(1)) if found else 0
        kernels[text.split("'")[0]] = (number(r"Used (\d+) registers"), number(r"(\d+) bytes smem"),
                                       number(r"(\d+) bytes spill stores"))
    return kernels


def main():
    kilnOpt, ptxas, folder, table, temporary = sys.argv[1:6]
    write = sys.argv[6:] == ["--write"]
    temporary = pathlib.Path(temporary)
    temporary.mkdir(parents=True, exist_ok=True)
    lines, failures = [], []
    known = {}
    if not write:
        for line in pathlib.Path(table).read_text().splitlines():
            if line and not line.startswith("#"):
                test, kernel, registers, shared = line.split()
                known[test, kernel] = int(registers), int(shared)
    cases = []
    for source in sorted(pathlib.Path(folder).glob("*.mlir")):
        text = source.read_text()
        counted = "sm_90a" if "sm_90a" in text else "sm_90"
        cases.append((source, source.stem, "highest", counted))
        if counted == "sm_90" and re.search(r"kiln\.(linear|matmul|attention)", text):
            cases += [(source, f"{source.stem}.{precision}", precision, counted) for precision in ["high", "bf16"]]
    for (source, test, precision, counted), chip in itertools.product(cases, ["sm_80", "sm_90", "sm_90a", "sm_100"]):
        if chip == "sm_90a" and counted != chip:
            continue
        kernels = assemble(kilnOpt, ptxas, source, chip, precision, temporary)
        if not kernels:
            failures.append(f"{test} for {chip}: no kernels")
        for name, (registers, shared, spilled) in kernels.items():
            if spilled:
                failures.append(f"{test}: {name} for {chip} spills {spilled} bytes")
            if chip != counted:
                continue
            lines.append(f"{test} {name} {registers} {shared}")
            if write:
                continue
            most, sharedThere = known.pop((test, name), (0, 0))
            if registers > most or shared != sharedThere:
                failures.append(f"{test}: {name} uses {registers} registers and {shared} bytes of "
                                f"shared memory, in the table {most} and {sharedThere}")
    failures += [f"{test}: there is no kernel {kernel}" for test, kernel in known]
    if write:
        pathlib.Path(table).write_text(
            "# Registers of a thread and static shared memory (bytes) of a block, sm_90 or sm_90a, ptxas of CUDA 13.0; made by\n"
            "# assemble.py --write. Test, kernel, registers, bytes.\n" + "\n".join(lines) + "\n")
    if failures:
        sys.exit("\n".join(failures))


main()
