# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines are taken apart wherever the pieces end, merged by time, bounded, and hide what they must."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import loglines
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.loglines import Merged, Reader
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.places import Place

API = Place("api-1", "api")
PLENTY = 1 << 20


def stamp(second: int, nanosecond: int = 0) -> str:
    """A stamp as kubelet writes it."""
    return f"2026-11-22T03:07:{second:02d}.{nanosecond:09d}Z"


def reader(
    log: str | bytes, place: Place = API, pattern: str = "", most: int = PLENTY, complete: bool = True
) -> Reader:
    """A reader that has read this log."""
    made = Reader(place, pattern, most)
    made.feed(log.encode() if isinstance(log, str) else log)
    made.close(complete)
    return made


def texts(*readers: Reader, most: int = PLENTY, pattern: str = "", secrets: tuple[str, ...] = ()) -> list[str]:
    """The merged lines' texts."""
    merged = Merged()
    for each in readers:
        merged = merged.joined(each, most)
    return [line["text"] for line in merged.as_result(pattern, secrets)]


LINES = st.lists(
    st.tuples(st.integers(0, 59), st.integers(0, 999_999_999), st.text("abcä \t", max_size=30)), max_size=20
)


@given(LINES, st.integers(1, 40))
def test_pieces_make_the_same_lines_wherever_they_end(lines: list[tuple[int, int, str]], size: int) -> None:
    log = "".join(f"{stamp(second, nano)} {text}\n" for second, nano, text in lines).encode()
    pieces = Reader(API, "", PLENTY)
    for at in range(0, len(log), size):
        pieces.feed(log[at : at + size])
    pieces.close(complete=True)
    assert list(pieces.lines) == list(reader(log).lines)
    assert [line.text() for line in pieces.lines] == [text for _second, _nano, text in lines]


@given(st.lists(LINES, max_size=4), st.randoms(use_true_random=False))
def test_the_order_is_of_time_and_does_not_depend_on_who_answers_first(
    logs: list[list[tuple[int, int, str]]], chance: random.Random
) -> None:
    readers = [
        reader(
            "".join(f"{stamp(s, n)} {pod}.{at}\n" for at, (s, n, _text) in enumerate(log)), Place(f"api-{pod}", "api")
        )
        for pod, log in enumerate(logs)
    ]
    told = texts(*readers)
    chance.shuffle(readers)
    assert texts(*readers) == told
    for pod, log in enumerate(logs):
        assert [each for each in told if each.startswith(f"{pod}.")] == [f"{pod}.{at}" for at in range(len(log))]


@given(st.lists(LINES, max_size=4), st.integers(1, 2000))
def test_a_bound_leaves_the_newest(logs: list[list[tuple[int, int, str]]], most: int) -> None:
    written = ["".join(f"{stamp(s, n)} {text}\n" for s, n, text in log) for log in logs]
    places = [Place(f"api-{pod}", "api") for pod in range(len(logs))]
    whole, bounded = Merged(), Merged()
    for place, log in zip(places, written, strict=True):
        whole = whole.joined(reader(log, place), PLENTY)
        bounded = bounded.joined(reader(log, place, most=most), most)
    kept = len(bounded.lines)
    assert list(bounded.lines) == list(whole.lines)[len(whole.lines) - kept :]
    assert bounded.dropped == len(whole.lines) - kept
    assert kept <= 1 or sum(line.cost for line in bounded.lines) <= most


def test_clocks_that_tie_are_ordered_by_pod() -> None:
    later, sooner = (reader(f"{stamp(1)} {pod}\n", Place(pod, "api")) for pod in ("b", "a"))
    assert texts(later, sooner) == ["a", "b"]


def test_nanoseconds_and_zones_count() -> None:
    early = reader("2026-11-22T05:07:01.000000001+02:00 early\n", Place("b", "api"))
    late = reader("2026-11-22T03:07:01.000000002Z late\n", Place("a", "api"))
    assert texts(late, early) == ["early", "late"]
    assert [line.time for line in early.lines] == ["2026-11-22T03:07:01.000000001Z"]


def test_a_clock_that_goes_back_does_not_turn_lines_around() -> None:
    assert texts(reader(f"{stamp(9)} one\n{stamp(3)} two\n{stamp(5)} three\n")) == ["one", "two", "three"]


def test_a_line_without_a_stamp_stays_behind_the_one_before() -> None:
    log = f"{stamp(1)} trace\n    at main\n{stamp(3)} on\n"
    other = reader(f"{stamp(2)} other\n", Place("b", "api"))
    assert texts(reader(log), other) == ["trace", "    at main", "other", "on"]
    assert [line.time for line in reader(log).lines][:2] == [stamp(1), stamp(1)]


def test_a_line_before_any_stamp_has_no_time() -> None:
    assert [(line.moment, line.time) for line in reader("lost\n").lines] == [(0, "")]


@pytest.mark.parametrize(("complete", "kept"), [(True, ["one", "tw"]), (False, ["one"])])
def test_the_last_line_counts_only_in_a_complete_log(complete: bool, kept: list[str]) -> None:
    assert texts(reader(f"{stamp(1)} one\n{stamp(2)} tw", complete=complete)) == kept


def test_an_empty_log_has_no_line() -> None:
    assert texts(reader("")) == []


def test_what_is_no_text_is_replaced() -> None:
    assert texts(reader(stamp(1).encode() + b" \xff\xfe\x00 ok\r\n")) == ["\N{REPLACEMENT CHARACTER}" * 2 + "\0 ok"]


def test_a_line_that_is_too_long_is_cut_and_counted() -> None:
    log = reader(f"{stamp(1)} {'x' * 5_000_000}\n{stamp(2)} next\n")
    long, after = texts(log)
    beginning = "x" * loglines.LONGEST_LINE_BYTES
    assert long == f"{beginning} [... {5_000_000 - loglines.LONGEST_LINE_BYTES} more bytes]"
    assert after == "next"
    assert max(len(line.raw) for line in log.lines) < 50_000


def test_a_secret_at_the_cut_is_not_half_shown() -> None:
    for before in range(loglines.LONGEST_LINE_BYTES - 40, loglines.LONGEST_LINE_BYTES + 1):
        (text,) = texts(reader(f"{stamp(1)} {'x' * before} postgres://app:Tr0ub4dorTr0ub4dor@db/x {'y' * 90_000}\n"))
        assert "Tr0" not in text


def test_the_pattern_chooses_by_what_is_shown() -> None:
    log = f"{stamp(1)} ERROR a\n{stamp(2)} fine\n{stamp(3)} ERROR token=abcd1234efgh\n"
    assert texts(reader(log, pattern="^ERROR"), pattern="^ERROR") == ["ERROR a", "ERROR token=[hidden]"]
    assert texts(reader(log, pattern="abcd1234efgh"), pattern="abcd1234efgh") == []


def test_a_private_key_is_hidden_over_its_lines() -> None:
    lines = ["key:", "-----BEGIN RSA PRIVATE KEY-----", "MIIEow", "IBAAK", "-----END RSA PRIVATE KEY-----", "on"]
    log = "".join(f"{stamp(at)} {line}\n" for at, line in enumerate(lines))
    assert texts(reader(log)) == ["key:", "[hidden]", "[hidden]", "[hidden]", "[hidden]", "on"]


def test_a_key_without_an_end_does_not_hide_the_whole_log() -> None:
    log = "-----BEGIN PRIVATE KEY-----\n" + "MII\n" * 300
    assert texts(reader(log)).count("MII") == 300 - loglines.MOST_KEY_LINES


def test_known_secrets_are_blotted_out() -> None:
    assert texts(reader(f"{stamp(1)} got hunter2hunter2\n"), secrets=("hunter2hunter2",)) == ["got [hidden]"]


@pytest.mark.parametrize("since", ["", "2026-11-22T03:10:00Z", "2026-11-22T03:10:00.5+02:00"])
def test_times_that_the_api_server_understands(since: str) -> None:
    assert loglines.since_fault(since) is None


@pytest.mark.parametrize("since", ["yesterday", "10m", "2026-11-22", "2026-13-22T03:10:00Z", "2026-11-22T03:10:00Z "])
def test_other_times_are_refused(since: str) -> None:
    fault = loglines.since_fault(since)
    assert fault
    assert fault.reason == "time_invalid"


@pytest.mark.parametrize(("pattern", "valid"), [("", True), ("ERROR|WARN", True), ("(", False), ("*", False)])
def test_a_pattern_must_be_a_regular_expression(pattern: str, valid: bool) -> None:
    assert (loglines.pattern_fault(pattern) is None) is valid


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    line = {"time": "", "pod": "p", "container": "c", "previous": True, "text": "\x1b[31mred\x1b[0m\x1b]0;t\x07\tü"}
    assert loglines.written(line) == "- p c (previous): red\\x1b]0;t\\x07\tü"
