"""The models of profiles, one module a protocol."""
