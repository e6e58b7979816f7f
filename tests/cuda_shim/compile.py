"""Compile CUDA C for this CPU: `python compile.py KERNEL.cu OPTION…` prints the library's name.

What NVRTC is asked for, the stand-in has done here. CuPy's own kernels come through it as well.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from translate import COMPILER, FLAGS, FOLDER, translated

BESIDE_CUPY = FOLDER / "include"  # stands in for those of CuPy's headers that only a GPU needs


def main(path, *options):
    """Compile unless it has been done before, print its name or the compiler's complaints."""
    text = translated(Path(path).read_text(encoding="utf-8"))
    kept = [option for option in options if option[:2] in ("-I", "-D")]
    folder = Path(os.environ["STAND_IN_CACHE"])
    headers = [header.read_text(encoding="utf-8") for header in FOLDER.glob("**/*.*h")]
    digest = hashlib.sha1(repr((text, FLAGS, kept, headers)).encode()).hexdigest()
    library = folder / f"{digest}.so"
    if not library.exists():
        begun = folder / f"{digest}-{os.getpid()}"
        begun.with_suffix(".cpp").write_text(text, encoding="utf-8")
        command = [COMPILER, *FLAGS, f"-I{BESIDE_CUPY}", *kept]
        done = subprocess.run([*command, begun.with_suffix(".cpp"), "-o", begun], check=False)
        begun.with_suffix(".cpp").unlink()
        if done.returncode:
            return done.returncode
        begun.rename(library)
    print(library.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
