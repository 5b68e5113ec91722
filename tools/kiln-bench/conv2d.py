#!/usr/bin/env python3
"""Times convolutions of kiln-bench against PyTorch's, in turns, on two threads, float32:

    python3 tools/kiln-bench/conv2d.py build/bin/kiln-bench

Prints the median of each and their ratio; PyTorch gets its tensors channels-last, as Kiln does, and
as it likes them best on CPUs.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import safetensors.torch
import torch

CASES = [  # x [N, H, W, C], filter [KH, KW, C, F]
    ([1, 56, 56, 64], [3, 3, 64, 64]),
    ([1, 28, 28, 128], [3, 3, 128, 128]),
    ([1, 14, 14, 256], [3, 3, 256, 256]),
    ([1, 112, 112, 3], [7, 7, 3, 64]),
    ([1, 224, 224, 3], [16, 16, 3, 768]),
]
ROUNDS, SECONDS = 9, 0.2


def median_of_calls(call):
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def main():
    torch.set_num_threads(2)
    torch.manual_seed(0)
    for shape, size in CASES:
        x, weight, bias = torch.randn(shape), torch.randn(size), torch.randn(size[-1])
        folder = pathlib.Path(tempfile.mkdtemp())
        safetensors.torch.save_file({"weight": weight, "bias": bias}, folder / "weights.safetensors")
        name = "x".join(map(str, shape)) + ".safetensors"
        safetensors.torch.save_file({"in0": x}, folder / name)
        worker = subprocess.Popen([sys.argv[1], "conv2d", "f32", folder],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        worker.stdout.readline()

        def ask(**request):
            print(json.dumps({"shape": shape} | request), file=worker.stdin, flush=True)
            return json.loads(worker.stdout.readline())

        odd = size[0] % 2
        layer = torch.nn.Conv2d(size[2], size[3], size[:2], stride=1 if odd else size[0],
                                padding=size[0] // 2 if odd else 0)
        layer.weight.data = weight.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        layer.bias.data = bias
        image = x.permute(0, 3, 1, 2)  # channels last in memory
        with torch.inference_mode():
            ask(save=str(folder / "out.safetensors"))
            result = safetensors.torch.load_file(folder / "out.safetensors")["out"]
            torch.testing.assert_close(result, layer(image).permute(0, 2, 3, 1), rtol=1e-4, atol=1e-3)
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(ask(seconds=SECONDS)["median_us"])
                theirs.append(median_of_calls(lambda: layer(image)))
        worker.stdin.close()
        worker.wait()
        ratio = statistics.median(t / o for o, t in zip(ours, theirs))
        flops = 2 * result.numel() * size[0] * size[1] * size[2]
        print(f"{shape} * {size}: kiln {statistics.median(ours):.0f} us "
              f"({flops / statistics.median(ours) / 1e3:.0f} GFLOP/s), "
              f"PyTorch {statistics.median(theirs):.0f} us, PyTorch / kiln {ratio:.2f}")


if __name__ == "__main__":
    main()
