"""Exports a model, builds a C program with it as docs/deploy.md says, and runs that: results, errors, what it links.

  deploy.py EXAMPLE CC SOURCE    EXAMPLE: kiln-example-deploy; SOURCE: the folder of deploy.c
"""
from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import unittest

EXAMPLE, CC, SOURCE = sys.argv[1:4]
SENTENCES = ["12,7,345", "8", "999,0,1,2,3,4,5,6,7,8,9,10,11", "5,5,5,5"]


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)


class Deploy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="kiln-deploy-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)
        exported = run(EXAMPLE, cls.work, *SENTENCES)
        assert exported.returncode == 0, exported.stderr
        cls.expected = exported.stdout
        # No library but these; every warning is an error.
        built = run(CC, "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", cls.work,
                    f"{SOURCE}/deploy.c", cls.work / "classifier.o", "-nodefaultlibs", "-lm", "-lpthread", "-lc", "-o",
                    cls.work / "classify")
        assert built.returncode == 0, built.stderr

    def classify(self, *arguments, weights: str = "classifier.weights") -> subprocess.CompletedProcess:
        return run(self.work / "classify", self.work / weights, *arguments)

    def test_the_results_are_those_of_the_model(self):
        self.assertEqual(len(self.expected.splitlines()), len(SENTENCES))
        for threads in (1, 2, 5):
            for sentences in (SENTENCES[:1], SENTENCES[:2], SENTENCES):
                result = self.classify(threads, *sentences)
                self.assertEqual(result.returncode, 0, result.stderr)
                lines = result.stdout.splitlines()
                for line, expected in zip(lines, self.expected.splitlines(), strict=False):
                    words, expected_words = line.split(), expected.split()
                    self.assertEqual(words[0], expected_words[0])
                    for value, wanted in zip(words[1:], expected_words[1:], strict=True):
                        # Padding changes the order in which a sentence's words are added up.
                        self.assertAlmostEqual(float(value), float(wanted), delta=2e-6)
                self.assertEqual(len(lines), len(sentences))

    def test_it_links_nothing_else(self):
        symbols = run("nm", "-u", self.work / "classifier.o").stdout.split()
        self.assertIn("pthread_create", symbols)
        for symbol in symbols:
            self.assertFalse(symbol.startswith(("_Z", "__cxa", "kiln")), symbol)
        public = run("nm", "-g", "--defined-only", self.work / "classifier.o").stdout.split("\n")
        names = {line.split()[2] for line in public if line}
        self.assertEqual(names - {"classifier_images"},
                         {"classifier_open", "classifier_open_for", "classifier_target", "classifier_close",
                          "classifier_call", "classifier_output_elements"})

    def test_each_target_s_code_computes_the_same(self):
        """deploy.c, with open_for in the place of open: $TARGET says for which."""
        shim = self.work / "shim.c"
        shim.write_text("""#include "classifier.h"
#include <stdio.h>
#include <stdlib.h>
int open_forced(const char *weights, int threads, classifier **model, char *message, size_t bytes);
int open_forced(const char *weights, int threads, classifier **model, char *message, size_t bytes) {
  for (int i = 0; classifier_target(i); ++i)
    fprintf(stderr, "has %s\\n", classifier_target(i));
  return classifier_open_for(getenv("TARGET"), weights, threads, model, message, bytes);
}
""")
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-I", self.work]
        built = run(CC, *flags, "-c", shim, "-o", self.work / "shim.o")
        self.assertEqual(built.returncode, 0, built.stderr)
        built = run(CC, *flags, "-Dclassifier_open=open_forced", f"{SOURCE}/deploy.c", self.work / "shim.o",
                    self.work / "classifier.o", "-lm", "-lpthread", "-o", self.work / "forced")
        self.assertEqual(built.returncode, 0, built.stderr)

        def forced(target: str) -> subprocess.CompletedProcess:
            return run(self.work / "forced", self.work / "classifier.weights", 2, *SENTENCES, env={"TARGET": target})

        reference = self.classify(2, *SENTENCES).stdout
        ran = []
        for target in ("x86-64", "x86-64-v3", "x86-64-v4"):
            result = forced(target)
            self.assertEqual(result.stderr.splitlines()[:3], ["has x86-64-v4", "has x86-64-v3", "has x86-64"])
            if result.returncode == 16:  # this CPU cannot
                self.assertRegex(result.stderr, rf"\[classifier\] this CPU has no \S+, which the code for {target} needs")
                continue
            self.assertEqual(result.returncode, 0, result.stderr)
            ran.append(result.stdout)
        self.assertEqual(ran[-1], reference)  # what it chooses by itself is the best
        words = [text.replace(":", "").split() for text in ran]
        for other in words[1:]:
            for value, wanted in zip(other, words[0], strict=True):
                if "," in value or "." not in value:
                    self.assertEqual(value, wanted)
                else:  # the order in which a product adds up is the target's
                    self.assertAlmostEqual(float(value), float(wanted), delta=2e-6)
        result = forced("pdp-11")
        self.assertEqual(result.returncode, 11)
        self.assertIn('there is no code for "pdp-11"', result.stderr)

    def test_bad_input_is_a_status_and_a_line(self):
        def fails(status: int, text: str, *arguments, **options):
            result = self.classify(*arguments, **options)
            self.assertEqual(result.returncode, 10 + status, result.stderr)
            self.assertIn(text, result.stderr)
            self.assertTrue(result.stderr.startswith("[classifier] "), result.stderr)

        fails(1, "threads: expected 1 to 1024, got 0", 0, "1,2")
        fails(2, "size batch: expected 1 to 64, got 65", 1, *["1"] * 65)
        fails(3, "index 1000 at position 1 is out of range [0, 1000)", 2, "1,1000")
        fails(3, "deploy.cpp", 2, "1,1000")
        fails(3, "index -5 at position 0", 2, "-5")
        fails(4, "No such file", 1, "1", weights="nowhere")
        fails(4, "magic", 1, "1", weights="classifier.o")

    def test_damaged_weights_are_refused(self):
        whole = (self.work / "classifier.weights").read_bytes()

        def with_bytes(contents: bytes, text: str):
            (self.work / "damaged").write_bytes(contents)
            result = self.classify(1, "1", weights="damaged")
            self.assertEqual(result.returncode, 14, result.stderr)
            self.assertIn(text, result.stderr)

        with_bytes(b"", "cannot be mapped")
        with_bytes(whole[:20], "magic")
        with_bytes(whole[:-1], "fileBytes")
        with_bytes(whole[:8] + b"0" * 32 + whole[40:], "weights of another model")
        with_bytes(whole[:48] + b"\xff" * 8 + whole[56:], "weights: -1")
        with_bytes(whole[:56] + b"\xff" * 8 + whole[64:], "weight 0 does not lie in the file")
        with_bytes(whole[:56] + (1 << 40).to_bytes(8, "little") + whole[64:], "weight 0 does not lie in the file")

    def test_the_header_is_for_cpp_as_well(self):
        source = self.work / "use.cpp"
        source.write_text('#include "classifier.h"\nint main() { classifier_close(nullptr); }\n')
        built = run(CC, "-x", "c++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", source)
        self.assertEqual(built.returncode, 0, built.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
