"""The pumps against the loop: two in parallel with check valves, solved in closed form.

Each pump gives the head H_i - a q_i^2 (H_i = H0 s_i^2, the affinity laws), the loop takes K q^2, and a check valve
keeps q_i from going below zero. Units here are SI: Pa, m3/s.
"""

from __future__ import annotations

import math


def parallel_flow(head1: float, head2: float, curve: float, resistance: float) -> float:
    """Total flow in m3/s of two pumps of shut-off heads head1, head2 [Pa] and curve a against K, both [Pa/(m3/s)^2].

    With x = q^2, sqrt(H1 - K x) + sqrt(H2 - K x) = sqrt(a x) squares twice to
    (a^2 + 4 a K) x^2 - 2 a (H1 + H2) x + (H1 - H2)^2 = 0, whose larger root is the one with both check valves open.
    """
    if head1 < head2:
        head1, head2 = head2, head1
    if head1 <= 0.0:
        return 0.0
    alone = head1 / (curve + resistance)
    if head2 <= resistance * alone:  # the weaker pump cannot open its check valve
        return math.sqrt(alone)
    total, gap = head1 + head2, head1 - head2
    ratio = 1.0 + 4.0 * resistance / curve
    return math.sqrt((total + math.sqrt(max(0.0, total * total - ratio * gap * gap))) / (curve * ratio))


def pump_flow(head: float, drop: float, curve: float) -> float:
    """Flow in m3/s of one pump of shut-off head `head` against a pressure `drop`; zero when its valve shuts."""
    return math.sqrt((head - drop) / curve) if head > drop else 0.0
