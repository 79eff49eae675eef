"""Parts that devices show over their protocols, against a bill: a supply that is gone, firmware, who is accused."""

from __future__ import annotations

from tests.plan_runs import STATION, run_plan, write_plan

DEVICES = """
  pmm1:  {profile: shelf/orv3_hpr_pmm, address: "modbus+tcp://127.0.0.1:15028/32", role: uut, needed: monitor}
  tray1: {profile: tray/redfish_compute, address: "redfish://127.0.0.1:18000", role: uut, needed: monitor}
"""
BILL = """\
schema: 1
bill: rack
version: "3"
parts:
  supplies of shelf 1:
    flags: pmm1.modules_present
    places: [module_1, module_2, module_3, module_4, module_5, module_6]
  shelf manager: {device: pmm1, model: [ORV3 HPR PMM], firmware: ["1.05"], serial: "SIM-*"}
  tray 1: {device: tray1, firmware: ["25.04-2"], serial: "SIM-*"}
  software of tray 1:
    {rows: tray1.software, columns: {name: name, firmware: version}, places: [Component 1, Component 2]}
  switch: {device: switch}
"""


def counted(folder, bill=BILL, **more):
    station = folder / "station.yaml"
    station.write_text(STATION.read_text().replace("\nderived:\n", f"{DEVICES}\nderived:\n", 1))
    (folder / "bill.yaml").write_text(bill)
    plan = write_plan(folder, "  - {step: inventory, name: parts, bill: bill.yaml}")
    return run_plan(plan, folder / "data", station=station, **more)


def test_a_complete_rack_passes_and_its_parts_stand_in_the_record(tmp_path):
    ran = counted(tmp_path)
    assert ran.exit_code == 0, ran.reason
    notes = ran.texts("note")
    assert "shelf manager: model ORV3 HPR PMM, firmware 1.05, serial number SIM-pmm1" in notes
    assert "software of tray 1: Component 2, firmware 1.2.0" in notes
    (measured,) = ran.step("parts").measurements
    assert (measured.provenance, measured.samples) == ("bill of materials rack 3", 11)


def test_a_supply_that_is_gone_is_missing_by_its_slot(tmp_path):
    ran = counted(tmp_path, faults=["psu_fail:1"])
    assert ran.exit_code == 1
    assert "missing: supplies of shelf 1, module_6" in ran.reason


def test_firmware_of_the_rack_is_the_rack_s_fault_and_that_of_the_station_is_not(tmp_path):
    ran = counted(tmp_path, BILL.replace('"25.04-2"', '"26.01"'))
    assert ran.exit_code == 1
    assert "wrong firmware: tray 1 has '25.04-2', the bill has 26.01" in ran.reason
    ran = counted(tmp_path, BILL.replace("switch: {device: switch}", "switch: {device: switch, model: [another]}"))
    assert ran.exit_code == 3
    assert "wrong model: switch has" in ran.reason


def test_one_part_in_two_lines_of_the_bill_is_a_duplicate(tmp_path):
    ran = counted(tmp_path, BILL + "  the same again: {device: tray1}\n")
    assert ran.exit_code == 1
    assert "duplicate serial number: 'SIM-tray1' of tray 1 and of the same again" in ran.reason
