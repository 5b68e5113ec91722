"""Writes layers.safetensors: results of PyTorch's norms and of Hugging Face's Llama, Gemma and YaRN, which
test/unit/conformance/LayersTest.cpp compares with. Made with PyTorch 2.15 and transformers 5:

    python3 test/data/layers.py

Inputs are not stored: both sides make them by `pattern`, whose numbers are exact in every float dtype.
"""

import pathlib

import safetensors.torch
import torch
from transformers import Gemma2Config, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

GROUP_NORMS = [(1, 128, 7, 9, 32), (1, 64, 3, 5, 16), (2, 128, 7, 7, 32), (1, 128, 8, 8, 32), (1, 128, 4, 16, 32)]
# dim, base, factor, original length, truncate
YARNS = [(64, 150000.0, 32.0, 4096, False), (64, 150000.0, 32.0, 4096, True), (16, 10000.0, 4.0, 64, True)]


def pattern(shape, seed, dtype=torch.float32):
    """Multiples of 1/64 in [-2, 2), row-major."""
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    mixed = (i + seed) * 2654435761 % 4294967296
    return ((mixed // 65536 % 256).to(torch.float64) / 64 - 2).to(dtype).reshape(shape)


def main():
    out = {}
    for name, shape in {"layer_norm_2d": (7, 33), "layer_norm_4d": (2, 3, 5, 24)}.items():
        norm = torch.nn.LayerNorm(shape[-1], eps=1e-6)
        norm.load_state_dict({"weight": pattern(shape[-1:], 1), "bias": pattern(shape[-1:], 2)})
        out[name] = norm(pattern(shape, 0))
    for n, c, h, w, groups in GROUP_NORMS:
        norm = torch.nn.GroupNorm(groups, c).to(torch.bfloat16)
        norm.load_state_dict({"weight": pattern([c], 1, torch.bfloat16), "bias": pattern([c], 2, torch.bfloat16)})
        x = pattern([n, h, w, c], 0, torch.bfloat16).permute(0, 3, 1, 2)
        out[f"group_norm_{n}_{c}_{h}_{w}"] = norm(x).contiguous()
    for dtype in (torch.float32, torch.bfloat16):
        for name, norm in {"llama": LlamaRMSNorm(48, 1e-6), "gemma": Gemma2RMSNorm(48, 1e-6)}.items():
            norm = norm.to(dtype)
            norm.load_state_dict({"weight": pattern([48], 1, dtype)})
            out[f"{name}_{str(dtype)[6:]}"] = norm(pattern([5, 48], 0, dtype))
    for i, (dim, base, factor, length, truncate) in enumerate(YARNS):
        config = LlamaConfig(
            hidden_size=dim, num_attention_heads=1, head_dim=dim, max_position_embeddings=int(length * factor),
            rope_parameters={
                "rope_type": "yarn", "rope_theta": base, "factor": factor, "truncate": truncate,
                "beta_fast": 32.0, "beta_slow": 1.0, "original_max_position_embeddings": length,
            },
        )
        theta, attention_factor = ROPE_INIT_FUNCTIONS["yarn"](config, "cpu")
        angles = torch.outer(torch.arange(8, dtype=torch.float64), theta.to(torch.float64))
        out[f"yarn_theta_{i}"] = theta
        out[f"yarn_table_{i}"] = (torch.stack([angles.cos(), angles.sin()], -1) * attention_factor).to(torch.float32)
    out = {name: tensor.detach() for name, tensor in out.items()}
    safetensors.torch.save_file(out, pathlib.Path(__file__).with_suffix(".safetensors"))


main()
