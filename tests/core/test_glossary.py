"""The documents name what is there: identifiers of the glossary, links, files and make targets."""

import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "motionstream_core"
CODE = (CORE, ROOT / "nodes")
DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").rglob("*.md"),
        CORE / "assets" / "MODEL_CARD.md",
    ]
)
# What a path in a document may be relative to, beside the document's own folder.
BASES = (ROOT, CORE, ROOT / "docs")
SUFFIXES = (".py", ".md", ".js", ".json", ".sh", ".html", ".toml")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
# The changelog tells of names as they were, and other repositories' files are not ours.
AS_THEY_WERE = {"CHANGELOG.md", "other-packs.md", "public-checkpoints.md"}


def glossary_identifiers() -> list[str]:
    """The words in code quotes in the first column of the glossary's tables."""
    found = []
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            first_cell = line.split("|")[1]
            found += re.findall(r"`([^`]+)`", first_cell)
    return found


@cache
def names_in_code() -> frozenset[str]:
    """Every name that a Python file of the pack writes, comments and strings left out."""
    names = set()
    for room in CODE:
        for path in room.rglob("*.py"):
            with tokenize.open(path) as file:
                for token in tokenize.generate_tokens(file.readline):
                    if token.type == tokenize.NAME:
                        names.add(token.string)
                    elif token.type == tokenize.STRING and IDENTIFIER.fullmatch(token.string.strip("\"'")):
                        names.add(token.string.strip("\"'"))
    return frozenset(names)


def prose_of(path: Path) -> str:
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def links_of(path: Path) -> list[str]:
    """The targets of a document's links that lie in the repository."""
    targets = [first or second for first, second in LINK.findall(prose_of(path))]
    return [target.split("#")[0] for target in targets if "://" not in target and not target.startswith("#")]


def named_files_of(path: Path) -> list[str]:
    """The files with a folder that a document names in code quotes."""
    quoted = re.findall(r"`([^`\s]+)`", prose_of(path))
    return [
        name
        for name in quoted
        if "/" in name and name.endswith(SUFFIXES) and not re.search(r"[<>*{}…:=]|[A-Z]{4}", name)
    ]


def test_the_glossary_has_identifiers():
    assert len(glossary_identifiers()) > 20


@pytest.mark.parametrize("word", glossary_identifiers())
def test_an_identifier_of_the_glossary_is_in_the_code(word):
    for name in word.split("."):
        assert name in names_in_code(), f"docs/glossary.md names {word}, which no file of the pack does"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_document_lead_somewhere(path):
    for target in links_of(path):
        assert (path.parent / target).exists(), f"{path.relative_to(ROOT)}: {target}"


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if path.name not in AS_THEY_WERE],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_files_that_a_document_names_are_there(path):
    for name in named_files_of(path):
        assert any((base / name).exists() for base in (path.parent, *BASES)), (
            f"{path.relative_to(ROOT)}: {name}"
        )


def test_make_targets_that_documents_name_are_there():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for path in DOCUMENTS:
        for name in re.findall(r"`make ([\w-]+)", path.read_text(encoding="utf-8")):
            assert name in targets, f"{path.relative_to(ROOT)}: make {name}"


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 160
