"""The forms of a rule and of the frequency of emails."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from notifications.endpoints import MAX_URL
from notifications.kinds import OF_SCHEDULE, EventKind
from notifications.models import MAX_IN_A_ROW, Frequency, NotificationRule, WebhookEndpoint


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
        fields = ("events", "in_a_row", "in_app", "email", "endpoint")

    def __init__(self, *args: Any, may_share: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance
        endpoint: Any = self.fields["endpoint"]
        endpoint.queryset = WebhookEndpoint.objects.filter(workspace=rule.workspace)
        endpoint.empty_label = "None"
        endpoint.label = "By webhook"
        endpoint.help_text = "For all members of the workspace."
        endpoint.widget.attrs["class"] = "form-select"
        if may_share:
            self.fields["is_shared"].initial = bool(rule.pk) and rule.is_shared
        else:
            del self.fields["is_shared"]
            del self.fields["endpoint"]
        if rule.schedule_id:
            choices = [(kind.value, kind.label) for kind in OF_SCHEDULE]
            self.fields["events"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Refuse a rule that sends nothing, and webhooks of a member."""
        super().clean()
        if not any(self.cleaned_data.get(channel) for channel in ("in_app", "email", "endpoint")):
            raise ValidationError("Select how the events are sent.")
        if self.cleaned_data.get("endpoint") and not self.cleaned_data.get("is_shared"):
            raise ValidationError(
                "A webhook is sent for all members of the workspace. Select that, too."
            )
        return self.cleaned_data


class WriteOnlyInput(forms.TextInput):
    """A field that never displays the entered value, not even after an error."""

    def format_value(self, value: Any) -> str:
        return ""


class EndpointForm(forms.ModelForm[WebhookEndpoint]):
    """The name of an endpoint, and its address, which is entered and never displayed."""

    url = forms.CharField(
        label="Address (URL)",
        required=False,
        max_length=MAX_URL,
        help_text="Leave empty to keep the current one. It is encrypted and never shown again.",
        widget=WriteOnlyInput(
            {"autocomplete": "off", "spellcheck": "false", "inputmode": "url", "data-secret": ""}
        ),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("name",)

    def show(self, error: ValidationError) -> None:
        """Show why a service refused, beside its fields."""
        for field, texts in getattr(error, "message_dict", {None: error.messages}).items():
            self.add_error(field if field in self.fields else None, texts)


class NewEndpointForm(EndpointForm):
    """A new endpoint; its format is fixed."""

    field_order = ("name", "format", "url")

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "format")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["url"].required = True
        self.fields["url"].help_text = (
            "It is encrypted and never shown again. In Slack, create an incoming webhook; in Teams,"
            " a workflow “When a Teams webhook request is received”."
        )
        self.fields["format"].widget.attrs["class"] = "form-select"


class FrequencyForm(forms.Form):
    """How often the user gets email."""

    frequency = forms.ChoiceField(
        label="Send emails",
        choices=Frequency.choices,
        widget=forms.Select({"class": "form-select"}),
    )
