"""Labeled texts and payloads for measuring the redaction: secrets in context, and harmless values.

Everything is drawn from a seeded generator and put together from parts, so that no file has the
format of a secret. `secrets.py` has the named shapes, `payloads.py` those of Graph objects,
`harmless.py` what must survive, `notes.py` both for texts that stand alone. The contexts are in two groups: rules are written while looking at
`CONTEXTS`; `FRESH_CONTEXTS` measure them on texts that they were not written for.
"""
