"""The table of posts that ``reelflow submit --from`` reads: a post a row, a field a column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from reelflow.cli.submit_wishes import Problem, Wish, fields_of, find_posts
from reelflow.domain.sidecar import PhotoFields, VideoFields
from reelflow.exceptions import ReelflowError, SidecarError
from reelflow.source import open_file

FILE, ACCOUNT = "file", "account"
COLUMNS: Final = (
    FILE,
    ACCOUNT,
    *dict.fromkeys([*VideoFields.model_fields, *PhotoFields.model_fields]),
)
_MODELS: Final = {**VideoFields.model_fields, **PhotoFields.model_fields}
_NUMBERS: Final = frozenset({"cover_timestamp_ms", "cover_index"})
_IMAGES: Final = "images"
#: Between names in one cell; no separator of cells, and no character of a usual name.
_IMAGES_SEPARATOR: Final = "|"
_TRUE: Final = frozenset({"true", "yes", "1"})
_FALSE: Final = frozenset({"false", "no", "0"})
_SEPARATORS: Final = (",", ";", "\t")
_LARGEST_BYTES: Final = 10_000_000
_ROWS_MAX: Final = 10_000


def read_table(path: Path) -> tuple[list[Wish], list[Problem]]:
    """Return the posts that a table asks for, and what is wrong with the other rows.

    Files are named as seen from the table's own folder. An empty cell is a field that is not given.

    :raises SidecarError: it is no such table at all
    """
    wishes: list[Wish] = []
    problems: list[Problem] = []
    for number, cells in _rows(path):
        place = f"row {number}"
        try:
            wishes += _wishes(place, cells, path.absolute().parent)
        except (ReelflowError, OSError) as error:
            problems.append(Problem(place, str(error)))
    if not wishes and not problems:
        raise SidecarError(f"{str(path)!r} has no row below its header: add a post")
    return wishes, problems


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Give each row's number, as a spreadsheet counts, and its cells that are not empty."""
    lines = io.StringIO(_text(path), newline="")
    header_line = lines.readline()
    separator = max(_SEPARATORS, key=header_line.count)
    lines.seek(0)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(path, header)
        for number, row in enumerate(reader, start=2):
            if number > _ROWS_MAX:
                raise SidecarError(f"{str(path)!r} has over {_ROWS_MAX} rows: make several of it")
            if any(cell.strip() for cell in row):
                yield number, _cells(path, number, header, row)
    except csv.Error as error:
        raise SidecarError(
            f"{str(path)!r} cannot be read as a table at line {reader.line_num} ({error}): save it "
            "as CSV in UTF-8"
        ) from None


def _text(path: Path) -> str:
    with open_file(path) as source:
        data = source.read_at(0, _LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise SidecarError(
            f"{str(path)!r} has over {_LARGEST_BYTES} bytes: give a table of posts, as CSV"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SidecarError(
            f"{str(path)!r} is not UTF-8 at byte {error.start}: save it as CSV in UTF-8"
        ) from None


def _check_header(path: Path, header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    missing = [name for name in (FILE, ACCOUNT) if name not in header]
    if unknown or twice or missing:
        told = [
            *(f"the column {name[:40]!r} is not known" for name in unknown[:5]),
            *(f"the column {name!r} is there twice" for name in twice),
            *(f"the column {name!r} is missing" for name in missing),
        ]
        raise SidecarError(
            f"the first row of {str(path)!r} cannot be used: {'; '.join(told)} (columns: "
            f"{', '.join(COLUMNS)})"
        )


def _cells(path: Path, number: int, header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
        raise SidecarError(
            f"row {number} of {str(path)!r} has {len(row)} cells for {len(header)} columns: put "
            'texts with commas into "quotes"'
        )
    return {name: cell for name, cell in zip(header, row, strict=False) if cell.strip()}


def _wishes(place: str, cells: dict[str, str], folder: Path) -> list[Wish]:
    for name in (FILE, ACCOUNT):
        if name not in cells:
            raise SidecarError(f"{name} is empty: fill it in")
    found = find_posts(folder / cells.pop(FILE).strip())
    account = cells.pop(ACCOUNT).strip()
    values = {name: _value(name, cell) for name, cell in cells.items()}
    return [Wish(place, account, post, fields_of(values, post.kind)) for post in found]


def _value(name: str, cell: str) -> Any:
    """Return what a cell says; a wrong one stays as it is, and its field is refused by name."""
    text = cell.strip()
    if name == _IMAGES:
        return [one.strip() for one in text.split(_IMAGES_SEPARATOR)]
    if name in _NUMBERS:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text
    if _MODELS[name].default is False:
        word = text.lower()
        return word in _TRUE if word in _TRUE | _FALSE else text
    return cell if name in ("caption", "title") else text
