"""What a viewer may see of a message, said once; scripts/generate_sql.py writes it between the markers of the SQL files.

A message is `readable`, a `tombstone` (its place shows, and nothing of what it said) or `absent`. CLAUSES says why it is
less than readable; a new reason is one clause here. Where the planner needs the conditions spelled out, a reader has

    -- verdict: <what it accepts>
    -- of <message|attachment|event> [alias] [viewer=...] [from=...] [floor=...] [each]
    and ...
    -- end verdict

`viewer` is the user, `from` the first seq of the viewer's history in the conversation, `floor` message_floor_of the
viewer; a policy says `of ... for caller` instead. What is left out is not looked at, because the reader has looked
already, or asks for nobody in particular. `each` has what is hidden looked up by its whole key for each row, instead of
leaving the planner the choice.
What a reader can accept stands in ACCEPTED. Attachments and events have some columns of their message (ROWS); the rest is
looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Clause:
    """A reason why a message is less than readable: while `applies` is true."""

    name: str
    verdict: str
    applies: str
    otherwise: str  # the opposite, for a row of which a column may be null
    needs: str = ""  # viewer, from or floor
    reason: str | None = None  # what message_blocker calls it. None: its place shows
    # A table lists these messages, so that a count by seq can subtract them without looking at messages.
    listed: bool = False


HIDDEN = """exists (
    select from parley.message_hidden as h
    where
        h.conversation_id = {conversation_id}
        and h.user_id = {viewer}
        and h.seq = {seq}{each}
)"""

# In the order of the reasons: the first one that applies is the one to tell.
CLAUSES = [
    Clause("before joining", "absent", "{seq} < {from}", "{seq} >= {from}", "from", "before_history"),
    Clause(
        "expired", "tombstone", "{expires_at} <= now()", "({expires_at} is null or {expires_at} > now())", reason="expired"
    ),
    # No window reaches it any more; a copy for attachments, and an event shows its place only. Counts by seq begin after the
    # retired ones: parley.conversation_retention says where that is.
    Clause("retired", "tombstone", "{retired_at} is not null", "{retired_at} is null", reason="retired", listed=True),
    Clause("beyond the window", "absent", "{id} < {floor}", "{id} >= {floor}", "floor", "beyond_tier"),
    Clause("deleted", "tombstone", "{deleted_at} is not null", "{deleted_at} is null", listed=True),
    Clause("hidden", "absent", HIDDEN, f"not {HIDDEN}", "viewer", "deleted_for_me", listed=True),
]

# The place of what has expired or was retired is shown only where something else points at it: an event, a quote, a repeated
# send. A list of messages closes over it.
CLOSED_OVER = ("expired", "retired")

# Which clauses keep a message from a reader that accepts so much.
ACCEPTED = {
    "readable": lambda clause: True,
    "readable, tombstone unless expired": lambda clause: clause.verdict == "absent" or clause.name in CLOSED_OVER,
    "readable, tombstone": lambda clause: clause.verdict == "absent",
}

# The rows of each kind: columns that are named otherwise than in parley.message, and, where it is not all, those it has.
ROWS = {
    "message": ({}, None),
    # copies of the message's columns
    "attachment": ({"seq": "message_seq", "id": "message_id"}, ("conversation_id", "seq", "id", "expires_at", "retired_at")),
    # all null, but for the conversation, where an event is about no message
    "event": ({"seq": "message_seq", "id": "message_id"}, ("conversation_id", "seq", "id")),
}
NULLABLE = {"event": ("seq", "id")}
# attachments are removed with what a deleted message said
SETTLED = {"attachment": ("deleted",)}
LOOKUP = """exists (
    select from parley.message as x
    where
        x.id = {id}
        and x.conversation_id is not distinct from {conversation_id}
        and {condition}
    offset 0
)"""

CALLER = {
    "viewer": "(select parley.current_user_id())",
    "from": """coalesce(
    ((select parley.my_history_floors()) ->> {conversation_id}::text)::bigint, 1
)""",
    "floor": "(select parley.my_message_floor())",
}

BLOCK = re.compile(
    r"^(?P<indent> *)-- verdict: (?P<accepts>[^\n]+)\n"
    r"(?P=indent)-- of (?P<kind>\w+)(?: (?P<alias>(?!for\b|each\b)\w+)(?![\w=]))?(?P<rest>[^\n]*)\n"
    r".*?^(?P=indent)-- end verdict$",
    re.M | re.S,
)


class Row:
    """Writes clauses for the row and the viewer of one marker."""

    def __init__(self, kind: str, alias: str, words: list[str]) -> None:
        self.kind, self.alias = kind, alias
        self.each = "\n    offset 0" if "each" in words else ""
        self.viewer = dict(word.split("=", 1) for word in words if "=" in word)
        self.in_policy = "for" in words
        if self.in_policy:
            self.viewer = {name: self.fill(text, alias) for name, text in CALLER.items()}

    def fill(self, text: str, alias: str, **values: str) -> str:
        names = ROWS[self.kind][0] if alias == self.alias else {}
        columns = {c: f"{alias}.{names.get(c, c)}" for c in re.findall(r"\{(\w+)\}", text)}
        return text.format(**{**columns, **values})

    def lacks(self, clause: Clause) -> bool:
        has = ROWS[self.kind][1]
        wanted = set(re.findall(r"\{(\w+)\}", clause.applies)) - {"viewer", "from", "floor", "each"}
        return has is not None and not wanted <= set(has)

    def asks(self, clause: Clause) -> bool:
        return (not clause.needs or clause.needs in self.viewer) and clause.name not in SETTLED.get(self.kind, ())

    def applies(self, clause: Clause) -> str:
        values = {**self.viewer, "each": self.each}
        if self.lacks(clause):
            if self.in_policy:
                # it would look with the caller's rights, to whom the policy of parley.message shows no such message
                raise SystemExit(f"{clause.name}: {self.kind} needs a copy of its column, which the policy can look at")
            return self.fill(LOOKUP, self.alias, condition=self.fill(clause.applies, "x", **values).replace("\n", "\n" + 8 * " "))
        return self.fill(clause.applies, self.alias, **values)

    def otherwise(self, clause: Clause) -> str:
        if self.lacks(clause):
            return f"not {self.applies(clause)}"
        written = self.fill(clause.otherwise, self.alias, **self.viewer, each=self.each)
        column = next((c for c in NULLABLE.get(self.kind, ()) if clause.applies.startswith(f"{{{c}}}")), None)
        return self.fill(f"({{{column}}} is null or {written})", self.alias) if column else written


def block(match: re.Match[str]) -> str:
    kind, accepts, words = match["kind"], match["accepts"], match["rest"].split()
    if kind not in ROWS:
        raise SystemExit(f"a verdict of an unknown kind of row: {kind}")
    row = Row(kind, match["alias"] or kind, words)
    clauses = [clause for clause in CLAUSES if row.asks(clause)]
    if accepts in ACCEPTED:
        kept_out = [clause for clause in clauses if ACCEPTED[accepts](clause)]
        lines = joined([row.otherwise(c) for c in kept_out], "and")
    elif accepts in FORMS:
        lines = FORMS[accepts](row, clauses)
    else:
        raise SystemExit(f"a verdict that is not known: {accepts}")
    indent = match["indent"]
    first = match.string[: match.start()].rstrip()
    # what stands in a parenthesis or a `where` of its own begins without `and`
    if accepts in ACCEPTED and not first.endswith(("(", "where", "when", "using")):
        lines = "and " + lines
    head = match.group().split("\n")[:2]
    body = [indent + line for line in lines.split("\n")]
    return "\n".join([*head, *body, f"{indent}-- end verdict"])


def joined(conditions: list[str], word: str) -> str:
    return f"\n{word} ".join(conditions)


def verdicts(row: Row, clauses: list[Clause]) -> str:
    """`when` arms of a case: the verdict, where it is less than readable."""
    ordered = sorted(clauses, key=lambda clause: clause.verdict != "absent")
    return "\n".join(f"when {row.applies(c)} then '{c.verdict}'" for c in ordered)


def reasons(row: Row, clauses: list[Clause]) -> str:
    """`when` arms of a case: why it cannot be seen where messages are listed."""
    return "\n".join(f"when {row.applies(c)} then '{c.reason}'" for c in clauses if c.reason)


def unlisted(row: Row, clauses: list[Clause]) -> str:
    """What a count by seq must look at messages for: less than readable, within its bounds, and in no list of its own."""
    counted_otherwise = [c for c in clauses if c.listed or c.needs in ("from", "floor")]
    applying = [row.applies(c) for c in clauses if c not in counted_otherwise]
    applies = applying[0] if len(applying) == 1 else f"({' or '.join(applying)})"
    rest = [row.otherwise(c) for c in counted_otherwise]
    return "and " + joined([applies, *rest], "and")


FORMS = {"as a value": verdicts, "as a reason": reasons, "not readable, and listed nowhere": unlisted}


def rewritten(text: str, path: Path) -> str:
    if text.count("-- verdict: ") != text.count("-- end verdict") or len(BLOCK.findall(text)) != text.count("-- verdict: "):
        raise SystemExit(f"{path}: a verdict has no `-- of ...` or no `-- end verdict`")
    return BLOCK.sub(block, text)
