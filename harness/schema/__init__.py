"""Input files: loaded by YAML 1.2 rules, checked completely before anything is contacted."""
