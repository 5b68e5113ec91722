"""Writes convolution.safetensors: operands and results of PyTorch's convolutions, pools, fold and
interpolation, which test/unit/frontend/ConvolutionTest.cpp compares with. Made with PyTorch 2.15:

    python3 test/data/convolution.py

Kiln's layouts: x [N, ..., C], filter [..., C / groups, F]; results as Kiln gives them. Cases have
the names and the numbers of the table in the test.
"""

import pathlib

import safetensors.torch
import torch
import torch.nn.functional as F

CONVOLUTIONS = {  # x, filter, stride, dilation, padding (before and after of each axis), groups
    "conv1d": ([2, 11, 5], [3, 5, 7], [2], [2], [1, 2], 1),
    "conv2d": ([2, 9, 8, 3], [3, 3, 3, 5], [1, 1], [1, 1], [1, 1, 1, 1], 1),
    "conv2d_stride": ([1, 12, 11, 4], [5, 3, 4, 6], [3, 2], [1, 1], [2, 1, 0, 1], 1),
    "conv2d_dilation": ([1, 12, 13, 16], [3, 2, 16, 4], [1, 2], [2, 3], [2, 2, 3, 3], 1),
    "conv2d_groups": ([2, 6, 7, 6], [3, 3, 2, 9], [1, 1], [1, 1], [1, 1, 1, 1], 3),
    "conv2d_depthwise": ([1, 7, 8, 20], [3, 3, 1, 20], [2, 1], [1, 2], [1, 1, 2, 2], 20),
    "conv2d_multiplier": ([1, 5, 6, 3], [2, 3, 1, 6], [1, 1], [1, 1], [0, 1, 1, 1], 3),
    "conv2d_pointwise": ([2, 4, 5, 6], [1, 1, 6, 8], [1, 1], [1, 1], [0, 0, 0, 0], 1),
    "conv2d_pointwise_stride": ([1, 5, 6, 16], [1, 1, 16, 3], [2, 2], [1, 1], [0, 0, 0, 0], 1),
    "conv2d_patches": ([1, 12, 8, 3], [4, 4, 3, 10], [4, 4], [1, 1], [0, 0, 0, 0], 1),
    "conv3d": ([1, 5, 6, 7, 3], [2, 3, 3, 3, 4], [1, 2, 1], [2, 1, 1], [1, 1, 0, 1, 1, 1], 1),
}
POOLS = {  # kernel, stride, padding, dilation (of the greatest alone), ceil mode, count boundary
    "pool": ([2, 2], [2, 2], [0, 0], [1, 1], False, True),
    "pool_overlap": ([3, 2], [2, 1], [1, 1], [1, 2], False, True),
    "pool_ceil": ([3, 3], [2, 3], [1, 1], [1, 1], True, True),
    "pool_inside": ([3, 3], [2, 2], [1, 1], [1, 1], False, False),
    "pool_ceil_inside": ([2, 3], [3, 3], [1, 1], [1, 1], True, False),
}


def channels_last(t):
    return t.movedim(1, -1).contiguous()


def main():
    torch.manual_seed(0)
    tensors = {}
    for name, (shape, size, stride, dilation, padding, groups) in CONVOLUTIONS.items():
        x, weight, bias = torch.randn(shape), torch.randn(size), torch.randn(size[-1])
        edges = [e for axis in reversed(range(len(stride))) for e in padding[2 * axis : 2 * axis + 2]]
        convolve = [F.conv1d, F.conv2d, F.conv3d][len(stride) - 1]
        y = convolve(
            F.pad(x.movedim(-1, 1).double(), edges),
            weight.movedim(-1, 0).movedim(-1, 1).double(),
            bias.double(), stride=stride, dilation=dilation, groups=groups)
        tensors |= {f"{name}.x": x, f"{name}.filter": weight, f"{name}.bias": bias,
                    f"{name}.y": channels_last(y.float())}
    x = torch.randn(2, 8, 7, 3)
    tensors["pool.x"] = x
    for name, (kernel, stride, padding, dilation, ceil, boundary) in POOLS.items():
        image = x.movedim(-1, 1)
        greatest = F.max_pool2d(image, kernel, stride, padding, dilation, ceil)
        mean = F.avg_pool2d(image, kernel, stride, padding, ceil, boundary)
        tensors |= {f"{name}.max": channels_last(greatest), f"{name}.mean": channels_last(mean)}
    # Where windows overlap, where they leave gaps, and where they reach beyond the image.
    for name, size, kernel, stride, dilation, padding in (
        ("fold", [5, 6], [3, 2], [1, 1], [1, 1], [1, 0]),
        ("fold_stride", [9, 11], [2, 3], [3, 2], [1, 2], [0, 2]),
    ):
        windows = F.unfold(torch.zeros(1, 1, *size), kernel, dilation, padding, stride).shape[-1]
        x = torch.randn(2, 3 * kernel[0] * kernel[1], windows)
        tensors |= {f"{name}.x": x,
                    f"{name}.y": F.fold(x, size, kernel, dilation, padding, stride)}
    x = torch.randn(1, 2, 4, 5)
    tensors |= {"nearest.x": x, "nearest.double": F.interpolate(x, scale_factor=2),
                "nearest.odd": F.interpolate(x, size=(7, 3))}
    safetensors.torch.save_file(tensors, pathlib.Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
