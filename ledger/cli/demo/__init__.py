"""`folio demo`: a small payment company's day, with all that goes wrong in one, proven at its end.

`day` is what the company does, a value of its seed; `faults` is what goes wrong; `projector` is one that
can be killed; `run` puts them together; `proof` checks the end against an independent sum.
"""
