"""The report as text."""
from __future__ import annotations

import lines

SHORT_US = 50.0  # lines that any of the programs does in less
LARGE_FLOPS = 2e10  # products that cuBLASLt is busy with


def summary(result: dict) -> dict:
    measured = [line for line in result["lines"] if "ratio" in line]
    short = [line for line in measured if min(line["median_us"].values()) < SHORT_US]
    # PyTorch's eager product of bfloat16 with its bias is cuBLASLt's.
    large = [line["median_us"]["eager"] / line["median_us"]["kiln"] for line in measured
             if line["case"] == "linear" and line["dtype"] == "bf16" and line["flops"] >= LARGE_FLOPS and "eager" in line["median_us"]]
    return {"lines": len(measured), "ratio": lines.geometric_mean([line["ratio"] for line in measured]),
            "short_lines": len(short), "short_ratio": lines.geometric_mean([line["ratio"] for line in short]),
            "cublaslt_lines": len(large), "of_cublaslt": lines.geometric_mean(large), "least_of_cublaslt": min(large, default=None),
            "both_peers": sum("compiled" in line["median_us"] for line in measured)}


def number(value: float | None, text: str = "{:.2f}") -> str:
    return "" if value is None else text.format(value)


def markdown(result: dict) -> str:
    device, clocks, made = result["device"], result["clocks"], result["pack"]
    result["summary"] = totals = summary(result)
    text = [f"# {device['name']}, {result['date']}", "", f"    {result['command']}", "",
            f"Compute capability {device.get('major')}.{device.get('minor')}, {device.get('multiprocessors')} multiprocessors, "
            f"{device.get('clock_khz', 0) / 1000:.0f} MHz at most, driver for CUDA {device['cuda']}"
            + (f" ({clocks['driver_version']}; SM clock {clocks['clocks.sm']} before, {result['clocks_at_end'].get('clocks.sm', '?')} after; "
               f"power limit {clocks['power.limit']})" if clocks else "") + ".",
            f"Code of {made['commit'][:12] or 'an unknown commit'}, packed {made['made']} for {', '.join(made['chips'])}"
            + ("" if made["cubins"] else ", PTX alone") + (", reduced sizes" if made["reduced"] else "") + ".",
            f"PyTorch {result['torch']}." if result.get("torch") else f"{result['peers']}.", ""]
    if not device["is_real"]:
        text += ["**This was no real device: a library stood in for the driver. Times mean nothing.**", ""]
    if "tests" in result:
        text += [f"Tests: {result['tests']['run']} run, {len(result['tests']['failed'])} failed.", ""]
    if result.get("sanitizer"):
        text += ["compute-sanitizer: " + ", ".join(f"{name} {what}" for name, what in result["sanitizer"].items()) + ".", ""]
    if result["failures"]:
        text += ["Failures:", "", *(f"- {failure}" for failure in result["failures"]), ""]
    if totals["lines"]:
        text += [f"Better of PyTorch's / Kiln's time, geometric means: {totals['ratio']:.2f} over {totals['lines']} lines "
                 f"({totals['both_peers']} of them with torch.compile)"
                 + (f", {totals['short_ratio']:.2f} over {totals['short_lines']} lines below {SHORT_US:.0f} us" if totals["short_lines"] else "") + "."]
        if totals["cublaslt_lines"]:
            text += [f"Large bfloat16 products run at {100 * totals['of_cublaslt']:.0f} % of cuBLASLt's speed "
                     f"(geometric mean of {totals['cublaslt_lines']}; least {100 * totals['least_of_cublaslt']:.0f} %)."]
        text += [""]
    if result["lines"]:
        text += ["| case | dtype | layers | input | Kiln, us | eager, us | compiled, us | better / Kiln | TFLOP/s | error | allowed |",
                 "|---|---|---|---|---|---|---|---|---|---|---|"]
        for line in result["lines"]:
            us = line["median_us"]
            text.append(f"| {line['case']} | {line['dtype']} | {line['layers']} | {line['shape']} | {us['kiln']:.1f} | {number(us.get('eager'), '{:.1f}')} | "
                        f"{number(us.get('compiled'), '{:.1f}')} | {number(line.get('ratio'))} | "
                        f"{number(line['flops'] / us['kiln'] * 1e-6 if line['flops'] else None, '{:.1f}')} | {line['error']:.1e} | {line['tolerance']:.0e} |")
        text += [""]
    notes = [f"- {line['line']}: {note}" for line in result["lines"] for note in line["notes"]]
    if notes:
        text += ["Notes:", "", *notes, ""]
    if result["left"]:
        text += ["Left:", "", *(f"- {what}" for what in result["left"]), ""]
    text += [f"{result['seconds']} s: " + ", ".join(f"{name} {part['seconds']:.0f} s" for name, part in result["parts"].items()) + ".", ""]
    return "\n".join(text)
