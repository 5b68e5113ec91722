"""A small sentence encoder for tests: its folder, and its results computed in double precision."""
from __future__ import annotations

import json
import math
import pathlib
import random
import struct

# bfloat16 as its bits.
DTYPES = {"F32": "f", "F64": "d", "BF16": "H", "U8": "B", "I32": "i", "I64": "q"}


def write_safetensors(path: pathlib.Path, tensors: dict[str, tuple[str, list[int], list]]) -> None:
    """Tensors as name -> (dtype, shape, flat values)."""
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}{DTYPES[dtype]}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path: pathlib.Path) -> dict[str, tuple[str, list[int], list]]:
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    out = {}
    for name, t in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            part = raw[8 + length :][slice(*t["data_offsets"])]
            out[name] = (t["dtype"], t["shape"], [x for (x,) in struct.iter_unpack("<" + DTYPES[t["dtype"]], part)])
    return out


class TinyModel:
    """BERT with mean pooling, two layers, random weights."""

    words = ["a", "man", "eat", "##s", "##ing", "food", "the", "horse", "café", "cafe", "compiler", "."]

    def __init__(self, hidden: int = 16, heads: int = 2, max_tokens: int = 12):
        self.hidden, self.heads, self.max_tokens = hidden, heads, max_tokens
        self.intermediate, self.positions, self.layers = 2 * hidden, 20, 2
        letters = [chr(c) for c in range(ord("b"), ord("z") + 1)]
        self.vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *self.words, *letters, "##a", "?", "东", "京"]
        self.vocabulary += ["##" + c for c in letters if c != "s"]
        self.random = random.Random(1)
        self.weights = self._weights()

    def _weights(self):
        weights = {}

        def add(name, *shape, around=0.0):
            count = math.prod(shape)
            # float32 values, so that the reference computes with what the file holds.
            values = [struct.unpack("f", struct.pack("f", self.random.gauss(around, 0.3)))[0] for _ in range(count)]
            weights[name] = ("F32", list(shape), values)

        def linear(name, o, i):
            add(name + ".weight", o, i)
            add(name + ".bias", o)

        def norm(name):
            add(name + ".weight", self.hidden, around=1.0)
            add(name + ".bias", self.hidden)

        h = self.hidden
        weights["embeddings.position_ids"] = ("I64", [1, self.positions], list(range(self.positions)))
        add("embeddings.word_embeddings.weight", len(self.vocabulary), h)
        add("embeddings.position_embeddings.weight", self.positions, h)
        add("embeddings.token_type_embeddings.weight", 2, h)
        norm("embeddings.LayerNorm")
        for i in range(self.layers):
            p = f"encoder.layer.{i}."
            for n in ("query", "key", "value"):
                linear(p + "attention.self." + n, h, h)
            linear(p + "attention.output.dense", h, h)
            norm(p + "attention.output.LayerNorm")
            linear(p + "intermediate.dense", self.intermediate, h)
            linear(p + "output.dense", h, self.intermediate)
            norm(p + "output.LayerNorm")
        linear("pooler.dense", h, h)
        return weights

    def write(self, folder: pathlib.Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "model_type": "bert", "hidden_act": "gelu", "hidden_size": self.hidden, "vocab_size": len(self.vocabulary),
            "intermediate_size": self.intermediate, "num_attention_heads": self.heads, "type_vocab_size": 2,
            "num_hidden_layers": self.layers, "max_position_embeddings": self.positions, "layer_norm_eps": 1e-12,
            "position_embedding_type": "absolute",
        }
        special = {t: {"id": t, "ids": [self.vocabulary.index(t)], "tokens": [t]} for t in ("[CLS]", "[SEP]")}
        tokenizer = {
            "added_tokens": [
                {"id": i, "content": t, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
                for i, t in enumerate(self.vocabulary[:5])
            ],
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
                "special_tokens": special,
            },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                "vocab": {t: i for i, t in enumerate(self.vocabulary)},
            },
        }
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        (folder / "vocab.txt").write_text("\n".join(self.vocabulary) + "\n", encoding="utf-8")
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": self.max_tokens}))
        write_safetensors(folder / "model.safetensors", self.weights)

    def ids(self, tokens: str) -> list[int]:
        """The ids of tokens that are separated by blanks."""
        return [self.vocabulary.index(t) for t in ("[CLS] " + tokens + " [SEP]").split()]

    def embed(self, ids: list[int]) -> list[float]:
        """The embedding of one text without padding."""

        def rows(name):
            _, shape, values = self.weights[name]
            return [values[r * shape[1] : (r + 1) * shape[1]] for r in range(shape[0])]

        def vector(name):
            return self.weights[name][2]

        def linear(name, x):
            w, b = rows(name + ".weight"), vector(name + ".bias")
            return [[sum(p * q for p, q in zip(r, o)) + c for o, c in zip(w, b)] for r in x]

        def norm(name, x):
            w, b = vector(name + ".weight"), vector(name + ".bias")
            out = []
            for r in x:
                mean = sum(r) / len(r)
                scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in r) / len(r) + 1e-12)
                out.append([(v - mean) * scale * p + q for v, p, q in zip(r, w, b)])
            return out

        def add(x, y):
            return [[a + b for a, b in zip(r, s)] for r, s in zip(x, y)]

        word, position = rows("embeddings.word_embeddings.weight"), rows("embeddings.position_embeddings.weight")
        segment = rows("embeddings.token_type_embeddings.weight")[0]
        x = norm("embeddings.LayerNorm", [[a + b + c for a, b, c in zip(word[t], position[i], segment)] for i, t in enumerate(ids)])
        width = self.hidden // self.heads
        for i in range(self.layers):
            p = f"encoder.layer.{i}."
            q, k, v = (linear(p + "attention.self." + n, x) for n in ("query", "key", "value"))
            attended = [[0.0] * self.hidden for _ in ids]
            for h in range(self.heads):
                part = slice(h * width, (h + 1) * width)
                for r in range(len(ids)):
                    scores = [sum(a * b for a, b in zip(q[r][part], c[part])) / math.sqrt(width) for c in k]
                    exps = [math.exp(s - max(scores)) for s in scores]
                    for d in range(h * width, (h + 1) * width):
                        attended[r][d] = sum(e * c[d] for e, c in zip(exps, v)) / sum(exps)
            x = norm(p + "attention.output.LayerNorm", add(linear(p + "attention.output.dense", attended), x))
            inner = [[0.5 * y * (1 + math.erf(y / math.sqrt(2))) for y in r] for r in linear(p + "intermediate.dense", x)]
            x = norm(p + "output.LayerNorm", add(linear(p + "output.dense", inner), x))
        mean = [sum(c) / len(ids) for c in zip(*x)]
        length = math.sqrt(sum(v * v for v in mean))
        return [v / length for v in mean]
