"""Prediction of a 512×512 image by overlap-tile on a GPU, from image to probabilities on the CPU.

    python benchmarks/predict_gpu.py [--base 64] [--size 512] [--rounds 9] [--json FILE]

Ours is held to the plain operations first, then timed, and each line is printed as it is known.
PyTorch's side mirrors the same border, takes the image in one tile and reads its probabilities
back; both are strict float32, cudnn.benchmark is on, the faster memory format counts. Its maps are
compared before it is timed. Then all take turns: medians of the wall clock, since both end on the
CPU. Where PyTorch is not installed, no share is shown; where it fails, it is named.
"""

import argparse
import json
import statistics
import sys
import time

import numpy as np
from gpu_parts import first_line
from gpu_peers import TORCH_DEVICE, torch

from tinyunet import geometry
from tinyunet.arrays import gpu_problem, to_numpy
from tinyunet.inference.predict import predict_tiled
from tinyunet.nn.operation import plain
from tinyunet.nn.unet import UNet

BAR_MS, BAR_SHARE = 50.0, 1.00
TOLERANCE = 1e-3  # of probabilities


def torch_predictor(params, base, size, channels_last):
    """Return a function of a standardised image (H, W) that gives probabilities (2, H, W)."""
    from torch_unet import torch_unet

    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = torch_unet(base=base)
    model.load_state_dict({k: torch.from_numpy(to_numpy(p)) for k, p in params.items()})
    model = model.to(TORCH_DEVICE).to(memory_format=layout).eval()
    tile, margin = geometry.input_size(size, 5), geometry.margin(5)
    after = tile - size - margin

    def predict(image):
        padded = np.pad(image, (margin, after), mode="reflect")[None, None]
        with torch.inference_mode():
            x = torch.from_numpy(padded).to(TORCH_DEVICE).to(memory_format=layout)
            p = torch.softmax(model(x), dim=1)
        return p[0, :, :size, :size].cpu().numpy()

    return predict


def makers(net, base, size):
    """Return {name: function that makes a predictor}: PyTorch's in both memory formats."""
    if torch is None:
        return {}
    return {
        f"PyTorch, {name}": lambda last=last: torch_predictor(net.params, base, size, last)
        for name, last in (("contiguous", False), ("channels last", True))
    }


def timed(run, image):
    """Return the milliseconds of one prediction."""
    begun = time.perf_counter()
    run(image)
    return 1e3 * (time.perf_counter() - begun)


def add_peers(found, image, expected, runs, times):
    """Compare and time each of PyTorch's predictors; return {name: what failed}."""
    failed = {}
    for name, make in found.items():
        try:
            run = make()
            np.testing.assert_allclose(run(image), expected, atol=TOLERANCE)
            times[name] = [timed(run, image)]
        except Exception as error:  # ours is worth knowing without it
            failed[name] = first_line(error)
            print(f"{name}: FAILED, {failed[name]}", flush=True)
            continue
        runs[name] = run
        print(f"{name:24} {times[name][0]:8.2f} ms, the first after a trial", flush=True)
    return failed


def report(times, path):
    """Print the medians and the bar; keep them."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min((value for name, value in medians.items() if name != "tinyunet"), default=None)
    for name, value in medians.items():
        share = "" if best is None else f"  {value / best:5.2f} of PyTorch's"
        print(f"{name:24} {value:8.2f} ms{share}")
    share = None if best is None else medians["tinyunet"] / best
    met = medians["tinyunet"] <= BAR_MS and (share is None or share <= BAR_SHARE)
    asked = "" if share is None else f"{BAR_SHARE:.2f} of PyTorch's time and "
    print(f"bar: {asked}{BAR_MS:.0f} ms: {'met' if met else 'MISSED'}")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"ms": medians, "share": share, "met": met}, file)


def main():
    """Compare the maps, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=int, default=64)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to rehearse")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    if args.small:
        args.base, args.size, args.rounds = 4, 40, 1
    problem = gpu_problem()
    if problem is not None:
        sys.exit(f"no GPU: {problem}")
    rng = np.random.default_rng(2)
    image = rng.standard_normal((args.size, args.size), dtype=np.float32)
    image = (image - image.mean()) / image.std()
    net = UNet(base_channels=args.base, device="gpu")
    runs = {"tinyunet": lambda image: predict_tiled(net, image)}
    got = runs["tinyunet"](image)
    with plain():
        expected = predict_tiled(net, image)
    off = np.abs(got - expected).max()
    print(f"ours and the plain operations apart by {off:.1e}, {TOLERANCE:.0e} allowed", flush=True)
    if not off <= TOLERANCE:
        sys.exit(f"error: our map is off by {off:.1e}")
    times = {"tinyunet": [timed(runs["tinyunet"], image)]}
    print(f"{'tinyunet':24} {times['tinyunet'][0]:8.2f} ms, the first after a trial", flush=True)
    failed = add_peers(makers(net, args.base, args.size), image, got, runs, times)
    for _ in range(args.rounds - 1):
        for name, run in runs.items():
            times[name].append(timed(run, image))
    report(times, args.json)
    if failed:
        sys.exit(f"error: {len(failed)} failed: {failed}")


if __name__ == "__main__":
    main()
