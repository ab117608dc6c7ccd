"""Compares the tables of a subscription with the events as they were delivered, value by value.

The program shares no code with Easel. It knows only these rules, which a reader of the tables needs:

- An event is one row. `easel_offset` is its offset, and no two rows of all tables share an offset.
  `event_id` is the id of the event. `received_at` is the time when Easel stored the event.
- All events of a type are in one table. The table has the name of the event type, with `__` for
  each dot. If a table cannot have that name, its name ends in `_` and eight digits.
- A field of the body has a column with its name. A field of the metadata has one too, but with the
  suffix `_meta` if the body of the event type has a field with the same name. The columns of Easel
  and those of the metadata take their names first. A body field with such a name, or with the name of
  a system column of PostgreSQL, has the suffix `_body`. A field that the catalogue does not know has
  no column if its name looks like one of these with a suffix, such as `user_id_body`.
- A column `X_local` is computed: it is the id in the column `X` without its shard, `id % 10^13`.
- The types are `bigint` for ids and integers, `double precision` and `numeric` for numbers,
  `boolean`, `timestamptz`, `text`, `uuid`, and `jsonb` for objects and arrays. A time keeps its
  moment, but not its spelling. An id keeps its number, but not whether it was a string. JSON keeps
  numbers exactly, but neither their spelling nor the order of keys.
- NULL stands for a field that is missing or null, and for an empty id if the schema of the event
  type allows it.
- `extra` is NULL or an object. Fields of the body without a column are its members. `_metadata` has
  those of the metadata, and `_event` has the members beside metadata and body.
- `extra` has under `_mismatch` the values that do not fit into their columns, by JSON Pointer. The
  column is then NULL, or it has the value with less precision. A value that a JSON column cannot
  hold is an object with the one member `base64`: its JSON, encoded. Members whose key cannot be
  stored are one such object, under the pointer of their part: `/body`, `/metadata`, or empty.

The program rebuilds each event from its row, and compares it with the delivered event. It also
requires that a value is in its column if the column can hold the value, and that the columns of the
catalogue have the types above.

Each difference is a line on stderr, with table, offset and column. The exit code is then 1.
Otherwise the program prints one line of JSON: how many events, rows, event types, tables and values
it compared, and how many of the values were in `extra`.
"""

import argparse
import base64
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

OWN_COLUMNS = ["easel_offset", "event_id", "event_time", "received_at", "extra"]
"""The columns that are not named after a field."""
OWN_TABLES = ["easel_cursors", "easel_migrations"]
SYSTEM_COLUMNS = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"]
SUFFIX = re.compile(r"_(meta|body|local)$")
PARTS = {"metadata": "/metadata", "body": "/body", "event": ""}
"""The parts of an event, with their JSON Pointers."""
IDS_PER_SHARD = 10**13
TIME_PATTERN = r"^\d{4}-\d{2}-\d{2}"
"""How the pattern of each field with a time begins."""
MAX_MESSAGES = 3
"""How many differences of one column are printed."""
MAX_MESSAGE = 300
MISSING = object()
"""Stands for a value that is not there. JSON null is None."""

# With COPY, these bytes follow a backslash.
COPY_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
COPY_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

ID = re.compile(r"0|[1-9][0-9]*", re.ASCII)
PLAIN_TABLE = re.compile(r"[a-z0-9_.]+", re.ASCII)
SUFFIXED_TABLE = re.compile(r".*_[0-9a-f]{8}", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?: ?[Zz]| UTC| ?([+-])(\d\d)(?::?(\d\d))?)",
    re.ASCII,
)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
CANVAS_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,6})?Z", re.ASCII)
COLUMN_TIME = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00( BC)?", re.ASCII
)


# JSON


class Repeated:
    """An object that has a key twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def __repr__(self) -> str:
        return f"{self.pairs}"


class Extreme:
    """A number with an exponent that Decimal does not have."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def json_object(pairs: list[tuple[str, Any]]) -> Any:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeated(pairs)


def json_number(text: str) -> Any:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Extreme(text)


DECODER = json.JSONDecoder(
    object_pairs_hook=json_object, parse_float=json_number, parse_int=json_number
)


def same(a: Any, b: Any) -> bool:
    """Compares two JSON values. The spelling of a number and the order of keys do not matter."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Repeated):
        keys = [key for key, _ in a.pairs] == [key for key, _ in b.pairs]
        return keys and all(same(x, y) for (_, x), (_, y) in zip(a.pairs, b.pairs, strict=True))
    if isinstance(a, Extreme):
        return bool(a.text.lower() == b.text.lower())
    return bool(a == b)


def is_storable_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def is_storable(value: Any, depth: int = 0) -> bool:
    """Returns whether every database with JSON columns can hold a value."""
    if depth > 60:
        return False
    if isinstance(value, dict):
        keys = all(map(is_storable_text, value))
        return keys and all(is_storable(inner, depth + 1) for inner in value.values())
    if isinstance(value, list):
        return all(is_storable(inner, depth + 1) for inner in value)
    if isinstance(value, str):
        return is_storable_text(value)
    if isinstance(value, Decimal):
        return is_moderate(value)
    return not isinstance(value, (Repeated, Extreme))


def is_moderate(number: Decimal) -> bool:
    _sign, digits, exponent = number.as_tuple()
    return isinstance(exponent, int) and abs(exponent) < 4000 and len(digits) < 4000


# Times


def days_from_civil(year: int, month: int, day: int) -> int:
    """Returns the number of days since 1970-01-01 in the proleptic Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


def nanoseconds(parts: tuple[str | None, ...]) -> int:
    """Returns a moment. The parts are year, month, day, hour, minute, second and decimals."""
    year, month, day, hour, minute, second = (int(part or 0) for part in parts[:6])
    seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    return seconds * 10**9 + int((parts[6] or "").ljust(9, "0"))


def event_nanoseconds(text: str) -> int | None:
    """Returns the moment of a time in an event."""
    if DAY.fullmatch(text):
        text += "T00:00:00Z"
    found = TIME.fullmatch(text)
    if found is None:
        return None
    *parts, sign, hours, minutes = found.groups()
    zone = (int(hours or 0) * 60 + int(minutes or 0)) * 60 * 10**9
    return nanoseconds(tuple(parts)) - (-zone if sign == "-" else zone)


def column_nanoseconds(text: str) -> int | None:
    """Returns the moment in a column. The program reads columns in UTC."""
    found = COLUMN_TIME.fullmatch(text)
    if found is None:
        return None
    year, *rest, before_christ = found.groups()
    if before_christ:
        year = str(1 - int(year))
    return nanoseconds((year, *rest))


# Fields and columns

COLUMN_TYPES: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "x-id-scope": "local"},
    "timestamp": {"type": "string", "pattern": TIME_PATTERN},
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
}
"""The schemas of the types that a description names."""


@dataclass(frozen=True)
class Fields:
    """The fields of an event type, by the JSON Schema that the catalogue publishes."""

    metadata: dict[str, Any]
    body: dict[str, Any]

    @classmethod
    def from_schema(cls, schema: dict[str, Any]) -> "Fields":
        parts = [schema["properties"][part]["properties"] for part in ("metadata", "body")]
        metadata, body = [
            {name: with_type(field_schema) for name, field_schema in part.items()} for part in parts
        ]
        return cls(metadata, body)


def with_type(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of a field with the type that its description names.

    For some event types, only columns of Canvas are documented. Their schemas accept every value.
    """
    about, separator, named_type = schema.get("description", "").partition(" Type of the column: ")
    if not separator:
        return schema
    return {**schema, "description": about, **COLUMN_TYPES[named_type.removesuffix(".")]}


def is_id(name: str, schema: dict[str, Any] | None) -> bool:
    if schema is not None:
        return "x-id-scope" in schema
    return name == "id" or name.endswith("_id")


def can_be_empty_id(schema: dict[str, Any] | None) -> bool:
    if schema is None or "x-id-scope" not in schema:
        return False
    return re.search(schema.get("pattern", "."), "") is not None


def expected_type(schema: dict[str, Any]) -> str | None:
    """Returns the type of the column of a field. None if the schema does not say."""
    types = schema.get("type", [])
    types = {types} if isinstance(types, str) else set(types)
    types.discard("null")
    if "array" in types or "object" in types:
        return "jsonb"
    if "x-id-scope" in schema:
        return "bigint"
    if schema.get("pattern", "").startswith(TIME_PATTERN):
        return "timestamp with time zone"
    names = {
        "integer": "bigint",
        "number": "double precision",
        "boolean": "boolean",
        "string": "text",
    }
    return names[types.pop()] if len(types) == 1 else None


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    type_name: str
    is_generated: bool
    comment: str | None


def is_same_cell(column: Column, cell: str, value: Any, is_id_field: bool = False) -> bool:
    """Returns whether a cell has the whole value of a field."""
    match column.type_name, value:
        case ("bigint" | "numeric"), str():
            return is_id_field and ID.fullmatch(value) is not None and value == cell
        case ("bigint" | "numeric" | "double precision"), Decimal():
            return Decimal(cell) == value
        case "boolean", bool():
            return cell == ("t" if value else "f")
        case ("text" | "uuid"), str():
            return cell == value
        case "timestamp with time zone", str():
            found = event_nanoseconds(value)
            return value[17:19] != "60" and found == column_nanoseconds(cell)
        case "jsonb", _:
            return same(DECODER.decode(cell), value)
    return False


def is_rounded_cell(column: Column, cell: str, value: Any) -> bool:
    """Returns whether a cell has the value of a field with less precision."""
    match column.type_name, value:
        case "double precision", Decimal():
            return float(cell) == float(value)
        case "timestamp with time zone", str():
            sent, found = event_nanoseconds(value), column_nanoseconds(cell)
            if sent is None or found is None:
                return False
            if value[17:19] == "60":
                sent -= 10**9
            return abs(sent - found) < 1000
    return False


def is_moment(column: Column, cell: str, text: str) -> bool:
    """Returns whether a cell has a time, perhaps with less precision."""
    return is_same_cell(column, cell, text) or is_rounded_cell(column, cell, text)


def must_hold(column: Column, value: Any, is_id_field: bool) -> bool:
    """Returns whether a column of this type must have the value of a field, whole."""
    match column.type_name, value:
        case "jsonb", _:
            return is_storable(value)
        case "text", str():
            return is_storable_text(value)
        case "boolean", bool():
            return True
        case "uuid", str():
            return UUID.fullmatch(value) is not None
        # A numeric column may have been a bigint column when the row was written.
        case ("bigint" | "numeric"), str():
            return is_id_field and ID.fullmatch(value) is not None and int(value[:20]) < 2**63
        case ("bigint" | "numeric"), Decimal():
            is_moderate_number = is_moderate(value)
            return is_moderate_number and value == int(value) and -(2**63) <= value < 2**63
        case "double precision", Decimal():
            is_finite = value.copy_abs() < Decimal("1e308")
            return is_finite and Decimal(repr(float(value))) == value
        case "timestamp with time zone", str():
            return CANVAS_TIME.fullmatch(value) is not None and is_real_time(value)
    return False


def is_real_time(text: str) -> bool:
    """Returns whether the day and the hour of a time exist."""
    month, day, hour, minute = (int(text[at : at + 2]) for at in (5, 8, 11, 14))
    return 1 <= month <= 12 and 1 <= day <= 28 and hour < 24 and minute < 60


@dataclass
class Table:
    """A table and the rules for its event type."""

    name: str
    columns: list[Column]
    by_name: dict[str, Column] = field(init=False)
    event_type: str | None = None
    fields: Fields | None = None
    metadata_columns: dict[str, str] = field(default_factory=dict)
    """The names of the columns of the metadata, by field."""

    def __post_init__(self) -> None:
        self.by_name = {column.name: column for column in self.columns}

    def set_event_type(self, event_type: str, fields: Fields | None, metadata: set[str]) -> None:
        self.event_type = event_type
        self.fields = fields
        for name in metadata:
            moved = f"{name}_meta"
            is_moved = moved in self.by_name if fields is None else name in fields.body
            self.metadata_columns[name] = moved if is_moved else name

    def schema(self, part: str, name: str) -> dict[str, Any] | None:
        if self.fields is None:
            return None
        fields = self.fields.metadata if part == "metadata" else self.fields.body
        return fields.get(name)

    def column(self, part: str, name: str) -> Column | None:
        """Returns the column of a field, by the rules above."""
        if part == "event":
            return None
        if part == "metadata":
            column_name = self.metadata_columns.get(name)
            return self.by_name.get(column_name) if column_name else None
        plain = self.by_name.get(name)
        if self.is_taken(name) or (plain is not None and plain.is_generated):
            return self.by_name.get(f"{name}_body")
        is_known = self.fields is not None and name in self.fields.body
        return None if not is_known and self.is_ambiguous(name) else plain

    def is_taken(self, name: str) -> bool:
        return name in [*OWN_COLUMNS, *SYSTEM_COLUMNS, *self.metadata_columns.values()]

    def is_ambiguous(self, name: str) -> bool:
        while SUFFIX.search(name):
            name = SUFFIX.sub("", name)
            if self.is_taken(name) or name in self.metadata_columns:
                return True
        return False


# The comparison of one row


class Comparison:
    """Compares events with rows, and collects the differences."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.difference_counts: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()

    def differs(self, table: str, offset: int | None, column: str, message: str) -> None:
        self.difference_counts[table, column] += 1
        if self.difference_counts[table, column] <= MAX_MESSAGES:
            place = f"{table}, offset {offset}, column {column}"
            text = f"{place}: {message}".encode("utf-8", "backslashreplace").decode()
            self.messages.append(text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…")

    def compare(self, table: Table, row: dict[str, str | None], line: dict[str, Any]) -> None:
        """Compares a row with the event in a line of the file of events."""
        RowComparison(self, table, row, line).run()


class RowComparison:
    """Compares one row with its event. What a row has and the event explains is taken away."""

    def __init__(
        self, result: Comparison, table: Table, row: dict[str, str | None], line: dict[str, Any]
    ) -> None:
        self.result = result
        self.table = table
        self.row = row
        self.line = line
        self.unseen = {name for name, cell in row.items() if cell is not None}
        self.unknown: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        self.mismatches: dict[str, Any] = {}

    def differs(self, column: str, message: str) -> None:
        self.result.differs(self.table.name, self.line["offset"], column, message)

    def run(self) -> None:
        self.read_extra()
        event = self.line["event"]
        self.compare_own_columns()
        for part in ["metadata", "body"]:
            self.compare_part(part, event[part])
        beside = {key: value for key, value in event.items() if key not in ("metadata", "body")}
        self.compare_part("event", beside)
        for part, members in self.unknown.items():
            for key, value in members.items():
                place = f"{PARTS[part]}/{key}"
                self.differs("extra", f"the event has no {place}, the row has {value!r}")
        for pointer, value in self.mismatches.items():
            self.differs("extra", f"the event has no {pointer!r}, the row has {value!r}")
        self.compare_computed_columns()
        for name in self.unseen:
            self.differs(name, f"the event has no such field, the row has {self.row[name]!r}")

    def read_extra(self) -> None:
        self.unseen.discard("extra")
        text = self.row["extra"]
        if text is None:
            return
        extra = DECODER.decode(text)
        if not isinstance(extra, dict) or not extra:
            self.differs("extra", f"it must be NULL or an object with members, not {text}")
            return
        self.unknown["metadata"] = extra.pop("_metadata", {})
        self.unknown["event"] = extra.pop("_event", {})
        mismatches = extra.pop("_mismatch", {})
        self.mismatches = {pointer: decoded(value) for pointer, value in mismatches.items()}
        self.unknown["body"] = extra

    def compare_own_columns(self) -> None:
        self.unseen -= {"easel_offset", "event_id", "received_at", "event_time"}
        for name, wanted in [
            ("easel_offset", str(self.line["offset"])),
            ("event_id", self.line["id"]),
        ]:
            if self.row[name] != wanted:
                self.differs(name, f"the event has {wanted}, the row has {self.row[name]}")
        column, cell = self.table.by_name["received_at"], self.row["received_at"]
        if cell is None or not is_moment(column, cell, self.line["appended_at"]):
            message = f"the event has {self.line['appended_at']}, the row has {cell}"
            self.differs("received_at", message)

    def compare_part(self, part: str, members: dict[str, Any]) -> None:
        """Compares the members of a part. Members whose key cannot be stored are in one object."""
        odd = {key: value for key, value in members.items() if not is_storable_text(key)}
        for key, value in members.items():
            self.result.counts["values"] += 1
            if key not in odd:
                self.compare_member(part, key, value)
        if odd:
            found = self.mismatches.pop(PARTS[part], MISSING)
            if not same(found, odd):
                self.differs("extra", f"the event has {odd!r}, {PARTS[part]!r} has {found!r}")

    def compare_member(self, part: str, key: str, value: Any) -> None:
        pointer = f"{PARTS[part]}/{key.replace('~', '~0').replace('/', '~1')}"
        exact = self.mismatches.pop(pointer, MISSING)
        plain = self.unknown[part].pop(key, MISSING)
        if part == "metadata" and key == "event_name":
            if exact is not MISSING or plain is not MISSING:
                found = plain if exact is MISSING else exact
                if not same(found, value) or is_storable_text(value):
                    message = f"the event has the type {value!r}, the row has {found!r}"
                    self.differs("extra", message)
            return
        if part == "metadata" and key == "event_time":
            self.compare_event_time(value, exact)
            return
        column = self.table.column(part, key)
        if column is None:
            self.compare_value_without_column(part, key, value, exact, plain)
            return
        cell = self.row[column.name]
        self.unseen.discard(column.name)
        schema = self.table.schema(part, key)
        is_id_field = is_id(key, schema)
        if exact is not MISSING or plain is not MISSING:
            found = plain if exact is MISSING else exact
            self.result.counts["in_extra"] += 1
            if exact is not MISSING and plain is not MISSING:
                self.differs("extra", f"{pointer} is there twice: {exact!r} and {plain!r}")
            elif not same(found, value):
                self.differs("extra", f"{pointer} is {found!r}, the event has {value!r}")
            elif cell is not None and not is_rounded_cell(column, cell, value):
                self.differs(column.name, f"the event has {value!r}, the row has {cell!r}")
            elif plain is MISSING and must_hold(column, value, is_id_field):
                self.differs(column.name, f"the value is in extra, but fits: {value!r}")
        elif cell is None:
            if value is not None and not (value == "" and can_be_empty_id(schema)):
                self.differs(column.name, f"the event has {value!r}, the row has NULL")
        elif not is_same_cell(column, cell, value, is_id_field):
            self.differs(column.name, f"the event has {value!r}, the row has {cell!r}")

    def compare_event_time(self, value: str, exact: Any) -> None:
        column, cell = self.table.by_name["event_time"], self.row["event_time"]
        if exact is not MISSING and not same(exact, value):
            self.differs("extra", f"the event has the time {value!r}, the row has {exact!r}")
        compares = is_same_cell if exact is MISSING else is_moment
        if cell is None or not compares(column, cell, value):
            self.differs("event_time", f"the event has {value!r}, the row has {cell!r}")

    def compare_value_without_column(
        self, part: str, key: str, value: Any, exact: Any, plain: Any
    ) -> None:
        self.result.counts["in_extra"] += 1
        found = plain if exact is MISSING else exact
        place = f"{PARTS[part]}/{key}"
        if found is MISSING:
            self.differs("extra", f"the event has {place}: {value!r}, the row lacks it")
        elif exact is not MISSING and plain is not MISSING:
            self.differs("extra", f"{place} is there twice: {exact!r} and {plain!r}")
        elif not same(found, value):
            self.differs("extra", f"{place} is {found!r}, the event has {value!r}")
        elif plain is MISSING and is_storable(value) and not key.startswith("_"):
            self.differs("extra", f"{place} is a mismatch, but it has no column")

    def compare_computed_columns(self) -> None:
        for column in self.table.columns:
            if not column.is_generated:
                continue
            self.unseen.discard(column.name)
            source = self.row.get(column.name.removesuffix("_local"))
            found = self.row[column.name]
            wanted = None if source is None else str(local_id(int(source)))
            if found != wanted:
                self.differs(column.name, f"it must be {wanted}, the row has {found}")


def local_id(number: int) -> int:
    """Returns an id without its shard. The sign is that of the id, as in SQL."""
    rest = abs(number) % IDS_PER_SHARD
    return rest if number >= 0 else -rest


def decoded(value: Any) -> Any:
    """Returns a value under `_mismatch`, decoded if it is encoded."""
    if isinstance(value, dict) and list(value) == ["base64"]:
        return DECODER.decode(base64.b64decode(value["base64"], validate=True).decode())
    return value


# The database


@dataclass(frozen=True)
class Database:
    """A schema of a database, read by `psql`."""

    psql: str
    url: str
    schema: str

    def copy(self, query: str) -> Iterator[list[str | None]]:
        """Yields the rows of a query."""
        settings = "-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1"
        command = [self.psql, self.url, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]
        command += ["--command", f"copy ({query}) to stdout"]
        environment = {**os.environ, "PGOPTIONS": settings, "PGCLIENTENCODING": "UTF8"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield [copied_cell(cell) for cell in line.decode().removesuffix("\n").split("\t")]
        if process.returncode != 0:
            sys.exit(f"psql failed with exit code {process.returncode}")

    def tables(self) -> list[Table]:
        found: dict[str, list[Column]] = {}
        query = (
            "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), "
            "a.attgenerated <> '', col_description(c.oid, a.attnum) "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            f"where n.nspname = {literal(self.schema)} and c.relkind = 'r' "
            "order by c.relname, a.attnum"
        )
        for table, name, type_name, is_generated, comment in self.copy(query):
            assert table is not None and name is not None and type_name is not None
            column = Column(name, type_name, is_generated == "t", comment)
            found.setdefault(table, []).append(column)
        return [Table(name, columns) for name, columns in found.items() if name not in OWN_TABLES]

    def rows(self, table: Table) -> Iterator[dict[str, str | None]]:
        names = [column.name for column in table.columns]
        columns = ", ".join(map(quoted, names))
        place = f"{quoted(self.schema)}.{quoted(table.name)}"
        for cells in self.copy(f"select {columns} from {place} order by easel_offset"):
            yield dict(zip(names, cells, strict=True))


def copied_cell(text: str) -> str | None:
    if text == r"\N":
        return None
    if "\\" not in text:
        return text
    return COPY_ESCAPE.sub(lambda found: COPY_ESCAPES.get(found[1], found[1]), text)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# The comparison of all tables


def has_right_name(table: str, event_type: str) -> bool:
    plain = event_type.replace(".", "__")
    if table == plain:
        return True
    could_be_plain = PLAIN_TABLE.fullmatch(event_type) and "__" not in event_type
    is_reserved = plain.startswith(("easel_", "pg_")) or plain.endswith("_latest")
    is_reserved |= plain in ("events", "enrollments_now", "grades_now", "activity_by_day")
    must_be_plain = could_be_plain and not is_reserved and len(plain) <= 63
    return not must_be_plain and SUFFIXED_TABLE.fullmatch(table) is not None


def check_columns(result: Comparison, table: Table) -> None:
    """Compares the columns of a table with the schema of its event type."""
    assert table.fields is not None
    parts = [("metadata", table.fields.metadata), ("body", table.fields.body)]
    for part, fields in parts:
        for name, schema in fields.items():
            if part == "metadata" and name in ("event_name", "event_time"):
                continue
            column = table.column(part, name)
            wanted = expected_type(schema)
            if column is None:
                result.differs(table.name, None, name, f"the field of the {part} has no column")
            elif wanted not in (None, column.type_name):
                message = f"the type must be {wanted}, not {column.type_name}"
                result.differs(table.name, None, column.name, message)
            elif schema.get("description", "") not in (column.comment or ""):
                message = f"the comment does not describe the field: {column.comment}"
                result.differs(table.name, None, column.name, message)


def compare_all(
    database: Database, lines: dict[int, bytes], fields_of: dict[str, Fields]
) -> Comparison:
    """Compares all tables with the events, by offset."""
    result = Comparison()
    metadata = {name for fields in fields_of.values() for name in fields.metadata}
    metadata -= {"event_name", "event_time"}
    table_of: dict[str, str] = {}
    seen: dict[int, str] = {}
    for table in database.tables():
        result.counts["tables"] += 1
        for row in database.rows(table):
            result.counts["rows"] += 1
            offset = int(row["easel_offset"] or -1)
            if offset in seen:
                message = f"{seen[offset]} has a row with the same offset"
                result.differs(table.name, offset, "easel_offset", message)
                continue
            seen[offset] = table.name
            text = lines.get(offset)
            if text is None:
                result.differs(table.name, offset, "easel_offset", "there is no such event")
                continue
            line = DECODER.decode(text.decode())
            event_type = line["event"]["metadata"]["event_name"]
            if table.event_type is None:
                table.set_event_type(event_type, fields_of.get(event_type), metadata)
                if not has_right_name(table.name, event_type):
                    message = f"the table has events of the type {event_type!r}"
                    result.differs(table.name, offset, "easel_offset", message)
                if table.fields is not None:
                    check_columns(result, table)
            right_table = table_of.setdefault(event_type, table.name)
            if table.event_type != event_type or right_table != table.name:
                message = f"the row has an event of the type {event_type!r}"
                result.differs(table.name, offset, "easel_offset", message)
            result.compare(table, row, line)
    for offset, text in lines.items():
        if offset not in seen:
            event_type = DECODER.decode(text.decode())["event"]["metadata"]["event_name"]
            name = table_of.get(event_type, event_type)
            result.differs(name, offset, "easel_offset", "the event has no row")
    result.counts["events"] = len(lines)
    result.counts["event_types"] = len(table_of)
    return result


def read_events(path: Path) -> dict[int, bytes]:
    """Reads the lines of the file of events, by offset."""
    lines: dict[int, bytes] = {}
    with path.open("rb") as file:
        for line in file:
            # Parsing the whole line here would take half of the time.
            offset = int(line.removeprefix(b'{"offset":').partition(b",")[0])
            if offset in lines:
                sys.exit(f"{path}: the offset {offset} is there twice")
            lines[offset] = line
    return lines


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument(
        "--events",
        type=Path,
        required=True,
        help="a line of JSON for each event: offset, id, appended_at, and the event as delivered",
    )
    arguments.add_argument(
        "--schemas", type=Path, required=True, help="the output of `easel catalog '*' --schema`"
    )
    arguments.add_argument("--database", required=True, help="URL of the database")
    arguments.add_argument("--schema", default="live", help="schema of the tables")
    arguments.add_argument("--psql", default="psql", help="path of psql")
    given = arguments.parse_args()
    schemas = json.loads(given.schemas.read_text(encoding="utf-8"))
    fields_of = {schema["title"]: Fields.from_schema(schema) for schema in schemas}
    database = Database(given.psql, given.database, given.schema)
    result = compare_all(database, read_events(given.events), fields_of)
    if result.messages:
        print(*result.messages, sep="\n", file=sys.stderr)
        print(f"{result.difference_counts.total()} differences", file=sys.stderr)
        return 1
    names = ["events", "rows", "event_types", "tables", "values", "in_extra"]
    print(json.dumps({name: result.counts[name] for name in names}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
