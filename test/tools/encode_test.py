"""Runs kiln-encode with a small model, and with the real one where tools/quickstart unpacked it.

$KILN_BIN is the folder of the programs (default: build/bin).
"""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

from tiny_model import TinyModel, read_safetensors, write_safetensors

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("KILN_BIN", HERE.parents[1] / "build/bin"))
REAL_MODEL = pathlib.Path(os.environ.get("KILN_MODEL_DIR", BIN.parent / "model"))

TEXTS = ["A man eats food.", "", "the horse eating?", "Café 东京", "compiler " * 40, "a", "[SEP] zebra", "man man horse"]
TOKENS = ["a man eat ##s food .", "", "the horse eat ##ing ?", "cafe 东 京", "compiler " * 10, "a", "[SEP] z ##e ##b ##r ##a", "man man horse"]


def encode(*arguments, text: str | bytes = b"", **options) -> subprocess.CompletedProcess:
    data = text.encode() if isinstance(text, str) else text
    return subprocess.run([BIN / "kiln-encode", *map(str, arguments)], input=data, capture_output=True, timeout=300, **options)


def read_npy(path: pathlib.Path) -> list[list[float]]:
    raw = path.read_bytes()
    assert raw[:8] == b"\x93NUMPY\x01\x00", raw[:8]
    (length,) = struct.unpack_from("<H", raw, 8)
    assert (10 + length) % 64 == 0 and raw[10 + length - 1 : 10 + length] == b"\n"
    header = eval(raw[10 : 10 + length], {})  # A Python literal, by the format's definition.
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    rows, columns = header["shape"]
    values = struct.unpack(f"<{rows * columns}f", raw[10 + length :])
    return [list(values[r * columns : (r + 1) * columns]) for r in range(rows)]


def largest_difference(a, b) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


class EncodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="kiln-encode-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.tiny = TinyModel()
        cls.model = cls.folder / "model"
        cls.tiny.write(cls.model)

    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def good(self, *arguments, text="", **options) -> subprocess.CompletedProcess:
        result = encode("--model", self.model, *arguments, text=text, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def lines(self, *arguments, text="\n".join(TEXTS) + "\n", **options) -> list[dict]:
        return [json.loads(line) for line in self.good(*arguments, text=text, **options).stdout.splitlines()]

    def bad(self, *arguments, says: str, model: pathlib.Path | None = None, text="a\n", **options) -> None:
        """It must fail with exit code 2 and one line that holds `says`, in any case."""
        result = encode("--model", model or self.model, *arguments, text=text, **options)
        message = result.stderr.decode()
        self.assertEqual(result.returncode, 2, message)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertTrue(message.startswith("kiln-encode: "), message)
        self.assertIn(says.lower(), message.lower())

    # Results

    def test_ids_and_embeddings(self):
        lines = self.lines("--ids")
        self.assertEqual([line["text"] for line in lines], TEXTS)
        for line, tokens in zip(lines, TOKENS):
            self.assertEqual(line["ids"], self.tiny.ids(tokens))
            # float32 arithmetic of a model this small against double precision.
            self.assertLess(largest_difference(line["embedding"], self.tiny.embed(line["ids"])), 1e-5)

    def test_padding_changes_nothing(self):
        whole, single = self.lines("--batch", 64), self.lines("--batch", 1)
        for a, b in zip(whole, single, strict=True):
            self.assertLess(largest_difference(a["embedding"], b["embedding"]), 1e-5)

    def test_eager_equals_compiled(self):
        self.assertEqual(self.lines(), self.lines("--eager"))

    def test_threads_change_nothing(self):
        self.assertEqual(self.lines("--threads", 1), self.lines("--threads", 3))

    def test_bfloat16(self):
        for a, b in zip(self.lines(), self.lines("--dtype", "bf16"), strict=True):
            # Products of 8 bits of precision through two layers; components of a unit vector.
            difference = largest_difference(a["embedding"], b["embedding"])
            self.assertLess(difference, 2e-2)
        self.assertGreater(difference, 0)

    def test_many_lines_keep_their_order(self):
        texts = [" ".join(["horse"] * (i * 7 % 11)) + f" {chr(98 + i % 25)}" for i in range(1500)]
        lines = self.lines(text="\n".join(texts))
        self.assertEqual([line["text"] for line in lines], texts)
        for i in (0, 1, 700, 1023, 1024, 1499):
            ids = self.tiny.ids(" ".join(texts[i].split()[: self.tiny.max_tokens - 2]))
            self.assertLess(largest_difference(lines[i]["embedding"], self.tiny.embed(ids)), 1e-5)

    # Inputs

    def test_files_and_standard_input(self):
        first, second = self.work / "1.txt", self.work / "2.txt"
        first.write_text("one\ntwo")
        second.write_bytes(b"three\r\n")
        lines = self.lines(first, "-", second, text="in\nput\n")
        self.assertEqual([line["text"] for line in lines], ["one", "two", "in", "put", "three"])

    def test_no_lines(self):
        self.assertEqual(self.good().stdout, b"")
        self.good("--output", self.work / "none.npy")
        self.assertEqual(read_npy(self.work / "none.npy"), [])
        self.assertIn(b"(0, 16)", (self.work / "none.npy").read_bytes())

    def test_invalid_utf8_is_replaced_and_counted(self):
        result = self.good("--ids", text=b"a\xff man\xc3\x28\n\xe2\x82\nfood\n")
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([line["text"] for line in lines], ["a\ufffd man\ufffd(", "\ufffd", "food"])
        self.assertEqual(lines[1]["ids"], self.tiny.ids(""))
        self.assertIn(b"replaced 3 invalid UTF-8 sequences by U+FFFD, in 2 lines", result.stderr)

    def test_a_megabyte_is_truncated(self):
        text = "horse " * 175_000
        (line,) = self.lines("--ids", text=text + "\n")
        self.assertEqual(line["text"], text)
        self.assertEqual(line["ids"], self.tiny.ids("horse " * 10))
        (line,) = self.lines("--ids", text="h" * 1_000_000)
        self.assertEqual(line["ids"], self.tiny.ids("[UNK]"))

    # Outputs

    def test_npy_holds_the_same_numbers(self):
        path = self.work / "out.npy"
        self.assertEqual(self.good("-o", path, text="\n".join(TEXTS)).stdout, b"")
        single = [list(struct.unpack("<16f", struct.pack("<16f", *line["embedding"]))) for line in self.lines()]
        self.assertEqual(read_npy(path), single)

    def test_output_replaces_a_file(self):
        path, link = self.work / "out.jsonl", self.work / "link.jsonl"
        path.write_text("old")
        link.symlink_to(path)
        self.good("--output", link, text="a\n")
        self.assertTrue(link.is_symlink())
        self.assertEqual(json.loads(path.read_text())["text"], "a")
        self.assertEqual(sorted(p.name for p in self.work.iterdir()), ["link.jsonl", "out.jsonl"])

    def test_similar(self):
        texts = ["the horse", "food .", "a man", "the horse", "man eating food ."]
        expected = self.tiny.embed(self.tiny.ids("man food ."))
        cosines = {t: sum(a * b for a, b in zip(expected, self.tiny.embed(self.tiny.ids(t.replace("ing", " ##ing"))))) for t in texts}
        found = self.good("--similar", "man food.", "--top", 2, text="\n".join(texts)).stdout.decode().splitlines()
        best = sorted(texts, key=lambda t: -cosines[t])[:2]
        self.assertEqual([line.split("  ", 1)[1] for line in found], best)
        for line, t in zip(found, best):
            self.assertAlmostEqual(float(line.split()[0]), cosines[t], places=3)
        everything = self.good("--similar", "the horse", "--top", 9, text="\n".join(texts)).stdout.decode().splitlines()
        self.assertEqual(everything[:2], ["1.0000  the horse"] * 2)
        self.assertEqual(len(everything), 5)

    def test_similar_with_output_writes_both(self):
        path = self.work / "out.jsonl"
        out = self.good("--similar", "a", "--output", path, text="a\nfood\n").stdout.decode()
        self.assertEqual(out.splitlines()[0], "1.0000  a")
        self.assertEqual(len(path.read_text().splitlines()), 2)

    def test_stats_count_one_compile(self):
        environment = {**os.environ, "KILN_CACHE_DIR": str(self.work / "cache")}
        result = self.good("--stats", text="\n".join(TEXTS), env=environment)
        self.assertIn(b"lines: 8 in ", result.stderr)
        self.assertIn(b"compiles: 1,", result.stderr)

    def test_timing(self):
        environment = {**os.environ, "KILN_CACHE_DIR": str(self.work / "cache")}
        phases = self.good("--timing", text="a", env=environment).stderr.decode()
        for name in ("trace", "context", "fuse", "outline", "lower", "machine code", "load and pack", "in all"):
            self.assertRegex(phases, rf"(?m)^{name} +[0-9.]+ ms")
        again = self.good("--timing", text="a", env=environment).stderr.decode()
        self.assertNotIn("machine code", again)  # from the cache
        self.assertRegex(again, r"(?m)^in all +[0-9.]+ ms")

    def test_profile(self):
        path = self.work / "trace.json"
        environment = {**os.environ, "KILN_CACHE_DIR": str(self.work / "cache")}
        self.good("--profile", path, "--threads", "2", "--batch", "2", text="\n".join(TEXTS), env=environment)
        trace = json.loads(path.read_text())
        self.assertEqual(trace["otherData"], {"droppedCalls": 0})
        named = [event for event in trace["traceEvents"] if event["ph"] == "M"]
        events = [event for event in trace["traceEvents"] if event["ph"] != "M"]
        self.assertEqual({event["ph"] for event in events}, {"X"})
        self.assertEqual({event["tid"] for event in named}, {event["tid"] for event in events})
        by_category = {category: [e for e in events if e["cat"] == category] for category in ("phase", "call", "kernel", "tasks")}
        self.assertEqual(sum(map(len, by_category.values())), len(events))
        phases = {event["name"] for event in by_category["phase"]}
        self.assertLessEqual({"load the tokenizer", "load the weights", "tokenise", "encode a batch", "pack the weights",
                              "fuse", "lower", "machine code", "write the cache"}, phases)
        # Events of a thread lie within each other or apart: what a viewer needs.
        for thread in {event["tid"] for event in events}:
            open_until = []
            for event in sorted((e for e in events if e["tid"] == thread), key=lambda e: (e["ts"], -e["dur"])):
                end = event["ts"] + event["dur"]
                while open_until and open_until[-1] <= event["ts"] + 0.0005:
                    open_until.pop()
                if open_until:  # to the nanosecond, in which they were taken
                    self.assertLessEqual(end, open_until[-1] + 0.0011, event)
                open_until.append(end)
        # Each call has its sizes, and its kernels lie in it with theirs.
        batches = [e for e in by_category["phase"] if e["name"] == "encode a batch"]
        calls = by_category["call"]
        self.assertEqual(len(calls), len(batches))
        self.assertEqual(sum(call["args"]["batch"] for call in calls), len(TEXTS))
        for call in calls:
            inside = [k for k in by_category["kernel"] if k["tid"] == call["tid"] and call["ts"] <= k["ts"] + 0.0005
                      and k["ts"] + k["dur"] <= call["ts"] + call["dur"] + 0.0011]
            names = " ".join(kernel["name"] for kernel in inside)
            self.assertIn("linear", names)
            self.assertIn("attention", names)
            for kernel in inside:
                self.assertRegex(kernel["args"]["types"], r"^\[[0-9, ]*\] \w+.* -> \[[0-9, ]*\] \w+")
                self.assertGreaterEqual(kernel["args"]["GFLOP"], 0)
        self.assertEqual(len(by_category["kernel"]) % len(calls), 0)

    # Mistakes

    def test_command_line(self):
        self.bad("--colour", says="--colour")
        self.bad("--batch", "0", says="--batch")
        self.bad("--batch", "many", says="--batch")
        self.bad("--top", "3", says="--similar")
        self.bad("--dtype", "f16", says="--dtype")
        self.bad("--model", says="--model")
        self.bad("--profile", self.work / "missing" / "trace.json", says="cannot write")
        help_text = encode("--help")
        self.assertEqual(help_text.returncode, 0)
        self.assertIn(b"--similar", help_text.stdout)

    def test_input_that_cannot_be_read(self):
        self.bad(self.work / "none.txt", says="none.txt: No such file")
        self.bad(self.work, says="directory")

    def test_output_that_cannot_be_written(self):
        self.bad("--output", self.work / "no/folder.jsonl", says="No such file")
        self.bad("--output", self.work, says="directory")
        self.bad("--output", "/dev/full", says="No space left")
        self.bad("--ids", "--output", self.work / "ids.npy", says="--ids")
        self.bad("--output", "/dev/full", "--similar", "a", says="No space left")
        with open("/dev/full", "wb") as full:
            result = subprocess.run([BIN / "kiln-encode", "--model", self.model], input=b"a\n", stdout=full, stderr=subprocess.PIPE)
        self.assertEqual((result.returncode, result.stderr.count(b"\n")), (2, 1), result.stderr)
        self.assertIn(b"standard output: No space left", result.stderr)
        self.assertEqual(list(self.work.iterdir()), [])

    def test_no_partial_file(self):
        for name in ("out.jsonl", "out.npy"):
            path = self.work / name
            path.write_text("old")
            limit = ["prlimit", "--fsize=70000"]  # Bytes: a write fails in the middle, as on a full disk.
            command = [*limit, BIN / "kiln-encode", "--model", self.model, "--output", path]
            result = subprocess.run(command, input=b"a\n" * 3000, capture_output=True)
            self.assertEqual((result.returncode, result.stderr.count(b"\n")), (2, 1), result.stderr)
            self.assertIn(b"File too large", result.stderr)
            self.assertEqual(path.read_text(), "old")
        self.assertEqual(len(list(self.work.iterdir())), 2)

    def test_interrupt(self):
        command = [BIN / "kiln-encode", "--model", self.model, "--output", self.work / "out.jsonl"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while not list(self.work.iterdir()) and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(60), 128 + signal.SIGINT)
        self.assertEqual(list(self.work.iterdir()), [])

    def changed_model(self, name: str, change) -> pathlib.Path:
        folder = self.work / f"model{len(list(self.work.iterdir()))}"
        shutil.copytree(self.model, folder)
        change(folder / name)
        return folder

    def test_model_folder_that_lacks_a_file(self):
        self.bad(model=self.work / "none", says="none")
        for name in ("config.json", "tokenizer.json", "vocab.txt", "sentence_bert_config.json", "model.safetensors"):
            self.bad(model=self.changed_model(name, pathlib.Path.unlink), says=name)

    def test_damaged_weights(self):
        whole = (self.model / "model.safetensors").read_bytes()
        (length,) = struct.unpack_from("<Q", whole)
        header = json.loads(whole[8 : 8 + length])

        def lying(change) -> bytes:
            copy = json.loads(json.dumps(header))
            change(copy["embeddings.word_embeddings.weight"], copy)
            text = json.dumps(copy).encode()
            return struct.pack("<Q", len(text)) + text + whole[8 + length :]

        damaged = {
            "empty": b"",
            "short": whole[:5],
            "header cut": whole[: length // 2],
            "data cut": whole[:-4],
            "length too large": struct.pack("<Q", 1 << 60) + whole[8:],
            "length zero": struct.pack("<Q", 0) + whole[8:],
            "no JSON": struct.pack("<Q", length) + b"x" * length + whole[8 + length :],
            "offset beyond": lying(lambda t, _: t.update(data_offsets=[0, 1 << 40])),
            "offset negative": lying(lambda t, _: t.update(data_offsets=[-4, t["data_offsets"][1]])),
            "offsets swapped": lying(lambda t, _: t.update(data_offsets=t["data_offsets"][::-1])),
            "shape too large": lying(lambda t, _: t.update(shape=[1 << 40, 1 << 40])),
            "shape differs": lying(lambda t, _: t.update(shape=[t["shape"][0] * 2, t["shape"][1]])),
            "unknown dtype": lying(lambda t, _: t.update(dtype="F33")),
            "other dtype": lying(lambda t, _: t.update(dtype="I32")),
            "no shape": lying(lambda t, _: t.pop("shape")),
            "missing tensor": lying(lambda _, h: h.pop("encoder.layer.1.output.dense.bias")),
        }
        for name, data in damaged.items():
            with self.subTest(name):
                self.bad(model=self.changed_model("model.safetensors", lambda p: p.write_bytes(data)), says="")

    def test_weights_of_another_model(self):
        def change(update):
            def apply(path):
                tensors = read_safetensors(path)
                update(tensors)
                write_safetensors(path, tensors)
            return self.changed_model("model.safetensors", apply)

        name = "encoder.layer.0.output.dense.weight"
        self.bad(model=change(lambda t: t.update({name: ("F32", [1, 2], [1.0, 2.0])})), says="not assignable")
        self.bad(model=change(lambda t: t.update({name: ("I64", *t[name][1:2], [1] * len(t[name][2]))})), says="not assignable")
        self.bad(model=change(lambda t: t.update(extra=("F32", [1], [1.0]))), says="extra")
        self.bad(model=change(lambda t: t.pop(name)), says=name)
        bias = "encoder.layer.0.output.dense.bias"
        nan = change(lambda t: t.update({bias: ("F32", t[bias][1], [float("nan")] * 16)}))
        self.bad(model=nan, says="not finite")

    def test_config_that_does_not_fit(self):
        def change(name, **values):
            return self.changed_model(name, lambda p: p.write_text(json.dumps({**json.loads(p.read_text()), **values})))

        self.bad(model=change("config.json", hidden_size=18), says="not assignable")
        self.bad(model=change("config.json", hidden_size=-1), says="hidden_size")
        self.bad(model=change("config.json", hidden_size="16"), says="hidden_size")
        self.bad(model=change("config.json", num_attention_heads=3), says="num_attention_heads")
        self.bad(model=change("config.json", hidden_act="relu"), says="hidden_act")
        self.bad(model=change("config.json", model_type="gpt2"), says="model_type")
        self.bad(model=change("sentence_bert_config.json", max_seq_length=21), says="positions")
        self.bad(model=change("sentence_bert_config.json", max_seq_length=0), says="max_seq_length")
        self.bad(model=change("tokenizer.json", pre_tokenizer={"type": "Split"}), says="Split")
        self.bad(model=self.changed_model("config.json", lambda p: p.write_text("{")), says="config.json")


@unittest.skipUnless((REAL_MODEL / "model.safetensors").exists(), "tools/quickstart has not unpacked the model")
class RealModelTest(unittest.TestCase):
    """all-MiniLM-L6-v2: ids and embeddings as the reference implementation gives them (float32)."""

    def setUp(self):
        with open(HERE.parent / "data/minilm-sentences.jsonl", encoding="utf-8") as file:
            self.expected = [json.loads(line) for line in file]
        self.text = "\n".join(line["text"] for line in self.expected)

    def check(self, *arguments):
        result = encode("--model", REAL_MODEL, "--ids", *arguments, text=self.text)
        self.assertEqual(result.returncode, 0, result.stderr)
        for line, want in zip(map(json.loads, result.stdout.splitlines()), self.expected, strict=True):
            self.assertEqual((line["text"], line["ids"]), (want["text"], want["ids"]))
            self.assertLess(largest_difference(line["embedding"], want["embedding"]), 1e-5)

    def test_one_by_one(self):
        self.check("--batch", 1)

    def test_padded_batches(self):
        self.check("--batch", 16)

    def test_eager(self):
        self.check("--eager")

    def test_memory_of_a_thousand_lines(self):
        # Mostly short lines, to save time, and some of the full 256 tokens: those decide the peak.
        texts = [line["text"] for line in self.expected]
        lines = [texts[i % len(texts)] * (40 if i % 25 == 0 else 1) for i in range(1000)]
        result = encode("--model", REAL_MODEL, "--stats", "--output", "/dev/null", text="\n".join(lines))
        self.assertEqual(result.returncode, 0, result.stderr)
        (peak,) = [line for line in result.stderr.decode().splitlines() if line.startswith("peak memory")]
        # Packed weights take the place of those of the file; beside them there are the largest batch's activations.
        self.assertLess(float(peak.split()[2]) * 2**20, 1.6 * (REAL_MODEL / "model.safetensors").stat().st_size, peak)


if __name__ == "__main__":
    unittest.main()
