"""Twins: simulated devices made from the profiles themselves and the variables of the plant that they are bound to.

The codecs here are written apart from those of the harness: a twin that shared them would hide every symmetrical
mistake.
"""
