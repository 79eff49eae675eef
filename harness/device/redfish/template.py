"""The commented beginning of a profile, right as it is; see `harness profile new`."""

from __future__ import annotations

from harness.device.protocol import Template

_BODY = """\
redfish:                          # read only: there are no controls
  find:                           # a member of a collection; {unit} in paths is then its path
    unit: {collection: /redfish/v1/Chassis}

signals:
  model: {path: "{unit}", pointer: /Model, type: text, poll: once, sim: {text: <Model> 1}}
  serial: {path: "{unit}", pointer: /SerialNumber, type: text, poll: once, sim: twin.serial}
MEASURED
    path: "{unit}/EnvironmentMetrics"
    pointer: /Example/Reading     # where the value stands in the resource
SCALED
  health:
    path: "{unit}"
    pointer: /Status/Health
    answers: {ok: OK, warning: Warning, critical: Critical}     # what the service answers for each word

repeat:
GROUP
    count: 8                      # at most; fewer are found by `walk`
    walk: "{unit}/Sensors"        # a collection; each member is a row
    sim_rows: 8
    signals:
      state:
        pointer: /Status/State
        answers: {"on": Enabled, "off": [Disabled, StandbyOffline]}
STATE
"""
TEMPLATE = Template(
    body=_BODY,
    address="redfishs://HOST --credentials FILE",
    sentinel="",  # a service says null
)
