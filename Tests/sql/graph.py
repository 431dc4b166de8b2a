"""Who calls whom among the SQL functions: each folder calls only folders before it, and files call in no circle.

    python Tests/sql/graph.py SUPERUSER_URL     a database with Parley installed, on a server that has plpgsql_check

Arrows: what plpgsql_check sees in a body, what the catalogue records, what the text says (functions in SQL have no
tool), the triggers of a table for whoever writes it, and run_job for every row of parley.job. Prints what is wrong.
"""

from __future__ import annotations

import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from sql_source import Function, folders, functions, without_comments  # noqa: E402

DEPENDENCIES = """
select p.proname, d.name
from pg_proc as p
inner join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
cross join lateral plpgsql_show_dependency_tb(
    p.oid, coalesce((select t.tgrelid from pg_trigger as t where t.tgfoid = p.oid limit 1), 0)
) as d
where p.pronamespace = 'parley'::regnamespace and d.type = 'FUNCTION' and d.schema = 'parley'
    -- which plpgsql_show_dependency_tb cannot read; what they call is found in their text
    and not 'anyarray'::regtype = any(p.proargtypes::oid[])
union
select p.proname, q.proname
from pg_depend as d
inner join pg_proc as p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
inner join pg_proc as q on d.refclassid = 'pg_proc'::regclass and q.oid = d.refobjid
where p.pronamespace = 'parley'::regnamespace and q.pronamespace = 'parley'::regnamespace
union
select 'run_job', j.name from parley.job as j
"""

TRIGGERS = """
select c.relname, p.proname, coalesce(string_agg(distinct a.attname, ' '), '')
from pg_trigger as t
inner join pg_class as c on c.oid = t.tgrelid and c.relnamespace = 'parley'::regnamespace and not c.relispartition
inner join pg_proc as p on p.oid = t.tgfoid
left join pg_attribute as a on a.attrelid = t.tgrelid and a.attnum = any (t.tgattr)
where not t.tgisinternal
group by t.oid, c.relname, p.proname
"""

Arrow = tuple[str, str]


def query(url: str, text: str) -> list[list[str]]:
    command = ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [line.split("\t") for line in found.splitlines()]


def arrows(url: str, known: dict[str, Function]) -> set[Arrow]:
    found = {(a, b) for a, b in query(url, DEPENDENCIES)}
    # With the columns of a trigger "after update of": whoever sets none of them does not call it.
    triggers: dict[str, set[tuple[str, str]]] = {}
    for table, function, columns in query(url, TRIGGERS):
        triggers.setdefault(table, set()).add((function, "|".join(columns.split())))
    for function in known.values():
        body = without_comments(function.body)
        found |= {(function.name, called) for called in re.findall(r"\bparley\.(\w+)\s*\(", body)}
        for table in re.findall(r"\b(?:insert into|update|delete from|truncate)\s+parley\.(\w+)", body):
            found |= {
                (function.name, trigger) for trigger, columns in triggers.get(table, ())
                if not columns or re.search(rf"\b(?:{columns})\s*=", body)
            }
    return {(a, b) for a, b in found if a != b and a in known and b in known}


def problems(found: set[Arrow], known: dict[str, Function], order: list[str]) -> list[str]:
    place = {folder: number for number, folder in enumerate(order)}
    wrong = [
        f"{known[a].folder}: {a} calls {b} of the later folder {known[b].folder}"
        for a, b in sorted(found)
        if place[known[a].folder] < place[known[b].folder]
    ]
    files: dict[Path, set[Path]] = {}
    for a, b in found:
        if known[a].path != known[b].path:
            files.setdefault(known[a].path, set()).add(known[b].path)
    try:
        TopologicalSorter(files).prepare()
    except CycleError as error:
        wrong.append("files call in a circle: " + " < ".join(f"{p.parent.name}/{p.name}" for p in error.args[1]))
    return wrong


def main() -> int:
    known, order = functions(), folders()
    found = arrows(sys.argv[1], known)
    wrong = problems(found, known, order)
    # An arrow that is turned round must be seen, by the order of the folders and, within one, as a circle.
    across = next((a, b) for a, b in sorted(found) if known[a].folder != known[b].folder)
    within = next((a, b) for a, b in sorted(found) if known[a].folder == known[b].folder and known[a].path != known[b].path)
    for a, b in (across, within):
        if not problems(found | {(b, a)}, known, order):
            wrong.append(f"the test does not see the arrow {a} -> {b} turned round")
    print("\n".join(wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
