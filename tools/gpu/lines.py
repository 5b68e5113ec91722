"""What is measured: lines of a case, a dtype, the sizes of its layers and the shape of its input."""
from __future__ import annotations

import dataclasses
import math
import re

ROWS = (1, 8, 64, 512, 4096, 16384)
# case: {sizes of the layers: shapes of the input}
CASES = {
    "linear": {"768x3072": [f"{n}x768" for n in ROWS], "4096x14336": [f"{n}x4096" for n in ROWS]},
    "mlp": {"768x3072x768": [f"{n}x768" for n in ROWS], "4096x14336x4096": [f"{n}x4096" for n in ROWS]},
    "gather_linear": {"30522x384x1536": ["1x128", "8x128", "64x128"]},
    "layer_norm": {"768": ["8x768", "512x768", "4096x768", "16384x768"], "4096": ["512x4096", "16384x4096"]},
    "minilm": {"384x1536x6": ["1x16", "1x128", "8x128", "32x128", "256x128"]},
}
REDUCED = {
    "linear": {"64x48": ["1x64", "5x64"]},
    "mlp": {"64x96x40": ["3x64"]},
    "gather_linear": {"100x64x48": ["2x7"]},
    "layer_norm": {"96": ["5x96"]},
    "minilm": {"24x48x1": ["1x3"]},
}
DTYPES = ("f32", "bf16")
# Of results, relative to the largest one, from those in float64.
TOLERANCES = {"f32": 2e-6, "bf16": 2e-2}
ENCODER_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Group:
    """Lines that one process measures: they share weights."""
    case: str
    dtype: str
    layers: str
    shapes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.case}-{self.layers}-{self.dtype}"

    @property
    def data(self) -> str:
        return f"{self.case}-{self.layers}"

    @property
    def tolerance(self) -> float:
        return ENCODER_TOLERANCE if (self.case, self.dtype) == ("minilm", "f32") else TOLERANCES[self.dtype]

    def line(self, shape: str) -> str:
        return f"{self.case} {self.dtype} {self.layers} {shape}"

    def reference(self, shape: str) -> str:
        return f"{self}-{shape}.safetensors"

    def flops(self, shape: str) -> float:
        """Of the products of a linear or an mlp; of others 0: nothing is compared by them."""
        if self.case not in ("linear", "mlp"):
            return 0
        layers = sizes(self.layers)
        return 2.0 * sizes(shape)[0] * sum(a * b for a, b in zip(layers, layers[1:]))


def sizes(text: str) -> list[int]:
    return [int(part) for part in text.split("x")]


def groups(reduced: bool, wanted: str = "") -> list[Group]:
    found = []
    for case, layers in (REDUCED if reduced else CASES).items():
        for size, shapes in layers.items():
            for dtype in DTYPES:
                group = Group(case, dtype, size, ())
                chosen = tuple(shape for shape in shapes if re.search(wanted, group.line(shape)))
                if chosen:
                    found.append(dataclasses.replace(group, shapes=chosen))
    return found


def geometric_mean(values: list[float]) -> float | None:
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None
