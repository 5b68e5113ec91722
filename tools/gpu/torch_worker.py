"""PyTorch on the lines of lines.py: python3 torch_worker.py [--warm GROUPS.json]

Answers JSON lines: {"load": case, "dtype": d, "folder": DATA_DIR}, then
{"shape": [8, 768], "mode": "eager" | "compiled", "seconds": s} -> {"median_us": m, "calls": n},
{"shape": …, "mode": …, "check": FILE} -> {"error": e}: the first and the last entry against FILE's `ref`.
With --warm it compiles everything into $TORCHINDUCTOR_CACHE_DIR, a JSON line for each.
"""
from __future__ import annotations

import json
import math
import pathlib
import statistics
import struct
import sys
import time

import torch
import torch._dynamo
import torch.nn.functional as F

DTYPES = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64}
WANTED = {"f32": torch.float32, "bf16": torch.bfloat16}


def read_tensors(path: pathlib.Path) -> dict[str, torch.Tensor]:
    with path.open("rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    contents = torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8)
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = contents[begin:end].clone().view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


class Model(torch.nn.Module):
    """Parameters by their names in the file: parameters are what torch.compile takes for staying where it is."""

    def __init__(self, weights: dict[str, torch.Tensor], dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        for name, weight in weights.items():
            rounded = weight.to(dtype) if self.is_rounded(name) else weight
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(rounded, requires_grad=False))

    def is_rounded(self, name: str) -> bool:
        return True

    def w(self, name: str) -> torch.Tensor:
        return getattr(self, name.replace(".", "_"))

    def linear(self, x, name):
        return F.linear(x.to(self.dtype), self.w(name + "weight"), self.w(name + "bias"))


class Linear(Model):
    def forward(self, x):
        return self.linear(x, "")


class Mlp(Model):
    def forward(self, x):
        return self.linear(F.gelu(self.linear(x, "0.")), "2.")


class GatherLinear(Model):
    def forward(self, x):
        return self.linear(F.embedding(x, self.w("0.weight")), "1.")


class LayerNorm(Model):
    def forward(self, x):
        return F.layer_norm(x, x.shape[-1:], self.w("weight"), self.w("bias"), 1e-5)


class Encoder(Model):
    """all-MiniLM-L6-v2 with mean pooling, as tools/common/minilm/Bert.h; heads as there."""
    HEADS = 12

    def __init__(self, weights: dict[str, torch.Tensor], dtype: torch.dtype):
        super().__init__(weights, dtype)
        self.layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))

    def is_rounded(self, name: str) -> bool:
        """As there: the weights of linear layers; norms and embeddings stay float32."""
        return "dense" in name or ".self." in name

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w(name + "weight"), self.w(name + "bias"), 1e-12)

    def forward(self, ids, mask):
        batch, seq = ids.shape
        e = "embeddings."
        x = F.embedding(ids, self.w(e + "word_embeddings.weight")) + self.w(e + "position_embeddings.weight")[:seq]
        x = self.norm(x + self.w(e + "token_type_embeddings.weight")[0], e + "LayerNorm.")
        attends = (mask > 0)[:, None, None, :]
        for i in range(self.layers):
            p = f"encoder.layer.{i}."
            q, k, v = (self.linear(x, f"{p}attention.self.{name}.").view(batch, seq, self.HEADS, -1).transpose(1, 2)
                       for name in ("query", "key", "value"))
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=attends).transpose(1, 2).reshape(batch, seq, -1)
            x = self.norm(self.linear(y, p + "attention.output.dense.").to(x.dtype) + x, p + "attention.output.LayerNorm.")
            y = F.gelu(self.linear(x, p + "intermediate.dense."))
            x = self.norm(self.linear(y, p + "output.dense.").to(x.dtype) + x, p + "output.LayerNorm.")
        weights = mask.to(x.dtype)[:, :, None]
        return F.normalize((x * weights).sum(1) / weights.sum(1), dim=-1)


MODELS = {"linear": Linear, "mlp": Mlp, "gather_linear": GatherLinear, "layer_norm": LayerNorm, "minilm": Encoder}


def drawn_weights(case: str, layers: list[int]) -> dict[str, torch.Tensor]:
    """Any numbers, of the sizes that the files will have."""
    def linear(name, rows, columns):
        return {f"{name}weight": [rows, columns], f"{name}bias": [rows]}
    if case == "linear":
        sizes = linear("", layers[1], layers[0])
    elif case == "mlp":
        sizes = linear("0.", layers[1], layers[0]) | linear("2.", layers[2], layers[1])
    elif case == "gather_linear":
        sizes = {"0.weight": layers[:2]} | linear("1.", layers[2], layers[1])
    elif case == "layer_norm":
        sizes = {"weight": layers, "bias": layers}
    else:
        hidden, middle, count = layers
        def norm(name):
            return {f"{name}LayerNorm.weight": [hidden], f"{name}LayerNorm.bias": [hidden]}
        sizes = {f"embeddings.{name}_embeddings.weight": [rows, hidden] for name, rows in
                 (("word", 30522), ("position", 512), ("token_type", 2))} | norm("embeddings.")
        for i in range(count):
            p = f"encoder.layer.{i}."
            for name in ("query", "key", "value"):
                sizes |= linear(f"{p}attention.self.{name}.", hidden, hidden)
            sizes |= linear(p + "attention.output.dense.", hidden, hidden) | norm(p + "attention.output.")
            sizes |= linear(p + "intermediate.dense.", middle, hidden) | linear(p + "output.dense.", hidden, middle) | norm(p + "output.")
    return {name: torch.rand(size, device="cuda") * 0.1 for name, size in sizes.items()}


def drawn_inputs(case: str, shape: list[int], dtype: torch.dtype) -> list[torch.Tensor]:
    if case in ("gather_linear", "minilm"):
        ids = torch.zeros(shape, dtype=torch.int64, device="cuda")
        return [ids, ids + 1] if case == "minilm" else [ids]
    return [torch.rand(shape, device="cuda").to(dtype)]


class Loaded:
    def __init__(self, case: str, dtype: str, weights: dict[str, torch.Tensor], folder: str = ""):
        self.folder = pathlib.Path(folder)
        self.dtype = WANTED[dtype]
        self.eager = MODELS[case](weights, self.dtype)
        torch._dynamo.reset()
        self.compiled = torch.compile(self.eager, mode="max-autotune", dynamic=False)

    def inputs(self, shape: list[int]) -> list[torch.Tensor]:
        tensors = read_tensors(self.folder / ("x".join(map(str, shape)) + ".safetensors"))
        found = [tensors[f"in{i}"].cuda() for i in range(len(tensors))]
        return [x.to(self.dtype) if x.is_floating_point() else x for x in found]

    def function(self, mode: str):
        return self.compiled if mode == "compiled" else self.eager


def seconds_of_calls(function, inputs, seconds: float) -> dict:
    """As kiln-bench: several calls together until the last one's result is there; as many as take 20 ms, at most 20."""
    def timed(calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            function(*inputs)
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / calls
    for _ in range(3):
        timed(1)  # compiles, and records its graph
    together = min(max(int(0.02 / timed(1)), 1), 20)
    timed(together)
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < seconds:
        times.append(timed(together))
    return {"median_us": statistics.median(times) * 1e6, "calls": len(times) * together}


def error_against(result: torch.Tensor, path: str) -> float:
    reference = read_tensors(pathlib.Path(path))["ref"]
    got = (result if len(result) == 1 else torch.stack([result[0], result[-1]])).double().cpu()
    error = ((got - reference).abs().max() / reference.abs().max()).item()
    return error if math.isfinite(error) else math.inf


def answer(line: str, state: dict) -> dict:
    request = json.loads(line)
    if "load" in request:
        state.clear()
        torch.cuda.empty_cache()
        weights = read_tensors(pathlib.Path(request["folder"]) / "weights.safetensors")
        state["loaded"] = Loaded(request["load"], request["dtype"], {name: w.cuda() for name, w in weights.items()}, request["folder"])
        return {"ready": True}
    loaded = state["loaded"]
    function, inputs = loaded.function(request["mode"]), loaded.inputs(request["shape"])
    if "check" in request:
        return {"error": error_against(function(*inputs), request["check"])}
    return seconds_of_calls(function, inputs, request["seconds"])


def main() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False  # float32 means float32, as Kiln's `highest`
    torch.backends.cudnn.allow_tf32 = False
    for limit in ("cache_size_limit", "recompile_limit"):  # a compilation for each shape; older and newer name
        if hasattr(torch._dynamo.config, limit):
            setattr(torch._dynamo.config, limit, 64)
    with torch.inference_mode():
        if sys.argv[1:2] == ["--warm"]:
            for group in json.loads(pathlib.Path(sys.argv[2]).read_text()):
                loaded = Loaded(group["case"], group["dtype"], drawn_weights(group["case"], group["layers"]))
                for line, shape in group["lines"].items():
                    begin = time.perf_counter()
                    try:
                        loaded.compiled(*drawn_inputs(group["case"], shape, loaded.dtype))
                        torch.cuda.synchronize()
                    except Exception as error:  # it will be said of the line when that is measured
                        print(f"{line}: {error}", file=sys.stderr)
                    print(json.dumps({"line": line, "seconds": round(time.perf_counter() - begin, 1)}), flush=True)
                del loaded
                torch.cuda.empty_cache()
            return
        state: dict = {}
        for line in sys.stdin:
            try:
                print(json.dumps(answer(line, state)), flush=True)
            except Exception as error:  # said to whoever asked; the next line may do
                print(json.dumps({"failed": f"{type(error).__name__}: {error}"[:500]}), flush=True)


main()
