"""Reads the function files of sql/functions: names, arguments, results, comments and grants, as they were written.

A signature is written once, in the private function. What needs it elsewhere (scripts/generate_sql.py, the graph of
calls, the documents) takes it from here. The reader knows the form of these files, not all of SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FUNCTIONS = ROOT / "sql" / "functions"


@dataclass
class Argument:
    name: str
    type: str
    default: str | None
    mode: str = "in"

    def declaration(self) -> str:
        return f"{self.name} {self.type}" + (f" default {self.default}" if self.default is not None else "")


@dataclass
class Function:
    name: str
    path: Path
    arguments: list[Argument]
    result: str
    volatility: str
    body: str
    comment: str = ""
    grantees: list[str] = field(default_factory=list)

    @property
    def folder(self) -> str:
        return self.path.parent.name

    def identity(self) -> str:
        return f"{self.name}({', '.join(a.type for a in self.arguments if a.mode != 'out')})"


def folders() -> list[str]:
    """The order of the folders: each calls only those before it."""
    return (FUNCTIONS / "order.txt").read_text().split()


def files() -> list[Path]:
    listed = folders()
    found = sorted(p.name for p in FUNCTIONS.iterdir() if p.is_dir())
    if sorted(listed) != found:
        raise SystemExit(f"sql/functions/order.txt and the folders differ: {sorted(set(listed) ^ set(found))}")
    return [path for folder in listed for path in sorted((FUNCTIONS / folder).glob("*.sql"))]


def statements(text: str) -> list[str]:
    """The statements of a file, each with the comments in front of it."""
    token = re.compile(r"--[^\n]*|'(?:[^']|'')*'|(?P<tag>\$\w*\$).*?(?P=tag)|\bbegin atomic\b|;", re.S)
    found, start, position = [], 0, 0
    while match := token.search(text, position):
        position = match.end()
        if match.group() == "begin atomic":
            position = end_of_atomic(text, position)
        elif match.group() == ";":
            found.append(text[start:position].strip("\n"))
            start = position
    return found


def end_of_atomic(text: str, position: int) -> int:
    depth = 1
    for match in re.compile(r"--[^\n]*|'(?:[^']|'')*'|\bcase\b|\bend\b").finditer(text, position):
        depth += {"case": 1, "end": -1}.get(match.group(), 0)
        if depth == 0:
            return match.end()
    raise SystemExit("a body `begin atomic` has no end")


def between_parentheses(text: str, opening: int) -> tuple[list[str], int]:
    """What stands between commas in the parenthesis that opens there, and the position behind it."""
    parts, depth, start = [], 0, opening + 1
    for match in re.compile(r"--[^\n]*|'(?:[^']|'')*'|[(\[{]|[)\]}]|,").finditer(text, opening):
        piece = match.group()
        if piece in "([{":
            depth += 1
        elif piece in ")]}":
            depth -= 1
        if piece == "," and depth == 1 or depth == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
        if depth == 0:
            return [part for part in parts if part], match.end()
    raise SystemExit("a parenthesis has no end")


def argument(text: str) -> Argument:
    words, _, default = " ".join(text.split()).partition(" default ")
    mode, _, named = words.partition(" ")
    if mode not in ("in", "out", "inout"):
        mode, named = "in", words
    name, _, type_name = named.partition(" ")
    return Argument(name, type_name, default or None, mode)


def without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text)


def read(path: Path) -> list[Function]:
    found: dict[str, Function] = {}
    for statement in statements(path.read_text()):
        code = re.sub(r"\A(?:\s*--[^\n]*\n)*\s*", "", statement)
        if head := re.match(r"create or replace function parley(?:_api)?\.(\w+)(?=\()", code):
            arguments, end = between_parentheses(code, head.end())
            # without `returns` the results are arguments marked `out`
            result, header = re.match(r"\s*(?:returns (.+?)\n)?language ([^\n]+)\n", code[end:], re.S).groups()
            volatility = next((w for w in header.split() if w in ("immutable", "stable")), "volatile")
            found[head.group(1)] = Function(
                head.group(1), path, [argument(a) for a in arguments], " ".join((result or "").split()), volatility, code[end:]
            )
        elif text := re.match(r"comment on function parley(?:_api)?\.(\w+) is\s+'(.*)';\Z", code, re.S):
            found[text.group(1)].comment = text.group(2)
        elif grant := re.match(r"grant execute on function parley(?:_api)?\.(\w+) to ([\w, ]+);\Z", code):
            found[grant.group(1)].grantees += grant.group(2).split(", ")
    return list(found.values())


def functions() -> dict[str, Function]:
    """All private functions by name. A name stands for one function: comments and grants can leave out arguments."""
    found: dict[str, Function] = {}
    for path in files():
        for function in read(path):
            if function.name in found:
                raise SystemExit(f"{function.name} is defined in {found[function.name].path} and in {path}")
            found[function.name] = function
    return found
