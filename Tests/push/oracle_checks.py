"""What a round of the random world has to come to."""

from __future__ import annotations

import json

from house import House, is_shown, kind, push_id
from oracle import Changes, Message, Person, Talk, Verdict, World


def was_heard(entry: dict, entries: list[dict]) -> bool:
    """Whether the worker must have had the answer: it was written, and its connection not cut off in the same moment."""
    return entry["answered"] and not any(
        other["outcome"].get("close") and other["connection"] == entry["connection"] and 0 <= other["wall"] - entry["wall"] < 0.05
        for other in entries
    )


class Checks:
    house: House
    world: World
    changes: Changes
    # Who has read or sent something; who read while things were sent.
    active: set[str]
    readers: set[str]
    # What the last thing is that a device shows of a conversation: (person, device, talk) and seq.
    shown: dict[tuple[str, str, str], int]
    history: list[str]
    broken: str
    # Jobs that were held until quiet hours ended.
    held: int

    def compare(self, sent: list[tuple[Talk, Message]], first: dict[tuple[str, str], Verdict]) -> None:
        entries = list(self.house.gateway.log)
        devices = {
            target: (person, device)
            for person in self.world.people.values() for device in person.devices for target in {device.target, *device.former}
        }
        got: dict[tuple[str, str], list[dict]] = {}
        for entry in entries:
            if entry["kind"] == "token":
                continue
            found = devices.get(House.target(entry))
            assert found, f"{House.target(entry)} is nobody's device\n{self.story()}"
            person, device = found
            if not is_shown(entry):
                # Who sends at the end of a conversation has read it, too. In quiet hours the number on the icon alone moves.
                moved = self.active | self.changes.moved
                assert person.name in moved or person.has_been_quiet, f"{person.name} has read nothing and got {kind(entry)}\n{self.story()}"
                continue
            got.setdefault((device.target, self.conversation(entry)), []).append(entry)
        for talk in self.world.talks:
            messages = [message for there, message in sent if there is talk]
            for name in self.world.people:
                self.compare_person(talk, messages, self.world.people[name], got, first)
        assert not got, f"more than there should be: {[(devices[target][0].name, c) for target, c in got]}\n{self.story()}"
        # What was being sent to a token when its app registered another one comes there, too, whenever that is.
        former = {target for target, (_, device) in devices.items() if target != device.target}
        self.check_attempts([entry for entry in entries if House.target(entry) not in former])
        assert self.house.gateway.violations == [], self.house.gateway.violations

    def compare_person(self, talk: Talk, messages: list[Message], person: Person, got: dict, first: dict) -> None:
        verdicts: dict[int, Verdict] = {}
        # Whose job was queued, and then found not to be sent.
        late: set[int] = set()
        for message in messages:
            now = self.world.decide(talk, message, person.name)
            before = first.get((message.id, person.name), now)
            verdicts[message.seq] = before if before.reason else now
            if now.reason and not before.reason:
                late.add(message.seq)
        # Who read while it was sent may have been told before, or not.
        open_ = {seq for seq, verdict in verdicts.items() if verdict.reason == "read" and person.name in self.readers}
        due = [seq for seq, verdict in verdicts.items() if not verdict.reason]
        for device in person.devices:
            entries = got.pop((device.target, talk.id), [])
            accepted = [entry for entry in entries if House.was_accepted(entry)]
            seqs = {self.seq(entry) for entry in entries}
            about = f"{person.name} {device.provider}, conversation {self.world.talks.index(talk)}: {verdicts}, got {seqs}"
            assert seqs <= set(due) | open_, f"{about}\n{self.story()}"
            if due:
                assert max(due) in {self.seq(entry) for entry in accepted}, f"{about}\n{self.story()}"
            has_sent = any(message.sender == person.name for message in messages)
            if accepted and not has_sent and person.name not in self.readers and not open_ and talk.parts[person.name].read < max(seqs):
                self.shown[person.name, device.target, talk.id] = max(self.seq(entry) for entry in accepted)
        for message in messages:
            if (reason := verdicts[message.seq].reason) and reason not in ("own", "left") and message.seq not in open_:
                if message.seq not in late:
                    self.check_reason(message, person, {reason})
                elif not due:
                    # One job of several messages has the reason of one of them.
                    self.check_reason(message, person, {verdicts[seq].reason for seq in late})

    def check_reason(self, message: Message, person: Person, reasons: set[str]) -> None:
        answer = json.loads(self.house.sql(
            f"select parley.explain_delivery('{message.id}', '{person.id}', 'a test')"
        ))
        steps = {step["step"]: step.get("reason") for step in answer["participants"][0]["steps"]}
        assert steps["pushed"] in reasons, f"{person.name}, {message.seq}: {reasons}, but {answer}\n{self.story()}"

    def check_attempts(self, entries: list[dict]) -> None:
        jobs = {row["id"]: row for row in self.house.rows(
            "select id, state, extract(epoch from settled_at)::float as settled, claim from parley.push_job where device_id is not null"
        )}
        times: dict[str, list[dict]] = {}
        for entry in entries:
            if entry["kind"] != "token":
                times.setdefault(push_id(entry), []).append(entry)
        for id, attempts in times.items():
            job = jobs[id]
            # Not one more once its acceptance was recorded; without a kill, not one more once it was accepted.
            late = [entry for entry in attempts if job["state"] == "sent" and entry["wall"] > job["settled"]]
            assert not late, f"{id} was sent after it was settled: {job} {late}\n{self.story()}"
            heard = [entry for entry in attempts if House.was_accepted(entry) and was_heard(entry, entries)]
            assert len(heard) <= 1 or self.broken, f"{id} was accepted {len(heard)} times: {heard}\n{self.story()}"
        # Nor older news of a conversation, under whatever id, after newer ones; two workers may send in the same moment.
        newest: dict[tuple[str, str], list[tuple[float, int]]] = {}
        for entry in entries:
            if entry["kind"] == "token" or kind(entry) != "message":
                continue
            told = newest.setdefault((House.target(entry), self.conversation(entry)), [])
            newer = [seq for settled, seq in told if entry["wall"] > settled + 1 and seq > self.seq(entry)]
            assert not newer, f"{self.seq(entry)} was sent after {newer}: {entry}\n{self.story()}"
            job = jobs[push_id(entry)]
            if House.was_accepted(entry) and job["state"] == "sent":
                told.append((job["settled"], self.seq(entry)))

    def check_held(self, held: list[dict]) -> None:
        self.held += len(held)
        shown = [entry for entry in list(self.house.gateway.log) if entry["kind"] != "token" and is_shown(entry)]
        devices = {device.target: device.id for person in self.world.people.values() for device in person.devices}
        for job in held:
            early = [
                entry for entry in shown
                if devices.get(House.target(entry)) == job["device_id"] and self.conversation(entry) == job["conversation_id"]
                and job["first_seq"] <= self.seq(entry) <= job["last_seq"]
            ]
            assert not early, f"{job} is held and was shown: {early}\n{self.story()}"

    def check_reading(self, person: Person, conversation: str) -> None:
        """What the devices showed is taken back, and icons have the right number."""
        name = person.name
        for device in person.devices:
            if device.provider == "webpush" or (seq := self.shown.get((name, device.target, conversation))) is None:
                continue
            cleared = [entry for entry in device.accepted if kind(entry) == "clear" and self.conversation(entry) == conversation]
            assert any(self.seq(entry) >= seq for entry in cleared), f"{name}'s {device.provider} still shows {seq}\n{self.story()}"
        self.check_icons({name})

    def check_icons(self, names: set[str]) -> None:
        """Null: nothing was ever sent to it."""
        wrong = self.house.rows(f"""
            select d.id, d.provider, d.last_badge, parley.push_badge(d.user_id) as badge from parley.push_device d
            where d.user_id = any ('{{{",".join(self.world.people[name].id for name in names)}}}')
                and d.provider <> 'webpush' and d.dropped_at is null
                and d.last_badge <> parley.push_badge(d.user_id)
        """)
        assert wrong == [], f"icons of {sorted(names)} show another number: {wrong}\n{self.story()}"

    @staticmethod
    def data(entry: dict) -> dict:
        payload = entry["payload"]
        return payload.get("parley") or payload.get("data") or payload["notification"]["data"]

    def conversation(self, entry: dict) -> str:
        return self.data(entry)["conversation_id"]

    def seq(self, entry: dict) -> int:
        return int(self.data(entry)["seq"])

    def story(self) -> str:
        return "\n".join([*self.history[-40:], self.house.story()])
