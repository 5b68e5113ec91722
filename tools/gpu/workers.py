"""Programs that are asked in JSON lines over standard input and answer likewise."""
from __future__ import annotations

import json
import os
import pathlib
import selectors
import signal
import subprocess
import time


def end(process: subprocess.Popen) -> None:
    """Ends a process that was started with a session of its own, and what it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class WorkerError(Exception):
    pass


class Worker:
    """A process. What it says on standard error goes to a file beside the report."""

    def __init__(self, command: list, environment: dict, log: pathlib.Path):
        self.log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, env=environment)
        self.pending = b""

    def _fail(self, what: str) -> WorkerError:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return WorkerError(f"{what}: {lines[-1]}" if lines else what)

    def read(self, seconds: float) -> dict:
        """The next line that is JSON. Errors: WorkerError when the process ends, or says nothing for so long."""
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                line, found, rest = self.pending.partition(b"\n")
                if found:
                    self.pending = rest
                    if line.startswith(b"{"):
                        answer = json.loads(line)
                        if "failed" in answer:
                            raise WorkerError(answer["failed"])
                        return answer
                    continue
                left = until - time.monotonic()
                if left <= 0 or not selector.select(left):
                    self.kill()
                    raise WorkerError(f"no answer within {seconds:.0f} s")
                chunk = self.process.stdout.read1(1 << 16)
                if not chunk:
                    raise self._fail(f"ended with status {self.process.wait()}")
                self.pending += chunk

    def ask(self, limit: float, /, **what) -> dict:
        try:
            self.process.stdin.write(json.dumps(what).encode() + b"\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            raise self._fail(f"ended with status {self.process.wait()}")
        return self.read(limit)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        try:
            self.process.stdin.close()
        except OSError:  # it has ended, and did not read all
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process.stdout.close()
