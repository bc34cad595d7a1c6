"""A proxy that can be installed, and the configurations that it is tested with. Values; pure.

Configurations are `string.Template`s, filled in twice: with the variant's words, which say how the proxy is configured,
and with the places of one run (ports, directories). The digest is taken in between: the same configuration has the same
digest on every machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Final

from streamkit.contract.verdicts import Profile
from streamkit.errors import ConfigError

__all__ = ["PLACES", "Proxy", "Setup", "Variant", "setup_of"]

PLACES: Final = (
    *("directory", "port", "fd", "ready_fd"),
    *("upstream_authority", "upstream_name", "upstream_ca"),
    *("modules", "user_and_group"),
)
"""What differs from run to run, and templates may name.

The temporary directory; the port to listen at, and the file descriptor of what listens there already; that of a second
socket, where it only has to answer; the upstream's host and port, the name in its certificate, and who signed that; and
what is known of the machine: where Apache's modules are, and who it is to be where we are root.
"""


@dataclass(frozen=True)
class Variant:
    """A configuration.

    Attributes:
        name: what `--with` calls it.
        what: what is special about it, for people.
        words: what it fills into the proxy's templates.
        profile: what a proxy is that is configured so.
    """

    name: str
    what: str
    words: Mapping[str, str] = field(default_factory=dict)
    profile: Profile = "pipe"


@dataclass(frozen=True)
class Proxy:
    """A proxy.

    Attributes:
        name: what `--with` calls it.
        programs: its command, under each name that it may have.
        package: what one installs to have it, as the end of a sentence.
        arguments: of the command, as templates. Where a word is nothing in a variant, the argument is left out.
        files: its configuration, in the directory: name and template.
        words: what the templates name and a variant does not say.
        schemes: the words for an upstream of each scheme; where https is missing, it cannot be asked so.
        environment: besides ours.
        version_arguments: have the command say its version.
        version: finds it in what is said then.
        variants: the first is how it is without anything said.
        takes_socket: whether it is handed a socket that listens already. Otherwise it gets the number of a port.
        patience_s: how long it may take to start, on a machine that has much else to do.
        model: what the harness has to ask for; empty where it does not matter.
        headers: what the harness has to send with each request.
        beside: how many cases it can be asked side by side; 0 for as many as usual.
    """

    name: str
    programs: tuple[str, ...]
    package: str
    arguments: tuple[str, ...]
    version_arguments: tuple[str, ...]
    version: re.Pattern[str]
    variants: tuple[Variant, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    schemes: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"http": {}})
    environment: Mapping[str, str] = field(default_factory=dict)
    takes_socket: bool = False
    patience_s: float = 20.0
    model: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    beside: int = 0


@dataclass(frozen=True)
class Setup:
    """A configuration, whole but for the places.

    Attributes:
        digest: of all of it, in hexadecimal.
    """

    arguments: tuple[str, ...]
    files: Mapping[str, str]
    environment: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        whole = [list(self.arguments), dict(self.files), dict(self.environment)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def at(self, places: Mapping[str, str]) -> Setup:
        """Return it for one run."""
        return Setup(
            tuple(Template(text).substitute(places) for text in self.arguments),
            {name: Template(text).substitute(places) for name, text in self.files.items()},
            {name: Template(text).substitute(places) for name, text in self.environment.items()},
        )


def setup_of(proxy: Proxy, variant: Variant, scheme: str = "http") -> Setup:
    """Return a proxy's configuration, for an upstream of this scheme.

    Raises:
        ConfigError: this proxy cannot be started before such an upstream.
    """
    if scheme not in proxy.schemes:
        raise ConfigError(
            f"{proxy.name} cannot be started before an {scheme} upstream: start it yourself, or do without"
        )
    words = {**proxy.words, **proxy.schemes[scheme], **variant.words}
    stays = {place: f"${{{place}}}" for place in PLACES}

    def filled(text: str) -> str:
        while (more := Template(text).substitute(stays | words)) != text:  # words may hold words
            text = more
        return text

    return Setup(
        tuple(argument for argument in map(filled, proxy.arguments) if argument),
        {name: filled(text) for name, text in proxy.files.items()},
        {name: filled(text) for name, text in proxy.environment.items()},
    )
