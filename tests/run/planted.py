"""A plan with twenty mistakes of different kinds; each line with one ends in `# HX-code what`."""

PLAN = """\
schema: 1
plan: planted
limits: limits.yaml
coverage: 99                            # HX-1206 percentage
parametres:                             # HX-1203 did you mean 'parameters'
  soak_time: {default: 4 h}
show:
  - cdu.flowe                           # HX-1306 did you mean 'cdu.flow'
interlocks:
  - {name: hot, signal: cdu.supply_temperature, max: 300 kPa}            # HX-1312 pressure
  - {name: wet, signal: cdu.leak, equals: moist}                         # HX-1312 dry
  - {name: leak, signal: cdu.leak, equals: dry, on_trip: leak}           # HX-1315 already
steps:
  - step: power_onn                     # HX-1351 did you mean 'power_on'
    outlets: pdu.outlet
  - step: power_on
    outlets: pdu.outlets                # HX-1307 did you mean 'pdu.outlet'
  - step: power_on
    outlets: pdu.outlet
    stager: 1 s                         # HX-1203 did you mean 'stagger'
  - step: wait_until
    name: flow
    signal: cdu.flow
    min: 80 degC                        # HX-1312 temperature
    within: 30 s
  - step: wait_until
    name: no unit
    signal: cdu.flow
    min: 80 L/min
    within: 30                          # HX-1206 duration
  - step: measure
    name: unknown limit
    signal: cdu.flow
    limit: design_flo                   # HX-1308 did you mean 'design_flow'
  - step: measure
    name: statistic
    signal: cdu.flow
    statistic: average                  # HX-1207 mean
  - step: measure
    name: band the wrong way round
    signal: cdu.flow
    limit: {min: 90 L/min, max: 80 L/min}                                # HX-1206 nothing could pass
  - step: set
    name: word
    control: pdu.outlet[1]
    to: onn                             # HX-1352 off or on
  - step: set
    name: range
    control: rack.level
    to: 130 %                           # HX-1352 outside 0 to 100 %
  - step: hold                          # HX-1204 'for'
    name: no time
  - step: settle
    name: rate
    signal: cdu.flow
    slope: 1 L/min                      # HX-1352 flow
    within: 2 min
  - step: soak
    name: soak
    for: 40 d                           # HX-1206 14 d
    load: 100 %
  - step: check
    name: device
    firmware: {cdx: ["1.24"]}           # HX-1352 cdu
"""
