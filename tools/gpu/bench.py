"""Measures lines: kiln-bench and PyTorch in turns."""
from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time

import lines
from workers import Worker, WorkerError, end

MOST_SECONDS_TO_COMPILE = 60.0  # of PyTorch, for one line
MOST_SECONDS_OF_ANSWERS = 60.0


class Peers:
    """PyTorch on this machine, if it is there. While others build and test it compiles, so that what it compiled is at hand
    when it is measured."""

    def __init__(self, run):
        self.run, self.warming, self.worker = run, None, None
        run.result["peers"] = self.why_not = self._why_not()
        if self.why_not is None:
            import_check = "import torch; print(torch.__version__, torch.version.cuda)"
            run.result["torch"] = subprocess.run([sys.executable, "-c", import_check], capture_output=True, text=True).stdout.strip()
        self.log = run.folder / "torch.log"

    def _why_not(self) -> str | None:
        if self.run.arguments.no_peers:
            return "PyTorch was left out"
        if not self.run.result["device"]["is_real"]:
            return "PyTorch was left out: this is no real device"
        check = "import torch, sys; sys.exit(0 if torch.cuda.is_available() else 'its CUDA is not available')"
        result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
        if result.returncode == 0:
            return None
        return "PyTorch was left out: " + (result.stderr.strip().splitlines() or ["it does not start"])[-1]

    def _command(self) -> list:
        return [sys.executable, "-B", self.run.root / "tools/gpu/torch_worker.py"]

    def warm(self, groups: list[lines.Group]) -> None:
        if self.why_not:
            return
        plan = [{"case": g.case, "dtype": g.dtype, "layers": lines.sizes(g.layers), "lines": {g.line(s): lines.sizes(s) for s in g.shapes}}
                for g in groups]
        path = self.run.work / "warm.json"
        path.write_text(json.dumps(plan))
        self.warmed = (self.run.work / "warmed.jsonl").open("wb")
        self.warming = subprocess.Popen([str(word) for word in [*self._command(), "--warm", path]], stdout=self.warmed,
                                        stderr=self.log.open("ab"), env=self.run.environment,
                                        start_new_session=True)

    def stop_warming(self) -> set[str]:
        """The lines that were compiled."""
        if not self.warming:
            return set()
        end(self.warming)
        self.warmed.close()
        self.warming = None
        found = [json.loads(line) for line in (self.run.work / "warmed.jsonl").read_text().splitlines() if line.endswith("}")]
        return {entry["line"] for entry in found}

    def load(self, group: lines.Group, folder) -> bool:
        """Whether PyTorch has the weights."""
        if self.why_not:
            return False
        try:
            if not self.worker:
                self.worker = Worker(self._command(), self.run.environment, self.log)
            self.worker.ask(120, load=group.case, dtype=group.dtype, folder=str(folder))
            return True
        except WorkerError as problem:
            self.run.result["left"].append(f"{group}: PyTorch does not load it: {problem}")
            self.drop()
            return False

    def drop(self) -> None:
        if self.worker:
            self.worker.kill()
            self.worker.close()
            self.worker = None

    def close(self) -> None:
        self.stop_warming()
        if self.worker:
            self.worker.close()


def data_of(run, groups: list[lines.Group]) -> dict:
    """Draws weights and inputs; the same numbers as where the references were made."""
    folders = {}
    for group in groups:
        folder = folders.setdefault(group.data, run.work / "data" / group.data)
        missing = [s for s in group.shapes if not (folder / f"{s}.safetensors").exists()]
        if missing or not (folder / "weights.safetensors").exists():
            command = [run.bin / "kiln-bench", "--draw", group.layers, "--draw-shapes", *(missing or group.shapes), "--", group.case,
                       group.dtype, folder]
            subprocess.run([str(word) for word in command], env=run.environment, check=True, timeout=120,
                           stderr=(run.folder / "draw.log").open("ab"))
    return folders


def measure_line(run, group: lines.Group, shape: str, kiln: Worker, peers: Peers, modes: list[str]) -> dict:
    sizes, seconds = lines.sizes(shape), run.arguments.seconds
    reference = run.root / "references" / group.reference(shape)
    error = kiln.ask(MOST_SECONDS_OF_ANSWERS, shape=sizes, check=str(reference))["error"]
    record = {"line": group.line(shape), "case": group.case, "dtype": group.dtype, "layers": group.layers, "shape": shape,
              "flops": group.flops(shape), "error": error, "tolerance": group.tolerance, "notes": []}
    asked = {"kiln": (kiln, {})} | {mode: (peers.worker, {"mode": mode}) for mode in modes}
    rounds: list[dict] = []
    for number in range(run.arguments.rounds):
        times = {}
        for name in list(asked):
            if name not in asked:  # went with another one's failure
                continue
            worker, what = asked[name]
            limit = MOST_SECONDS_TO_COMPILE if number == 0 and name == "compiled" else MOST_SECONDS_OF_ANSWERS
            try:
                times[name] = worker.ask(limit, shape=sizes, seconds=seconds, **what)["median_us"]
            except WorkerError as problem:
                if name == "kiln":
                    raise
                record["notes"].append(f"{name}: {problem}")
                del asked[name]
                if worker.process.poll() is not None:
                    peers.drop()
                    if not peers.load(group, run.work / "data" / group.data):
                        asked = {"kiln": asked["kiln"]}
                    asked = {key: (peers.worker if key != "kiln" else program, more) for key, (program, more) in asked.items()}
        rounds.append(times)
    names = [name for name in asked if all(name in times for times in rounds)]
    record["median_us"] = {name: statistics.median(times[name] for times in rounds) for name in names}
    peers_measured = [name for name in names if name != "kiln"]
    if peers_measured:
        record["ratio"] = statistics.median(min(times[name] for name in peers_measured) / times["kiln"] for times in rounds)
        if peers.worker:
            try:
                record["peer_error"] = peers.worker.ask(MOST_SECONDS_OF_ANSWERS, shape=sizes, mode="eager", check=str(reference))["error"]
            except WorkerError as problem:
                record["notes"].append(f"eager's error: {problem}")
    if not error <= group.tolerance:
        run.fail(f"{record['line']}: error {error:.1e}, at most {group.tolerance:.0e} is allowed")
    return record


def measure(run, peers: Peers) -> None:
    groups = lines.groups(run.pack["reduced"], run.arguments.lines)
    warmed = peers.stop_warming()
    folders = data_of(run, groups)
    done: dict[str, dict] = {}
    # First what takes no compiling by PyTorch; then, while there is time, the rest.
    for attempt in ("first", "compile"):
        for group in groups:
            wanted = [s for s in group.shapes if attempt == "first" or
                      (not peers.why_not and "compiled" not in done.get(group.line(s), {}).get("median_us", {}))]
            if not wanted:
                continue
            if run.left("bench") < (10 if attempt == "first" else 30):
                what = "not measured" if attempt == "first" else "torch.compile not measured"
                run.result["left"] += [f"{group.line(s)}: {what}, no time" for s in wanted]
                continue
            kiln = Worker([run.bin / "kiln-bench", group.case, group.dtype, folders[group.data], "--device", "cuda"], run.environment,
                          run.folder / "kiln-bench.log")
            try:
                kiln.read(120)
                has_peers = peers.load(group, folders[group.data])
                for shape in wanted:
                    line = group.line(shape)
                    if run.left("bench") < (5 if attempt == "first" else 30):
                        run.result["left"].append(f"{line}: {'not measured' if attempt == 'first' else 'torch.compile not measured'}, no time")
                        continue
                    modes = [] if not has_peers or not peers.worker else ["eager", "compiled"] if attempt == "compile" or line in warmed else ["eager"]
                    begin = time.monotonic()
                    done[line] = measure_line(run, group, shape, kiln, peers, modes)
                    run.say(f"{line}: " + ", ".join(f"{name} {us:.1f} us" for name, us in done[line]["median_us"].items()) +
                            f", error {done[line]['error']:.0e} ({time.monotonic() - begin:.1f} s)")
            except (WorkerError, subprocess.SubprocessError) as problem:
                run.fail(f"{group}: {problem}")
            finally:
                kiln.close()
    run.result["lines"] = list(done.values())
    if run.arguments.work and not run.result["device"]["is_real"]:
        shutil.rmtree(run.work / "data", ignore_errors=True)
