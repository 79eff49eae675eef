"""The third layer: makes safe what is armed when neither its run nor its guardian lives.

```
 armed file (disk)   written before anything is energised, gone when the rack is confirmed safe
 page (memory)       runner and guardian beat in it; both stand still for three seconds, or there is no page:
                     nobody is left -> revoke the epoch -> safe state, confirmed -> armed file removed
```

It runs under the service manager as a unit of its own, which starts it again when it dies or freezes, so that what ends
a run's unit does not end it. The next run on the same bay uses it too, before it opens a device.
"""
