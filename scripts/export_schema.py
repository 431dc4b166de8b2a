"""Makes docs/export.schema.json for scripts/docs.py: what a line of an export may say, kind by kind.

A kind is a table that parley.user_reference exports, with the columns, nullabilities, choices and comments of the
catalogue. Only the kind message is put together by hand, as parley.message_line puts it together.
"""

from __future__ import annotations

import json
import re

COLUMNS = """
select
    u.table_name, a.attname as column_name, a.attnotnull as required, col_description(a.attrelid, a.attnum) as comment,
    format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as type,
    array(select e.enumlabel::text from pg_enum as e where e.enumtypid = t.oid order by e.enumsortorder) as labels,
    array(
        select pg_get_constraintdef(c.oid) from pg_constraint as c
        where c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum] or c.contypid = t.oid
        order by c.conname
    ) as checks
from (select distinct r.table_name from parley.user_reference as r where r.exported and r.table_name <> 'message') as u
inner join pg_attribute as a on a.attrelid = format('parley.%I', u.table_name)::regclass and a.attnum > 0
inner join pg_type as t on t.oid = a.atttypid
where not a.attisdropped
    and a.attname <> all (parley.unexported_columns())
    -- of an account the columns that are named
    and (u.table_name <> 'account' or exists (
        select from parley.user_reference as r
        where r.table_name = 'account' and r.column_name = a.attname and r.exported
    ))
order by u.table_name, a.attnum
"""
ID = {"$ref": "#/$defs/id"}
MOMENT = {"$ref": "#/$defs/moment"}
TYPES = {
    "uuid": ID, "timestamp with time zone": MOMENT, "text": {"type": "string"}, "interval": {"type": "string"},
    "boolean": {"type": "boolean"}, "bigint": {"type": "integer"}, "integer": {"type": "integer"},
    "double precision": {"type": "number"}, "jsonb": {"type": ["object", "array"]},
}
MESSAGE = {
    "required": ["id", "conversation_id", "seq", "type", "created_at"],
    "additionalProperties": False,
    "properties": {
        "kind": True,
        "id": ID,
        "conversation_id": ID,
        "seq": {"type": "integer", "minimum": 1},
        "sender_id": {**ID, "description": "Left out: the server."},
        "sender_role": {"type": "string"},
        "type": {"type": "string"},
        "withheld": {"const": True, "description": "Its sender has not consented: what it says is left out."},
        "content": {"type": "string"},
        "metadata": {"type": "object"},
        "reply_to_id": ID,
        "attachments": {"type": "array", "items": {"type": "object"}},
        "revisions": {
            "description": "What one's own message said before each edit, the oldest first.",
            "type": "array",
            "items": {
                "type": "object", "required": ["replaced_at"], "additionalProperties": False,
                "properties": {"content": {"type": "string"}, "metadata": {"type": "object"}, "replaced_at": MOMENT},
            },
        },
        "created_at": MOMENT,
        "edited_at": MOMENT,
        "expires_at": MOMENT,
    },
}


def choices(column: dict) -> list[str]:
    """The texts that an enumeration or a check lets a column be; none: any."""
    for check in column["checks"]:
        if found := re.fullmatch(r"CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)", check):
            return re.findall(r"'([^']*)'::text", found[2])
    return column["labels"]


def value(column: dict) -> dict:
    name = column["type"].removesuffix("[]")
    kind = {"enum": choices(column)} if choices(column) else TYPES.get(name, {"type": "string"})
    if column["labels"] == [] and name not in TYPES:
        raise SystemExit(f"export_schema.py: say in TYPES how {column['table_name']}.{column['column_name']}, {name}, is written")
    if name != column["type"]:
        kind = {"type": "array", "items": kind}
    # an account says also what it has not; every other line leaves it out
    if column["table_name"] == "account" and not column["required"]:
        kind = {"anyOf": [kind, {"type": "null"}]}
    return {**kind, "description": column["comment"]} if column["comment"] else kind


def written(value: object, indent: str = "") -> str:
    """JSON, of which goes into one line what fits."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent + line) <= 116:
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        parts = [written(item, deeper) for item in value]
    else:
        parts = [f"{json.dumps(key)}: {written(item, deeper)}" for key, item in value.items()]
    first, last = "[]" if isinstance(value, list) else "{}"
    return first + "\n" + ",\n".join(deeper + part for part in parts) + f"\n{indent}{last}"


def schema(columns: list[dict]) -> str:
    kinds = {"message": MESSAGE}
    for column in columns:
        of_kind = kinds.setdefault(
            column["table_name"], {"required": [], "additionalProperties": False, "properties": {"kind": True}})
        # kind is the table, as parley.table_lines has it
        name = f"{column['table_name']}_kind" if column["column_name"] == "kind" else column["column_name"]
        if column["required"] or column["table_name"] == "account":
            of_kind["required"].append(name)
        of_kind["properties"][name] = value(column)
    names = sorted(kinds)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated by scripts/docs.py from the database, do not edit.",
        "title": "A line of an export of Parley",
        "description": "export_my_data and export_conversation write one JSON object a line. kind tells what it is: an account, "
        "a message, or a row of another table of the user's own.",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": names}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": name}}}, "then": {"$ref": f"#/$defs/{name}"}} for name in names
        ],
        "$defs": {
            "id": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
            "moment": {
                "type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+\d\d:\d\d$",
            },
            **{name: kinds[name] for name in names},
        },
    }
    return written(document) + "\n"
