"""Writes the GGUF files of the tests with the package gguf (PyPI), the reference for what they hold.

    python3 -m venv /tmp/gguf && /tmp/gguf/bin/pip install gguf==0.19.0
    /tmp/gguf/bin/python test/data/makeGguf.py test/data

blocks.gguf: for each encoding drawn blocks (`Q4_K.packed`) and what gguf decodes them to (`Q4_K.decoded`);
    `input`, and what gguf encodes it to (`Q4_0.encoded`, `Q8_0.encoded`; it has no encoder for the others);
    metadata of every type; an alignment of 64.
max.gguf: the six tensors of MAX's test data for graph/utils/test_load_gguf.py.
"""

import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value

COLUMNS = 1024
# Where the halves lie in a block: docs of runtime/include/kiln/Quantization.h.
HALVES = {"Q4_0": [0], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
SPECIAL = [0x7E01, 0x7C00, 0xFC00, 0x0001, 0x83FF, 0x8000, 0x7BFF, 0xFD55]  # NaN, Inf, -Inf, subnormal, ...


def drawn_blocks(random, name):
    """[2, bytes of COLUMNS elements]: random bytes; the first blocks have scales that are special."""
    elements, size = gguf.GGML_QUANT_SIZES[Type[name]]
    blocks = random.integers(0, 256, (2 * COLUMNS // elements, size), dtype=np.uint8)
    for i in range(len(blocks)):
        for half in HALVES[name]:
            # Eight special ones in all at most, so that most of what is compared is a number.
            bits = SPECIAL[i] if i < min(8, len(blocks) // 2) else random.integers(0x0400, 0x6000)
            blocks[i, half : half + 2] = np.array([bits], np.uint16).view(np.uint8)
    return blocks.reshape(2, -1)


def input_values(random):
    values = random.standard_normal((4, COLUMNS)).astype(np.float32)
    values[1] *= np.exp2(random.integers(-30, 15, COLUMNS // 32).repeat(32)).astype(np.float32)
    values[2] = np.round(values[2] * 4) / 4  # ties
    values[3, :32], values[3, 32:64], values[3, 64:96] = 0, -0.0, 1e-9
    return values


def write_blocks(path):
    random = np.random.default_rng(20)
    writer = gguf.GGUFWriter(path, "kiln-test")
    writer.add_custom_alignment(64)
    writer.add_quantization_version(2)
    for kind, value in [("uint8", 255), ("int8", -128), ("uint16", 65535), ("int16", -32768),
                        ("uint32", 2**32 - 1), ("int32", -(2**31)), ("uint64", 2**64 - 1),
                        ("int64", -(2**63)), ("float32", 0.1), ("float64", 0.1), ("bool", True)]:
        writer.add_key_value(f"test.{kind}", value, Value[kind.upper()])
    writer.add_string("test.string", "Grüße, 東京\n")
    writer.add_array("test.strings", ["a", "", "long " * 10])
    writer.add_array("test.int32s", [1, -2, 3])
    writer.add_array("test.float32s", [0.5, -1.5])
    writer.add_array("test.bools", [True, False, True])
    writer.add_array("test.nested", [[1, 2], [3]])
    for name in HALVES:
        packed = drawn_blocks(random, name)
        with np.errstate(all="ignore"):
            decoded = gguf.quants.dequantize(packed, Type[name])
        writer.add_tensor(f"{name}.packed", packed, raw_dtype=Type[name])
        writer.add_tensor(f"{name}.decoded", decoded)
    values = input_values(random)
    writer.add_tensor("input", values)
    for name in ("Q4_0", "Q8_0"):
        with np.errstate(all="ignore"):
            writer.add_tensor(f"{name}.encoded", gguf.quants.quantize(values, Type[name]), raw_dtype=Type[name])
    finish(writer)


def write_max(path):
    writer = gguf.GGUFWriter(path, "kiln-test")
    writer.add_tensor("a", np.arange(10, dtype=np.int32).reshape(5, 2))
    writer.add_tensor("b", np.full((1, 2, 3), 3.5, np.float64))
    writer.add_tensor("c", np.array(5432.1, np.float32))
    writer.add_tensor("fancy/name", np.array([1, 2, 3], np.int64))
    writer.add_tensor("bf16", gguf.quants.quantize(np.array([123, 45], np.float32), Type.BF16), raw_dtype=Type.BF16)
    writer.add_tensor("quantized", (np.arange(288) % 256).astype(np.uint8).reshape(2, 144), raw_dtype=Type.Q4_0)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    write_blocks(folder / "blocks.gguf")
    write_max(folder / "max.gguf")
