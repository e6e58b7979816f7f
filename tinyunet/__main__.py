"""`python -m tinyunet …` is `tinyunet …`."""

import sys

from tinyunet.cli import main

if __name__ == "__main__":
    sys.exit(main())
