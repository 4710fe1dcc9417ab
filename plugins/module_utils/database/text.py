# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL without what it says about people: literals and comments go, in doubt everything but the command. Pure."""

from __future__ import annotations

import re

from ..redaction import redact_text

LONGEST = 400

# PostgreSQL's lexical structure (PostgreSQL documentation, sql-syntax-lexical). What begins like a literal and does
# not end, since pg_stat_activity cuts texts off (track_activity_query_size), is one up to the end.
_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*)
    | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    | (?P<string>(?:\b(?:[uU]&|[bBxXnN]))?'(?:[^']|'')*(?:'|\Z))
    | (?P<dollar>(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<identifier>(?:\b[uU]&)?"(?:[^"]|"")*(?:"|\Z))
    | (?P<parameter>\$\d+)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>(?:\d|\.\d)[\w.]*(?:(?<=[eE])[+-]\d+)?)
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_IDENTIFIER = re.compile(r'"[A-Za-z_][\w$ .-]{0,62}"\Z')
_LIST = re.compile(r"\?(?:\s*,\s*\?)+")
_COMMAND = re.compile(r"\s*([A-Za-z]+(?:\s+[A-Za-z]+)?)")
# Commands that take bare words which may be secret, or hold a program.
_PRIVATE = re.compile(
    r"(?:\A|;)\s*(?:SET|DO|(?:ALTER|CREATE)\s+(?:ROLE|USER|GROUP|DATABASE|SYSTEM|SERVER|SUBSCRIPTION))\b", re.IGNORECASE
)
_ADDRESS = re.compile(r"[\w.+-]+\s*@\s*[\w-]+\s*\.")


def without_literals(query: str) -> str:
    """The text with C(?) in place of every literal and without comments, in one line of at most 400 characters.

    Where a text could be read in two ways (a backslash before a quote means one thing or the other by a setting of
    the session), or where what is left may still name someone, only the command's first words are left.
    """
    pieces: list[str] = []
    position = 0
    while position < len(query):
        token = _TOKEN.match(query, position)
        if token is None:  # every character matches
            break
        position = token.end()
        kind, text = token.lastgroup, token.group()
        if token["comment"] is not None:
            position = _end_of_comment(query, token.start()) if text == "/*" else position
            pieces.append(" ")
        elif token["string"] is not None and "\\" in text:
            return command(query)
        elif token["identifier"] is not None:
            pieces.append(text if _PLAIN_IDENTIFIER.match(text) else '"?"')
        elif token["parameter"] is not None or kind in ("word", "space", "other"):
            pieces.append(text)
        else:
            pieces.append("?")
    line = _LIST.sub("?, ...", " ".join("".join(pieces).split()))
    if _PRIVATE.search(line) or _ADDRESS.search(line):
        return command(query)
    line = redact_text(line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 4]} ..."


def command(query: str) -> str:
    """The first words of the command, such as C(CREATE INDEX); C(...) stands for all the rest."""
    bare = re.sub(r"\A(?:\s+|--[^\n]*(?:\n|\Z))+", "", query)
    found = _COMMAND.match(bare)
    if not found:
        return "..."
    words = found[1].upper().split()
    return f"{' '.join(words if words[0] in _TWO_WORDS else words[:1])} ..."


_TWO_WORDS = ("ALTER", "CREATE", "DROP", "REFRESH", "LOCK", "PREPARE", "START", "COMMENT", "REINDEX")


def _end_of_comment(query: str, start: int) -> int:
    """Where a comment that may hold others ends; at the end of the text where it was cut off."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", query[start:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return start + mark.end()
    return len(query)


def unsafe_expression(text: str) -> str:
    """Why a text is not one expression of SQL that stays within parentheses around it; empty if it is.

    It may be set into a statement then: its parentheses are balanced, its literals end, and there is no semicolon,
    comment, parameter, or backslash, which means one thing or the other by a setting of the session.
    """
    depth, position = 0, 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:  # every character matches
            break
        position = token.end()
        said = token.group()
        if token["comment"] is not None:
            return "holds a comment"
        if "\\" in said:
            return "holds a backslash"
        if token["parameter"] is not None or said == ";" or token["dollar"] is not None:
            return f"holds {said[:10]}"
        if _open_ended(token):
            return "holds a quotation that does not end"
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(said, 0)
        if depth < 0:
            return "closes a parenthesis that it does not open"
    if depth:
        return "opens a parenthesis that it does not close"
    return "" if text.strip() else "is empty"


def _open_ended(token: re.Match[str]) -> bool:
    """Whether a literal or a quoted name was taken up to the end of the text without its closing quote."""
    kind = "'" if token["string"] is not None or token["escaped"] is not None else '"' if token["identifier"] else ""
    if not kind:
        return False
    inner = token.group()[token.group().index(kind) + 1 :]
    return not inner.endswith(kind) or inner.count(kind) % 2 == 0
