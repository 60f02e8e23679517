"""What the build takes from the environment; metadata lives in pyproject.toml."""

import os

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildKernels(build_ext):
    """With ``SPEID_REQUIRE_NATIVE=1``, kernels that cannot be built are an error."""

    def build_extension(self, ext: Extension) -> None:
        """Build one; whether a failure is an error is asked after this."""
        ext.optional = ext.optional and os.environ.get("SPEID_REQUIRE_NATIVE") != "1"
        super().build_extension(ext)


setup(cmdclass={"build_ext": BuildKernels})
