"""The rack: what makes it safe, once, for everybody.

`sequence` carries out a compiled safe state; runner, guardian and `harness safe` all call it. What the guardian imports
from here knows neither models nor profiles nor numpy.
"""
