"""What proves the identity of a device, and what does not: every key of `identity.match`, on an agent that answers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import load_profile
from harness.errors import IdentityError
from harness.schema.problems import ProblemsError
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.responder import SnmpResponder

PROFILE = """\
schema: 1
profile: trial.yaml
title: Trial
class: pdu
protocol: snmp
source: made up
unverified: made up
identity:
  match: [{rules}]
  model: model
signals:
  object_id: {{oid: 1.3.6.1.2.1.1.2.0, type: text, poll: once, description: Kind.}}
  maker: {{oid: 1.3.6.1.4.1.9.1.0, type: text, poll: once, description: Maker.}}
  model: {{oid: 1.3.6.1.4.1.9.2.0, type: text, poll: once, description: Model.}}
  late: {{oid: 1.3.6.1.4.1.9.2.0, type: text, poll: slow, description: The model as something that may change.}}
  code: {{oid: 1.3.6.1.4.1.9.3.0, scale: 0.1, unit: V, sentinels: [-1], description: Number.}}
  kind: {{oid: 1.3.6.1.4.1.9.4.0, enum: {{pdu: 4, ups: 1}}, description: Word.}}
repeat:
  outlet:
    count: 4
    walk: 1.3.6.1.4.1.9.5
    signals:
      state: {{oid: "1.3.6.1.4.1.9.5.{{i}}", description: State.}}
      power: {{oid: "1.3.6.1.4.1.9.6.{{i}}", optional: true, unit: W, sentinels: [-1], description: Power.}}
"""
OID = (6, 8)
AGENT = {
    (1, 3, 6, 1, 2, 1, 1, 2, 0): "1.3.6.1.4.1.9.40",
    (1, 3, 6, 1, 4, 1, 9, 1, 0): b"Acme",
    (1, 3, 6, 1, 4, 1, 9, 2, 0): b"EIGHT-2",
    (1, 3, 6, 1, 4, 1, 9, 3, 0): 2300,
    (1, 3, 6, 1, 4, 1, 9, 4, 0): 4,
    (1, 3, 6, 1, 4, 1, 9, 5, 7): 1,
    (1, 3, 6, 1, 4, 1, 9, 6, 7): -1,
}
MODEL, CODE, KIND = ((1, 3, 6, 1, 4, 1, 9, n, 0) for n in (2, 3, 4))
ROW, POWER = (1, 3, 6, 1, 4, 1, 9, 5, 7), (1, 3, 6, 1, 4, 1, 9, 6, 7)


def opened(folder, rules, changes=None, **entry):
    """Open the trial device with these rules; '' or why it was refused."""
    path = folder / "trial.yaml"
    path.write_text(PROFILE.format(rules=rules))
    profile, _ = load_profile(path)
    objects = {oid: value for oid, value in {**AGENT, **(changes or {})}.items() if value is not None}

    def value(oid, shown):
        if isinstance(shown, str):
            return oid, 6, tuple(map(int, shown.split(".")))
        return oid, 4 if isinstance(shown, bytes) else 2, shown

    async def main():
        network = MemoryNetwork()
        view = TableView(value(oid, shown) for oid, shown in objects.items())
        listener = await MemoryHost(network).serve_datagram(lambda: SnmpResponder(view))
        data = {"profile": "trial.yaml", "address": f"snmp://a:{listener.port}", **entry}
        device = DeviceBuilder(Clock(), Path(), network).make("it", DeviceEntry.model_validate(data), profile)
        try:
            await device.open()
        except IdentityError as error:
            return error.message
        finally:
            await device.close()
            await listener.close()
        return ""

    return run(main, rate=math.inf)


HOLDS = {
    "equals": "{signal: model, equals: EIGHT-2}",
    "one of texts": "{signal: model, one_of: [FOUR-1, EIGHT-2]}",
    "one of several beginnings": "{signal: model, starts_with: [FOUR, EIGHT]}",
    "one of several parts": "{signal: model, contains: [X, HT-]}",
    "a text that is read again and again": "{signal: late, equals: EIGHT-2}",
    "either key of a rule": "{signal: model, starts_with: FOUR, contains: HT}",
    "any of several objects": "{signal: [maker, model], starts_with: EIGHT}",
    "maker and model": "{signal: maker, equals: Acme}, {signal: model, contains: EIGHT}",
    "an identifier itself": "{signal: object_id, under: 1.3.6.1.4.1.9.40}",
    "an identifier below": "{signal: object_id, under: [1.3.6.1.4.1.8, 1.3.6.1.4.1.9]}",
    "a number": "{signal: code, equals: 230}",
    "one of numbers": "{signal: code, one_of: [110, 230.0]}",
    "a range": "{signal: code, range: [207, 253]}",
    "a word": "{signal: kind, equals: pdu}",
    "the number behind a word": "{signal: kind, one_of: [4, 5]}",
    "without": "{signal: model, without: [UPS, ATS]}",
    "without beside another": "{signal: model, starts_with: EIGHT, without: UPS}",
    "an object": "{signal: code, present: true}",
    "a row of a table": "{signal: outlet.state, present: true}",
    "one row by its number": '{signal: "outlet[1].state", present: true}',
    "an object without a value just now": "{signal: outlet.power, present: true}",
    "one of several objects": "{signal: [outlet.power, code], present: true}",
}


@pytest.mark.parametrize("rule", HOLDS)
def test_a_rule_lets_in_what_it_is_for(rule, tmp_path):
    assert opened(tmp_path, HOLDS[rule]) == ""


REFUSES = {
    "another text": ("{signal: model, equals: EIGHT}", {}, "reads 'EIGHT-2', but profile trial.yaml is for EIGHT"),
    "an identifier that only looks as if it were below": (
        "{signal: object_id, under: 1.3.6.1.4.1.9.4}", {}, "is for 1.3.6.1.4.1.9.4 and below",
    ),
    "an empty text": ("{signal: model, starts_with: EIGHT}", {MODEL: b""}, "model reads nothing"),
    "an empty text is not what is without something": ("{signal: model, without: UPS}", {MODEL: b""}, "reads nothing"),
    "an empty text is no present one": ("{signal: model, present: true}", {MODEL: b""}, "there is no model"),
    "no text at all": ("{signal: model, contains: EIGHT}", {MODEL: None}, "model reads nothing"),
    "a text that must not occur": ("{signal: model, without: HT}", {}, "what is without HT"),
    "a word too many": ("{signal: model, starts_with: EIGHT, without: HT}", {}, "EIGHT..., what is without HT"),
    "one maker and another model": (
        "{signal: maker, equals: Acme}, {signal: model, equals: NINE}", {}, "model reads 'EIGHT-2'",
    ),
    "none of several": ("{signal: [maker, model], equals: NINE}", {}, "maker reads 'Acme', model reads 'EIGHT-2'"),
    "another number": ("{signal: code, one_of: [110, 115]}", {}, "code reads 230.0, but profile"),
    "a number outside": ("{signal: code, range: [207, 253]}", {CODE: 1150}, "code reads 115.0"),
    "a sentinel is no number": ("{signal: code, range: [-10, 300]}", {CODE: -1}, "is for -10 to 300"),
    "another word": ("{signal: kind, equals: pdu}", {KIND: 1}, "kind reads 'ups'"),
    "no such object": ("{signal: code, present: true}", {CODE: None}, "there is no code, which every device"),
    "no row of the table": ("{signal: outlet.state, present: true}", {ROW: None}, "there is no outlet.state"),
    "no such row": ('{signal: "outlet[2].state", present: true}', {}, "there is no outlet[2].state"),
    "an optional column that is not there": ("{signal: outlet.power, present: true}", {POWER: None}, "no outlet.power"),
    "none of several objects": (
        "{signal: [outlet.power, code], present: true}", {POWER: None, CODE: None}, "no outlet.power or code",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSES)
def test_a_rule_refuses_what_proves_nothing(case, tmp_path):
    rules, changes, expected = REFUSES[case]
    assert expected in opened(tmp_path, rules, changes)


def test_a_row_that_the_station_does_not_count_is_not_asked_for(tmp_path):
    """A switch of four ports that the station counts is not refused for want of an eighth."""
    rule = '{signal: "outlet[4].state", present: true}'
    assert "there is no" in opened(tmp_path, rule)
    assert opened(tmp_path, rule, counts={"outlet": 1}) == ""


WRONG = {
    "{signal: model, equals: ''}": "an empty text proves nothing",
    "{signal: model, starts_with: ['']}": "an empty text proves nothing",
    "{signal: [], present: true}": "",
    "{signal: model}": "give `present: true`, or some of equals",
    "{signal: model, present: true, equals: X}": "give `present: true`, or some of equals",
    "{signal: model, present: false}": "",
    "{signal: code, range: [2, 1]}": "is empty: write [lowest, highest]",
    "{signal: code, equals: true}": "a text or a number",
    "{signal: object_id, under: 1.3.6.}": "an object identifier: numbers with dots between",
    "{signal: modell, present: true}": "'modell' is no signal here",
    "{signal: outlet.status, present: true}": "'outlet.status' is no signal here",
    "{signal: code, equals: EIGHT}": "code shows no text to compare with",
    "{signal: code, without: UPS}": "code shows no text to compare with",
    "{signal: model, range: [1, 2]}": "model shows no number to compare with",
    "{signal: model, one_of: [4]}": "model shows no number to compare with",
}


@pytest.mark.parametrize("rule", WRONG)
def test_a_rule_that_can_prove_nothing_is_a_mistake_with_its_place(rule, tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(PROFILE.format(rules=rule))
    with pytest.raises(ProblemsError) as caught:
        load_profile(path)
    (problem,) = caught.value.problems
    assert problem.line == 9
    assert WRONG[rule] in problem.message


def test_what_clears_itself_by_being_read_can_prove_nothing(tmp_path):
    path = tmp_path / "latch.yaml"
    path.write_text(
        "schema: 1\nprofile: latch.yaml\ntitle: T\nclass: relay\nprotocol: modbus\nsource: made up\n"
        "unverified: made up\nidentity: {match: [{signal: latch, equals: 1}]}\n"
        "signals: {latch: {address: 1, clear_on_read: true, description: D.}}\n"
    )
    with pytest.raises(ProblemsError) as caught:
        load_profile(path)
    assert "it can prove nothing" in str(caught.value)
