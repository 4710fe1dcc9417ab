# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors as a query, and whose an object is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import snapshot

NAME = st.from_regex(r"[a-z][a-z0-9./-]{0,8}[a-z0-9]", fullmatch=True)
VALUE = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?", fullmatch=True)
#: The operators of a label selector and how a query spells them.
TERMS = (
    ("In", re.compile(r"(?P<key>\S+) in \((?P<values>.*)\)")),
    ("NotIn", re.compile(r"(?P<key>\S+) notin \((?P<values>.*)\)")),
    ("DoesNotExist", re.compile(r"!(?P<key>[^=\s]+)")),
    ("Exists", re.compile(r"(?P<key>[^=!\s]+)")),
)


def parsed(text: str) -> dict[str, Any]:
    """The selector that a query means, by the grammar of k8s.io/apimachinery's labels.Parse."""
    labels: dict[str, str] = {}
    expressions = []
    for term in re.split(r",(?![^(]*\))", text) if text else []:
        for operator, pattern in TERMS:
            if found := pattern.fullmatch(term):
                values = {"values": found["values"].split(",")} if "values" in pattern.groupindex else {}
                expressions.append({"key": found["key"], "operator": operator, **values})
                break
        else:
            key, _equals, value = term.partition("=")
            labels[key] = value
    return {"matchLabels": labels, "matchExpressions": expressions}


EXPRESSION = st.one_of(
    st.fixed_dictionaries({"key": NAME, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
    st.fixed_dictionaries(
        {"key": NAME, "operator": st.sampled_from(["In", "NotIn"]), "values": st.lists(VALUE, min_size=1, max_size=3)}
    ),
)


@given(
    st.fixed_dictionaries(
        {"matchLabels": st.dictionaries(NAME, VALUE, max_size=3), "matchExpressions": st.lists(EXPRESSION, max_size=3)}
    )
)
def test_a_selector_means_the_same_as_a_query(selector: dict[str, Any]) -> None:
    assert parsed(snapshot.selector_text(selector)) == selector


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({}, ""),
        ({"matchLabels": None, "matchExpressions": None}, ""),
        ({"matchLabels": {"tier": "web", "app": "api"}}, "app=api,tier=web"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, "app in (a,b)"),
        (
            {"matchLabels": {"app": "api"}, "matchExpressions": [{"key": "canary", "operator": "DoesNotExist"}]},
            "app=api,!canary",
        ),
    ],
)
def test_selectors(selector: dict[str, Any], text: str) -> None:
    assert snapshot.selector_text(selector) == text


@pytest.mark.parametrize(
    ("references", "belongs"),
    [(None, False), ([], False), ([{"uid": "other"}], False), ([{"uid": "other"}, {"uid": "mine"}], True)],
)
def test_whose_an_object_is(references: list[dict[str, str]] | None, belongs: bool) -> None:
    assert snapshot.belongs({"metadata": {"ownerReferences": references}}, {"mine"}) == belongs


@pytest.mark.parametrize(
    ("kind", "history"),
    [("Deployment", "ReplicaSet"), ("StatefulSet", "ControllerRevision"), ("DaemonSet", "ControllerRevision")],
)
def test_where_a_workload_keeps_its_revisions(kind: str, history: str) -> None:
    assert snapshot.history_kind(kind) == history
