"""Coverage-guided fuzzing of everything that reads a file somebody else may have made.

    pip install atheris                       # not a dependency of the project or of its tests
    python tests/fuzz_readers.py images       # or weights, or run; 600 seconds each
    python tests/fuzz_readers.py images --seconds 60 --keep FOLDER --more FOLDER_OF_REAL_FILES

The fuzzer (libFuzzer, through atheris) mutates real files and keeps every mutant that reaches new
branches of the readers, tifffile or Pillow. Three targets: `images` (TIFF, PNG and JPEG, as images,
labels and Cell Tracking truth), `weights` (safetensors checkpoints) and `run` (settings.json and
log.csv of a run folder). A find is

- any exception but ValueError and OSError, or a message of more than one line, or one that does
  not name the file;
- more than 5 seconds of processor time for one file of at most 16 kB;
- more than 256 MiB of memory beyond what the untouched seeds took.

A find stops the run, and the file is left in --keep as crash-…; it then becomes a row of
badfiles.py or test_cli_bad_input.py, and the reader is mended.
`images/test_images_fuzz.py` does the same without a guide, in the suite and without atheris.
"""

import argparse
import json
import os
import resource
import struct
import sys
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path

LONGEST = 2**14  # bytes of a mutant
SECONDS = 5  # of processor time for one file
MEMORY = 2**28  # bytes above the seeds' own
READERS = ("images", "training", "geometry", "nn")
INSTRUMENTED = ["tifffile", "PIL", *(f"tinyunet.{name}" for name in READERS)]


class Find(Exception):
    """What the fuzzer is looking for."""


class Watch:
    """Bounds on what one file may cost; `reads` runs a reader and judges how it ends."""

    def __init__(self):
        self.count = self.refused = 0
        self.base = None  # kB of resident memory after the seeds

    def start(self):
        self.base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def reads(self, path, reader, *arguments):
        """The reader's result, or None where it refused as it should."""
        try:
            return reader(*arguments)
        except (ValueError, OSError) as error:
            self.refused += 1
            text = str(error)
            if len(text.splitlines()) != 1 or str(path) not in text:
                raise Find(f"a message that is not one line naming {path}: {text!r}") from error
            return None

    def one(self, target, content):
        """Give one file to a target, within the bounds."""
        before = time.process_time()
        target(content[:LONGEST])
        self.count += 1
        taken = time.process_time() - before
        if self.base is None:
            return
        if taken > SECONDS:
            raise Find(f"{taken:.1f} seconds of processor time")
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.base)
        if grown > MEMORY:
            raise Find(f"{grown / 2**20:.0f} MiB of memory")


def images_target(folder, watch):
    """A function that reads bytes as an image, as labels and as the truth of a sequence."""
    import tifffile
    from badfiles import GREY

    from tinyunet import images
    from tinyunet.images import limits

    limits.PAGE_BYTES = MEMORY // 8  # what is claimed up to the budget may be allocated
    file, sequence = folder / "x", folder / "01"
    truth = folder / "01_GT" / "SEG" / "man_seg000.tif"
    sequence.mkdir()
    truth.parent.mkdir(parents=True)
    tifffile.imwrite(sequence / "t000.tif", GREY)

    def pixels(**options):
        stack = images.open_stack(file, **options)
        for i in range(len(stack)):
            page = stack.page(i)
            if page.shape[-2:] != stack.sizes[i] or page.dtype != stack.dtypes[i]:
                raise Find(f"page {i} is {page.shape} {page.dtype}, said to be {stack.sizes[i]}")
            page.sum()
        return stack

    def target(content):
        file.write_bytes(content)
        grey = watch.reads(file, pixels)
        labels = watch.reads(file, lambda: pixels(labels=True))
        if grey is None:
            watch.reads(file, lambda: pixels(in_channels=3))
        if labels is None:
            return
        watch.reads(file, images.read_labels, file)
        watch.reads(file, images.read_pair, file, file)
        truth.write_bytes(content)
        watch.reads(truth.parent, images.read_segmentation, truth.parent)
        watch.reads(truth.parent.parent.parent, images.read_pair, sequence)

    return target


def weights_target(folder, watch):
    """A function that reads bytes as a checkpoint, and as a network to predict with."""
    import numpy as np

    from tinyunet.training.checkpoint import load_checkpoint, load_network

    file = folder / "last.safetensors"

    def target(content):
        file.write_bytes(content)
        whole = watch.reads(file, load_checkpoint, file)
        found = watch.reads(file, load_network, file, "cpu")
        if found is not None:
            net, _ = found
            if whole is None or not all(np.isfinite(p).all() for p in net.params.values()):
                raise Find("a network out of a file that is refused, or not of finite numbers")

    return target


def run_target(folder, watch):
    """A function that reads bytes as the settings and as the log of a run folder."""
    from tinyunet.training.log import read_log
    from tinyunet.training.run_folder import RunFolder
    from tinyunet.training.settings_file import read_settings

    settings, log = folder / "settings.json", folder / "log.csv"
    (folder / "last.safetensors").write_bytes(b"")

    def resume():
        with RunFolder(folder, resume=True) as run:
            return run.read_settings()

    def target(content):
        settings.write_bytes(content)
        log.write_bytes(content)
        found = watch.reads(settings, read_settings, folder)
        if found is not None:  # what is read must be what would be written
            again = type(found[0])(**json.loads(json.dumps(found[0].to_dict())))
            if again != found[0]:
                raise Find(f"settings that do not survive being written: {found[0]}")
        watch.reads(folder, resume)
        columns = watch.reads(log, read_log, log)
        if columns is not None and len({len(values) for values in columns.values()}) != 1:
            raise Find("columns of different lengths")

    return target


def images_seeds():
    from badfiles import BAD_IMAGES
    from images.test_images_fuzz import SEEDS

    yield from SEEDS.values()
    with tempfile.TemporaryDirectory() as folder:
        for i, (_, build, _) in enumerate(BAD_IMAGES):
            (Path(folder) / str(i)).mkdir()
            path = build(Path(folder) / str(i))
            if path.is_file():
                yield path.read_bytes()


def weights_seeds():
    import numpy as np
    from safetensors.numpy import save

    from tinyunet import UNet
    from tinyunet.training.checkpoint import architecture, save_checkpoint, save_weights

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w"
        for depth, base in ((1, 1), (2, 1), (1, 3)):
            net = UNet(depth=depth, base_channels=base, device="cpu")
            save_weights(path, net, tile=28, step=3, val_pixel_error_rate=0.25)
            yield path.read_bytes()
            tensors = {f"params/{name}": value for name, value in net.params.items()}
            tensors |= {f"velocity/{name}": value for name, value in net.params.items()}
            state = {"rng": net.rng.bit_generator.state, "log_size": 31, "step": 3, "loss": 0.5}
            meta = {"architecture": architecture(net), "tile": 28, **state}
            save_checkpoint(path, tensors, meta)
            yield path.read_bytes()
    yield save({"a": np.zeros((2, 3), "f2"), "b": np.zeros((), "i8"), "c": np.zeros(0, "?")})
    yield save({}, {"tinyunet": "{}"})


def run_seeds():
    from tinyunet.training.log import HEADER
    from tinyunet.training.settings import Settings

    for settings in (Settings(), Settings(val=(2, 4), depth=2, tile=34, precision="bf16")):
        yield json.dumps({"settings": settings.to_dict(), "data": "0" * 64}, indent=2).encode()
    yield (HEADER + "1,0.7,,\n2,0.6,0.65,0.25\n3,nan,inf,\n").encode()
    yield ('{"settings": ' + "[" * 3000).encode()
    yield ('{"settings": {"seed": ' + "1" * 4400 + '}, "data": 0}').encode()


def mutated_image(mutate, content, seed):
    """A mutant; every second PNG has its checksums made right again, to reach the decoder."""
    content = mutate(content)
    if seed % 2 == 0 or not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    out, at = bytearray(content[:8]), 8
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        name, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        out += struct.pack(">I", len(body)) + name + body
        out += struct.pack(">I", zlib.crc32(name + body))
        at += 12 + length
    return bytes(out)


def mutated_weights(mutate, content, seed):
    """A mutant: of any byte, or of what stands in the header, its lengths and SHA-256 made right.

    Without the second kind hardly a mutant would come past the checksum.
    """
    from safetensors.numpy import load

    from tinyunet.training.tensor_file import checksum

    if seed % 4 == 0:
        return mutate(content)

    def again(value):
        """The value that the mutated JSON text of `value` means."""
        return json.loads(mutated_value(mutate, value, seed).decode(errors="replace"))

    def packed(header):
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    with suppress(Exception):  # what cannot be made whole stays as it was
        header, end = json.JSONDecoder().raw_decode(content[8:].decode("latin-1"))
        data = content[8 + end :].lstrip(b" ")
        inner = json.loads(header.pop("__metadata__")["tinyunet"])
        if seed % 4 == 1:
            header = again(header)
        elif seed % 4 == 2:
            inner["meta"] = again(inner["meta"])
        else:
            key = sorted(inner["meta"])[seed // 4 % len(inner["meta"])]
            inner["meta"][key] = again(inner["meta"][key])
        inner["sha256"] = checksum(load(packed(header)), inner["meta"])
        content = packed({"__metadata__": {"tinyunet": json.dumps(inner)}, **header})
    return content


def mutated_text(mutate, content, seed):
    """A mutant of the text, or of one value of the settings in it."""
    if seed % 2 == 0 or not content.startswith(b"{"):
        return mutate(content)
    with suppress(ValueError, KeyError, TypeError, IndexError, RecursionError):
        whole = json.loads(content)
        key = sorted(whole["settings"])[seed // 2 % len(whole["settings"])]
        changed = mutated_value(mutate, whole["settings"][key], seed)
        whole["settings"][key] = "HERE"
        content = json.dumps(whole).encode().replace(b'"HERE"', changed)
    return content


def mutated_value(mutate, value, seed):
    """The JSON text of a value, mutated; or one of `WORDS`, which bytes alone rarely hit on."""
    if seed // 8 % 2:
        return WORDS[seed // 16 % len(WORDS)].encode()
    return mutate(json.dumps(value).encode())


# whole words for the mutations, beside those that libFuzzer finds by itself
WORDS = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1", "0.5", "null", "true", "false", '""', "[]"),
    *("{}", "[[[[[[[[", '"a":', '"\\ud800"', '"\\n"', "\\u001b", "1" * 60, "0" * 60, "10000000000"),
    *("BOOL", "BF16", "F8_E5M2", "F64", "I64", '"shape":[]', '"shape":[0]', '"velocity/'),
]


TARGETS = {
    "images": (images_target, images_seeds, mutated_image),
    "weights": (weights_target, weights_seeds, mutated_weights),
    "run": (run_target, run_seeds, mutated_text),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600, help="of processor time (600)")
    parser.add_argument("--keep", type=Path, help="folder of the mutants (a new one)")
    parser.add_argument("--more", type=Path, help="folder of real files that are seeds too")
    parser.add_argument("--again", type=Path, help="a file to try once more, without fuzzing")
    arguments = parser.parse_args()

    import atheris

    # not the whole package: numba compiles the kernels' own instructions, no added ones
    with atheris.instrument_imports(include=INSTRUMENTED):
        import PIL.JpegImagePlugin
        import PIL.PngImagePlugin  # noqa: F401
        import tifffile  # noqa: F401

        import tinyunet.training.run_folder  # noqa: F401

    make, seeds, mutated = TARGETS[arguments.target]
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(exist_ok=True)
    watch = Watch()
    target = make(Path(tempfile.mkdtemp()), watch)
    if arguments.again:
        target(arguments.again.read_bytes())
        return
    contents = list(seeds())
    if arguments.more:
        contents += [f.read_bytes()[:LONGEST] for f in arguments.more.rglob("*") if f.is_file()]
    for i, content in enumerate(contents):
        (keep / f"seed{i:03d}").write_bytes(content[:LONGEST])
        watch.one(target, content)
    watch.start()

    def mutator(content, largest, seed):
        return mutated(lambda piece: atheris.Mutate(piece, largest), content, seed)[:largest]

    begun = time.process_time()

    def one(content):
        try:
            watch.one(target, content)
        except BaseException:
            report()
            raise
        if time.process_time() - begun > arguments.seconds:
            report()
            os._exit(0)  # libFuzzer takes every other way out for a crash

    def report():
        print(
            f"{arguments.target}: {watch.count} files, {watch.refused} refusals, "
            f"{time.process_time() - begun:.0f} s of processor time",
            flush=True,
        )

    options = [
        *(f"-max_len={LONGEST}", f"-artifact_prefix={keep}/"),
        *("-timeout=300", "-rss_limit_mb=4096"),  # for what hangs or grows inside a C library
    ]
    words = keep / "words.txt"
    lines = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS]
    words.write_text("".join(f'"{line}"\n' for line in lines))
    options += [f"-dict={words}"]
    atheris.Setup([sys.argv[0], *options, str(keep)], one, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
