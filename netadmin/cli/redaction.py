"""What leaves the machine to be read by others has no secret in it: known ones by their text, all by their looks."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

HIDDEN = "(secret)"
SHORTEST = 4
"""Characters of a secret that is looked for by its text; what is shorter stands in everything."""
LOOKS = (
    re.compile(r"na[dj]_[0-9A-Za-z_.-]+"),
    re.compile(r"(?<=://)[^/\s@\"']+(?=@)"),
    re.compile(r"(?i)(?<=bearer )[^\s\"']+|(?<=basic )[^\s\"']+"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
)
"""Tokens of ours, logins in URLs and headers, keys."""
NAMED = re.compile(
    r"(?i)([\w-]*(?:password|passwd|secret|credential|private_key|api_key|sessionid|csrf\w*token|cookie)[\w-]*[\"']?"
    r"\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;]+)"
)
"""Cookies, `password=…`, and the value of whatever else calls itself secret."""
SECRET_WORDS = ("PASSWORD", "TOKEN", "SECRET", "KEY")
URLS = ("_URL",)


class Redactor:
    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= SHORTEST}
        # As they stand in JSON too, and the longest first: one may be the beginning of another.
        spelled = sorted({*known, *(json.dumps(each)[1:-1] for each in known)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, spelled))) if spelled else None

    def clean(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for look in LOOKS:
            text = look.sub(HIDDEN, text)
        return NAMED.sub(_hide_value, text)


def _hide_value(found: re.Match[str]) -> str:
    """The name stays, and what is around the value: JSON is JSON still."""
    name, value = found.groups()
    quote = value[0] if value[0] in "\"'" and value[-1] == value[0] and len(value) > 1 else ""
    return f"{name}{quote}{HIDDEN}{quote}"


def show_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of ours that are set: of a URL only where it leads, of a secret only that it is there."""
    shown: dict[str, str] = {}
    for name, value in sorted(variables.items()):
        if name.startswith("NETADMIN_") or name in ("DATABASE_URL", "REDIS_URL"):
            if any(word in name for word in SECRET_WORDS):
                shown[name] = "(set)"
            else:
                shown[name] = _show_url(value) if name.endswith(URLS) else value
    return shown


def _show_url(url: str) -> str:
    """Scheme, host, port and path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def find_secrets(state_dir: Path, variables: Mapping[str, str]) -> set[str]:
    """What is secret on this machine: of the settings, and of the files in the state directory."""
    found: set[str] = set()
    for name, value in variables.items():
        if any(word in name for word in SECRET_WORDS):
            found.add(value)
        elif name.endswith(URLS):
            found |= _secrets_of_url(value)
    for name in ("secret_key", "redis_password"):
        found.add(_read(state_dir / name).strip())
    for path in state_dir.glob("hosts/*/worker.json"):
        try:
            told = json.loads(_read(path))
        except ValueError:
            continue
        found |= {str(told.get("key", "")), *_secrets_of_url(str(told.get("redis_url", "")))}
    return found - {""}


def _secrets_of_url(url: str) -> set[str]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return {url}
    return {password, unquote(password)}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
