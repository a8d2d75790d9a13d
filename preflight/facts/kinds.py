"""What a text among the facts is, and so what may be shown of it in a redacted document.

The kind stands beside the field: `unit: UnitName | None`. A text without one is a secret. Numbers, truth values,
times and what is but one of a few words (`Literal`) are shown as they are. `redact/` knows what is done with each kind.
Imports nothing of ours.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated


class Kind(Enum):
    """Kinds of texts."""

    SECRET = "secret"  # nothing of it is shown
    WORD = "word"
    TEXT = "text"
    REASON = "reason"
    VERSION = "version"
    PATH = "path"
    PROGRAM = "program"
    UNIT = "unit"
    PACKAGE = "package"
    USER = "user"
    CONTAINER = "container"
    IMAGE = "image"
    INTERFACE = "interface"
    CHAIN = "chain"
    ADDRESS = "address"
    SERVER = "server"
    URL = "url"
    ARGUMENT = "argument"
    NAME = "name"
    QUESTION = "question"
    RECORD = "record"
    ISSUER = "issuer"
    DIGEST = "digest"
    ZONE = "zone"
    # Of a whole list or table:
    PARTS = "parts"
    COMMAND = "command"
    FLAGS = "flags"
    SETTINGS = "settings"
    # Of our own making:
    MOMENT = "moment"
    LEGEND = "legend"


Secret = Annotated[str, Kind.SECRET]  # so is what other programs say in words of their own
Word = Annotated[str, Kind.WORD]  # of ours, of the kernel's or of the engine's; only what is known is shown
Text = Annotated[str, Kind.TEXT]  # a word, or what a product calls itself: shown where the whole of it is known
Sentence = Annotated[str, Kind.REASON]  # a sentence of ours, which is left out: it may name anything
Version = Annotated[str, Kind.VERSION]
FilePath = Annotated[str, Kind.PATH]
ProgramName = Annotated[str, Kind.PROGRAM]
UnitName = Annotated[str, Kind.UNIT]
PackageName = Annotated[str, Kind.PACKAGE]
UserName = Annotated[str, Kind.USER]
ContainerName = Annotated[str, Kind.CONTAINER]  # of a container, a project, a network or a volume
ImageName = Annotated[str, Kind.IMAGE]
InterfaceName = Annotated[str, Kind.INTERFACE]
ChainName = Annotated[str, Kind.CHAIN]  # of a chain, a table or a set of the firewall
Ip = Annotated[str, Kind.ADDRESS]  # an address or a network
ServerName = Annotated[str, Kind.SERVER]  # an address or a name, with or without a port
Argument = Annotated[str, Kind.ARGUMENT]  # --name=value, or a value of whatever looks
Url = Annotated[str, Kind.URL]
HostName = Annotated[str, Kind.NAME]  # or a domain's
QuestionKey = Annotated[str, Kind.QUESTION]  # a name, a blank, a type of records
RecordText = Annotated[str, Kind.RECORD]  # a record's data in presentation form
IssuerText = Annotated[str, Kind.ISSUER]  # of a CAA record: a certificate authority, and for whom it issues
Digest = Annotated[str, Kind.DIGEST]  # hexadecimal: of a key or a certificate, or these themselves
ZoneName = Annotated[str, Kind.ZONE]  # of a time zone
Parts = Annotated[tuple[str, ...], Kind.PARTS]  # of a record's text, which may be cut anywhere
CommandLine = Annotated[tuple[str, ...], Kind.COMMAND]
Flags = Annotated[tuple[str, ...], Kind.FLAGS]  # of a processor
Moment = Annotated[str, Kind.MOMENT]  # as this program alone writes it
Legend = Annotated[dict[str, str], Kind.LEGEND]  # placeholders and what takes their part: made by redaction itself
