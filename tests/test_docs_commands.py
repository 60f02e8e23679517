"""The commands of the documentation, run as they stand on small files; and the site."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

from speid_cli.cli import cli
from tests.docs_files import environment, shell, write_all
from tests.intervals import needs_bedtools

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [str(path.relative_to(DOCS)) for path in sorted(DOCS.rglob("*.md"))]
README = "../README.md"
ADDRESS = "https://github.com/speid/speid/blob/main/"
BED, MODEL = ["enhancers.bed", "promoters.bed"], ["hg19.fa", "pairs.pt"]
SOURCES = ["hg19.fa", "gencode.gtf.gz", "states.bed.gz", "H3K27ac.narrowPeak.gz", "DNase.narrowPeak.gz", "loops.bedpe"]
HUVEC = {name: f"targetfinder/HUVEC/peaks/{name}" for name in ("CTCF.narrowPeak.gz", "filenames.csv")}
# The files that a page begins with, under other names where it uses others.
FILES: dict[str, list[str | dict[str, str]]] = {
    README: [*SOURCES, "tracks.tsv", "CTCF.narrowPeak.gz", "calls.vcf.gz"],
    "elements.md": [*SOURCES],
    "evaluation.md": ["hg19.fa", {"few.bedpe": "pairs.bedpe"}, "kernels.npz", "candidates.bedpe"],
    "export.md": ["scored.bedpe"],
    "features.md": ["pairs.bedpe", "tracks.tsv", "CTCF.narrowPeak.gz", "DNase.narrowPeak.gz"],
    "howto/cluster.md": [*MODEL, "pairs.npz", "candidates.bedpe"],
    "howto/gpu.md": [*MODEL, "candidates.bedpe"],
    "howto/loops.md": [*SOURCES],
    "howto/motifs.md": [*MODEL, "pairs.npz", "pairs.bedpe", "found.meme", "calls.vcf.gz"],
    "howto/own-data.md": ["hg19.fa", "pairs.bedpe", "candidates.bedpe", {"pairs.bedpe": "gm12878.bedpe"},
                          {"few.bedpe": "k562.bedpe"}],
    "howto/predict.md": [*BED, *MODEL, "candidates.bedpe", {"pairs.pt": "other.pt"}],
    "howto/species.md": [{"hg19.fa": "mm39.fa", "gencode.gff3": "genes.gff3"}, "H3K27ac.narrowPeak.gz", "loops.bedpe"],
    "howto/table2.md": [*MODEL, "pairs.npz", "pairs.bedpe", HUVEC],
    "index.md": [],
    "prior.md": [*BED, *MODEL, "pairs.npz", "loops.bedpe", "candidates.bedpe"],
    "python.md": [*MODEL, "pairs.npz", "candidates.bedpe", "found.meme"],
    "questions.md": [*MODEL, "pairs.npz", "candidates.bedpe", "pairs.history.tsv", "refseq.bed", "names.tsv",
                     {"pairs.bedpe": "other_cells.bedpe"}],
    "tutorial.md": ["genome.fa", "motifs.jaspar", {"simulated.bedpe": "pairs.bedpe"}],
}  # fmt: skip


def blocks(page: str, *languages: str) -> Iterator[tuple[str, str]]:
    """Language and text of the fenced blocks of a page, without the indentation of the fence."""
    for indent, language, text in re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", (DOCS / page).read_text(), re.M | re.S):
        if language in languages:
            yield language, "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def executed(page: str) -> list[str]:
    """A page's commands as lines of bash, but for those of a clone; Python is given to its interpreter."""
    return [
        text if language == "sh" else f"python - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON\n"
        for language, text in blocks(page, "sh", "python")
        if not text.startswith("bash examples/")
    ]


def lines_of_speid(page: str) -> Iterator[list[str]]:
    """The words of each command of speid on a page, also of those that are only shown."""
    for _, text in blocks(page, "sh", "bash", "console"):
        for line in text.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s\|\s|\s>\s|\s\s#", re.sub(r"\$\w+", "1", line.strip().removeprefix("$ "))):
                if part.startswith(("speid ", "torchrun ")):
                    words = shlex.split(part, comments=True)
                    yield words[1:] if words[0] == "speid" else words[words.index("speid_cli") + 1 :]


def find(words: list[str]) -> tuple[click.Command, str, list[str]]:
    """The command that a line names, its name, and its arguments."""
    command, name, context = cli, "speid", click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, words = words[0], words[1:]
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
    return command, name, words


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that pages begin with."""
    return write_all(tmp_path_factory.mktemp("docs"))


def test_every_page_with_commands_has_its_files() -> None:
    assert [page for page in (README, *PAGES) if executed(page)] == sorted(FILES)


@pytest.mark.slow
@needs_bedtools
@pytest.mark.parametrize("page", FILES)
def test_commands_run_as_they_stand(page: str, files: Path, folder: Path) -> None:
    for entry in FILES[page]:
        for source, name in (entry if isinstance(entry, dict) else {entry: entry}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(files / source, folder / name)
    shell("\n".join(executed(page)), folder)


@pytest.mark.parametrize("page", PAGES)
def test_lines_that_are_shown_parse(page: str) -> None:
    for words in lines_of_speid(page):
        command, name, arguments = find(words)
        if not isinstance(command, click.Group):
            command.make_context(name, arguments, resilient_parsing=False).close()


def test_the_tutorial_has_the_commands_of_the_quickstart() -> None:
    script = (ROOT / "examples" / "quickstart.sh").read_text().replace(" --force", "")
    steps = re.findall(r"^speid .*$", script, re.M)
    assert steps and set(steps) <= set("".join(executed("tutorial.md")).splitlines())


def options(command: click.Command) -> set[str]:
    """All options of a command and of those below it."""
    own = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help", "-h"}
    if isinstance(command, click.Group):
        names = command.list_commands(click.Context(command))
        members = (command.get_command(click.Context(command), name) for name in names)
        own |= set().union(*(options(member) for member in members if member is not None))
    return own


@pytest.mark.parametrize("page", PAGES)
def test_options_in_sentences_exist(page: str) -> None:
    text = re.sub(r"^( *)```.*?^ *```$", "", (DOCS / page).read_text(), flags=re.M | re.S)
    known = options(cli) | {"--max-restarts"}  # of torchrun
    for code in re.findall(r"`([^`]+)`", text):
        words = code.split()
        if words[0].startswith("-"):
            assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", code)) <= known, code
        elif words[0] == "speid" and words[1:] and words[1] != "+":
            command, _, arguments = find(words[1:])
            assert {word for word in arguments if re.match(r"--?[a-z]", word)} <= options(command), code


def test_the_reference_is_what_the_script_makes() -> None:
    made = runpy.run_path(str(DOCS / "make_reference.py"))["pages"]()
    for name, text in made.items():
        assert (DOCS / "reference" / name).read_text() == text, f"run python docs/make_reference.py: {name}"


@pytest.mark.parametrize("page", PAGES)
def test_links_into_the_repository_lead_somewhere(page: str) -> None:
    for target in re.findall(rf"{re.escape(ADDRESS)}([^)#\s]*)", (DOCS / page).read_text()):
        assert (ROOT / target).exists(), target


def test_measured_figures_are_those_of_the_benchmarks() -> None:
    text = (DOCS / "measured.md").read_text()
    assert "<!-- speed:" in text and "<!-- accuracy:" in text
    assert runpy.run_path(str(ROOT / "benchmarks" / "readme.py"))["with_figures"](text) == text


class Loaded(HTMLParser):
    """What a page loads: scripts, styles and pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("script", "img", "iframe") and found.get("src"):
            self.addresses.append(str(found["src"]))
        if tag == "link" and found.get("rel") in ("stylesheet", "preload", "preconnect", "icon"):
            self.addresses.append(str(found["href"]))


def test_the_site_builds_without_warnings_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("material")
    # A proxy that no one listens at: the build needs no network.
    blocked = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env={**environment(), **blocked, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    written = sorted((tmp_path / "site").rglob("*.html"))
    assert len(written) == len(PAGES) + 1  # and 404.html
    for path in written:
        page = Loaded()
        page.feed(path.read_text())
        away = [address for address in page.addresses if re.match(r"(\w+:)?//", address)]
        assert not away, f"{path.relative_to(tmp_path)}: {away}"
        for address in page.addresses:
            if path.name != "404.html":
                assert Path(os.path.normpath(path.parent / address.partition("?")[0])).exists(), address
