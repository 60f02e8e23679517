"""Contig names, matched between files that spell them differently: ``chr1`` and ``1``, ``chrM`` and ``MT``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from speid_cli.errors import DataError
from speid_cli.genome.intervals import Interval

_MITOCHONDRION = ("chrM", "MT", "M", "chrMT")


class ContigNames:
    """The contig names of one or more files, found also under another common spelling.

    ``chr1`` and ``1`` are the same contig, and so are ``chrM``, ``MT``, ``M`` and ``chrMT``.

    Attributes
    ----------
    path : object
        The file whose names are used.
    aliases : dict of str
        The names that other files spell differently, and the known spelling of each.
    """

    def __init__(self, names: Iterable[str] = (), path: object = None) -> None:
        self.path = path
        self.aliases: dict[str, str] = {}
        self._names = dict.fromkeys(names)
        self._spelling = {canonical(name): name for name in self._names}
        self._examples: dict[str, str] = {}

    def find(self, chrom: str) -> str | None:
        """The known spelling of a name; None where no spelling of it is known."""
        if chrom in self._names:
            return chrom
        known = self._spelling.get(canonical(chrom))
        if known is not None:
            self.aliases[chrom] = known
        return known

    def place(self, interval: Interval) -> Interval | None:
        """The interval under the known spelling of its contig; None where no spelling of it is known."""
        contig = self.find(interval.chrom)
        return None if contig is None else _on(contig, interval)

    def find_all(self, path: str, intervals: Iterable[Interval]) -> dict[str, str]:
        """The contig names of another file that are known in any spelling, and the known spelling of each.

        Raises
        ------
        DataError
            The file has intervals, and none of them is on a known contig.
        """
        names = dict.fromkeys(interval.chrom for interval in intervals)
        known = {name: found for name in names if (found := self.find(name)) is not None}
        if names and not known:
            raise DataError(
                f"none of its contigs, such as {next(iter(names))!r}, is in {self.path}, "
                f"which has {next(iter(self._names))!r}",
                expected="the same contigs, with or without 'chr'",
                hint="are both files of the same genome build?",
                path=path,
            )
        return known

    def adopt(self, path: str, intervals: Sequence[Interval]) -> list[Interval]:
        """The intervals of another file with the contig names known here; new names are kept, and known from now on.

        Raises
        ------
        DataError
            The file shares no contig with those before it.
        """
        if self._names:
            self.find_all(path, intervals)  # raises
        known = self.learn(path, (interval.chrom for interval in intervals))
        return [Interval(known[chrom], start, end) for chrom, start, end in intervals]

    def learn(self, path: str, chroms: Iterable[str]) -> dict[str, str]:
        """The known spelling of each contig name of another file; new names are known from now on as they are."""
        names = dict.fromkeys(chroms)
        self.path = self.path or path
        self._examples[path] = next(iter(names), "")
        known = dict[str, str]()
        for name in names:
            known[name] = self.find(name) or name
            self._names.setdefault(known[name])
            self._spelling.setdefault(canonical(known[name]), known[name])
        return known

    def examples(self) -> str:
        """One contig name of each file, as that file spells it."""
        return ", ".join(f"{name!r} in {path}" for path, name in self._examples.items())

    def alias_warning(self) -> str | None:
        """One sentence on the names that other files spell differently, if there are any."""
        if not self.aliases:
            return None
        (given, contig), *others = self.aliases.items()
        more = f" and {len(others)} more" if others else ""
        return f"contig names differ from those of {self.path}: took {given!r} for {contig!r}{more}"


class ReferenceContigs(ContigNames):
    """The contigs of a reference, with their lengths in bp."""

    def __init__(self, lengths: dict[str, int], path: object = None) -> None:
        super().__init__(lengths, path)
        self.lengths = lengths

    def resolve(self, chrom: str) -> str:
        """The contig's name in the reference.

        Raises
        ------
        DataError
            No contig has that name or another spelling of it.
        """
        if (contig := self.find(chrom)) is not None:
            return contig
        known = ", ".join(list(self.lengths)[:5]) + (", ..." if len(self.lengths) > 5 else "")
        raise DataError(
            f"unknown contig {chrom!r}",
            expected=f"a contig of {self.path} ({known})",
            hint="is this the right genome build?",
        )

    def place(self, interval: Interval) -> Interval | None:
        """The interval with the reference's own contig name; None where the reference does not have the contig.

        Raises
        ------
        DataError
            The interval ends beyond its contig.
        """
        placed = super().place(interval)
        return placed and self._checked(placed)

    def locate(self, interval: Interval) -> Interval:
        """The interval with the reference's own contig name.

        Raises
        ------
        DataError
            The contig is unknown or the interval ends beyond it.
        """
        return self._checked(_on(self.resolve(interval.chrom), interval))

    def _checked(self, interval: Interval) -> Interval:
        if interval.end > self.lengths[interval.chrom]:
            raise DataError(
                f"end {interval.end} is beyond {interval.chrom}, which is {self.lengths[interval.chrom]} bp long",
                expected=f"coordinates of {self.path}",
                hint="is this the right genome build?",
            )
        return interval


def _on(contig: str, interval: Interval) -> Interval:
    return interval if contig == interval.chrom else interval._replace(chrom=contig)


def canonical(chrom: str) -> str:
    """One spelling for all those of a contig: without ``chr``, and ``M`` for the mitochondrion."""
    return "M" if chrom in _MITOCHONDRION else chrom.removeprefix("chr")
