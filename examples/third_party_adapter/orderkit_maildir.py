"""Notifications as mails in a Maildir: an adapter of orderkit in a distribution of its own, found by its entry point alone.

    shop = orderkit.open("sqlite:///shop.db", notifications="maildir:outbox")

Every message becomes one file in `outbox/new`, as mail programs and senders read it. The file's name is made of the message's id, so a
repeat, from whichever process, is the same file: nothing is sent twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from orderkit.errors import Misconfigured, PortError
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.notifications import Notifications, Notify


class Maildir:
    """A channel that writes mails into a folder."""

    def __init__(self, folder: Path) -> None:
        """Open the Maildir; it is made if it is not there."""
        self.folder = folder
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def notify(self, asked: Notify) -> None:
        """Write the message, unless it was written before. Raises `PortError` when the folder cannot be written."""
        name = hashlib.sha256(asked.id.encode()).hexdigest()[:32]
        if any((self.folder / "cur").glob(f"{name}*")):
            return  # a sender took it already
        draft = self.folder / "tmp" / f"{name}.{secrets.token_hex(8)}"
        try:
            draft.write_bytes(_mail(asked).as_bytes())
            try:
                os.link(draft, self.folder / "new" / name)  # fails if it is there: the first one counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        except OSError as error:
            raise PortError(f"the mail cannot be written: {error}", outcome="not_applied") from error

    def close(self) -> None:
        """Nothing is held open."""


def _mail(asked: Notify) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = asked.template.replace("_", " ").capitalize()
    mail["X-Orderkit-Id"] = asked.id
    mail["X-Orderkit-Recipient"] = asked.recipient
    mail.set_content(json.dumps(dict(asked.data), indent=2, ensure_ascii=False, default=str))
    return mail


@hookimpl
def open_notifications(url: Url) -> Notifications | None:
    """Open `maildir:FOLDER`."""
    if url.scheme != "maildir":
        return None
    url.accepts()
    if not url.location:
        raise Misconfigured("say where: maildir:FOLDER", code="bad_url", field="notifications")
    return Maildir(Path(url.location))
