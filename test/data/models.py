"""Writes models.safetensors: what PyTorch gives for the models of docs/examples, in float64, which
test/unit/frontend/ModelReferencesTest.cpp compares with. Made with PyTorch 2.15:

    python3 test/data/models.py

The weights are no part of the file: both sides make them from a formula. The parameters of a model,
sorted by name, are numbered p = 0, 1, ...; element e of one is ((e * 37 + p * 101) % 251 - 125) / 512,
plus 1 where the name is that of a norm's weight, as float32. Token i of the ids is (i * 37 + 11) % 61.
Tensors: "gpt2.B.S" and "llama.B.S", the logits [B, S, 61] of ids [B, S].
"""

import math
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention, silu

VOCABULARY, POSITIONS, DIM, HEADS, KV_HEADS, HIDDEN, LAYERS = 61, 16, 32, 4, 2, 48, 2
SIZES = [(1, 1), (2, 7), (3, 16)]


def filled(shapes):
    weights = {}
    for p, name in enumerate(sorted(shapes)):
        e = torch.arange(math.prod(shapes[name]), dtype=torch.int64)
        values = ((e * 37 + p * 101) % 251 - 125).to(torch.float64) / 512
        if "norm" in name and name.endswith("weight"):
            values += 1
        weights[name] = values.to(torch.float32).to(torch.float64).reshape(shapes[name])
    return weights


def linear(w, name, x):
    y = x @ w[name + ".weight"].T
    return y + w[name + ".bias"] if name + ".bias" in w else y


def heads(x, count):
    return x.reshape(*x.shape[:2], count, -1).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


def gpt2_shapes():
    shapes = {"tokens.weight": (VOCABULARY, DIM), "positions.weight": (POSITIONS, DIM)}
    norms = ["norm"]
    for i in range(LAYERS):
        block = f"blocks.{i}."
        norms += [block + "norm1", block + "norm2"]
        for name in ["query", "key", "value", "output"]:
            shapes[f"{block}attention.{name}.weight"] = (DIM, DIM)
            shapes[f"{block}attention.{name}.bias"] = (DIM,)
        shapes[block + "mlp.up.weight"] = (4 * DIM, DIM)
        shapes[block + "mlp.up.bias"] = (4 * DIM,)
        shapes[block + "mlp.down.weight"] = (DIM, 4 * DIM)
        shapes[block + "mlp.down.bias"] = (DIM,)
    for name in norms:
        shapes[name + ".weight"] = shapes[name + ".bias"] = (DIM,)
    return shapes


def gpt2(w, ids):
    def norm(name, x):
        return layer_norm(x, (DIM,), w[name + ".weight"], w[name + ".bias"], 1e-5)

    h = w["tokens.weight"][ids] + w["positions.weight"][torch.arange(ids.shape[1])]
    for i in range(LAYERS):
        block = f"blocks.{i}."
        x = norm(block + "norm1", h)
        q, k, v = (heads(linear(w, f"{block}attention.{n}", x), HEADS) for n in ["query", "key", "value"])
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + linear(w, block + "attention.output", joined(mixed))
        x = norm(block + "norm2", h)
        h = h + linear(w, block + "mlp.down", gelu(linear(w, block + "mlp.up", x), approximate="tanh"))
    return norm("norm", h) @ w["tokens.weight"].T


def llama_shapes():
    kv = DIM // HEADS * KV_HEADS
    shapes = {"tokens.weight": (VOCABULARY, DIM), "norm.weight": (DIM,), "output.weight": (VOCABULARY, DIM)}
    for i in range(LAYERS):
        block = f"blocks.{i}."
        shapes[block + "norm1.weight"] = shapes[block + "norm2.weight"] = (DIM,)
        shapes[block + "attention.query.weight"] = shapes[block + "attention.output.weight"] = (DIM, DIM)
        shapes[block + "attention.key.weight"] = shapes[block + "attention.value.weight"] = (kv, DIM)
        shapes[block + "mlp.gate.weight"] = shapes[block + "mlp.up.weight"] = (HIDDEN, DIM)
        shapes[block + "mlp.down.weight"] = (DIM, HIDDEN)
    return shapes


def rotate(x):
    """Pairs half of the head's dim apart; the table of angles is rounded to float32."""
    half = x.shape[-1] // 2
    theta = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * theta
    cosine, sine = (f(angles).to(torch.float32).to(torch.float64) for f in [torch.cos, torch.sin])
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)


def llama(w, ids):
    def norm(name, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w[name + ".weight"]

    h = w["tokens.weight"][ids]
    for i in range(LAYERS):
        block = f"blocks.{i}."
        x = norm(block + "norm1", h)
        q = rotate(heads(linear(w, block + "attention.query", x), HEADS))
        k = rotate(heads(linear(w, block + "attention.key", x), KV_HEADS))
        v = heads(linear(w, block + "attention.value", x), KV_HEADS)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        h = h + linear(w, block + "attention.output", joined(mixed))
        x = norm(block + "norm2", h)
        gated = silu(linear(w, block + "mlp.gate", x)) * linear(w, block + "mlp.up", x)
        h = h + linear(w, block + "mlp.down", gated)
    return linear(w, "output", norm("norm", h))


def main():
    results = {}
    for name, model, shapes in [("gpt2", gpt2, gpt2_shapes()), ("llama", llama, llama_shapes())]:
        weights = filled(shapes)
        for batch, seq in SIZES:
            ids = ((torch.arange(batch * seq) * 37 + 11) % VOCABULARY).reshape(batch, seq)
            results[f"{name}.{batch}.{seq}"] = model(weights, ids).contiguous()
    save_file(results, pathlib.Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
