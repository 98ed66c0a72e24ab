"""A function whose module cannot be imported."""

import sys

sys.stdout.write("about to fail\n")

import a_module_that_the_zip_lacks  # type: ignore[import-not-found]  # noqa: E402, F401
