"""Workload drivers: what makes the rack compute, so that it is warm and what it computes can be judged.

A driver is one `WorkloadDriver` record, found by name among the entry points of the group `harness.workloads`.
"""
