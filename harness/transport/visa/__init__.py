"""Instruments: strict SCPI sessions over pyvisa, and over sockets of our own."""
