"""How the kernels are built and wheels are named; metadata lives in pyproject.toml."""

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

KERNELS = "_kernels.so"


class BuildKernels(build_ext):
    """Builds the kernels as a plain library; with ``SPEID_REQUIRE_NATIVE=1``, a failure is an error."""

    def get_ext_filename(self, fullname: str) -> str:
        """The same name for every Python: the kernels use nothing of Python's."""
        return str(Path(*fullname.split(".")[:-1], KERNELS))

    def build_extension(self, ext: Extension) -> None:
        """Build one; whether a failure is an error is asked after this."""
        ext.optional = ext.optional and os.environ.get("SPEID_REQUIRE_NATIVE") != "1"
        super().build_extension(ext)


class PlatformWheel(bdist_wheel):
    """A wheel for every Python on one platform, or on any if it holds no kernels."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI and platform, as in the name of the wheel."""
        has_kernels = any(Path(self.bdist_dir).rglob(KERNELS))
        return "py3", "none", super().get_tag()[2] if has_kernels else "any"


setup(cmdclass={"build_ext": BuildKernels, "bdist_wheel": PlatformWheel})
