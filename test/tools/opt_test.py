"""kiln-opt as a process: what tests write down of a program that failed, and drawings of graphs."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

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


# Two equal layers, whose kernels are one, and a function of its own at the end.
MODEL = r"""
!x = tensor<?x2xf32, #kiln.dims<batch, 2>>
!w = tensor<2x2xf32>
func.func @main(%x: !x {kiln.name = "x", kiln.role = "argument"},
                %w: !w {kiln.name = "layers.0.weight", kiln.role = "weight"},
                %v: !w {kiln.name = "layers.1.weight", kiln.role = "weight"}) -> (!x, !x) {
  %a = kiln.matmul %x, %w : (!x, !w) -> !x
  %b = kiln.relu %a : !x
  %c = kiln.matmul %b, %v : (!x, !w) -> !x
  %d = kiln.relu %c : !x
  %e = kiln.softmax %d axis 1 : (!x) -> !x
  %two = kiln.constant dense<2.5> : tensor<f32>
  %f = kiln.sub %e, %two : (!x, tensor<f32>) -> !x
  return %f, %d : !x, !x
}
"""
FUSE = ["--kiln-fuse-linear", "--kiln-fuse-epilogue", "--kiln-fuse-elementwise"]


class Graphs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_opt(self, text, *arguments, **options):
        model = self.folder / "model.mlir"
        model.write_text(text, encoding="utf-8")
        return subprocess.run([BIN / "kiln-opt", model, *arguments, "-o", os.devnull], capture_output=True,
                              text=True, **options)

    def draw(self, text, *arguments):
        file = self.folder / "graph.dot"
        run = self.run_opt(text, "--kiln-graph", file, *arguments)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return file.read_text(encoding="utf-8")

    def node(self, dot, label):
        """The one node whose label begins so."""
        nodes = re.findall(r'(n\d+) \[label="' + re.escape(label), dot)
        self.assertEqual(len(nodes), 1, f"{label} in\n{dot}")
        return nodes[0]

    def clusters(self, dot):
        """Title of each cluster, and the first line of the label of each node in it."""
        found = re.findall(r'subgraph cluster\d+ \{\n *graph \[label="(.*?)", .*\n((?: *n\d+ .*\n)*)', dot)
        return [(title, re.findall(r'\[label="(.*?)[\\"]', body)) for title, body in found]

    def test_operations_arguments_weights_and_types(self):
        dot = self.draw(MODEL)
        x, softmax = self.node(dot, r"x\n[batch, 2] f32"), self.node(dot, r"softmax\naxis 1")
        weight = self.node(dot, r"weight\nlayers.0.weight\n[2, 2] f32")
        matmuls = re.findall(r'(n\d+) \[label="matmul"', dot)
        sub, constant, result = self.node(dot, "sub"), self.node(dot, "2.5"), self.node(dot, "result 0")
        self.assertIn(f'{x} -> {matmuls[0]} [label="[batch, 2] f32", headlabel="0"', dot)
        self.assertIn(f'{weight} -> {matmuls[0]} [headlabel="1"', dot)
        self.assertIn(f'{softmax} -> {sub} [label="[batch, 2] f32", headlabel="0"', dot)
        self.assertIn(f'{constant} -> {sub} [headlabel="1"', dot)
        self.assertIn(f'{sub} -> {result} [label="[batch, 2] f32"]', dot)
        self.assertRegex(dot, rf"{weight} \[.*shape=cylinder")
        self.assertNotRegex(dot, rf"{x} \[.*shape=cylinder")
        self.assertEqual(self.clusters(dot), [])
        self.assertNotIn("penwidth", dot)

    def test_a_fusion_is_a_cluster_titled_by_its_anchor(self):
        dot = self.draw(MODEL, *FUSE)
        self.assertEqual(self.clusters(dot), [("fusion: linear", ["linear", "relu"]),
                                              ("fusion: linear", ["linear", "relu"]),
                                              ("fusion: softmax", ["softmax", "sub"])])
        self.assertEqual(re.findall(r'label="(\w+).*penwidth', dot), ["linear", "linear", "softmax"])
        # Edges go from operation to operation, through the border of the fusion.
        relus = re.findall(r'(n\d+) \[label="relu"', dot)
        self.assertIn(f"{relus[1]} -> {self.node(dot, 'softmax')} ", dot)

    def test_a_kernel_of_several_launches_is_drawn_once_with_a_number(self):
        dot = self.draw(MODEL, *FUSE, "--kiln-outline")
        self.assertEqual(self.clusters(dot), [
            ("@softmax_sub: softmax", ["softmax", "sub", "2.5"]),
            ("kernel 1 @linear_relu, called 2 times: linear", ["in 0", "in 1", "linear", "relu", "out 0"])])
        launches = re.findall(r'(n\d+) \[label="kernel 1 @linear_relu\\nlinear", shape=box3d\]', dot)
        self.assertEqual(len(launches), 2)
        self.assertIn(f'{launches[0]} -> {launches[1]} [label="[batch, 2] f32"', dot)
        # The same after a phase of the pipeline, whose end has no such graph any more.
        phase = self.draw(MODEL, "--kiln-cpu-pipeline", "--kiln-graph-phase=outline")
        self.assertIn("called 2 times: linear", phase)
        run = self.run_opt(MODEL, "--kiln-graph", self.folder / "end.dot", "--kiln-cpu-pipeline")
        self.assertEqual(run.returncode, 1)
        self.assertIn("--kiln-graph-phase", run.stderr)

    def test_subgraphs_and_recursion(self):
        dot = self.draw("""
            func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
              %a = func.call @once(%x) : (tensor<2xf32>) -> tensor<2xf32>
              %b = func.call @main(%a) : (tensor<2xf32>) -> tensor<2xf32>
              %c = func.call @outside(%b) : (tensor<2xf32>) -> tensor<2xf32>
              return %c : tensor<2xf32>
            }
            func.func private @once(%x: tensor<2xf32>) -> tensor<2xf32> {
              %a = kiln.exp %x : tensor<2xf32>
              return %a : tensor<2xf32>
            }
            func.func private @outside(tensor<2xf32>) -> tensor<2xf32>""")
        titles = [title for title, _ in self.clusters(dot)]
        self.assertEqual(titles[0], "@once")
        self.assertIn("subgraph 1 @main, called 2 times", titles[1:])
        self.assertIn('[label="func.call @outside"]', dot)

    def test_a_weight_is_drawn_beside_each_reader(self):
        dot = self.draw(MODEL.replace("%b, %v", "%b, %w"))
        copies = re.findall(r'(n\d+) \[label="weight\\nlayers.0.weight', dot)
        self.assertEqual(len(copies), 2)
        for copy in copies:
            self.assertEqual(len(re.findall(rf"{copy} -> ", dot)), 1)
        self.node(dot, r"weight\nlayers.1.weight")  # nothing reads it, which one should see

    def test_names_are_escaped_and_bounded(self):
        # As MLIR writes it: \22 is a quote, \\ a backslash, \0A a line break, \07 a bell, \FF no UTF-8.
        dot = self.draw(MODEL.replace('"x"', r'"a\22];b\\N&lt;\0Ac\07\FF\C3\A9"'))
        self.assertIn(r'[label="a\"];b\\N&amp;lt;\nc?' + "\ufffd\u00e9" + r'\n[batch, 2] f32"', dot)
        long = self.draw(MODEL.replace('"x"', '"' + "\u00e9" * 200 + '.weight"'))
        name = re.search("label=\"(\u00e9+\\.\\.\\.\u00e9+\\.weight)", long)[1]
        self.assertLessEqual(len(name.encode()), 48)

    def test_mistakes_are_one_line(self):
        nothing = {"PATH": str(self.folder)}
        for arguments, options, message in [
                (["--kiln-graph", "graph.svg"], {"env": nothing}, "apt-get install graphviz"),
                (["--kiln-graph", "graph.jpeg"], {}, "must end in .svg, .png, .pdf or .dot"),
                (["--kiln-graph", "graph.dot", "--kiln-graph-phase=melt"], {}, "canonicalize, fuse, outline"),
                (["--kiln-graph", "graph.dot", "--kiln-graph-phase=fuse"], {}, "needs a pipeline"),
                (["--kiln-graph-phase=fuse"], {}, "no file"),
                (["--kiln-graph", "no/such/folder/graph.dot"], {}, "no/such/folder")]:
            with self.subTest(arguments):
                run = self.run_opt(MODEL, *arguments, cwd=self.folder, **options)
                self.assertEqual(run.returncode, 1)
                self.assertIn(message, run.stderr)
                self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        # Text needs no Graphviz.
        run = self.run_opt(MODEL, "--kiln-graph", "graph.dot", cwd=self.folder, env=nothing)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        several = self.run_opt(MODEL + "// -----\n" + MODEL, "--split-input-file", "--kiln-graph", "graph.dot",
                               cwd=self.folder)
        self.assertEqual(several.returncode, 1)
        self.assertIn("draws one module", several.stderr)

    def test_a_graphviz_that_fails_is_an_error(self):
        dot = self.folder / "dot"
        dot.write_text("#!/bin/sh\nexit 3\n")
        dot.chmod(0o755)
        run = self.run_opt(MODEL, "--kiln-graph", "graph.svg", cwd=self.folder,
                           env=dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}"))
        self.assertEqual(run.returncode, 1)
        self.assertIn("failed with 3", run.stderr)

    @unittest.skipUnless(shutil.which("dot"), "Graphviz is not installed")
    def test_graphviz_renders(self):
        for arguments in [[], FUSE, [*FUSE, "--kiln-outline"]]:
            file = self.folder / "graph.svg"
            run = self.run_opt(MODEL.replace('"x"', r'"a\22];b\\N&lt;"'), "--kiln-graph", file, *arguments)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            texts = xml.etree.ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")
            words = [text.text.replace("\u00a0", " ") for text in texts]
            self.assertIn(r'a"];b\N&lt;', words)
            self.assertIn("[batch, 2] f32", words)


if __name__ == "__main__":
    unittest.main()
