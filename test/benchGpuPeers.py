"""How tools/bench-gpu compares programs: with workers that answer at once, and with peers that fail, end or hang.

usage: benchGpuPeers.py SOURCE
"""

import pathlib
import sys
import tempfile
import types
import unittest

SOURCE = pathlib.Path(sys.argv[1]).resolve()
sys.path.insert(0, str(SOURCE / "tools/gpu"))

import bench
import lines
import report
from workers import Worker, WorkerError

WORKER = """
import json, sys, time
kind = sys.argv[1]
for line in sys.stdin:
    request = json.loads(line)
    mode = request.get("mode")
    if mode == "compiled" and kind == "ends":
        print("no more memory", file=sys.stderr)
        sys.exit(3)
    if mode == "compiled" and kind == "hangs":
        time.sleep(60)
    if "load" in request:
        print('{"ready": true}')
    elif "check" in request:
        print('{"error": %s}' % ("3e-6" if kind == "inexact" else "1e-7"))
    elif mode == "compiled" and kind == "fails":
        print('{"failed": "RuntimeError: no such kernel"}')
    else:
        print("a line that is no answer")
        print(json.dumps({"median_us": {None: 5, "eager": 20, "compiled": 10}[mode]}))
    sys.stdout.flush()
"""


class Peers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kiln-peers-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "worker.py").write_text(WORKER)
        self.failures = []
        self.limit, bench.MOST_SECONDS_TO_COMPILE = bench.MOST_SECONDS_TO_COMPILE, 1.0
        self.addCleanup(setattr, bench, "MOST_SECONDS_TO_COMPILE", self.limit)

    def worker(self, kind: str) -> Worker:
        worker = Worker([sys.executable, self.folder / "worker.py", kind], {}, self.folder / f"{kind}.log")
        self.addCleanup(worker.close)
        return worker

    def measure(self, kind: str, ours: str = "kiln") -> dict:
        run = types.SimpleNamespace(arguments=types.SimpleNamespace(seconds=0, rounds=3), root=self.folder, work=self.folder,
                                    folder=self.folder, environment={}, result={"left": []}, fail=self.failures.append)
        peers = bench.Peers.__new__(bench.Peers)
        peers.run, peers.why_not, peers.worker, peers.warming, peers.log = run, None, None, None, self.folder / "peer.log"
        peers._command = lambda: [sys.executable, self.folder / "worker.py", kind]
        group = lines.groups(True, "linear f32 64x48 1x64")[0]
        self.assertTrue(peers.load(group, self.folder))
        self.addCleanup(lambda: peers.worker and peers.worker.close())
        return bench.measure_line(run, group, "1x64", self.worker(ours), peers, ["eager", "compiled"])

    def test_the_better_peer_counts(self):
        record = self.measure("works")
        self.assertEqual(record["median_us"], {"kiln": 5, "eager": 20, "compiled": 10})
        self.assertEqual((record["ratio"], record["error"], record["peer_error"]), (2, 1e-7, 1e-7))
        self.assertEqual((record["notes"], self.failures), ([], []))

    def test_peers_that_do_not_answer_are_left_out(self):
        for kind, note in (("fails", "compiled: RuntimeError: no such kernel"), ("ends", "compiled: ended with status 3: no more memory"),
                           ("hangs", "compiled: no answer within 1 s")):
            with self.subTest(kind):
                record = self.measure(kind)
                self.assertEqual(record["median_us"], {"kiln": 5, "eager": 20})
                self.assertEqual((record["ratio"], record["notes"]), (4, [note]))
        self.assertEqual(self.failures, [])

    def test_what_is_not_exact_is_a_failure(self):
        self.measure("works", "inexact")
        self.assertEqual(self.failures, ["linear f32 64x48 1x64: error 3.0e-06, at most 2e-06 is allowed"])

    def test_kiln_that_ends_is_an_error(self):
        worker = self.worker("ends")
        with self.assertRaisesRegex(WorkerError, "ended with status 3: no more memory"):
            worker.ask(5, mode="compiled")

    def test_the_summary(self):
        def line(kiln, eager, **more):
            return {"case": "linear", "dtype": "bf16", "flops": 1e9, "ratio": eager / kiln, "median_us": {"kiln": kiln, "eager": eager}} | more
        totals = report.summary({"lines": [line(10, 40), line(100, 100, flops=3e10), line(60, 45), line(5, 5, case="mlp")]})
        self.assertEqual((totals["lines"], totals["short_lines"], totals["cublaslt_lines"], totals["both_peers"]), (4, 3, 1, 0))
        self.assertAlmostEqual(totals["ratio"], 3 ** 0.25)
        self.assertAlmostEqual(totals["short_ratio"], 3 ** (1 / 3))
        self.assertEqual((totals["of_cublaslt"], totals["least_of_cublaslt"]), (1, 1))
        self.assertEqual(report.summary({"lines": []})["ratio"], None)

    def test_the_lines(self):
        groups = lines.groups(False)
        self.assertEqual(sum(len(group.shapes) for group in groups), 76)
        self.assertEqual({group.case for group in groups}, {"linear", "mlp", "gather_linear", "layer_norm", "minilm"})
        self.assertEqual([group.shapes for group in lines.groups(False, "minilm bf16.* 256x128")], [("256x128",)])
        mlp = lines.groups(False, "^mlp bf16 4096x14336x4096 8x")[0]
        self.assertEqual(mlp.flops("8x4096"), 2 * 8 * 2 * 4096 * 14336)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
