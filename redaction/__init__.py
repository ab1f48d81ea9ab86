"""Redaction: no secret in any text or JSON that is stored, logged or shown.

`redaction.text.sanitize_text` and `redaction.json.sanitize_json` apply four defenses in this
order: registered secrets (`known_secrets`), the formats that secrets have (`rules`), random tokens
(`entropy`), and a maximum length. What support needs stays: GUIDs, AADSTS and HTTP codes,
checksums, permission and policy names, timestamps.

The package is the bottom layer: it imports nothing of the project and needs no Django.
"""
