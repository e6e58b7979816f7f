"""Package definition of tinyunet: `pip install .` for users, `pip install -e ".[dev]"` for us."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+?)"', (HERE / "tinyunet" / "__init__.py").read_text(encoding="utf-8")
).group(1)

TEST = ["pytest>=8", "hypothesis>=6.100", "pooch>=1.8"]
BOOK = [
    "sphinx>=8.1",
    "myst-parser>=4",
    "furo>=2025.7",
    "accessible-pygments>=0.0.5",  # colours of code that can be told apart
    "latex2mathml>=3.77",  # formulas without scripts
    "ziamath>=0.12",  # carries the font STIX Two Math
]

setup(
    name="tinyunet",
    version=VERSION,
    description="The U-Net paper from scratch in NumPy, CuPy and numba: every gradient by hand",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["tinyunet", "tinyunet.*"]),
    package_data={"tinyunet": ["data/*.json", "kernels/cuda/*.cu", "kernels/cuda/*.cuh"]},
    python_requires=">=3.10",
    install_requires=[
        "numpy>=1.26",
        "scipy>=1.11",
        "numba>=0.60",
        "matplotlib>=3.8",
        "tifffile>=2024.1",
        "pillow>=10",
        "safetensors>=0.4.3",
        "tqdm>=4.66",
        "threadpoolctl>=3.1",
    ],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=13"],
        "cuda13": ["cupy-cuda13x[ctk]>=13.6"],
        "download": ["pooch>=1.8"],
        "test": TEST,
        "book": BOOK,
        "dev": [*TEST, "ruff>=0.6", "pytest-cov>=5"],
    },
    entry_points={"console_scripts": ["tinyunet = tinyunet.cli:main"]},
)
