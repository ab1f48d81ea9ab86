"""The forms of a rule and of the frequency of emails."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from notifications.kinds import OF_SCHEDULE, EventKind
from notifications.models import MAX_IN_A_ROW, Frequency, NotificationRule


class RuleForm(forms.ModelForm[NotificationRule]):
    """Which events a rule selects, and how they are sent; what it concerns is fixed."""

    is_shared = forms.BooleanField(
        label="For all members of the workspace",
        required=False,
    )
    events = forms.MultipleChoiceField(
        label="Events", choices=EventKind.choices, widget=forms.CheckboxSelectMultiple
    )
    in_a_row = forms.IntegerField(
        label="Problems in a row",
        min_value=1,
        max_value=MAX_IN_A_ROW,
        help_text="1 sends every problem of a run; 3 sends only the third one without a success.",
    )
    in_app = forms.BooleanField(label="In Runledger", required=False)
    email = forms.BooleanField(label="By email", required=False)

    class Meta:
        model = NotificationRule
        fields = ("events", "in_a_row", "in_app", "email")

    def __init__(self, *args: Any, may_share: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance
        if may_share:
            self.fields["is_shared"].initial = bool(rule.pk) and rule.is_shared
        else:
            del self.fields["is_shared"]
        if rule.schedule_id:
            choices = [(kind.value, kind.label) for kind in OF_SCHEDULE]
            self.fields["events"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Refuse a rule that sends nothing."""
        super().clean()
        if not (self.cleaned_data.get("in_app") or self.cleaned_data.get("email")):
            raise ValidationError("Select how the events are sent.")
        return self.cleaned_data


class FrequencyForm(forms.Form):
    """How often the user gets email."""

    frequency = forms.ChoiceField(
        label="Send emails",
        choices=Frequency.choices,
        widget=forms.Select({"class": "form-select"}),
    )
