"""The former name of `tinyunet.images`, for programs that import it."""

from tinyunet.images import *  # noqa: F403
