#!/usr/bin/env python3
"""Writes promotion.csv: what PyTorch's promote_types gives for each two dtypes of Kiln.

A line is a dtype and its row; "-" where PyTorch defines nothing (uint16, uint32 and uint64 beside
other integers)."""

import pathlib

import torch

NAMES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
         "float16 bfloat16 float32 float64").split()


def promoted(a: str, b: str) -> str:
    try:
        return str(torch.promote_types(getattr(torch, a), getattr(torch, b))).split(".")[-1]
    except RuntimeError:
        return "-"


lines = [",".join(["torch " + torch.__version__.split("+")[0], *NAMES])]
lines += [",".join([a, *(promoted(a, b) for b in NAMES)]) for a in NAMES]
pathlib.Path(__file__).with_suffix(".csv").write_text("\n".join(lines) + "\n")
