"""The guardian: a small process of its own that makes the rack safe when the runner dies or freezes.

```
 runner --hello (plan, epoch)--> guardian: opens its own connections, takes its lock --ready--> runner
        --beat (armed) 4 a second->  |
        --bye--> ends                |-- pipe ends, or 3 beats missing, while something is armed:
                                     '   revoke the epoch -> safe state, confirmed -> own record -> end
```

It knows nothing of plans, profiles and files: it is given what to send (see `harness.safety.actions`), and imports
the transports and little else, so that it stays small and has little that could fail.
"""
