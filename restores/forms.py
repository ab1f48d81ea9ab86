"""The forms of a restore: what to put back, and how."""

from __future__ import annotations

from django import forms

from restores.models import AccessState, Assignments


class OptionsForm(forms.Form):
    assignments = forms.ChoiceField(
        label="Assignments",
        choices=Assignments.choices,
        initial=Assignments.KEEP,
        help_text="Keeping leaves alone who has a policy now; a new object is assigned to nobody.",
    )
    access_state = forms.ChoiceField(
        label="Enabled conditional access policies come back as",
        choices=AccessState.choices,
        initial=AccessState.REPORT_ONLY,
        help_text="Report-only cannot lock anybody out. Enable them when the sign-in logs look right.",
    )
