"""Files checked against each other: a plan on a station, with its profiles and limits. Nothing is contacted here."""
