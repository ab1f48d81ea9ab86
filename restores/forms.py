"""The form with the options of a restore."""

from __future__ import annotations

from django import forms

from restores.models import AccessState, Assignments


class OptionsForm(forms.Form):
    assignments = forms.ChoiceField(
        label="Assignments",
        choices=Assignments.choices,
        initial=Assignments.KEEP,
        help_text="“Keep current” leaves existing assignments unchanged. New objects are created unassigned.",
    )
    access_state = forms.ChoiceField(
        label="State of enabled conditional access policies",
        choices=AccessState.choices,
        initial=AccessState.REPORT_ONLY,
        help_text="Report-only policies can't lock anyone out. Enable them after checking the sign-in logs.",
    )
