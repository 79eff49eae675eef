"""Register maps of other projects as profiles: what a profile can express is kept, the rest is named in notes."""
