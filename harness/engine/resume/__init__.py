"""Going on with a run that died: what its journal says was done, whether it may go on, and what must be done again.

```
 folder not sealed -> INTERRUPTED          journal: steps that ended, commands, soak checkpoints, identities, coverage
 resume: inputs as they were? same hardware?  no -> refused with a diff, nothing is changed
         controls as the completed steps left them?  no -> these steps are done again, as new attempts
```

No command is ever replayed from the journal: the hardware is read, compared, and the plan's own step decides what to
send.
"""
