"""Booking. The transaction itself stands here: what is asked for (`wish`), under which rules (`policy`, `terms`), what
is looked at (`look`, `standing`, `case`), the number (`claim`), the rows (`write`); for one, for several, for another.

`rules/` refuses, `endings/` lets go, `waitlist/` gives on, `clinic/` is the hospital's side of a half day, `day/` the
visit, `strikes/` what counts against a person, `replay/` judges the past anew, `watch/` looks at the whole.
"""
