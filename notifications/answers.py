"""The answers of mail servers in words; no text of a server reaches a row."""

from __future__ import annotations

import smtplib
import ssl

#: Errors about one message; after every other error, no further message is tried for now.
ABOUT_THE_MESSAGE = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPDataError,
    smtplib.SMTPSenderRefused,
)


def describe_mail_error(error: Exception) -> str:
    """Return what a mail server answered, or how it could not be reached."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        return f"The mail server refused the address ({', '.join(map(str, codes))})."
    if isinstance(error, smtplib.SMTPResponseException):
        return f"The mail server refused the message ({error.smtp_code})."
    # smtplib reports a server that is silent within a session as a lost connection.
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "The mail server did not answer in time."
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "The mail server closed the connection."
    if isinstance(error, ssl.SSLError):
        return "The mail server has no valid certificate."
    if isinstance(error, OSError):
        return "The mail server could not be reached."
    return "The message could not be sent."
