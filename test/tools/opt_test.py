"""kiln-opt on what tests write down of a program that failed: it reads it and computes what was expected."""

import os
import pathlib
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ["KILN_BIN"])


class Reports(unittest.TestCase):
    def test_a_report_is_read_and_interpreted(self):
        with tempfile.TemporaryDirectory() as folder:
            # A planted fault: tanh is taken for sigmoid. What is left is one tanh of one element.
            subprocess.run(
                [BIN / "kiln-unit-tests", "--gtest_filter=Shrink.ReportsAreReadByKilnOpt"],
                env=dict(os.environ, KILN_RANDOM_REPORTS=folder, KILN_CACHE_DIR="off"), check=True, capture_output=True)
            report = pathlib.Path(folder) / "planted.mlir"
            run = subprocess.run([BIN / "kiln-opt", report, "--kiln-interpret", "-o", os.devnull], check=True,
                                 capture_output=True, text=True)
            self.assertRegex(run.stdout, r"^result 0: \[[1, ]*\] \w+ = \[*-?[0-9.e-]+\]*\n$")
            # The command that the report itself names for the passes.
            run = subprocess.run([BIN / "kiln-opt", report, "--kiln-cpu-pipeline", "--kiln-print-phases", "-o",
                                  os.devnull], check=True, capture_output=True, text=True)
            self.assertIn("kiln.tanh", run.stderr)
            self.assertIn('after phase "fuse"', run.stderr)


if __name__ == "__main__":
    unittest.main()
